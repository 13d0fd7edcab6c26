"""Do generated images follow a continuous condition? The measured property against the condition that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Property = Callable[[NDArray[np.float32]], NDArray[np.float64]]

Sampler = Callable[[NDArray[np.float32]], Iterable[NDArray[np.float32]]]
"""From encoded conditions of shape (n, size) to batches of images; row k always has the same latent point."""

STEPS = 9
POINTS = 64


def fluxes(channels: int) -> dict[str, Property]:
    """Return the properties that are measured: the flux of the source and in all, and of each band of several.

    Each takes images, ndarray of shape (n, height, width, channels), and returns ndarray of shape (n,), float64, in the
    image's unit times pixels. `total_flux` is that of the mean of the bands, and `aperture_flux` that of `aperture`.
    """

    def total(images: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray(images.sum(axis=(1, 2), dtype=np.float64).mean(axis=1))

    def of_band(band: int) -> Property:
        return lambda images: np.asarray(images[..., band].sum(axis=(1, 2), dtype=np.float64))

    bands = {f"flux_band_{band + 1}": of_band(band) for band in range(channels)} if channels > 1 else {}
    return {"total_flux": total, "aperture_flux": aperture, **bands}


def aperture(images: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the flux of the source alone: aperture photometry on the mean of the bands.

    The aperture is a circle about the middle, half as wide as the image. The sky, which is the median of the frame's
    edge, a sixteenth of the frame wide, is taken away: its level, summed over an image, can outshine a faint source.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels)

    Returns
    -------
    ndarray of shape (n,), float64
        In the image's unit times pixels.
    """
    pixels = images.mean(axis=3, dtype=np.float64)
    height, width = pixels.shape[1:]
    wide = max(1, min(height, width) // 16)
    edge = np.ones((height, width), dtype=bool)
    edge[wide:-wide, wide:-wide] = False
    rows, columns = np.ogrid[:height, :width]
    radii = np.hypot(rows - 0.5 * (height - 1), columns - 0.5 * (width - 1))
    inside = radii <= 0.25 * min(height, width)
    sky = np.median(pixels[:, edge], axis=1)
    flux: NDArray[np.float64] = pixels[:, inside].sum(axis=1) - np.count_nonzero(inside) * sky
    return flux


def grid(values: NDArray[np.float64], steps: int = STEPS) -> NDArray[np.float64]:
    """Return equally spaced conditions from the 5th to the 95th percentile of those of the training part."""
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, (5, 95))
    return np.linspace(float(low), float(high), steps)


def trace(
    sample: Sampler,
    conditions: NDArray[np.float32],
    column: int,
    values: NDArray[np.float64],
    measures: Mapping[str, Property],
) -> dict[str, NDArray[np.float64]]:
    """Measure generated images while one condition changes and everything else stays.

    Parameters
    ----------
    sample : callable
        Asked once for each value; see `Sampler`.
    conditions : ndarray of shape (n, size), float32
        Encoded; one row for each latent point.
    column : int
        Which condition changes.
    values : ndarray of shape (g,), float64
        What it is set to, encoded.
    measures : mapping of str to callable
        What is measured; see `fluxes`.

    Returns
    -------
    dict of str to ndarray of shape (g, n), float64
        Under each measure's name.
    """
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in measures}
    for value in values:
        asked = conditions.copy()
        asked[:, column] = value
        parts: dict[str, list[NDArray[np.float64]]] = {name: [] for name in measures}
        for images in sample(asked):
            for name, property_of in measures.items():
                parts[name].append(property_of(images))
        for name, pieces in parts.items():
            found[name].append(np.concatenate(pieces))
    return {name: np.stack(rows) for name, rows in found.items()}


def summarise(requested: NDArray[np.float64], measured: NDArray[np.float64]) -> dict[str, Any]:
    """Describe how a property follows a condition.

    Parameters
    ----------
    requested : ndarray of shape (g,), float64
        Rising values of the condition, in its unit.
    measured : ndarray of shape (g, n), float64
        The property for each of n latent points.

    Returns
    -------
    dict of str to JSON value
        ``requested``; ``measured``, the medians, and ``p16`` and ``p84`` about them; ``rank_correlation`` (Spearman)
        over all g x n pairs, None where the property never changes; ``latent_rank_correlation``, the median over the
        latent points of their own; ``monotonic_share`` of the latent points for which the property rises at every step,
        and ``falling_share`` of those for which it falls at every step; ``n`` latent points.
    """
    low, middle, high = np.percentile(measured, (16, 50, 84), axis=1)
    steps = np.diff(measured, axis=0)
    own = [_spearman(requested, column) for column in measured.T]
    known = [each for each in own if each is not None]
    return {
        "requested": requested.tolist(),
        "measured": middle.tolist(),
        "p16": low.tolist(),
        "p84": high.tolist(),
        "rank_correlation": _spearman(np.repeat(requested, measured.shape[1]), measured.ravel()),
        "latent_rank_correlation": float(np.median(known)) if known else None,
        "monotonic_share": float((steps > 0).all(axis=0).mean()),
        "falling_share": float((steps < 0).all(axis=0).mean()),
        "n": measured.shape[1],
    }


def rank_correlation(condition: NDArray[np.float64], measured: NDArray[np.float64]) -> float | None:
    """Return Spearman's rank correlation of a condition and a property of real images; None where one is constant."""
    known = np.isfinite(condition) & np.isfinite(measured)
    return _spearman(condition[known], measured[known]) if known.sum() > 2 else None


def _spearman(first: NDArray[np.float64], second: NDArray[np.float64]) -> float | None:
    from scipy.stats import spearmanr

    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(spearmanr(first, second).statistic)
