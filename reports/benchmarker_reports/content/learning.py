"""Learning curves: the histories of each network, averaged over seeds, with a band from the lowest to the highest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from benchmarker import History, StudyResults, metric_label
from benchmarker_reports.content.charts import Floats, Panel, Series, as_floats
from benchmarker_reports.content.leaderboard import Line
from benchmarker_reports.content.prior import PRIOR_COLOUR
from benchmarker_reports.content.readable import history_of

MOST_POINTS = 60
"""Points of a line; longer histories are thinned evenly, keeping the first and the last epoch."""

_Histories = Mapping[tuple[str, str], Sequence[History]]


def learning_panels(
    results: StudyResults, lines: Sequence[Line], prior_loss: float | None = None
) -> dict[str, tuple[Panel, ...]]:
    """Return one panel for each network, by metric: ``"loss"`` first.

    With one arm, a panel shows validation (solid) and training (dashed); with several, the validation of each arm.

    Parameters
    ----------
    results : StudyResults
        The study that has the histories.
    lines : sequence of Line
        Networks and arms, in the order of the panels.
    prior_loss : float, optional
        Log loss of the prior, which panels of the loss show as a dashed line.
    """
    arms = sorted({line.arm for line in lines})
    histories = {
        (line.label, line.arm): [history for run in line.runs if (history := history_of(results, run)) is not None]
        for line in lines
    }
    panels: dict[str, list[Panel]] = {name: [] for name in _metrics(histories)}
    for label in dict.fromkeys(line.label for line in lines):
        for name, found in panels.items():
            series = _series(histories, label, arms, name)
            if series:
                title = metric_label(name).short
                if name == "loss" and prior_loss is not None:
                    series = (*series, _level(prior_loss, series))
                found.append(Panel(title=label, series=series, x_label="epoch", y_label=title, whole=True))
    return {name: _same_axes(found, name) for name, found in panels.items() if found}


def average_histories(histories: Sequence[History], column: str) -> tuple[Floats, Floats, Floats, Floats]:
    """Return epochs, and the mean, lowest and highest value of a column over the histories that reached each epoch.

    Parameters
    ----------
    histories : sequence of History
        Histories of several seeds; they may differ in length.
    column : str
        Name of the column; histories without it are left out.
    """
    having = [history for history in histories if column in history.columns and len(history.epochs)]
    longest = max((int(history.epochs.max()) for history in having), default=0)
    table = np.full((len(having), longest), np.nan)
    for row, history in zip(table, having, strict=True):
        row[history.epochs - 1] = history.columns[column]
    kept = np.flatnonzero(np.isfinite(table).any(axis=0)) if having else np.zeros(0, dtype=np.int64)
    if len(kept) > MOST_POINTS:
        kept = kept[np.unique(np.linspace(0, len(kept) - 1, MOST_POINTS).round().astype(np.int64))]
    table = np.where(np.isfinite(table[:, kept]), table[:, kept], np.nan)
    if not kept.size:
        return (np.zeros(0),) * 4
    return as_floats(kept + 1), np.nanmean(table, axis=0), np.nanmin(table, axis=0), np.nanmax(table, axis=0)


def _series(histories: _Histories, label: str, arms: Sequence[str], name: str) -> tuple[Series, ...]:
    found: tuple[Series | None, ...]
    if len(arms) == 1:
        own = histories.get((label, arms[0]), ())
        found = (_line(own, f"validation_{name}", "validation", 0), _line(own, name, "training", 1, dashed=True))
    else:
        found = tuple(
            _line(histories.get((label, arm), ()), f"validation_{name}", arm, colour) for colour, arm in enumerate(arms)
        )
    return tuple(series for series in found if series is not None)


def _line(histories: Sequence[History], column: str, name: str, colour: int, *, dashed: bool = False) -> Series | None:
    x, mean, low, high = average_histories(histories, column)
    return Series(name=name, x=x, y=mean, low=low, high=high, colour=colour, dashed=dashed) if x.size else None


def _level(value: float, series: Sequence[Series]) -> Series:
    ends = np.array([1.0, max(float(each.x.max()) for each in series)])
    return Series(name="prior", x=ends, y=np.full(2, value), colour=PRIOR_COLOUR, dashed=True)


def _metrics(histories: _Histories) -> list[str]:
    """Return the loss and one score that histories hold for the validation part."""
    names = {name for several in histories.values() for history in several for name in history.columns}
    scores = sorted(name.removeprefix("validation_") for name in names if name.startswith("validation_"))
    chosen: list[str] = [name for name in ("loss", "accuracy", "mean_absolute_error") if name in scores]
    return chosen or scores[:2]


def _same_axes(panels: Sequence[Panel], name: str) -> tuple[Panel, ...]:
    """Give all panels the same axes, cut where a few early epochs would flatten everything else."""
    means = np.concatenate([series.y for panel in panels for series in panel.series])
    low, high = float(np.nanmin(means)), float(np.nanmax(means))
    if name == "accuracy":
        low, high = max(0.0, math.floor(low * 10) / 10), min(1.0, math.ceil(high * 10) / 10)
    else:
        high = min(high, 1.15 * float(np.nanquantile(means, 0.95)))
        low = min(low, 0.9 * high)
    room = (high - low) * 0.04
    longest = max(float(series.x.max()) for panel in panels for series in panel.series)
    return tuple(replace(panel, x_range=(1.0, longest), y_range=(low - room, high + room)) for panel in panels)
