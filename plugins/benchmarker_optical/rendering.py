r"""Renders Sersic profiles through a Moffat point spread function, in Fourier space, which conserves the flux exactly.

The transform of a circular Sersic profile depends on :math:`k R_e` alone. It is computed once per index by a fast
Hankel transform (Hamilton 2000, MNRAS 312, 257; doi:10.1046/j.1365-8711.2000.03071.x) and interpolated. An elliptical
profile is circular in stretched coordinates.
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

PIXEL = 0.5
"""Size of a pixel in arcseconds."""

SEEING = (1.2, 1.1, 1.0)
"""Full width at half maximum of the point spread function in g, r and i in arcseconds."""

MOFFAT_BETA = 3.5
"""Exponent of the wings of the point spread function."""

# Frequencies are kept up to this multiple of the Nyquist frequency; the point spread function has no power beyond.
_OVERSAMPLING = 2
# Size of the rendered field over that of the image, so that light leaving on one side does not come back on the other.
_FIELD = 2


def render(components: Sequence[Component], size: int, offset: tuple[float, float], angle: float) -> Floats:
    """Return a noiseless image of concentric components.

    The flux of a component beyond the edges of the image is not in the image: a profile of de Vaucouleurs loses a few
    per cent, an exponential one almost nothing.

    Parameters
    ----------
    components : sequence of Component
        Components with a common centre and position angle.
    size : int
        Height and width in pixels of 0.5 arcseconds.
    offset : tuple of float
        Offset of the centre from that of the image in pixels, to the right and upwards.
    angle : float
        Angle of the major axis in radians, anticlockwise from the rows.

    Returns
    -------
    ndarray of shape (size, size, 3), float64
        Flux in g, r and i in nanomaggies per pixel.

    Examples
    --------
    >>> from benchmarker_optical.relations import Component
    >>> disc = Component(flux=np.array([1.0, 2.0, 3.0]), radius=1.0, axial_ratio=0.5, sersic_index=1.0)
    >>> render([disc], 64, (0.0, 0.0), 0.0).sum(axis=(0, 1)).round(2).tolist()
    [1.0, 2.0, 3.0]
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
    """Return frequencies to the right and upwards in cycles per pixel, and the transform of seeing times pixel."""
    grid = _OVERSAMPLING * _FIELD * size
    u, v = np.meshgrid(np.fft.rfftfreq(grid, 1.0 / _OVERSAMPLING), np.fft.fftfreq(grid, 1.0 / _OVERSAMPLING))
    k = 2.0 * math.pi * np.hypot(u, v)
    pixel = np.sinc(u) * np.sinc(v)
    return u, v, np.stack([moffat_transform(k, fwhm / PIXEL, MOFFAT_BETA) * pixel for fwhm in SEEING])


def moffat_transform(k: Floats, fwhm: float, beta: float) -> Floats:
    r"""Return the Fourier transform of a Moffat profile of unit flux.

    The profile :math:`I(r) \propto (1 + r^2 / \alpha^2)^{-\beta}` has the transform

    .. math:: \hat I(k) = \frac{2}{\Gamma(\beta - 1)} \left(\frac{k \alpha}{2}\right)^{\beta - 1}
              K_{\beta - 1}(k \alpha), \qquad \alpha = \mathrm{FWHM} / 2 \sqrt{2^{1/\beta} - 1}

    Its wings are wider than those of a Gaussian, like those of atmospheric seeing.

    Parameters
    ----------
    k : ndarray of any shape
        Wave numbers in radians per pixel.
    fwhm : float
        Full width at half maximum in pixels.
    beta : float
        Exponent of the wings, above 1.

    Returns
    -------
    ndarray of the shape of k, float64
        Transform, which is 1 at k = 0.

    References
    ----------
    Moffat 1969, A&A 3, 455 (1969A&A.....3..455M).

    Examples
    --------
    >>> moffat_transform(np.array([0.0, 1.0]), fwhm=2.0, beta=3.5).round(3).tolist()
    [1.0, 0.55]
    """
    from scipy.special import gamma, kv

    scaled = np.maximum(k * fwhm / (2.0 * math.sqrt(2.0 ** (1.0 / beta) - 1.0)), 1e-6)
    transform: Floats = 2.0 / gamma(beta - 1.0) * (0.5 * scaled) ** (beta - 1.0) * kv(beta - 1.0, scaled)
    return transform


def sersic_transform(k: Floats, index: float) -> Floats:
    r"""Return the Fourier transform of a circular Sersic profile of unit flux and unit half-light radius.

    .. math:: \hat I(k) = 2 \pi \int_0^\infty I(r) J_0(k r) \, r \, dr

    Parameters
    ----------
    k : ndarray of any shape
        Wave numbers in radians per half-light radius.
    index : float
        Sersic index: 1 for an exponential disc, 4 for the profile of de Vaucouleurs.

    Returns
    -------
    ndarray of the shape of k, float64
        Transform, which is 1 at k = 0, with an error below 1e-5.

    Examples
    --------
    The transform of an exponential disc has the closed form (1 + (k h)^2)^(-3/2) with the scale length h = 0.596 R_e.

    >>> sersic_transform(np.array([0.0, 2.0]), 1.0).round(3).tolist()
    [1.0, 0.266]
    """
    logarithms, values = _table(index)
    return np.interp(np.log(np.maximum(k, 1e-12)), logarithms, values, left=1.0, right=0.0)


def sersic_profile(radius: Floats, index: float) -> Floats:
    r"""Return the surface brightness of a circular Sersic profile of unit flux and unit half-light radius.

    .. math:: I(r) = \frac{b^{2n}}{2 \pi n \Gamma(2n)} \exp\left(-b r^{1/n}\right)

    with b such that half of the light lies within r = 1, that is :math:`\gamma(2n, b) = \Gamma(2n) / 2`.

    Parameters
    ----------
    radius : ndarray of any shape
        Radii in half-light radii.
    index : float
        Sersic index n.

    Returns
    -------
    ndarray of the shape of radius, float64
        Surface brightness in units of the flux per squared half-light radius.

    References
    ----------
    Sersic 1963, Boletin de la Asociacion Argentina de Astronomia 6, 41 (1963BAAA....6...41S). Review of the equations:
    Graham & Driver 2005, PASA 22, 118 (doi:10.1071/AS05001).

    Examples
    --------
    >>> sersic_profile(np.array([0.0, 1.0]), 1.0).round(3).tolist()
    [0.448, 0.084]
    """
    from scipy.special import gamma, gammaincinv

    b = gammaincinv(2.0 * index, 0.5)
    scale = b ** (2.0 * index) / (2.0 * math.pi * index * gamma(2.0 * index))
    brightness: Floats = scale * np.exp(-b * radius ** (1.0 / index))
    return brightness


@cache
def _table(index: float) -> tuple[Floats, Floats]:
    """Return logarithms of wave numbers and the transform at each of them."""
    from scipy.fft import fht, fhtoffset

    n = 4096
    step = math.log(1e14) / n
    radius = np.exp((np.arange(n) - 0.5 * (n - 1)) * step)
    offset = fhtoffset(step, mu=0.0, bias=0.0)
    k = math.exp(offset) / radius[::-1]
    transform = fht(2.0 * math.pi * radius * sersic_profile(radius, index), step, mu=0.0, offset=offset) / k
    return np.log(k), transform
