"""Figures of the inclination pipeline: learning curves, residuals, outliers, and augmented images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from benchmarker import figure_style
from benchmarker_inclination.batch_files import EDGES, bins_of
from benchmarker_inclination.evaluation import scores
from benchmarker_inclination.members import Iteration

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    Floats = NDArray[np.float64]


_LARGEST_SHOWN = 25.0
"""Degrees of the largest residual that panels show; larger ones are counted."""


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


@figure_style()
def draw_learning(history: Mapping[int, Iteration], path: Path) -> None:
    """Draw mean square and mean absolute error of every iteration, training and validation."""
    figure = _figure(10, 5)
    iterations = [number + 1 for number in history]
    rows = history.values()
    panels = {
        "Mean square error [22.5 deg$^2$]": ([row.mse for row in rows], [row.validation_mse for row in rows]),
        "Mean absolute error [22.5 deg]": ([row.mae for row in rows], [row.validation_mae for row in rows]),
    }
    for axes, (title, (training, validation)) in zip(figure.subplots(1, 2), panels.items(), strict=True):
        axes.plot(iterations, training, ".-", label="training")
        axes.plot(iterations, validation, ".--", label="validation")
        axes.set(xlabel="Iteration", ylabel=title)
        axes.legend()
    figure.savefig(path)


@figure_style()
def draw_residuals(predictions: Mapping[str, tuple[Floats, Floats]], columns: int, target: Path | BinaryIO) -> None:
    """Draw the residual against the measured inclination, a panel for each set of predictions.

    Parameters
    ----------
    predictions : mapping of str to a pair of ndarrays of shape (n,)
        Measured and predicted inclinations in degrees, by title.
    columns : int
        Panels in a row.
    target : Path or binary file
        What to write to; a PNG image unless the path says otherwise.
    """
    rows = -(-len(predictions) // columns)
    figure = _figure(3.2 * columns, 2.6 * rows)
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    lowest = min(float(measured.min()) for measured, _ in predictions.values())
    start = 45.0 if lowest >= 45.0 else 0.0
    for axes, (title, (measured, predicted)) in zip(panels, predictions.items(), strict=False):
        found = scores(measured, predicted)
        axes.plot(measured, measured - predicted, ".", alpha=0.2, markersize=4)
        axes.axhline(0, linestyle=":", color="black", linewidth=1)
        ends = np.array([start, 90.0])
        axes.plot(ends, found.slope * ends + found.intercept, color="red")
        axes.set(xlim=(start - 3, 95), ylim=(-_LARGEST_SHOWN, _LARGEST_SHOWN))
        axes.set_title(title, fontsize=8)
        outside = int((np.abs(measured - predicted) > _LARGEST_SHOWN).sum())
        text = f"RMS {found.rms:.2f} deg\nMAE {found.mae:.2f} deg" + (f"\n{outside} outside" if outside else "")
        axes.text(0.97, 0.06, text, transform=axes.transAxes, fontsize=8, horizontalalignment="right")
    for number, axes in enumerate(panels):
        axes.set_visible(number < len(predictions))
        axes.tick_params(labelbottom=number + columns >= len(predictions))
    figure.supxlabel("Measured inclination [deg]")
    figure.supylabel("Measured minus predicted [deg]")
    figure.savefig(target)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlier:
    """An image whose residual is beyond 10 degrees.

    Parameters
    ----------
    name : str
        Name of the galaxy, and the band where there are several.
    measured, predicted : float
        Inclinations in degrees.
    image : ndarray of shape (height, width) or (height, width, 3)
        Pixels.
    """

    name: str
    measured: float
    predicted: float
    image: NDArray[Any]


@figure_style()
def draw_outliers(outliers: Sequence[Outlier], target: Path | BinaryIO) -> None:
    """Draw images of outliers, seven in a row.

    Parameters
    ----------
    outliers : sequence of Outlier
        One or more.
    target : Path or binary file
        What to write to.
    """
    titles = [f"{each.name}\n{each.measured:.0f} / {each.predicted:.0f} deg" for each in outliers]
    _draw_tiles(titles, [each.image for each in outliers], target)


@figure_style()
def draw_examples(titles: Sequence[str], images: Sequence[NDArray[Any]], target: Path) -> None:
    """Draw augmented images, seven in a row, each under its title.

    Parameters
    ----------
    titles : sequence of str
        Name, label and band of each image.
    images : sequence of ndarray of shape (height, width, 3), uint8
        One or more.
    target : Path
        PNG file to write.
    """
    _draw_tiles(titles, images, target)


def _draw_tiles(titles: Sequence[str], images: Sequence[NDArray[Any]], target: Path | BinaryIO) -> None:
    columns = min(7, len(images))
    rows = -(-len(images) // columns)
    figure = _figure(1.7 * columns, 2.0 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, title, image in zip(panels, titles, images, strict=False):
        axes.imshow(image, cmap="gray")
        axes.set_title(title, fontsize=7)
    for axes in panels:
        axes.set_axis_off()
    figure.savefig(target, dpi=150)


@figure_style()
def draw_labels(before: NDArray[np.int32], after: NDArray[np.int32], target: Path) -> None:
    """Draw histograms of the inclinations of a training set and of a batch file of it, in bins of 5 degrees.

    Parameters
    ----------
    before, after : ndarray of shape (n,), int32
        Inclinations in degrees.
    target : Path
        PNG file to write.
    """
    figure = _figure(7, 3)
    panels = {f"Training set: {len(before):,} images": before, f"Batch file: {len(after):,} images": after}
    for axes, (title, labels) in zip(figure.subplots(1, 2), panels.items(), strict=True):
        axes.stairs(np.bincount(bins_of(labels), minlength=len(EDGES) - 1), EDGES, fill=True)
        axes.set(title=title, xlabel="Inclination [deg]", ylabel="Images")
    figure.savefig(target, dpi=150)
