"""Physical statistics of images: flux, peak, Gini, M20, concentration, asymmetry, ellipticity and power spectrum.

All of a batch at once. Flux and peak are of the pixels as they are; the others are of the *source*: pixels above the
background, which is the median of the frame's edge. Bands are averaged first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarker import DataError
from benchmarker_gan.quality import morphology

if TYPE_CHECKING:
    from astropy.units import Quantity

# Pixels are in units of the image's own scale, which is a pure number: 1 is the peak where each image was normalised.
UNITS: Mapping[str, str] = {
    "total_flux": "pix",
    "peak": "",
    "gini": "",
    "m20": "dex",
    "concentration": "",
    "asymmetry": "",
    "ellipticity": "",
    "power_spectrum": "dex",
}
LABELS: Mapping[str, str] = {
    "total_flux": "total flux",
    "peak": "peak",
    "gini": "Gini",
    "m20": "M20",
    "concentration": "concentration",
    "asymmetry": "asymmetry",
    "ellipticity": "ellipticity",
    "power_spectrum": "power spectrum",
}

FREQUENCIES = 12
"""Bins of the radial power spectrum, from 0 to 0.5 cycles per pixel."""

# A source rises above the sky's noise, and above a share of its own peak.
_SIGMAS = 5.0
_FAINTEST = 1 / 256

Statistics = dict[str, NDArray[np.float64]]


def frequencies() -> NDArray[np.float64]:
    """Return the middles of the bins of the power spectrum, ndarray of shape (`FREQUENCIES`,), in cycles per pixel."""
    return (np.arange(FREQUENCIES) + 0.5) / (2 * FREQUENCIES)


def quantities(images: NDArray[Any]) -> dict[str, Quantity]:
    """Return `statistics` with their units: `astropy.units.Quantity` of shape (n,), or (n, `FREQUENCIES`)."""
    from astropy import units

    return {name: units.Quantity(values, UNITS[name]) for name, values in statistics(images).items()}


def statistics(images: NDArray[Any]) -> Statistics:
    """Return the physical statistics of images.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels)
        Linear flux, usually scaled to [0, 1].

    Returns
    -------
    dict of str to ndarray of shape (n,), float64
        In the units of `UNITS`; ``power_spectrum`` has shape (n, `FREQUENCIES`). NaN where an image has no source.

    Raises
    ------
    DataError
        If these are no such images, or they are smaller than 8 pixels.

    References
    ----------
    Lotz et al. 2004, 2004AJ....128..163L (Gini, M20); Conselice 2003, 2003ApJS..147....1C (concentration, asymmetry).
    """
    if images.ndim != 4 or min(images.shape[1:3]) < 8:
        raise DataError(f"physics needs (n, height, width, channels) of 8 pixels or more. Received: {images.shape}")
    pixels = np.asarray(images, dtype=np.float64).mean(axis=3)
    flux = source_flux(pixels)
    centres, covariances = morphology.moments(flux)
    asymmetries, middles = morphology.asymmetry(flux)
    return {
        "total_flux": pixels.sum(axis=(1, 2)),
        "peak": pixels.max(axis=(1, 2)),
        "gini": morphology.gini(flux),
        "m20": morphology.m20(flux, centres),
        "concentration": morphology.concentration(flux, middles),
        "asymmetry": asymmetries,
        "ellipticity": morphology.ellipticity(covariances),
        "power_spectrum": power_spectrum(pixels),
    }


def source_flux(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the flux of each image's source above its background, and 0 where there is sky.

    The background is the median of the frame's edge, a sixteenth of the frame wide. A pixel belongs to the source if
    the mean of its 3 x 3 neighbourhood is above the background by 5 standard deviations of such means (from the median
    absolute deviation of the edge), and if it is itself above the background by 1/256 of the peak: fainter patterns,
    which nobody sees, would make a whole frame the source of a generator that never draws an exact zero.

    Parameters
    ----------
    pixels : ndarray of shape (n, height, width), float64

    Returns
    -------
    ndarray of shape (n, height, width), float64
        In the images' units.
    """
    from scipy.ndimage import uniform_filter

    _, height, width = pixels.shape
    wide = max(2, min(height, width) // 16)
    edge = np.ones((height, width), dtype=bool)
    edge[wide:-wide, wide:-wide] = False
    above = pixels - np.median(pixels[:, edge], axis=1)[:, None, None]
    smooth = uniform_filter(above, size=(1, 3, 3), mode="nearest")
    ring = smooth[:, edge]
    noise = 1.4826 * np.median(np.abs(ring - np.median(ring, axis=1, keepdims=True)), axis=1)
    faintest = _FAINTEST * above.max(axis=(1, 2))
    chosen = (above > faintest[:, None, None]) & (smooth > _SIGMAS * noise[:, None, None])
    return np.where(chosen, above, 0.0)


def power_spectrum(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log10 of the power of each image, averaged over directions.

    Power is ``|FFT|^2 / (height width)`` in squared units of the image; frequency 0 is left out. Powers below 1e-12 are
    taken as 1e-12, which float32 cannot tell from nothing.

    Parameters
    ----------
    pixels : ndarray of shape (n, height, width), float64

    Returns
    -------
    ndarray of shape (n, `FREQUENCIES`), float64, dex
        At `frequencies`.
    """
    n, height, width = pixels.shape
    power = np.abs(np.fft.rfft2(pixels)) ** 2 / (height * width)
    cycles = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    # A real image's spectrum is its own mirror: inner columns stand for two.
    twice = np.full(cycles.shape, 2.0)
    twice[:, 0] = 1
    if width % 2 == 0:
        twice[:, -1] = 1
    which = np.floor(cycles * 2 * FREQUENCIES).astype(np.int64)
    which[cycles == 0.5] = FREQUENCIES - 1  # where checkerboards are
    which[0, 0] = FREQUENCIES
    spectrum = np.empty((n, FREQUENCIES))
    for k in range(FREQUENCIES):
        chosen = which == k
        spectrum[:, k] = (power[:, chosen] * twice[chosen]).sum(axis=1) / max(twice[chosen].sum(), 1)
    return np.log10(np.maximum(spectrum, 1e-12))


def wasserstein(first: NDArray[np.float64], second: NDArray[np.float64]) -> float | None:
    """Return the first Wasserstein distance of two samples of a statistic, in its unit.

    Parameters
    ----------
    first, second : ndarray of shape (n,) and (m,), or (n, k) and (m, k)
        Values that are not finite are left out; several columns are averaged.

    Returns
    -------
    float or None
        None where a side has no finite value.
    """
    from scipy.stats import wasserstein_distance

    found = []
    for one, two in zip(_columns(first), _columns(second), strict=True):
        kept = one[np.isfinite(one)], two[np.isfinite(two)]
        if not min(map(len, kept)):
            return None
        found.append(float(wasserstein_distance(*kept)))
    return float(np.mean(found))


def _columns(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[None] if values.ndim == 1 else values.T
