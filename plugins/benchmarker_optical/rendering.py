r"""Draws Sersic profiles through a Moffat point spread function, in Fourier space, where both keep their flux exactly.

The transform of a circular Sersic profile depends on :math:`k R_e` alone: it is computed once for each index by a fast
Hankel transform (Hamilton 2000, MNRAS 312, 257) and looked up. An elliptical one is the same in stretched coordinates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarker_optical.relations import Component

    Floats = NDArray[np.float64]

# Arcseconds.
PIXEL = 0.5
SEEING = (1.2, 1.1, 1.0)
MOFFAT_BETA = 3.5

# Frequencies up to so many times the Nyquist frequency are kept: the point spread function has nothing beyond.
_OVERSAMPLING = 2
# The field that is drawn over the one that is kept, so that what leaves on one side does not come back on the other.
_FIELD = 2


def draw(components: Sequence[Component], size: int, offset: tuple[float, float], angle: float) -> Floats:
    """Return the image of concentric components without noise.

    Parameters
    ----------
    components : sequence of Component
        With a common position angle.
    size : int
        Height and width in pixels of 0.5 arcseconds.
    offset : tuple of float
        How far right and up of the middle the centre lies, in pixels.
    angle : float
        Of the major axis, anticlockwise from the rows, in radians.

    Returns
    -------
    ndarray of shape (size, size, 3), float64
        Flux in g, r and i, in nanomaggies per pixel.
    """
    u, v, transfer = _frequencies(size)
    along, across = math.cos(angle) * u + math.sin(angle) * v, math.cos(angle) * v - math.sin(angle) * u
    shift = 0.5 * (size - 1)
    phase = np.exp(-2j * math.pi * ((shift + offset[0]) * u + (shift + offset[1]) * v))
    spectrum = np.zeros((len(SEEING), *phase.shape))
    for component in components:
        stretched = np.hypot(along, component.axial_ratio * across)
        profile = sersic_transform(2.0 * math.pi * component.radius / PIXEL * stretched, component.sersic_index)
        spectrum += component.flux[:, None, None] * profile
    grid = _OVERSAMPLING * _FIELD * size
    images = np.fft.irfft2(spectrum * transfer * phase, s=(grid, grid))
    return np.moveaxis(images[:, ::_OVERSAMPLING, ::_OVERSAMPLING][:, :size, :size], 0, -1) * _OVERSAMPLING**2


@cache
def _frequencies(size: int) -> tuple[Floats, Floats, Floats]:
    """Return frequencies in cycles per pixel to the right and upwards, and seeing times pixel in each band."""
    grid = _OVERSAMPLING * _FIELD * size
    u, v = np.meshgrid(np.fft.rfftfreq(grid, 1.0 / _OVERSAMPLING), np.fft.fftfreq(grid, 1.0 / _OVERSAMPLING))
    k = 2.0 * math.pi * np.hypot(u, v)
    pixel = np.sinc(u) * np.sinc(v)
    return u, v, np.stack([moffat_transform(k, fwhm / PIXEL, MOFFAT_BETA) * pixel for fwhm in SEEING])


def moffat_transform(k: Floats, fwhm: float, beta: float) -> Floats:
    r"""Return the Fourier transform of a Moffat profile of unit flux (Moffat 1969, A&A 3, 455).

    .. math:: \hat I(k) = \frac{2}{\Gamma(\beta - 1)} \left(\frac{k \alpha}{2}\right)^{\beta - 1}
              K_{\beta - 1}(k \alpha), \qquad \alpha = \mathrm{FWHM} / 2 \sqrt{2^{1/\beta} - 1}

    Parameters
    ----------
    k : ndarray
        Wave numbers in radians per pixel.
    fwhm : float
        Full width at half maximum in pixels.
    beta : float
        Exponent of the wings, above 1.

    Returns
    -------
    ndarray of the shape of k, float64
        1 at k = 0.
    """
    from scipy.special import gamma, kv

    scaled = np.maximum(k * fwhm / (2.0 * math.sqrt(2.0 ** (1.0 / beta) - 1.0)), 1e-6)
    transform: Floats = 2.0 / gamma(beta - 1.0) * (0.5 * scaled) ** (beta - 1.0) * kv(beta - 1.0, scaled)
    return transform


def sersic_transform(k: Floats, index: float) -> Floats:
    """Return the Fourier transform of a circular Sersic profile of unit flux and half-light radius 1.

    Parameters
    ----------
    k : ndarray
        Wave numbers in radians per half-light radius.
    index : float
        Of Sersic 1963, Boletin de la Asociacion Argentina de Astronomia 6, 41: 1 exponential, 4 de Vaucouleurs.

    Returns
    -------
    ndarray of the shape of k, float64
        1 at k = 0; exact to 1e-5.
    """
    logarithms, values = _table(index)
    return np.interp(np.log(np.maximum(k, 1e-12)), logarithms, values, left=1.0, right=0.0)


def sersic_profile(radius: Floats, index: float) -> Floats:
    """Return the surface brightness of a circular Sersic profile of unit flux and half-light radius 1."""
    from scipy.special import gamma, gammaincinv

    b = gammaincinv(2.0 * index, 0.5)
    scale = b ** (2.0 * index) / (2.0 * math.pi * index * gamma(2.0 * index))
    brightness: Floats = scale * np.exp(-b * radius ** (1.0 / index))
    return brightness


@cache
def _table(index: float) -> tuple[Floats, Floats]:
    """Return logarithms of wave numbers and the transform at each."""
    from scipy.fft import fht, fhtoffset

    n = 4096
    step = math.log(1e14) / n
    radius = np.exp((np.arange(n) - 0.5 * (n - 1)) * step)
    offset = fhtoffset(step, mu=0.0, bias=0.0)
    k = math.exp(offset) / radius[::-1]
    transform = fht(2.0 * math.pi * radius * sersic_profile(radius, index), step, mu=0.0, offset=offset) / k
    return np.log(k), transform
