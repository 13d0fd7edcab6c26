"""The bands within which metrics count as reproduced where the environment differs.

Another processor or library rounds differently, and training amplifies that until the networks are different, as with
another seed. So bits cannot be expected to be equal, but the numbers can be expected to support the same statements. A
test part of n sources determines a metric no better than its standard error over the choice of the sources. The band is
two standard errors wide on either side:

    |m(re-run) - m(recorded)| <= 2 s,

where m is the metric and s its standard error, from resampling n sources with replacement (the bootstrap of Efron 1979,
doi:10.1214/aos/1176344552) from the predictions of both runs together, which are interchangeable if the run reproduces.
The band says that a difference is too small to matter, not that two networks are the same; with few test sources it is
wide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarker.contracts.tasks import Task
from benchmarker.evaluation.metrics import scores
from benchmarker.randomness import Stream
from benchmarker.results.tables import Predictions

RESAMPLES = 200
STANDARD_ERRORS = 2.0
# Relative difference between sums of the same numbers in a different order.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricComparison:
    """A metric of the test part in a run and in its re-run.

    Parameters
    ----------
    checkpoint, metric : str
        Checkpoint, and name of the metric.
    recorded, rerun : float
        Value in the study, and value of the re-run, in the unit of the metric.
    band : float
        Largest difference that counts as reproduced, in the unit of the metric.
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
        What the predictions mean.
    checkpoint : str
        Checkpoint that was tested.
    recorded, rerun : Predictions
        Predictions of the same images in the same order.

    Raises
    ------
    ValueError
        If the images are not the same.
    """
    if not (np.array_equal(recorded.images, rerun.images) and np.array_equal(recorded.truth, rerun.truth)):
        raise ValueError("the two runs were tested on different images")
    one, other = (scores(task, each.truth, each.values) for each in (recorded, rerun))
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

    Sources are resampled rather than images, because images of one source are not independent.
    """
    targets = np.concatenate([recorded.truth, rerun.truth])
    values = np.concatenate([recorded.values, rerun.values])
    n = len(recorded.source_ids)
    rows_of: dict[str, list[int]] = {}
    for row, source in enumerate(recorded.source_ids):
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
