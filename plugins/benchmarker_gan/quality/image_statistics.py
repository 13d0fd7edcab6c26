"""Physical statistics of images: flux, peak, Gini, M20, concentration, asymmetry, ellipticity and power spectrum.

They are calculated for whole batches. Flux, peak and power spectrum use all pixels as they are; the others use the
pixels of the *source*, which `source_flux` separates from the background. Several bands are averaged first. The
statistics compare images that were prepared in the same way; they are not comparable with catalogues, which define a
source differently.
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

# Pixel values are relative to the scale of the image, so they are pure numbers: 1 is the peak of a normalised image.
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

SMALLEST_IMAGE = 8
"""Height and width in pixels below which an image has no useful statistics."""

_SIGMAS = 5.0
_FAINTEST = 1 / 256

Statistics = dict[str, NDArray[np.float64]]


def frequencies() -> NDArray[np.float64]:
    """Return the centres of the bins of the power spectrum, ndarray of shape (`FREQUENCIES`,), in cycles per pixel."""
    return (np.arange(FREQUENCIES) + 0.5) / (2 * FREQUENCIES)


def quantities(images: NDArray[Any]) -> dict[str, Quantity]:
    """Return `statistics` with their units: `astropy.units.Quantity` of shape (n,), or (n, `FREQUENCIES`).

    Examples
    --------
    >>> quantities(np.ones((2, 16, 16, 1)))["total_flux"].unit.to_string()
    'pix'
    """
    from astropy import units

    return {name: units.Quantity(values, UNITS[name]) for name, values in statistics(images).items()}


def statistics(images: NDArray[Any]) -> Statistics:
    """Return the physical statistics of images.

    Total flux and peak are the sum and the maximum of all pixels. The other statistics are defined in
    `benchmarker_gan.quality.morphology`, and the power spectrum in `power_spectrum`.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels)
        Linear flux, usually scaled to [0, 1].

    Returns
    -------
    dict of str to ndarray of shape (n,), float64
        Values in the units of `UNITS`; ``power_spectrum`` has shape (n, `FREQUENCIES`). NaN if an image has no source.

    Raises
    ------
    DataError
        If the array has another shape, or the images are smaller than 8 pixels.

    References
    ----------
    Lotz et al. 2004, AJ 128, 163 (2004AJ....128..163L); Conselice 2003, ApJS 147, 1 (2003ApJS..147....1C).

    Examples
    --------
    >>> y, x = np.mgrid[:32, :32] - 16
    >>> image = np.exp(-(x**2 / 4 + y**2) / 8)[None, :, :, None]
    >>> round(float(statistics(image)["ellipticity"][0]), 1)
    0.5
    """
    if images.ndim != 4 or min(images.shape[1:3]) < SMALLEST_IMAGE:
        raise DataError(
            f"image statistics need an array (n, height, width, channels) of {SMALLEST_IMAGE} pixels or more. "
            f"Received: {images.shape}"
        )
    pixels = np.asarray(images, dtype=np.float64).mean(axis=3)
    flux = source_flux(pixels)
    centroids, covariances = morphology.moments(flux)
    asymmetries, centres = morphology.asymmetry(flux)
    return {
        "total_flux": pixels.sum(axis=(1, 2)),
        "peak": pixels.max(axis=(1, 2)),
        "gini": morphology.gini(flux),
        "m20": morphology.m20(flux, centroids),
        "concentration": morphology.concentration(flux, centres),
        "asymmetry": asymmetries,
        "ellipticity": morphology.ellipticity(covariances),
        "power_spectrum": power_spectrum(pixels),
    }


def source_flux(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the flux of each image's source above the background, and 0 in the sky.

    The background is the median of the frame's edge, which is a sixteenth of the frame wide. A pixel belongs to the
    source if it passes two limits:

    - the mean of its 3 x 3 neighbourhood exceeds the background by 5 standard deviations of such means at the edge,
      from
      their median absolute deviation;
    - it exceeds the background by 1/256 of the peak. Without this limit, a generator that never draws an exact zero
      would
      have sources as large as the frame, made of patterns too faint to see.

    The source need not be connected, so both lobes of a radio galaxy belong to it, as does any neighbour.

    Parameters
    ----------
    pixels : ndarray of shape (n, height, width), float64
        Images in any unit.

    Returns
    -------
    ndarray of shape (n, height, width), float64
        Flux above the background in the unit of the images.

    Examples
    --------
    >>> image = np.full((1, 32, 32), 0.1)
    >>> image[0, 10:20, 12:18] += 1.0
    >>> flux = source_flux(image)
    >>> int((flux > 0).sum()), round(float(flux.max()), 6)
    (60, 1.0)
    """
    from scipy.ndimage import uniform_filter

    _, height, width = pixels.shape
    margin = max(2, min(height, width) // 16)
    edge = np.ones((height, width), dtype=bool)
    edge[margin:-margin, margin:-margin] = False
    above = pixels - np.median(pixels[:, edge], axis=1)[:, None, None]
    smooth = uniform_filter(above, size=(1, 3, 3), mode="nearest")
    ring = smooth[:, edge]
    noise = 1.4826 * np.median(np.abs(ring - np.median(ring, axis=1, keepdims=True)), axis=1)
    faintest = _FAINTEST * above.max(axis=(1, 2))
    chosen = (above > faintest[:, None, None]) & (smooth > _SIGMAS * noise[:, None, None])
    return np.where(chosen, above, 0.0)


def power_spectrum(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""Return the decimal logarithm of the power of each image, averaged over directions.

    .. math:: P(f) = \left\langle \frac{|\hat I(\mathbf{f})|^2}{H W} \right\rangle_{|\mathbf{f}| \approx f}

    with the discrete Fourier transform of an image of H x W pixels. The power of white noise is its variance. Frequency
    0, the total flux, is left out. Powers below 1e-12, the rounding of float32, count as 1e-12.

    Parameters
    ----------
    pixels : ndarray of shape (n, height, width), float64
        Images in any unit.

    Returns
    -------
    ndarray of shape (n, `FREQUENCIES`), float64
        Logarithms in dex of squared units of the image, at `frequencies`.

    Examples
    --------
    >>> stripes = np.broadcast_to(np.arange(64) % 2, (1, 64, 64)).astype(float)
    >>> int(power_spectrum(stripes)[0].argmax())
    11
    """
    n, height, width = pixels.shape
    power = np.abs(np.fft.rfft2(pixels)) ** 2 / (height * width)
    cycles = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    # The spectrum of a real image is symmetric, so the inner columns of the half spectrum count twice.
    weight = np.full(cycles.shape, 2.0)
    weight[:, 0] = 1
    if width % 2 == 0:
        weight[:, -1] = 1
    bins = np.floor(cycles * 2 * FREQUENCIES).astype(np.int64)
    bins[cycles == 0.5] = FREQUENCIES - 1  # the frequency of stripes of one pixel
    bins[0, 0] = FREQUENCIES
    spectrum = np.empty((n, FREQUENCIES))
    for k in range(FREQUENCIES):
        chosen = bins == k
        spectrum[:, k] = (power[:, chosen] * weight[chosen]).sum(axis=1) / max(weight[chosen].sum(), 1)
    return np.log10(np.maximum(spectrum, 1e-12))
