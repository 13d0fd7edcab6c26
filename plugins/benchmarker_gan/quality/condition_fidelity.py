"""Fidelity to continuous conditions: the measured flux of generated images against the requested condition.

One condition changes in equal steps while the latent points and all other conditions stay fixed. A faithful generator
of galaxies makes each of them brighter with its stellar mass, and fainter with its redshift.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Property = Callable[[NDArray[np.float32]], NDArray[np.float64]]
"""From images of shape (n, height, width, channels) to a property of each, in the image's unit times pixels."""

Sampler = Callable[[NDArray[np.float32]], Iterable[NDArray[np.float32]]]
"""From encoded conditions of shape (n, size) to batches of images; row k always has the same latent point."""

STEPS = 9
"""Requested values of the condition that changes."""

POINTS = 64
"""Largest number of latent points."""


def fluxes(channels: int) -> dict[str, Property]:
    """Return the measured properties: total flux, aperture flux, and the flux in each of several bands.

    Parameters
    ----------
    channels : int
        Number of bands.

    Returns
    -------
    dict of str to callable
        ``total_flux``, the sum over all pixels of the mean of the bands; ``aperture_flux``, see `aperture_flux`; and
        ``flux_band_1`` and so on, the sums over all pixels of each band.

    Examples
    --------
    >>> list(fluxes(2))
    ['total_flux', 'aperture_flux', 'flux_band_1', 'flux_band_2']
    """

    def total(images: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray(images.sum(axis=(1, 2), dtype=np.float64).mean(axis=1))

    def of_band(band: int) -> Property:
        return lambda images: np.asarray(images[..., band].sum(axis=(1, 2), dtype=np.float64))

    bands = {f"flux_band_{band + 1}": of_band(band) for band in range(channels)} if channels > 1 else {}
    return {"total_flux": total, "aperture_flux": aperture_flux, **bands}


def aperture_flux(images: NDArray[np.float32]) -> NDArray[np.float64]:
    r"""Return the flux of the central source by aperture photometry on the mean of the bands.

    .. math:: F = \sum_{i \in A} (f_i - s)

    with the pixels A within a circle about the centre that is half as wide as the image, and the sky s, the median of
    the frame's edge. The edge is a sixteenth of the frame wide. Summed over an image, the level of the sky can exceed
    the flux of a faint source, which is why the total flux may hide it. Light outside the circle is lost, and that of
    neighbours inside it is included.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels)
        Images in any unit.

    Returns
    -------
    ndarray of shape (n,), float64
        Flux in the image's unit times pixels.

    Examples
    --------
    >>> image = np.full((1, 32, 32, 1), 0.3)
    >>> image[0, 15:17, 14:18] += 1.0
    >>> round(float(aperture_flux(image)[0]), 6)
    8.0
    """
    pixels = images.mean(axis=3, dtype=np.float64)
    height, width = pixels.shape[1:]
    margin = max(1, min(height, width) // 16)
    edge = np.ones((height, width), dtype=bool)
    edge[margin:-margin, margin:-margin] = False
    rows, columns = np.ogrid[:height, :width]
    radii = np.hypot(rows - 0.5 * (height - 1), columns - 0.5 * (width - 1))
    inside = radii <= 0.25 * min(height, width)
    sky = np.median(pixels[:, edge], axis=1)
    flux: NDArray[np.float64] = pixels[:, inside].sum(axis=1) - np.count_nonzero(inside) * sky
    return flux


def grid(values: NDArray[np.float64], steps: int = STEPS) -> NDArray[np.float64]:
    """Return equally spaced values from the 5th to the 95th percentile of a condition in the training part.

    Parameters
    ----------
    values : ndarray of shape (n,), float64
        Condition of the training images; NaN where it is unknown.
    steps : int
        Number of values.

    Returns
    -------
    ndarray of shape (steps,), float64

    Examples
    --------
    >>> grid(np.arange(101.0), 3).tolist()
    [5.0, 50.0, 95.0]
    """
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, (5, 95))
    return np.linspace(float(low), float(high), steps)


def trace(
    sample: Sampler,
    conditions: NDArray[np.float32],
    column: int,
    values: NDArray[np.float64],
    properties: Mapping[str, Property],
) -> dict[str, NDArray[np.float64]]:
    """Measure generated images while one condition changes and everything else stays fixed.

    Parameters
    ----------
    sample : callable
        Sampler, called once per value.
    conditions : ndarray of shape (n, size), float32
        Encoded conditions, one row per latent point.
    column : int
        Column of the condition that changes.
    values : ndarray of shape (g,), float64
        Its encoded values.
    properties : mapping of str to callable
        Measured properties, see `fluxes`.

    Returns
    -------
    dict of str to ndarray of shape (g, n), float64
        Values of each property.
    """
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in properties}
    for value in values:
        requested = conditions.copy()
        requested[:, column] = value
        parts: dict[str, list[NDArray[np.float64]]] = {name: [] for name in properties}
        for images in sample(requested):
            for name, property_of in properties.items():
                parts[name].append(property_of(images))
        for name, pieces in parts.items():
            found[name].append(np.concatenate(pieces))
    return {name: np.stack(rows) for name, rows in found.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class FidelityCurve:
    """How a property follows a condition.

    Parameters
    ----------
    requested : list of float
        Values of the condition in its unit.
    measured, p16, p84 : list of float
        Median and percentiles of the property over the latent points, at each requested value.
    rank_correlation : float or None
        Spearman's rank correlation over all pairs of a value and a latent point; None if the property never changes.
    latent_rank_correlation : float or None
        Median over the latent points of the rank correlation of each. It is not lowered by latent points (or classes)
        that differ in brightness from one another, which is no fault.
    monotonic_share, falling_share : float
        Fraction of the latent points for which the property rises, or falls, at every step.
    n : int
        Number of latent points.
    """

    requested: list[float]
    measured: list[float]
    p16: list[float]
    p84: list[float]
    rank_correlation: float | None
    latent_rank_correlation: float | None
    monotonic_share: float
    falling_share: float
    n: int


def summarise(requested: NDArray[np.float64], measured: NDArray[np.float64]) -> FidelityCurve:
    """Describe how a property follows a condition.

    Noise in the generated images breaks the rise at every step before it lowers the rank correlation.

    Parameters
    ----------
    requested : ndarray of shape (g,), float64
        Increasing values of the condition in its unit.
    measured : ndarray of shape (g, n), float64
        Property for each of n latent points.

    References
    ----------
    Spearman 1904, American Journal of Psychology 15, 72, doi:10.2307/1412159.

    Examples
    --------
    >>> curve = summarise(np.array([8.0, 9.0, 10.0]), np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 3.0]]))
    >>> curve.measured, curve.monotonic_share
    ([1.5, 3.0, 3.0], 0.5)
    """
    low, middle, high = np.percentile(measured, (16, 50, 84), axis=1)
    steps = np.diff(measured, axis=0)
    per_point = [_spearman(requested, column) for column in measured.T]
    known = [each for each in per_point if each is not None]
    return FidelityCurve(
        requested=requested.tolist(),
        measured=middle.tolist(),
        p16=low.tolist(),
        p84=high.tolist(),
        rank_correlation=_spearman(np.repeat(requested, measured.shape[1]), measured.ravel()),
        latent_rank_correlation=float(np.median(known)) if known else None,
        monotonic_share=float((steps > 0).all(axis=0).mean()),
        falling_share=float((steps < 0).all(axis=0).mean()),
        n=measured.shape[1],
    )


def rank_correlation(condition: NDArray[np.float64], measured: NDArray[np.float64]) -> float | None:
    """Return Spearman's rank correlation between a condition and a property of real images.

    Parameters
    ----------
    condition, measured : ndarray of shape (n,), float64
        Values; pairs that are not finite are ignored.

    Returns
    -------
    float or None
        None for fewer than three pairs, or if one of both is constant.

    Examples
    --------
    >>> rank_correlation(np.array([1.0, 2.0, np.nan, 3.0]), np.array([1.0, 4.0, 0.0, 9.0]))
    1.0
    """
    known = np.isfinite(condition) & np.isfinite(measured)
    return _spearman(condition[known], measured[known]) if known.sum() > 2 else None


def _spearman(first: NDArray[np.float64], second: NDArray[np.float64]) -> float | None:
    from scipy.stats import spearmanr

    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(spearmanr(first, second).statistic)
