"""What predicted probabilities are worth: curves of each class, and calibration, averaged over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarker import CellRecord, Predictions, StudyResults
from benchmarker_reports.content.charts import Floats, Panel, Series
from benchmarker_reports.content.curves import (
    area_under_roc,
    average_precision,
    averaged,
    brier_score,
    precision_at,
    reliability,
    roc,
)
from benchmarker_reports.content.leaderboard import Line
from benchmarker_reports.content.prior import PRIOR_COLOUR, Prior, density_panel, prior
from benchmarker_reports.content.readable import predictions_of

MOST_CLASSES = 24
"""Classes whose curves are drawn; scores are means over all classes."""

CALIBRATION_NAMES = ("area_under_roc", "average_precision", "expected_calibration_error", "brier_score")
"""Flat names of the scores of probabilities."""

GRID: Floats = np.linspace(0.0, 1.0, 41)
"""Points at which the curves of several seeds are averaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Scores of one line's probabilities: means over seeds, and over classes where a score is that of a class."""

    line: Line
    area: float
    average_precision: float
    calibration_error: float
    brier: float

    def to_json(self) -> dict[str, float | None]:
        """Return the scores by flat name; None for one that cannot be computed, as of a single class."""
        known = zip(CALIBRATION_NAMES, self.scores, strict=True)
        return {name: value if math.isfinite(value) else None for name, value in known}

    @property
    def scores(self) -> tuple[float, float, float, float]:
        """Area under the ROC curve, average precision, expected calibration error and Brier score."""
        return self.area, self.average_precision, self.calibration_error, self.brier


@dataclass(frozen=True, slots=True, kw_only=True)
class Probabilities:
    """Curves and scores of some lines of the leaderboard.

    Parameters
    ----------
    roc, precision_recall : tuple of Panel
        One panel for each of the first `MOST_CLASSES` classes.
    reliability : Panel
        Accuracy against confidence.
    confidence : Panel
        Share of the predictions in each bin of confidence, which tells how much each point of the former weighs.
    calibration : tuple of Calibration
        One for each line.
    densities : tuple of Panel
        Densities of the probability of the second of two classes, one panel for each line; of more classes, one panel
        for each class of the first line.
    prior : Prior or None
        The prior, where it is known which sources trained.
    """

    roc: tuple[Panel, ...]
    precision_recall: tuple[Panel, ...]
    reliability: Panel
    confidence: Panel
    calibration: tuple[Calibration, ...]
    densities: tuple[Panel, ...] = ()
    prior: Prior | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Predicted:
    """A line with the predictions of its runs, and how charts show it."""

    line: Line
    name: str
    colour: int
    runs: Sequence[Predictions]


def probabilities(results: StudyResults, lines: Sequence[Line], checkpoint: str) -> Probabilities | None:
    """Return curves and scores, or None where there are no probabilities, as in a regression.

    Parameters
    ----------
    results : StudyResults
        The study that has the predictions.
    lines : sequence of Line
        Lines to show; each gets a colour.
    checkpoint : {"best", "final"}
    """
    if not results.classes:
        return None
    several_arms = len({line.arm for line in lines}) > 1
    known = []
    for colour, line in enumerate(lines):
        found = [each for run in line.runs if (each := predictions_of(results, run, checkpoint)) is not None]
        if found:
            name = line.name if several_arms else line.label
            known.append(_Predicted(line=line, name=name, colour=colour, runs=found))
    if not known:
        return None
    # With two classes, the curves of the second mirror those of the first.
    shown = range(min(len(results.classes), MOST_CLASSES)) if len(results.classes) > 2 else range(1)
    known_prior = prior(results, [each.line for each in known], checkpoint)
    reliable, confident = _reliability_panels(known)
    return Probabilities(
        roc=tuple(_roc_panel(results.classes[c], known, c) for c in shown),
        precision_recall=tuple(_precision_recall_panel(results.classes[c], known, c) for c in shown),
        reliability=reliable,
        confidence=confident,
        calibration=tuple(_calibration(each.line, each.runs) for each in known),
        densities=_densities(results.classes, known, known_prior),
        prior=known_prior,
    )


def _densities(classes: Sequence[str], known: Sequence[_Predicted], known_prior: Prior | None) -> tuple[Panel, ...]:
    shares = (None,) * len(classes) if known_prior is None else known_prior.shares
    if len(classes) == 2:
        return tuple(density_panel(each.name, each.runs, 1, shares[1]) for each in known)
    first = known[0]
    shown = range(min(len(classes), MOST_CLASSES))
    return tuple(density_panel(classes[c], first.runs, c, shares[c], titled=True) for c in shown)


def calibration(results: StudyResults, runs: Sequence[CellRecord], line: Line, checkpoint: str) -> Calibration | None:
    """Return the scores of a line's probabilities, or None where it has no predictions.

    Parameters
    ----------
    results : StudyResults
        The study that has the predictions.
    runs : sequence of CellRecord
        Finished runs of the line.
    line : Line
    checkpoint : {"best", "final"}
    """
    if not results.classes:
        return None
    found = [each for run in runs if (each := predictions_of(results, run, checkpoint)) is not None]
    return _calibration(line, found) if found else None


def _roc_panel(title: str, known: Sequence[_Predicted], number: int) -> Panel:
    series = []
    for each in known:
        curves = [roc(run.truth == number, run.values[:, number]) for run in each.runs if _testable(run, number)]
        if curves:
            # The curve starts in the corner, also where it rises at once.
            x, mean, low, high = (np.concatenate([np.zeros(1), a]) for a in (GRID, *averaged(curves, GRID)))
            series.append(Series(name=each.name, x=x, y=mean, low=low, high=high, colour=each.colour))
    return _unit_panel(title, series, "false positive rate", "true positive rate", diagonal=True)


def _precision_recall_panel(title: str, known: Sequence[_Predicted], number: int) -> Panel:
    series = []
    for each in known:
        curves = [
            precision_at(run.truth == number, run.values[:, number], GRID)
            for run in each.runs
            if _testable(run, number)
        ]
        if curves:
            values = np.stack(curves)
            mean, low, high = values.mean(axis=0), values.min(axis=0), values.max(axis=0)
            series.append(Series(name=each.name, x=GRID, y=mean, low=low, high=high, colour=each.colour))
    # A network that knows nothing has the share of the class as its precision at every recall.
    truth = np.concatenate([run.truth for each in known for run in each.runs])
    share = np.full(2, float((truth == number).mean()))
    series.append(Series(name="share", x=np.array([0.0, 1.0]), y=share, colour=PRIOR_COLOUR, dashed=True))
    return _unit_panel(title, series, "recall", "precision")


def _reliability_panels(known: Sequence[_Predicted]) -> tuple[Panel, Panel]:
    """Return accuracy against confidence, and how many predictions have each confidence."""
    accuracies, shares = [], []
    for each in known:
        pooled = reliability(
            np.concatenate([run.truth for run in each.runs]), np.concatenate([run.values for run in each.runs])
        )
        filled = pooled.counts > 0
        confidence, counts = pooled.confidence[filled], pooled.counts[filled]
        accuracies.append(Series(name=each.name, x=confidence, y=pooled.accuracy[filled], colour=each.colour))
        shares.append(Series(name=each.name, x=confidence, y=100 * counts / counts.sum(), colour=each.colour))
    return (
        _unit_panel("Reliability", accuracies, "confidence", "share that is correct", diagonal=True),
        Panel(
            title="Confidence",
            series=tuple(shares),
            x_label="confidence",
            y_label="predictions [%]",
            x_range=(0.0, 1.0),
            y_range=(0.0, 105.0),
        ),
    )


def _unit_panel(title: str, series: Sequence[Series], x_label: str, y_label: str, *, diagonal: bool = False) -> Panel:
    return Panel(
        title=title,
        series=tuple(series),
        x_label=x_label,
        y_label=y_label,
        x_range=(0.0, 1.0),
        y_range=(0.0, 1.0),
        diagonal=diagonal,
    )


def _calibration(line: Line, runs: Sequence[Predictions]) -> Calibration:
    areas, precisions = [], []
    for run in runs:
        tested = [number for number in range(len(run.classes)) if _testable(run, number)]
        areas.append(np.mean([area_under_roc(run.truth == c, run.values[:, c]) for c in tested] or [np.nan]))
        precisions.append(np.mean([average_precision(run.truth == c, run.values[:, c]) for c in tested] or [np.nan]))
    return Calibration(
        line=line,
        area=float(np.mean(areas)),
        average_precision=float(np.mean(precisions)),
        calibration_error=float(np.mean([reliability(run.truth, run.values).error for run in runs])),
        brier=float(np.mean([brier_score(run.truth, run.values) for run in runs])),
    )


def _testable(predictions: Predictions, number: int) -> bool:
    """Tell whether the test part holds images of a class, and others."""
    members = predictions.truth == number
    return bool(members.any() and not members.all())
