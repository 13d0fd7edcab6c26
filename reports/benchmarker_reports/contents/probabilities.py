"""What predicted probabilities are worth: curves of each class, and calibration, averaged over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarker import Predictions, StudyResults
from benchmarker_reports.contents.curves import (
    Floats,
    area_under_roc,
    average_precision,
    averaged,
    brier_score,
    precision_recall,
    reliability,
    roc,
)
from benchmarker_reports.contents.model import Calibration, Entry, Panel, Series

GRID: Floats = np.linspace(0.0, 1.0, 41)
"""Where curves of several seeds are averaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probabilities:
    """Panels and a table for some entries.

    Parameters
    ----------
    roc, precision_recall : tuple of Panel
        One for each class.
    reliability : tuple of Panel
        One: accuracy against confidence.
    calibration : tuple of Calibration
        One for each entry.
    """

    roc: tuple[Panel, ...]
    precision_recall: tuple[Panel, ...]
    reliability: tuple[Panel, ...]
    calibration: tuple[Calibration, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    entry: Entry
    name: str
    colour: int
    runs: Sequence[Predictions]


def probabilities(results: StudyResults, lines: Sequence[Entry], checkpoint: str) -> Probabilities | None:
    """Return the curves of some entries, or None where there are no probabilities (as in a regression).

    Parameters
    ----------
    results : StudyResults
        That has the predictions.
    lines : sequence of Entry
        Whose; each gets a colour.
    checkpoint : {"best", "final"}
        Of which weights.
    """
    if not results.classes:
        return None
    runs = {
        k: [found for run in entry.runs if (found := results.predictions(run, checkpoint)) is not None]
        for k, entry in enumerate(lines)
    }
    arms = len({entry.arm for entry in lines}) > 1
    having = [
        _Asked(
            entry=lines[k], name=f"{lines[k].label} / {lines[k].arm}" if arms else lines[k].label, colour=k, runs=found
        )
        for k, found in runs.items()
        if found
    ]
    if not having:
        return None
    # With two classes, the curves of the second mirror those of the first.
    shown = range(len(results.classes)) if len(results.classes) > 2 else range(1)
    return Probabilities(
        roc=tuple(_panel(results, having, c, "roc") for c in shown),
        precision_recall=tuple(_panel(results, having, c, "precision-recall") for c in shown),
        reliability=(_reliability(having),),
        calibration=tuple(_scores(asked.entry, asked.runs) for asked in having),
    )


def _panel(results: StudyResults, having: Sequence[_Asked], number: int, kind: str) -> Panel:
    series = []
    for asked in having:
        curve = roc if kind == "roc" else precision_recall
        curves = [curve(each.truth == number, each.values[:, number]) for each in asked.runs if _both(each, number)]
        if curves:
            mean, low, high = averaged(curves, GRID)
            x, mean, low, high = (_from_corner(array, kind) for array in (GRID, mean, low, high))
            series.append(Series(name=asked.name, x=x, y=mean, low=low, high=high, colour=asked.colour))
    names = ("false positive rate", "true positive rate") if kind == "roc" else ("recall", "precision")
    return Panel(
        title=results.classes[number],
        series=tuple(series),
        x_label=names[0],
        y_label=names[1],
        x_range=(0.0, 1.0),
        y_range=(0.0, 1.0),
        diagonal=kind == "roc",
    )


def _from_corner(values: Floats, kind: str) -> Floats:
    """Let a receiver's curve start in the corner, also where it rises at once."""
    return np.concatenate([np.zeros(1), values]) if kind == "roc" else values


def _reliability(having: Sequence[_Asked]) -> Panel:
    series = []
    for asked in having:
        pooled = reliability(
            np.concatenate([each.truth for each in asked.runs]), np.concatenate([each.values for each in asked.runs])
        )
        filled = pooled.counts > 0
        series.append(
            Series(name=asked.name, x=pooled.confidence[filled], y=pooled.accuracy[filled], colour=asked.colour)
        )
    return Panel(
        title="Reliability",
        series=tuple(series),
        x_label="confidence",
        y_label="share that is right",
        x_range=(0.0, 1.0),
        y_range=(0.0, 1.0),
        diagonal=True,
    )


def _scores(entry: Entry, several: Sequence[Predictions]) -> Calibration:
    areas, precisions = [], []
    for each in several:
        tested = [number for number in range(len(each.classes)) if _both(each, number)]
        areas.append(np.mean([area_under_roc(each.truth == c, each.values[:, c]) for c in tested] or [np.nan]))
        precisions.append(np.mean([average_precision(each.truth == c, each.values[:, c]) for c in tested] or [np.nan]))
    return Calibration(
        number=entry.number,
        label=entry.label,
        arm=entry.arm,
        area=float(np.mean(areas)),
        average_precision=float(np.mean(precisions)),
        calibration_error=float(np.mean([reliability(each.truth, each.values).error for each in several])),
        brier=float(np.mean([brier_score(each.truth, each.values) for each in several])),
    )


def _both(predictions: Predictions, number: int) -> bool:
    """Tell whether a test part holds images of a class, and others."""
    members = predictions.truth == number
    return bool(members.any() and not members.all())
