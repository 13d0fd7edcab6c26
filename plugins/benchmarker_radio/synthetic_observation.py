r"""Observation of a synthetic radio source: restoring beam, correlated noise and artefacts of a snapshot survey.

An image is

.. math:: I = S \left(\frac{T * B}{\max (T * B)} + R\right) + N + W

with the sky T, the elliptical Gaussian beam B, the signal-to-noise ratio S, the residual R of deconvolution, noise N of
unit standard deviation that is correlated like the beam, and a faint wave W. The result is multiplied by the noise
level in Jy per beam. Pixels, beam and noise are those of FIRST (Becker, White & Helfand 1995, ApJ 450, 559,
doi:10.1086/176166). The artefacts are a plausible caricature of a snapshot with a Y-shaped array, not a simulation of
the interferometer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarker_radio.synthetic_sources import FWHM_PER_SIGMA, Components

if TYPE_CHECKING:
    from numpy.random import Generator  # noqa: TID251 - the type of a stream's generator
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PIXEL = 1.8
"""Size of a pixel in arcseconds."""

BEAM_FWHM = 5.4
"""Full width of the beam at half maximum in arcseconds."""

TYPICAL_NOISE = 1.5e-4
"""Standard deviation of the noise in Jy per beam."""

# Brightness is rounded to this fraction of the noise, because the last bits of exponentials and Fourier transforms
# differ between processors and would change the bytes of the files.
_STEPS_PER_SIGMA = 1024.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Beam:
    """An elliptical Gaussian restoring beam.

    Parameters
    ----------
    major, minor : float
        Full width at half maximum in arcseconds.
    angle : float
        Position angle of the major axis in degrees, from the y axis (north) towards negative x (east).
    """

    major: float
    minor: float
    angle: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """An image with its beam and its noise level.

    Parameters
    ----------
    image : ndarray of shape (size, size), float32
        Brightness in Jy per beam.
    beam : Beam
        Restoring beam.
    noise : float
        Standard deviation of the noise in Jy per beam.
    """

    image: NDArray[np.float32]
    beam: Beam
    noise: float


def draw_beam(generator: Generator) -> Beam:
    """Draw a restoring beam.

    The beam of FIRST is 5.4 arcseconds wide and round in the north, and elongated further south. Here its major axis is
    uniform between 5.4 and 6.4 arcseconds, and its angle uniform.
    """
    return Beam(major=BEAM_FWHM + generator.uniform(0.0, 1.0), minor=BEAM_FWHM, angle=generator.uniform(0.0, 180.0))


def observe(components: Components, generator: Generator, size: int, signal_to_noise: float, beam: Beam) -> Observation:
    """Observe a source.

    Parameters
    ----------
    components : Components
        Sky, of which only the relative fluxes matter.
    generator : numpy.random.Generator
        Random numbers of this source.
    size : int
        Height and width in pixels of 1.8 arcseconds.
    signal_to_noise : float
        Median ratio of peak to noise. The ratio of an image is log-uniform within a factor of 3 either way.
    beam : Beam
        Restoring beam.

    Returns
    -------
    Observation
        Image of shape (size, size) in Jy per beam.

    Examples
    --------
    >>> from benchmarker import Stream
    >>> point = Components(x=np.zeros(1), y=np.zeros(1), flux=np.ones(1), sigma=np.zeros(1))
    >>> beam = Beam(major=5.4, minor=5.4, angle=0.0)
    >>> observation = observe(point, Stream("example").generator(), 65, 1000.0, beam)
    >>> [int(index) for index in np.unravel_index(observation.image.argmax(), observation.image.shape)]
    [32, 32]
    """
    noise = TYPICAL_NOISE * math.exp(generator.normal(0.0, 0.15))
    ratio = signal_to_noise * 3.0 ** generator.uniform(-1.0, 1.0)
    u, v = np.meshgrid(np.fft.rfftfreq(size), np.fft.fftfreq(size))
    transform = np.fft.rfft2(_sky(components, size, beam.minor)) * _transfer(u, v, beam, elongation_only=True)
    sky = np.fft.irfft2(transform, s=(size, size))
    residual = np.fft.irfft2(transform * _sidelobes(generator, u, v), s=(size, size))
    residual *= 0.003 * 10.0 ** generator.uniform(0.0, 1.0) * sky.max() / np.abs(residual).max()
    image = (sky + residual) / sky.max() * ratio
    image += _correlated_noise(generator, u, v, size, beam) + _stripes(generator, size)
    image = np.round(image * _STEPS_PER_SIGMA) / _STEPS_PER_SIGMA
    return Observation(image=(image * noise).astype(np.float32), beam=beam, noise=noise)


def _sky(components: Components, size: int, beam_fwhm: float) -> Floats:
    """Return the sky convolved with a round beam, which turns every Gaussian component into a wider Gaussian."""
    sigma = np.hypot(components.sigma, beam_fwhm / FWHM_PER_SIGMA) / PIXEL
    pixels = np.arange(size) - 0.5 * (size - 1)
    across = np.exp(-0.5 * ((pixels - components.x[:, None] / PIXEL) / sigma[:, None]) ** 2)
    up = np.exp(-0.5 * ((pixels - components.y[:, None] / PIXEL) / sigma[:, None]) ** 2)
    brightness: Floats = (up * (components.flux / sigma**2)[:, None]).T @ across
    return brightness


def _transfer(u: Floats, v: Floats, beam: Beam, *, elongation_only: bool = False) -> Floats:
    """Return the Fourier transform of a beam of unit area, or of the Gaussian that elongates the round beam."""
    angle = math.radians(beam.angle)
    major, minor = beam.major / FWHM_PER_SIGMA / PIXEL, beam.minor / FWHM_PER_SIGMA / PIXEL
    along, across = -math.sin(angle) * u + math.cos(angle) * v, math.cos(angle) * u + math.sin(angle) * v
    exponent = (major**2 - minor**2) * along**2 if elongation_only else (major * along) ** 2 + (minor * across) ** 2
    transfer: Floats = np.exp(-2.0 * math.pi**2 * exponent)
    return transfer


def _sidelobes(generator: Generator, u: Floats, v: Floats) -> Floats:
    """Return the transfer function of the residual of deconvolution: ripples along the arms of a Y-shaped array."""
    start, period = generator.uniform(0.0, math.pi / 3.0), generator.uniform(0.05, 0.12)
    phase, width = generator.uniform(0.0, 2.0 * math.pi), generator.uniform(0.01, 0.03)
    pattern = np.zeros_like(u)
    for arm in range(3):
        angle = start + arm * math.pi / 3.0
        along, across = math.cos(angle) * u + math.sin(angle) * v, math.cos(angle) * v - math.sin(angle) * u
        pattern += np.exp(-0.5 * (across / width) ** 2) * np.cos(2.0 * math.pi * np.abs(along) / period + phase)
    # An interferometer measures nothing at the shortest baselines, so the artefacts contain no net flux.
    return pattern * -np.expm1(-0.5 * (u**2 + v**2) / 0.03**2)


def _correlated_noise(generator: Generator, u: Floats, v: Floats, size: int, beam: Beam) -> Floats:
    """Return Gaussian noise of unit standard deviation with the power spectrum of the beam."""
    transfer = _transfer(u, v, beam)
    white = np.fft.rfft2(generator.standard_normal((size, size)))
    noise = np.fft.irfft2(white * transfer, s=(size, size))
    power = np.fft.irfft2(transfer**2, s=(size, size))[0, 0]
    return noise / math.sqrt(power)


def _stripes(generator: Generator, size: int) -> Floats:
    """Return a faint wave across the image, as left by one bad baseline, with an amplitude of up to 0.6 sigma."""
    height, angle = generator.uniform(0.0, 0.6), generator.uniform(0.0, math.pi)
    period, phase = generator.uniform(4.0, 16.0), generator.uniform(0.0, 2.0 * math.pi)
    pixels = np.arange(size)
    path = math.cos(angle) * pixels[None, :] + math.sin(angle) * pixels[:, None]
    stripes: Floats = height * np.sin(2.0 * math.pi * path / period + phase)
    return stripes
