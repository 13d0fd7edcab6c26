"""Calibration: coverage is simulated, temperatures are recovered, and unlike images are found."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarker import Stream
from benchmarker_serving.prediction.calibration import (
    Neighbours,
    class_thresholds,
    conformal_quantile,
    fit_temperature,
    interval_widths,
    prediction_sets,
    tempered,
    unlike_threshold,
)

COVERAGE = 0.9


def classified(n: int, name: str, frequencies: tuple[float, ...] = (0.7, 0.2, 0.1)) -> tuple[NDArray, NDArray]:  # type: ignore[type-arg]
    """Return probabilities of a network that is too certain, and true classes; rare classes are harder."""
    rng = Stream("serving-test", name=name).generator()
    truth = rng.choice(len(frequencies), size=n, p=frequencies)
    logits = rng.normal(0, 1, (n, len(frequencies)))
    logits[np.arange(n), truth] += np.array([2.5, 1.2, 0.6])[truth]
    certain = np.exp(3 * logits)
    return certain / certain.sum(axis=1, keepdims=True), truth


def covered(name: str, *, per_class: bool) -> tuple[float, list[float]]:
    """Return the fraction of new images whose set holds the truth, and that of each class."""
    hits, truths = [], []
    for k in range(200):
        thresholds = class_thresholds(*classified(150, f"{name}-calibration-{k}"), COVERAGE, per_class=per_class)
        probabilities, truth = classified(150, f"{name}-new-{k}")
        hits.append(prediction_sets(probabilities, thresholds)[np.arange(len(truth)), truth])
        truths.append(truth)
    inside, classes = np.concatenate(hits), np.concatenate(truths)
    return float(inside.mean()), [float(inside[classes == k].mean()) for k in range(3)]


def test_sets_hold_the_truth_as_often_as_promised() -> None:
    overall, by_class = covered("marginal", per_class=False)
    assert overall == pytest.approx(COVERAGE, abs=0.02)
    assert min(by_class) < COVERAGE - 0.05  # the rare class pays


def test_sets_per_class_hold_the_truth_within_each_class() -> None:
    _, by_class = covered("mondrian", per_class=True)
    # With some 15 images of the rare class the promise is between 0.90 and 0.90 + 1/16.
    assert all(COVERAGE - 0.02 <= each <= COVERAGE + 0.07 for each in by_class)


def test_intervals_hold_the_truth_as_often_as_promised() -> None:
    rng = Stream("serving-test", name="intervals").generator()
    inside = []
    for _ in range(200):
        truth, predicted = rng.normal(60, 10, (2, 100, 1)), rng.standard_t(3, (2, 100, 1))
        width = interval_widths(truth[0] + predicted[0], truth[0], COVERAGE)
        inside.append(np.abs(predicted[1]) <= width)
    assert float(np.mean(inside)) == pytest.approx(COVERAGE, abs=0.02)


def test_too_few_images_exclude_nothing() -> None:
    assert math.isinf(conformal_quantile(np.arange(8.0), COVERAGE))
    assert conformal_quantile(np.arange(9.0), COVERAGE) == 8.0


def test_without_calibration_images_nothing_is_excluded_or_flagged() -> None:
    none = np.empty((0, 2))
    thresholds = class_thresholds(none, np.empty(0, dtype=np.int64), COVERAGE)
    assert prediction_sets(np.array([[0.9, 0.1]]), thresholds).all()
    assert np.isinf(interval_widths(none, none, COVERAGE)).all()
    assert unlike_threshold(np.empty(0), 0.01) == (math.inf, 0.0)


def test_temperature_of_a_network_that_is_too_certain_is_found() -> None:
    rng = Stream("serving-test", name="temperature").generator()
    honest = rng.dirichlet((0.6, 0.6, 0.6), 4000)
    truth = (honest.cumsum(axis=1) < rng.random((4000, 1))).sum(axis=1)
    certain = tempered(honest, 1 / 3)  # its logits are three times too large
    temperature = fit_temperature(certain, truth)
    assert temperature == pytest.approx(3, rel=0.1)
    assert tempered(certain, temperature) == pytest.approx(honest, abs=0.05)


def test_unlike_images_are_flagged_and_ordinary_ones_seldom() -> None:
    rng = Stream("serving-test", name="unlike").generator()
    centre = np.zeros(16)
    centre[0] = 5
    known, ordinary, more = (rng.normal(centre, 1, (400, 16)) for _ in range(3))
    search = Neighbours(known)
    threshold, level = unlike_threshold(search(ordinary), 0.01)
    assert level == 0.01
    assert float((search(more) > threshold).mean()) < 0.04
    assert float((search(rng.normal(-centre, 1, (400, 16))) > threshold).mean()) > 0.95


def test_few_calibration_images_flag_no_fewer_than_they_can() -> None:
    assert unlike_threshold(np.arange(1.0, 10.0), 0.01) == (9.0, 0.1)
