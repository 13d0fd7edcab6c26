"""Results of networks for tests: with or without predictions, built without a stored study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarker import Stream
from benchmarker.statistics.comparison import ComparisonSettings
from benchmarker.statistics.network_results import NetworkResults, SeedResult, classification_sums, score

ACCURACY = "mean_per_class_accuracy"
CLASSES = ("compact", "FRI", "FRII")
SOURCES = tuple(f"source {k:02d}" for k in range(30))
TRUTH: NDArray[np.int64] = np.arange(30) % 3


def settings(level: float = 0.9, margin: float | None = None, metric: str = ACCURACY) -> ComparisonSettings:
    """Return settings for comparisons of three classes."""
    return ComparisonSettings(
        metric=metric, unit="pp", higher_is_better=True, level=level, margin=margin, scopes=CLASSES
    )


def plain(name: str, values: Mapping[int, float], *, planned: int | None = None, **facts: Any) -> NetworkResults:
    """Return results without predictions."""
    seeds = {seed: SeedResult(value=value) for seed, value in values.items()}
    return NetworkResults(
        network=name, arm="real", model=name, planned=len(values) if planned is None else planned, seeds=seeds, **facts
    )


def run(
    predicted: NDArray[np.int64], sources: Sequence[str] = SOURCES, truth: NDArray[np.int64] = TRUTH, **facts: Any
) -> SeedResult:
    """Return the result of a run that made some predictions."""
    sums = classification_sums(sources, truth, predicted, 3)
    found = score(sums, ACCURACY)
    if found is None:
        raise ValueError("these predictions have no score")
    return SeedResult(value=found.value, sums=sums, correct=predicted == truth, image_sources=tuple(sources), **facts)


def guesses(name: str, seed: int, skill: float, truth: NDArray[np.int64] = TRUTH) -> NDArray[np.int64]:
    """Return predictions that are right with a chance."""
    luck = Stream("rows", name=name, seed=seed).generator().random(len(truth))
    return np.where(luck < skill, truth, (truth + 1) % 3)


def network(name: str, seeds: Mapping[int, SeedResult], **facts: Any) -> NetworkResults:
    """Return the results of some runs."""
    return NetworkResults(
        network=name, arm="real", model=name, planned=facts.pop("planned", len(seeds)), seeds=seeds, **facts
    )


def skilled(name: str, skill: float, seeds: Sequence[int] = (1, 2, 3), **facts: Any) -> NetworkResults:
    """Return the results of a network that is right with a chance, on the same test part under all seeds."""
    return network(name, {seed: run(guesses(name, seed, skill)) for seed in seeds}, **facts)
