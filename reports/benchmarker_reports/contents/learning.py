"""Learning curves: each network's histories, averaged over seeds, with a band from the lowest to the highest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from benchmarker import History, StudyResults, metric_label
from benchmarker_reports.contents.curves import Floats
from benchmarker_reports.contents.model import Entry, Panel, Series, as_floats

MOST_POINTS = 60
"""Of a line; longer histories are thinned evenly, keeping the first and the last epoch."""


def learning_panels(results: StudyResults, lines: Sequence[Entry]) -> dict[str, tuple[Panel, ...]]:
    """Return one panel for each network, by metric: ``"loss"`` first.

    With one arm, a panel shows validation (solid) and training (dashed); with several, one validation line for each.

    Parameters
    ----------
    results : StudyResults
        That has the histories.
    lines : sequence of Entry
        Networks and arms, in the order of panels.
    """
    arms = sorted({entry.arm for entry in lines})
    histories = {
        (entry.label, entry.arm): [history for run in entry.runs if (history := results.history(run)) is not None]
        for entry in lines
    }
    metrics = _metrics(histories)
    panels: dict[str, list[Panel]] = {name: [] for name in metrics}
    for label in dict.fromkeys(entry.label for entry in lines):
        for name in metrics:
            series = _one_arm(histories.get((label, arms[0]), []), name) if len(arms) == 1 else []
            for colour, arm in enumerate(arms if len(arms) > 1 else ()):
                series += _lines(histories.get((label, arm), []), f"validation_{name}", arm, colour)
            if series:
                title = metric_label(name).short
                panels[name].append(Panel(title=label, series=tuple(series), x_label="epoch", y_label=title))
    return {name: _same_heights(found, name) for name, found in panels.items() if found}


def average_histories(histories: Sequence[History], column: str) -> tuple[Floats, Floats, Floats, Floats]:
    """Return epochs, and the mean, lowest and highest value of a column over the histories that reached each.

    Parameters
    ----------
    histories : sequence of History
        Of several seeds; they may differ in length.
    column : str
        Which; histories without it are left out.
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


def _one_arm(histories: Sequence[History], name: str) -> list[Series]:
    return [
        *_lines(histories, f"validation_{name}", "validation", 0),
        *_lines(histories, name, "training", 1, dashed=True),
    ]


def _lines(histories: Sequence[History], column: str, name: str, colour: int, *, dashed: bool = False) -> list[Series]:
    x, mean, low, high = average_histories(histories, column)
    if not x.size:
        return []
    return [Series(name=name, x=x, y=mean, low=low, high=high, colour=colour, dashed=dashed)]


def _metrics(histories: Mapping[tuple[str, str], Sequence[History]]) -> list[str]:
    """Return the loss and one score that histories hold for the validation part."""
    names = {name for several in histories.values() for history in several for name in history.columns}
    scores = sorted(name.removeprefix("validation_") for name in names if name.startswith("validation_"))
    chosen: list[str] = [name for name in ("loss", "accuracy", "mean_absolute_error") if name in scores]
    return chosen or scores[:2]


def _same_heights(panels: Sequence[Panel], name: str) -> tuple[Panel, ...]:
    """Give all panels one vertical range, cut where a few early epochs would flatten everything else."""
    means = np.concatenate([series.y for panel in panels for series in panel.series])
    low, high = float(np.nanmin(means)), float(np.nanmax(means))
    if name == "accuracy":
        low, high = max(0.0, math.floor(low * 10) / 10), min(1.0, math.ceil(high * 10) / 10)
    else:
        high = min(high, 1.15 * float(np.nanquantile(means, 0.95)))
        low = min(low, 0.9 * high)
    room = (high - low) * 0.04
    longest = max(float(series.x.max()) for panel in panels for series in panel.series)
    return tuple(
        Panel(title=panel.title, series=panel.series, x_label=panel.x_label, y_label=panel.y_label,
              x_range=(1.0, longest), y_range=(low - room, high + room))
        for panel in panels
    )  # fmt: skip
