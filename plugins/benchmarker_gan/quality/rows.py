"""The rows of the table of quality: generated images of one half against real ones of the other, and the floor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarker_gan.quality import distances, physics

if TYPE_CHECKING:
    from benchmarker import Stream

HALVINGS = 10
NEIGHBOURS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is kept of images that are rendered or generated one batch after the other.

    Parameters
    ----------
    features, answers : ndarray of shape (n, d) and (n, n_outputs), float64
        Of the feature network.
    statistics : dict of str to ndarray of shape (n,) or (n, k), float64
        Physical statistics; empty for images that are too small.
    small : ndarray of shape (n, height, width, channels), float32
        At most 64 pixels wide.
    """

    features: NDArray[np.float64]
    answers: NDArray[np.float64]
    statistics: physics.Statistics
    small: NDArray[np.float32]


Pair = tuple[NDArray[np.int64], NDArray[np.int64]]


def halves(n: int, stream: Stream) -> Iterator[Pair]:
    """Yield pairs of halves of the same size; one image stays out where n is odd."""
    rng = stream.generator()
    for _ in range(HALVINGS):
        order = rng.permutation(n).astype(np.int64)
        yield order[: n // 2], order[n // 2 : n // 2 * 2]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    name: str
    label: str
    better: str
    unit: str = ""


def _row(kind: _Kind, values: list[float | None], floors: list[float | None], n: int) -> dict[str, Any]:
    """Return a row of the table: means over the halvings, and the scatter between them."""

    def mean(found: list[float | None]) -> tuple[float | None, float | None]:
        numbers = [each for each in found if each is not None]
        return (float(np.mean(numbers)), float(np.std(numbers))) if numbers else (None, None)

    value, scatter = mean(values)
    floor, floor_scatter = mean(floors)
    return {
        "name": kind.name,
        "label": kind.label,
        "value": value,
        "floor": floor,
        "unit": kind.unit,
        "better": kind.better,
        "n": n,
        "n_reference": n,
        "scatter": scatter,
        "floor_scatter": floor_scatter,
    }


def feature_rows(real: Seen, generated: Seen, pairs: list[Pair]) -> list[dict[str, Any]]:
    """Return the rows of the distances on features."""
    n = len(pairs[0][0])
    k = min(NEIGHBOURS, n - 1)

    def all_of(reference: NDArray[np.float64], other: NDArray[np.float64]) -> dict[str, float]:
        shares = distances.coverage_measures(reference, other, k)
        return {
            "frechet_distance": distances.frechet_distance(reference, other),
            "kernel_distance": distances.squared_discrepancy(reference, other),
            "precision": shares.precision,
            "recall": shares.recall,
            "density": shares.density,
            "coverage": shares.coverage,
        }

    values = [all_of(real.features[a], generated.features[b]) for a, b in pairs]
    floors = [all_of(real.features[a], real.features[b]) for a, b in pairs]
    kinds = (
        _Kind(name="frechet_distance", label="Frechet distance", better="lower"),
        _Kind(name="kernel_distance", label="kernel distance", better="lower"),
        _Kind(name="precision", label=f"precision (k = {k})", better="higher"),
        _Kind(name="recall", label=f"recall (k = {k})", better="higher"),
        _Kind(name="density", label=f"density (k = {k})", better="higher"),
        _Kind(name="coverage", label=f"coverage (k = {k})", better="higher"),
    )
    return [_row(kind, [v[kind.name] for v in values], [f[kind.name] for f in floors], n) for kind in kinds]


def class_rows(real: Seen, generated: Seen, asked: NDArray[np.int64], pairs: list[Pair]) -> list[dict[str, Any]]:
    """Return how often the feature network sees the class ``asked`` for, ndarray of shape (n,), int64."""
    right, made = ((seen.answers.argmax(axis=1) == asked).astype(np.float64) for seen in (real, generated))
    kind = _Kind(name="class_agreement", label="class agreement", better="higher")
    return [_row(kind, [made[b].mean() for _, b in pairs], [right[b].mean() for _, b in pairs], len(pairs[0][1]))]


def physical_rows(real: Seen, generated: Seen, pairs: list[Pair]) -> list[dict[str, Any]]:
    """Return the rows of the physical statistics; none for images that are too small for them."""
    n = len(pairs[0][0])
    table = []
    for name, values in real.statistics.items():
        scale, unit = _spread(values, name)
        truth, made = values / scale, generated.statistics[name] / scale
        label = f"Wasserstein distance of {physics.LABELS[name]}"
        kind = _Kind(name=f"wasserstein_{name}", label=label, better="lower", unit=unit)
        found = [physics.wasserstein(truth[a], made[b]) for a, b in pairs]
        table.append(_row(kind, found, [physics.wasserstein(truth[a], truth[b]) for a, b in pairs], n))
    return table


def _spread(values: NDArray[np.float64], name: str) -> tuple[NDArray[np.float64] | float, str]:
    """Return what a statistic is divided by, and the unit that it has then: its own where real images are all alike."""
    usable = np.where(np.isfinite(values), values, np.nan)
    if not np.isfinite(usable).any():
        return 1.0, physics.UNITS[name]
    spread = np.atleast_1d(np.nanstd(usable, axis=0))
    size = np.atleast_1d(np.nanmean(np.abs(usable), axis=0))
    if (spread <= 1e-6 * size).any():
        return 1.0, physics.UNITS[name]
    return (spread if values.ndim == 2 else float(spread[0])), "real standard deviations"
