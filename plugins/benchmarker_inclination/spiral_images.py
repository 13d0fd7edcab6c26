r"""Images of synthetic spirals: light and dust integrated along each line of sight, seeing, photon noise, scale.

A disc of finite thickness has the emissivity

.. math:: j(R, \varphi, z) = \frac{I_0}{2 z_0} e^{-R/h} \operatorname{sech}^2(z / z_0)
          \left[1 + A \, t(R) \cos\left(m (\varphi - \cot p \, \ln(R/h)) + \varphi_0\right)\right]

with m logarithmic arms of pitch angle p, which fade towards the centre as :math:`t = R^2 / (R^2 + h^2/4)`. Dust absorbs
with the coefficient

.. math:: \kappa(R, z) = \frac{\tau}{2 z_d} e^{-R/h_d} e^{-|z|/z_d}, \qquad h_d = 1.4 h, \quad z_d = z_0 / 2,

so that the optical depth through the centre of the face-on disc is :math:`\tau`; seen edge-on, it becomes a dust lane.
The brightness of a line of sight is :math:`I = \int j \exp(-\int \kappa \, ds') \, ds`. Dust only absorbs: light that
it scatters is lost, which darkens inclined discs a little too much. The bulge is an oblate Plummer spheroid (Plummer
1911, MNRAS 71, 460) of intrinsic axis ratio :math:`q_b`, whose light beyond the midplane is dimmed by all dust of the
line of sight. Its outer profile is steeper than that of a classical bulge.

References
----------
Vertical profile: van der Kruit & Searle 1981, A&A 95, 105 (1981A&A....95..105V). Length and height of the dust relative
to the stars, and optical depths: Xilouris et al. 1999, A&A 344, 868 (1999A&A...344..868X). Ratios of the extinction in
g, r and i: Schlafly & Finkbeiner 2011, ApJ 737, 103 (doi:10.1088/0004-637X/737/2/103).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from numpy.random import Generator  # noqa: TID251 - the type of a stream's generator

    from benchmarker_inclination.spirals import Spiral

Floats = NDArray[np.float32]

EXTINCTION = (3.303, 2.285, 1.698)
"""Extinction in g, r and i per unit of reddening E(B-V)."""

DISC_COLOUR = (0.8, 1.0, 0.95)
BULGE_COLOUR = (0.55, 1.0, 1.2)
"""Brightness in g, r and i relative to r, in standard deviations of the sky."""

ARM_COLOUR = (1.0, 0.8, 0.65)
"""Contrast of the arms relative to g: arms are bluer than the disc."""

SKY_ELECTRONS = (2000.0, 4000.0, 6000.0)
"""Electrons of the sky per pixel in g, r and i."""

SEEING_OF_BAND = (1.1, 1.0, 0.95)
"""Seeing relative to r."""

LOWEST, SOFTENING, HIGHEST = -3.0, 2.0, 500.0
"""Scale of brightness in standard deviations of the sky: black, end of the linear part, white."""

_OVERSAMPLING = 2
_STEPS = 32
_HALF_DEPTH = 4.0  # of the height z0; 0.07 % of the light of a vertical line lies beyond
_LARGEST_RADIUS = 7.0  # of the scale length


def render(spiral: Spiral, size: int) -> Floats:
    """Return a noiseless image before seeing, on a grid of twice as many pixels.

    Parameters
    ----------
    spiral : Spiral
        The galaxy.
    size : int
        Height and width of the image in pixels.

    Returns
    -------
    ndarray of shape (3, 2 * size, 2 * size), float32
        Surface brightness in g, r and i in standard deviations of the sky of a whole pixel.

    Examples
    --------
    >>> from benchmarker_inclination.spirals import draw_spiral
    >>> spiral, _ = draw_spiral(0, 8901, size=32, inclinations=(60.0, 60.0))
    >>> render(spiral, 32).shape
    (3, 64, 64)
    """
    x, y = _sky_coordinates(spiral, size)
    disc, depth = _integrate(spiral, x, y)
    return disc + _bulge(spiral, x, y, depth) + _stars(spiral, size)


def _sky_coordinates(spiral: Spiral, size: int) -> tuple[Floats, Floats]:
    """Return the offsets of all fine pixels from the centre of the galaxy along its major and its minor axis."""
    fine = (np.arange(size * _OVERSAMPLING) + 0.5) / _OVERSAMPLING - 0.5 * size
    right, up = np.meshgrid(fine - spiral.offset[0], fine - spiral.offset[1])
    cos, sin = math.cos(spiral.angle), math.sin(spiral.angle)
    return (cos * right + sin * up).astype(np.float32), (cos * up - sin * right).astype(np.float32)


def _tilt(spiral: Spiral) -> tuple[float, float]:
    """Return sine and cosine of the inclination; the cosine of an edge-on disc stays above zero."""
    inclination = math.radians(spiral.inclination)
    return math.sin(inclination), max(math.cos(inclination), 1e-3)


def _integrate(spiral: Spiral, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return the light of the disc after absorption, and the optical depth of the whole line of sight in g.

    The midpoint rule with 32 points, between the planes at 4 heights above and below the midplane and within 7 scale
    lengths of the centre.
    """
    sin, cos = _tilt(spiral)
    crossing = y * np.float32(sin / cos)
    half, edge = _HALF_DEPTH * spiral.height / cos, _LARGEST_RADIUS * spiral.scale_length
    near = np.clip(crossing - half, -edge, edge)
    step = (np.clip(crossing + half, -edge, edge) - near) / _STEPS
    s = near + (np.arange(_STEPS, dtype=np.float32)[:, None, None] + np.float32(0.5)) * step
    across = y * np.float32(cos) + s * np.float32(sin)
    z = np.abs(s * np.float32(cos) - y * np.float32(sin))
    radius = np.hypot(x, across) / np.float32(spiral.scale_length)
    dust = np.exp(-radius / np.float32(1.4) - z * np.float32(2.0 / spiral.height)) * step
    dust *= np.float32(spiral.optical_depth / spiral.height)
    behind = np.cumsum(dust, axis=0)
    depth = behind[-1].copy()
    behind -= 0.5 * dust
    decay = np.exp(z * np.float32(-2.0 / spiral.height))
    light = np.exp(-radius) * decay / (1 + decay) ** 2 * step  # sech^2(u) = 4 exp(-2u) / (1 + exp(-2u))^2
    light *= np.float32(4.0 * spiral.signal / (2.0 * spiral.height))
    arms = light * _arms(spiral, x, across, radius)
    disc = np.empty((3, *x.shape), np.float32)
    for band, extinction in enumerate(EXTINCTION):
        seen = np.exp(behind * np.float32(-extinction / EXTINCTION[0]))
        contrast = np.float32(spiral.arm_contrast * ARM_COLOUR[band])
        total = np.einsum("kij,kij->ij", light, seen) + contrast * np.einsum("kij,kij->ij", arms, seen)
        disc[band] = DISC_COLOUR[band] * total
    return disc, depth


def _arms(spiral: Spiral, x: Floats, across: Floats, radius: Floats) -> Floats:
    """Return the modulation by logarithmic arms, between -1 and 1."""
    winding = np.log(np.maximum(radius, np.float32(1e-3))) / np.float32(math.tan(spiral.pitch))
    wave = np.cos(spiral.arms * (np.arctan2(across, x) - winding) + np.float32(spiral.phase))
    fading = radius**2 / (radius**2 + np.float32(0.25))
    modulation: Floats = wave * fading
    return modulation


def _bulge(spiral: Spiral, x: Floats, y: Floats, depth: Floats) -> Floats:
    r"""Return the light of the bulge, of which the part beyond the midplane is dimmed.

    With :math:`q = \sqrt{\cos^2 i + q_b^2 \sin^2 i}` and :math:`m^2 = (x^2 + y^2 / q^2) / a^2`, the Plummer
    spheroid has the brightness :math:`\propto (1 + m^2)^{-2}`. Of a line of sight, the fraction up to the distance
    :math:`\zeta` from the point of highest density is :math:`1/2 + 3 t / 4 - t^3 / 4`, where
    :math:`t = \zeta / \sqrt{w^2 + \zeta^2}` and :math:`w = a q_b \sqrt{1 + m^2} / q`.
    """
    sin, cos = _tilt(spiral)
    flattening, scale = spiral.bulge_flattening, spiral.bulge_radius
    ratio = math.sqrt(cos**2 + (flattening * sin) ** 2)
    m2 = (x**2 + (y / np.float32(ratio)) ** 2) / np.float32(scale**2)
    width = np.float32(scale * flattening / ratio) * np.sqrt(1 + m2)
    # Density is highest where d/ds [(y cos i + s sin i)^2 + (s cos i - y sin i)^2 / q_b^2] = 0.
    densest = y * np.float32(sin * cos * (1 - flattening**2) / ratio**2)
    distance = y * np.float32(sin / cos) - densest
    t = distance / np.hypot(width, distance)
    before = 0.5 + 0.75 * t - 0.25 * t**3
    disc_flux = 2.0 * math.pi * spiral.scale_length**2 * spiral.signal
    flux = disc_flux * spiral.bulge_share / (1.0 - spiral.bulge_share)
    brightness = np.float32(flux / (math.pi * scale**2 * ratio)) * (1 + m2) ** -2
    return np.stack(
        [
            colour * brightness * (before + (1 - before) * np.exp(-depth * np.float32(extinction / EXTINCTION[0])))
            for colour, extinction in zip(BULGE_COLOUR, EXTINCTION, strict=True)
        ]
    )


def _stars(spiral: Spiral, size: int) -> Floats:
    """Return stars as points on the fine grid, before seeing."""
    fine = size * _OVERSAMPLING
    points = np.zeros((3, fine, fine), np.float32)
    for star in spiral.stars:
        column, row = (min(int(position * fine), fine - 1) for position in star.position)
        colours = np.array([star.colour, 1.0, 1.0 / star.colour], np.float32)
        points[:, row, column] += star.flux * _OVERSAMPLING**2 * colours
    return points


def observe(spiral: Spiral, generator: Generator, size: int) -> Floats:
    r"""Return an image with seeing and photon noise, from which the mean sky is subtracted.

    Seeing is a Gaussian. With :math:`N` electrons of the sky per pixel and the brightness f in its standard deviations,

    .. math:: f_\mathrm{obs} = \left[\mathrm{Poisson}(N + f \sqrt N) - N\right] / \sqrt N .

    There is no read noise, and noise is independent between pixels.

    Parameters
    ----------
    spiral : Spiral
        Galaxy to observe.
    generator : numpy.random.Generator
        Random numbers for the noise.
    size : int
        Height and width in pixels.

    Returns
    -------
    ndarray of shape (size, size, 3), float32
        Brightness in g, r and i in standard deviations of the sky.
    """
    from scipy.ndimage import gaussian_filter

    fine = render(spiral, size)
    image = np.empty((size, size, 3), np.float32)
    for band, electrons in enumerate(SKY_ELECTRONS):
        sigma = spiral.seeing * SEEING_OF_BAND[band] * _OVERSAMPLING / (2.0 * math.sqrt(2.0 * math.log(2.0)))
        seen = gaussian_filter(fine[band], sigma, mode="nearest")
        light = seen.reshape(size, _OVERSAMPLING, size, _OVERSAMPLING).mean(axis=(1, 3), dtype=np.float64)
        counted = generator.poisson(electrons + light * math.sqrt(electrons))
        image[..., band] = (counted - electrons) / math.sqrt(electrons)
    return image


def stretch(brightness: NDArray[Any]) -> NDArray[np.float64]:
    """Return pixel values on the asinh scale that all images of the data set share.

    The images of the published networks are asinh-stretched too; theirs came from a survey's viewer.

    Parameters
    ----------
    brightness : ndarray of any shape
        Brightness in standard deviations of the sky; below -3 and above 500 it is clipped.

    Returns
    -------
    ndarray of the same shape, float64
        Values in [0, 1].

    References
    ----------
    Lupton, Gunn & Szalay 1999, AJ 118, 1406 (1999AJ....118.1406L).

    Examples
    --------
    >>> stretch(np.array([-3.0, 0.0, 500.0])).round(3).tolist()
    [0.0, 0.161, 1.0]
    """
    low, high = math.asinh(LOWEST / SOFTENING), math.asinh(HIGHEST / SOFTENING)
    clipped = np.clip(brightness, LOWEST, HIGHEST).astype(np.float64)
    values: NDArray[np.float64] = (np.arcsinh(clipped / SOFTENING) - low) / (high - low)
    return values
