"""Metrics of one run, and the same metrics without one test source each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarker import Stream, open_results
from benchmarker.statistics.network_results import (
    classification_sums,
    percentage_scale,
    read_network_results,
    regression_sums,
    score,
)
from tests.statistics.material import SEEDS, fill

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.conftest import StudyFiles


def test_values_are_those_of_the_run(study: StudyFiles) -> None:
    fill(study, {("good", "real"): 0.7})
    (row,) = read_network_results(open_results(study.folder), "mean_per_class_accuracy", "best")
    for seed in SEEDS:
        found = row.score(seed, "mean_per_class_accuracy")
        assert found is not None
        assert found.value == pytest.approx(row.values[seed], abs=1e-12)


def errors() -> tuple[list[str], NDArray[np.float64], NDArray[np.float64]]:
    draws = Stream("errors").generator()
    truth = draws.normal(60, 10, (30, 2))
    return [f"galaxy {k // 2}" for k in range(30)], truth, truth + draws.normal(0, 3, (30, 2))


@pytest.mark.parametrize("metric", ["mean_absolute_error", "root_mean_squared_error"])
def test_errors_without_a_source_are_those_of_scikit_learn(metric: str) -> None:
    from sklearn import metrics

    sources, truth, predicted = errors()
    found = score(regression_sums(sources, truth, predicted), metric)
    assert found is not None
    function = getattr(metrics, metric)
    assert found.value == pytest.approx(function(truth, predicted))
    names = sorted(set(sources))
    for k, name in enumerate(names):
        kept = np.array([source != name for source in sources])
        assert found.left_out[k] == pytest.approx(function(truth[kept], predicted[kept]))


@pytest.mark.parametrize("metric", ["mean_absolute_error", "root_mean_squared_error"])
def test_errors_of_several_units_are_fractions_of_their_ranges(metric: str) -> None:
    sources, truth, predicted = errors()
    scales = np.array([45.0, 1e3])
    scaled = score(regression_sums(sources, truth / scales, predicted / scales), metric)
    found = score(regression_sums(sources, truth, predicted, tuple(scales)), metric)
    assert found is not None
    assert scaled is not None
    assert found.value == pytest.approx(scaled.value)
    assert found.left_out == pytest.approx(scaled.left_out)
    (plain, single) = (score(regression_sums(sources, truth, predicted, s), metric, 1) for s in ((), tuple(scales)))
    assert plain is not None
    assert single is not None
    assert single.value == plain.value


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "macro_precision", "macro_recall"])
def test_scores_without_a_source_are_those_of_scikit_learn(metric: str) -> None:
    from sklearn import metrics

    draws = Stream("scores").generator()
    sources = [f"s{k // 2:02d}" for k in range(60)]
    truth, predicted = draws.integers(0, 3, 60), draws.integers(0, 3, 60)
    functions = {
        "accuracy": metrics.accuracy_score,
        "macro_f1": lambda a, b: metrics.f1_score(a, b, average="macro"),
        "macro_precision": lambda a, b: metrics.precision_score(a, b, average="macro"),
        "macro_recall": lambda a, b: metrics.recall_score(a, b, average="macro"),
    }
    found = score(classification_sums(sources, truth, predicted, 3), metric)
    assert found is not None
    assert found.value == pytest.approx(functions[metric](truth, predicted))
    kept = np.array([source != "s07" for source in sources])
    assert found.left_out[7] == pytest.approx(functions[metric](truth[kept], predicted[kept]))
    assert score(classification_sums(sources, truth, predicted, 3), "loss") is None


FIVE = ("a", "b", "c", "d", "e")


def test_independent_sources_are_counted_for_each_class() -> None:
    truth = np.array([0, 0, 0, 1, 1])
    sums = classification_sums(FIVE, truth, truth, 3)
    assert sums.independent == (3, 2, 0)
    clustered = sums.clustered({"a": "one", "b": "one", "d": "two"})
    assert clustered.sources == ("a b", "c", "d", "e")
    assert clustered.independent == (2, 2, 0)
    mixed = sums.clustered(dict.fromkeys(FIVE, "all"))
    assert (mixed.sources, mixed.independent) == (("a b c d e",), (1, 1, 0))


def test_class_without_a_source_is_left_out_of_means() -> None:
    truth, predicted = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 2, 1, 0])
    sums = classification_sums(FIVE, truth, predicted, 3)
    found = score(sums, "mean_per_class_accuracy")
    assert found is not None
    assert found.value == pytest.approx(100 * (2 / 3 + 1 / 2) / 2)


@pytest.mark.parametrize(
    ("metric", "scale"),
    [("mean_per_class_accuracy", 100), ("recall", 100), ("macro_f1", 1), ("macro_recall", 1), ("accuracy", None)],
)
def test_scale_is_the_value_where_everything_is_right(metric: str, scale: float | None) -> None:
    assert percentage_scale(metric) == scale
    truth = np.array([0, 0, 0, 1, 1])
    found = score(classification_sums(FIVE, truth, truth, 2), metric, 0 if metric == "recall" else None)
    assert found is not None
    assert found.value == pytest.approx(scale or 1)
