r"""Observation of a synthetic galaxy: sky, photon noise, and the scale from flux to pixel values.

All images of the data set share one fixed, invertible scale. A pixel with the flux f becomes

.. math:: x = \frac{\operatorname{asinh}(f / s) - \operatorname{asinh}(f_0 / s)}
                   {\operatorname{asinh}(f_1 / s) - \operatorname{asinh}(f_0 / s)}

with :math:`s = 0.02`, :math:`f_0 = -0.06` and :math:`f_1 = 100` nanomaggies per pixel in all bands. It is linear at the
level of the noise and logarithmic where galaxies are bright. Because the scale does not depend on the image, a brighter
galaxy stays brighter; because each band is scaled separately, each can be inverted separately.

References
----------
Asinh magnitudes: Lupton, Gunn & Szalay 1999, AJ 118, 1406 (1999AJ....118.1406L). Asinh images: Lupton et al. 2004, PASP
116, 133 (2004PASP..116..133L), who scale all bands by their mean to keep colours.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarker_optical.rendering import PIXEL, render

if TYPE_CHECKING:
    from numpy.random import Generator  # noqa: TID251 - the type of a stream's generator
    from numpy.typing import NDArray

    from benchmarker_optical.galaxies import Galaxy

SKY = (21.9, 20.9, 20.2)
"""Surface brightness of the sky in g, r and i in AB magnitudes per square arcsecond, typical of a dark site."""

GAIN = 50_000.0
"""Electrons per nanomaggie at an exposure of 1, chosen to detect a point source of r = 25.0 mag at 5 sigma."""

SOFTENING = 0.02
"""Flux in nanomaggies per pixel at which the scale changes from linear to logarithmic."""

LOWEST = -0.06
HIGHEST = 100.0
"""Limits of the scale in nanomaggies per pixel; no galaxy of the default options reaches the upper one."""

_START = math.asinh(LOWEST / SOFTENING)
_SPAN = math.asinh(HIGHEST / SOFTENING) - _START


def sky_flux() -> NDArray[np.float64]:
    """Return the flux of the sky in g, r and i in nanomaggies per pixel.

    A nanomaggie is the flux of an AB magnitude of 22.5, so the flux is 10^(0.4 (22.5 - mu)) times the area of a pixel
    in square arcseconds.

    Returns
    -------
    ndarray of shape (3,), float64

    Examples
    --------
    >>> sky_flux().round(2).tolist()
    [0.43, 1.09, 2.08]
    """
    flux: NDArray[np.float64] = 10.0 ** (0.4 * (22.5 - np.array(SKY))) * PIXEL**2
    return flux


def observe(galaxy: Galaxy, generator: Generator, size: int, exposure: float) -> NDArray[np.float32]:
    r"""Return an image with photon noise of galaxy and sky, from which the mean sky is subtracted.

    With the gain G in electrons per nanomaggie and the exposure E,

    .. math:: f_\mathrm{obs} = \frac{\mathrm{Poisson}\left(G E (f + f_\mathrm{sky})\right)}{G E} - f_\mathrm{sky}

    There is no read noise, dark current or error of the sky level, and noise is independent between pixels.

    Parameters
    ----------
    galaxy : Galaxy
        Galaxy to observe.
    generator : numpy.random.Generator
        Random numbers for the noise.
    size : int
        Height and width in pixels of 0.5 arcseconds.
    exposure : float
        Exposure time relative to the default.

    Returns
    -------
    ndarray of shape (size, size, 3), float32
        Flux in g, r and i in nanomaggies per pixel.

    Examples
    --------
    >>> from benchmarker_optical.galaxies import draw_galaxy
    >>> galaxy, generator = draw_galaxy(0, 8901, redshifts=(0.1, 0.1), log_masses=(8.0, 11.0))
    >>> observe(galaxy, generator, 32, exposure=1.0).shape
    (32, 32, 3)
    """
    gain = GAIN * exposure
    sky = sky_flux()
    # Fourier transforms leave values of about -1e-12 of the peak where there is no light.
    light = np.maximum(render(galaxy.components, size, galaxy.offset, galaxy.angle), 0.0)
    counted = generator.poisson(gain * (light + sky))
    return np.asarray(counted / gain - sky, dtype=np.float32)


def stretch(flux: NDArray[Any]) -> NDArray[np.float64]:
    """Return the pixel values of fluxes on the asinh scale of the data set; see the module for the equation.

    Parameters
    ----------
    flux : ndarray of any shape
        Flux in nanomaggies per pixel. Values below -0.06 and above 100 are clipped; with the default options no galaxy
        is that bright.

    Returns
    -------
    ndarray of the same shape, float64
        Values in [0, 1]. An empty sky is near 0.165.

    Examples
    --------
    >>> stretch(np.array([-0.06, 0.0, 100.0])).round(3).tolist()
    [0.0, 0.165, 1.0]
    """
    values: NDArray[np.float64] = np.arcsinh(np.clip(flux, LOWEST, HIGHEST).astype(np.float64) / SOFTENING)
    return (values - _START) / _SPAN


def unstretch(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """Return the fluxes of pixel values: the inverse of `stretch`.

    Parameters
    ----------
    pixels : ndarray of any shape
        Values in [0, 1].

    Returns
    -------
    ndarray of the same shape, float64
        Flux in nanomaggies per pixel.

    Examples
    --------
    >>> unstretch(stretch(np.array([0.5, 20.0]))).round(9).tolist()
    [0.5, 20.0]
    """
    flux: NDArray[np.float64] = SOFTENING * np.sinh(np.asarray(pixels, dtype=np.float64) * _SPAN + _START)
    return flux
