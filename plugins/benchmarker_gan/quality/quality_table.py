"""Table of quality: each measure for generated against real images, next to its floor for real against real images.

The images are divided into random halves several times. The *value* of a row compares the generated images for the
conditions of one half with the real images of the other half. Its *floor* compares the real images of both halves. Both
use the same number of images with the same mixture of conditions and the same reference, so they differ by the
generator only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from benchmarker_gan.quality import distances, image_statistics

if TYPE_CHECKING:
    from benchmarker import Stream

HALVINGS = 10
"""Number of random divisions into halves."""

NEIGHBOURS = 5
"""Neighbour that sets the radii of precision, recall, density and coverage."""

Halves = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedImages:
    """Measurements of images that are rendered or generated in batches and not kept.

    Parameters
    ----------
    features : ndarray of shape (n, d), float64
        Features from the feature network.
    outputs : ndarray of shape (n, n_outputs), float64
        Outputs of the feature network.
    statistics : dict of str to ndarray of shape (n,) or (n, k), float64
        Physical statistics; empty for images that are too small.
    small : ndarray of shape (n, height, width, channels), float32
        Images with sides of at most 64 pixels.
    """

    features: NDArray[np.float64]
    outputs: NDArray[np.float64]
    statistics: image_statistics.Statistics
    small: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityRow:
    """A measure of quality.

    Parameters
    ----------
    name, label : str
        Name in files, and label in tables.
    value, floor : float or None
        Means over the halvings for generated and for real images; None if nothing could be measured.
    unit : str
        Unit of both; empty for a pure number.
    better : {"lower", "higher"}
        Direction of improvement.
    n, n_reference : int
        Number of generated images, and of real images they are compared with, in each halving.
    scatter, floor_scatter : float or None
        Standard deviations over the halvings. Halves overlap, so these are not standard errors: they show how much a
        value depends on the choice of images.
    """

    name: str
    label: str
    value: float | None
    floor: float | None
    unit: str
    better: Literal["lower", "higher"]
    n: int
    n_reference: int
    scatter: float | None
    floor_scatter: float | None


def random_halves(n: int, stream: Stream) -> Iterator[Halves]:
    """Yield pairs of random halves of equal size as indices; one image is left out if n is odd.

    Examples
    --------
    >>> from benchmarker import Stream
    >>> first, second = next(random_halves(5, Stream("example")))
    >>> len(first), len(second), len({*first, *second})
    (2, 2, 4)
    """
    rng = stream.generator()
    for _ in range(HALVINGS):
        order = rng.permutation(n).astype(np.int64)
        yield order[: n // 2], order[n // 2 : n // 2 * 2]


def feature_rows(real: DescribedImages, generated: DescribedImages, halves: Sequence[Halves]) -> list[QualityRow]:
    """Return the rows of the distances between features, see `benchmarker_gan.quality.distances`."""
    n = len(halves[0][0])
    k = min(NEIGHBOURS, n - 1)

    def measures(reference: NDArray[np.float64], other: NDArray[np.float64]) -> dict[str, float | None]:
        shares = distances.neighbourhood_measures(reference, other, k)
        return {
            "frechet_distance": distances.frechet_distance(reference, other),
            "kernel_distance": distances.kernel_distance(reference, other),
            "precision": shares.precision,
            "recall": shares.recall,
            "density": shares.density,
            "coverage": shares.coverage,
        }

    values = [measures(real.features[a], generated.features[b]) for a, b in halves]
    floors = [measures(real.features[a], real.features[b]) for a, b in halves]
    labels = {
        "frechet_distance": "Fréchet distance",
        "kernel_distance": "kernel distance",
        **{name: f"{name} (k = {k})" for name in ("precision", "recall", "density", "coverage")},
    }
    return [
        _row(
            name,
            label,
            [value[name] for value in values],
            [floor[name] for floor in floors],
            better="lower" if name.endswith("distance") else "higher",
            n=n,
        )
        for name, label in labels.items()
    ]


def class_rows(
    real: DescribedImages, generated: DescribedImages, requested: NDArray[np.int64], halves: Sequence[Halves]
) -> list[QualityRow]:
    """Return the fraction of images in which the feature network recognises the requested class.

    Parameters
    ----------
    real, generated : DescribedImages
        Images of the same n conditions.
    requested : ndarray of shape (n,), int64
        Class of each condition.
    halves : sequence of pairs of ndarray
        Halves of the images.
    """
    agrees, generated_agrees = (
        (images.outputs.argmax(axis=1) == requested).astype(np.float64) for images in (real, generated)
    )
    values = [float(generated_agrees[b].mean()) for _, b in halves]
    floors = [float(agrees[b].mean()) for _, b in halves]
    return [_row("class_agreement", "class agreement", values, floors, better="higher", n=len(halves[0][1]))]


def statistics_rows(real: DescribedImages, generated: DescribedImages, halves: Sequence[Halves]) -> list[QualityRow]:
    """Return the Wasserstein distances of the physical statistics; there are none for images that are too small.

    Distances are in standard deviations of the real images, or in the unit of the statistic if all real images have the
    same value.
    """
    table = []
    for name, values in real.statistics.items():
        scale, unit = _scale(values, name)
        truth, made = values / scale, generated.statistics[name] / scale
        found = [distances.wasserstein_distance(truth[a], made[b]) for a, b in halves]
        floors = [distances.wasserstein_distance(truth[a], truth[b]) for a, b in halves]
        label = f"Wasserstein distance of {image_statistics.LABELS[name]}"
        n = len(halves[0][0])
        table.append(_row(f"wasserstein_{name}", label, found, floors, better="lower", unit=unit, n=n))
    return table


def _row(
    name: str,
    label: str,
    values: Sequence[float | None],
    floors: Sequence[float | None],
    *,
    better: Literal["lower", "higher"],
    n: int,
    unit: str = "",
) -> QualityRow:
    """Return a row with means over the halvings and the scatter between them."""
    value, scatter = _mean_and_scatter(values)
    floor, floor_scatter = _mean_and_scatter(floors)
    return QualityRow(
        name=name,
        label=label,
        value=value,
        floor=floor,
        unit=unit,
        better=better,
        n=n,
        n_reference=n,
        scatter=scatter,
        floor_scatter=floor_scatter,
    )


def _mean_and_scatter(values: Sequence[float | None]) -> tuple[float | None, float | None]:
    known = [value for value in values if value is not None]
    return (float(np.mean(known)), float(np.std(known))) if known else (None, None)


def _scale(values: NDArray[np.float64], name: str) -> tuple[NDArray[np.float64] | float, str]:
    """Return the number to divide a statistic by, and the unit of the result."""
    usable = np.where(np.isfinite(values), values, np.nan)
    if not np.isfinite(usable).any():
        return 1.0, image_statistics.UNITS[name]
    spread = np.atleast_1d(np.nanstd(usable, axis=0))
    size = np.atleast_1d(np.nanmean(np.abs(usable), axis=0))
    if (spread <= 1e-6 * size).any():
        return 1.0, image_statistics.UNITS[name]
    return (spread if values.ndim == 2 else float(spread[0])), "real standard deviations"
