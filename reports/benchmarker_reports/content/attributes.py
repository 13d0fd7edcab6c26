"""Accuracy against quantities of the sources, such as redshift or angular size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarker import Predictions, StudyResults
from benchmarker_reports.content.charts import Floats, Panel, Series
from benchmarker_reports.content.leaderboard import Line
from benchmarker_reports.content.readable import predictions_of
from benchmarker_reports.content.sources import POSITIONS

BINS = 5
"""Bins of an attribute, with about the same number of test images each."""
FEWEST_IMAGES = 4 * BINS
"""Test images with a known value below which an attribute is left out."""


def attribute_panels(results: StudyResults, lines: Sequence[Line], checkpoint: str) -> tuple[Panel, ...]:
    """Return one panel for each attribute of the dataset: the share of correct test images in bins of its values.

    Bins hold about equally many of the test images whose value is known, over all lines and seeds. Each point is at the
    median of its bin, the mean over seeds; the band reaches from the lowest to the highest seed. Where the mix of
    classes changes along an attribute, so does the accuracy, also of a network that does not depend on it.

    Parameters
    ----------
    results : StudyResults
        The study that has predictions, and attributes in the prepared images.
    lines : sequence of Line
        Lines to show; each gets a colour.
    checkpoint : {"best", "final"}

    Returns
    -------
    tuple of Panel
        Without positions, and attributes that few test images have or that hardly vary. Empty for a regression, and
        where this machine's cache lacks the prepared images.
    """
    data = results.prepared
    if not results.classes or data is None or not data.attributes:
        return ()
    known = [
        (colour, line, found)
        for colour, line in enumerate(lines)
        if (found := [each for run in line.runs if (each := predictions_of(results, run, checkpoint)) is not None])
    ]
    tested = np.unique(np.concatenate([run.images for _, _, found in known for run in found])) if known else np.zeros(0)
    if not tested.size or tested.max() >= len(data):
        return ()
    several = len({line.arm for line in lines}) > 1
    panels = []
    for name, attribute in data.attributes.items():
        values = np.asarray(attribute.values, dtype=np.float64)
        edges = _edges(values[tested])
        if name.lower() in POSITIONS or edges is None:
            continue
        series = [
            _series(line.name if several else line.label, found, values, edges, colour) for colour, line, found in known
        ]
        unit = f" [{attribute.unit}]" if attribute.unit else ""
        panels.append(
            Panel(
                title=name,
                series=tuple(series),
                x_label=f"{name}{unit}",
                y_label="share that is correct",
                y_range=(0.0, 1.0),
            )
        )
    return tuple(panels)


def _edges(values: Floats) -> Floats | None:
    """Return the ends of the bins; None where there are too few values, or too few different ones."""
    finite = values[np.isfinite(values)]
    if finite.size < FEWEST_IMAGES:
        return None
    edges: Floats = np.unique(np.quantile(finite, np.linspace(0, 1, BINS + 1)))
    return edges if len(edges) > 2 else None


def _series(name: str, runs: Sequence[Predictions], values: Floats, edges: Floats, colour: int) -> Series:
    shares = np.stack([_shares(run, values[run.images], edges) for run in runs])
    pooled = values[np.unique(np.concatenate([run.images for run in runs]))]
    places = _bins(pooled, edges)
    x = np.array([np.median(pooled[places == k]) if (places == k).any() else np.nan for k in range(len(edges) - 1)])
    kept = np.isfinite(x) & np.isfinite(shares).any(axis=0)
    shares = shares[:, kept]
    return Series(
        name=name,
        x=x[kept],
        y=np.nanmean(shares, axis=0),
        low=np.nanmin(shares, axis=0),
        high=np.nanmax(shares, axis=0),
        colour=colour,
    )


def _shares(run: Predictions, values: Floats, edges: Floats) -> Floats:
    places, correct = _bins(values, edges), run.correct
    return np.array([correct[places == k].mean() if (places == k).any() else np.nan for k in range(len(edges) - 1)])


def _bins(values: Floats, edges: Floats) -> NDArray[np.int64]:
    """Return the bin of each value; -1 where it is unknown. The last bin includes its upper end."""
    places = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    return np.where(np.isfinite(values), places, -1).astype(np.int64)
