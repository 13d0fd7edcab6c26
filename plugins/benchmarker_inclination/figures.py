"""Figures of the inclination pipeline: learning curves, residuals, and outliers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarker_inclination.evaluation import OUTLIER, Table, scores

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def draw_learning(history: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Draw mean square and mean absolute error of every iteration, training and validation."""
    figure = _figure(10, 5)
    iterations = [int(number) + 1 for number in history]
    names = {"mse": "Mean square error", "mae": "Mean absolute error"}
    for axes, (name, title) in zip(figure.subplots(1, 2), names.items(), strict=True):
        axes.plot(iterations, [row[name] for row in history.values()], ".-", label="training")
        axes.plot(iterations, [row[f"val_{name}"] for row in history.values()], ".--", label="validation")
        axes.set(xlabel="Iteration", ylabel=f"{title} [22.5 deg{'$^2$' if name == 'mse' else ''}]")
        axes.legend()
    figure.savefig(path)


def draw_residuals(table: Table, predictions: Mapping[str, NDArray[np.float64]], columns: int, path: Path) -> None:
    """Draw the residual against the measured inclination, a panel for each set of predictions.

    Parameters
    ----------
    table : Table
        Measured inclinations.
    predictions : mapping of str to ndarray of shape (n,)
        Predicted inclinations in degrees, by title.
    columns : int
        Panels in a row.
    path : Path
        File to write.
    """
    rows = -(-len(predictions) // columns)
    figure = _figure(3.2 * columns, 2.6 * rows)
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for axes, (title, predicted) in zip(panels, predictions.items(), strict=False):
        found = scores(table.measured, predicted)
        axes.plot(table.measured, table.measured - predicted, ".", alpha=0.2, markersize=4)
        axes.axhline(0, linestyle=":", color="black", linewidth=1)
        ends = np.array([45.0, 90.0])
        axes.plot(ends, found.slope * ends + found.intercept, color="red")
        axes.set(xlim=(42, 95), ylim=(-25, 25), title=title)
        axes.text(0.04, 0.06, f"RMS {found.rms:.2f} deg\nMAE {found.mae:.2f} deg", transform=axes.transAxes, fontsize=8)
    for axes in panels[len(predictions) :]:
        axes.set_visible(False)
    figure.supxlabel("Measured inclination [deg]")
    figure.supylabel("Measured minus predicted [deg]")
    figure.savefig(path)


def draw_outliers(
    table: Table, predicted: NDArray[np.float64], images: NDArray[np.uint8], path: Path, *, most: int = 49
) -> int:
    """Draw the images with a residual beyond 10 degrees, and return how many there are.

    Parameters
    ----------
    table : Table
        Measured inclinations.
    predicted : ndarray of shape (n,)
        Predicted inclinations in degrees.
    images : ndarray of shape (n, size, size, 3), uint8
        Images in the order of the table.
    path : Path
        File to write; nothing is written if there is no outlier.
    most : int
        Images that are drawn at most.
    """
    found = np.flatnonzero(np.abs(table.measured - predicted) > OUTLIER)
    shown = found[:most]
    if not len(shown):
        return 0
    columns = min(7, len(shown))
    rows = -(-len(shown) // columns)
    figure = _figure(1.7 * columns, 2.0 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, k in zip(panels, shown, strict=False):
        axes.imshow(images[k])
        axes.set_title(
            f"PGC {table.pgc[k]} ({table.letters[k]})\n{table.measured[k]:.0f} / {predicted[k]:.0f} deg", fontsize=7
        )
    for axes in panels:
        axes.set_axis_off()
    figure.savefig(path, dpi=150)
    return len(found)
