"""The metric that leaderboards are sorted by, for each kind of task."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarker.contracts.tasks import Classification, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class PrimaryMetric:
    """The metric that leaderboards are sorted by."""

    name: str
    higher_is_better: bool


def primary_metric(task: Task) -> PrimaryMetric:
    """Return the metric that leaderboards of a task are sorted by."""
    if isinstance(task, Classification):
        return PrimaryMetric(name="mean_per_class_accuracy", higher_is_better=True)
    return PrimaryMetric(name="mean_absolute_error", higher_is_better=False)
