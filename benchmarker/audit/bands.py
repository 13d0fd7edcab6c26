"""The bands within which metrics count as reproduced where the environment differs.

Another processor or library rounds differently, and training amplifies that until the networks are different ones, as
with another seed. So equal bits cannot be asked for; what can is that the numbers lead to the same statements. A test
part of n sources does not fix a metric more narrowly than its standard error over the choice of the sources. The band
is twice that: |re-run - recorded| <= 2 s, s from resampling n sources with replacement (bootstrap, Efron 1979,
doi:10.1214/aos/1176344552) from the predictions of both runs taken together, as they are interchangeable if the run
reproduces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarker.audit.predictions import Predictions
from benchmarker.contracts.tasks import Task
from benchmarker.evaluation.metrics import scores
from benchmarker.randomness import Stream

RESAMPLES = 200
STANDARD_ERRORS = 2.0
# Numbers that are equal but for the order of a sum.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricComparison:
    """A metric of the test part, recorded and had again.

    Parameters
    ----------
    checkpoint, metric : str
        Of what.
    recorded, rerun : float
        Both values.
    band : float
        Largest difference that counts as reproduced.
    """

    checkpoint: str
    metric: str
    recorded: float
    rerun: float
    band: float

    @property
    def within(self) -> bool:
        """Whether the difference is within the band."""
        return abs(self.rerun - self.recorded) <= self.band

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as JSON."""
        return {
            "checkpoint": self.checkpoint,
            "metric": self.metric,
            "recorded": self.recorded,
            "rerun": self.rerun,
            "band": self.band,
            "within": self.within,
        }


def compare_metrics(
    task: Task, checkpoint: str, recorded: Predictions, rerun: Predictions
) -> tuple[MetricComparison, ...]:
    """Compare the metrics of two runs on one test part.

    Parameters
    ----------
    task : Task
        Knows the metrics.
    checkpoint : str
        What was tested.
    recorded, rerun : Predictions
        Of the same images in the same order.

    Raises
    ------
    ValueError
        If the images are not the same.
    """
    if recorded.images != rerun.images or not np.array_equal(recorded.targets, rerun.targets):
        raise ValueError("the two runs were tested on different images")
    one, other = (scores(task, each.targets, each.values) for each in (recorded, rerun))
    errors = standard_errors(task, recorded, rerun)
    return tuple(
        MetricComparison(
            checkpoint=checkpoint,
            metric=name,
            recorded=one[name],
            rerun=other[name],
            band=STANDARD_ERRORS * errors[name] + _ROUNDING * abs(one[name]),
        )
        for name in one
    )


def standard_errors(task: Task, recorded: Predictions, rerun: Predictions) -> dict[str, float]:
    """Return the standard error of each metric over the choice of the test sources, from both runs together.

    Sources are drawn, not images: images of one source are no independent tests.
    """
    targets = np.concatenate([recorded.targets, rerun.targets])
    values = np.concatenate([recorded.values, rerun.values])
    n = len(recorded.sources)
    rows_of: dict[str, list[int]] = {}
    for row, source in enumerate(recorded.sources):
        rows_of.setdefault(source, []).append(row)
    groups = [np.array(rows) for rows in rows_of.values()]
    groups += [rows + n for rows in groups]
    drawn: dict[str, list[float]] = {}
    for resample in range(RESAMPLES):
        generator = Stream("audit-band", resample=resample).generator()
        chosen = np.concatenate([groups[k] for k in generator.integers(len(groups), size=len(rows_of))])
        for name, value in scores(task, targets[chosen], values[chosen]).items():
            drawn.setdefault(name, []).append(value)
    return {name: float(np.std(numbers, ddof=1)) for name, numbers in drawn.items()}
