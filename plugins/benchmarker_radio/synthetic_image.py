"""Observes a synthetic radio source: restoring beam, correlated noise and the artefacts of a snapshot survey."""

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

# FIRST: Becker, White & Helfand 1995, ApJ 450, 559.
PIXEL = 1.8
BEAM_FWHM = 5.4
TYPICAL_NOISE = 1.5e-4

# Brightness is rounded to this fraction of the noise: the last bits of exponentials and Fourier transforms differ from
# one processor to another, and would make the bytes of the files differ too.
_STEPS_PER_SIGMA = 1024.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Beam:
    """An elliptical Gaussian restoring beam.

    Parameters
    ----------
    major, minor : float
        FWHM in arcseconds.
    angle : float
        Position angle of the major axis, from the y axis (north) towards negative x (east), in degrees.
    """

    major: float
    minor: float
    angle: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """An image with what belongs into its header.

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
    """Draw a beam: round in the north of the survey, elongated towards the south."""
    return Beam(major=BEAM_FWHM + generator.uniform(0.0, 1.0), minor=BEAM_FWHM, angle=generator.uniform(0.0, 180.0))


def observe(components: Components, generator: Generator, size: int, signal_to_noise: float, beam: Beam) -> Observation:
    """Observe a source.

    Parameters
    ----------
    components : Components
        The sky; only relative fluxes matter.
    generator : numpy.random.Generator
        Of this source.
    size : int
        Height and width in pixels of 1.8 arcseconds.
    signal_to_noise : float
        Median ratio of peak to noise; single images scatter about it by a factor of 3 either way.
    beam : Beam
        Restoring beam.

    Returns
    -------
    Observation
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
    """Return the sky seen with a round beam: every component is a Gaussian and stays one."""
    sigma = np.hypot(components.sigma, beam_fwhm / FWHM_PER_SIGMA) / PIXEL
    pixels = np.arange(size) - 0.5 * (size - 1)
    across = np.exp(-0.5 * ((pixels - components.x[:, None] / PIXEL) / sigma[:, None]) ** 2)
    up = np.exp(-0.5 * ((pixels - components.y[:, None] / PIXEL) / sigma[:, None]) ** 2)
    brightness: Floats = (up * (components.flux / sigma**2)[:, None]).T @ across
    return brightness


def _transfer(u: Floats, v: Floats, beam: Beam, *, elongation_only: bool = False) -> Floats:
    """Return the Fourier transform of a beam of unit area, or of what makes the round beam elongated."""
    angle = math.radians(beam.angle)
    major, minor = beam.major / FWHM_PER_SIGMA / PIXEL, beam.minor / FWHM_PER_SIGMA / PIXEL
    along, across = -math.sin(angle) * u + math.cos(angle) * v, math.cos(angle) * u + math.sin(angle) * v
    exponent = (major**2 - minor**2) * along**2 if elongation_only else (major * along) ** 2 + (minor * across) ** 2
    transfer: Floats = np.exp(-2.0 * math.pi**2 * exponent)
    return transfer


def _sidelobes(generator: Generator, u: Floats, v: Floats) -> Floats:
    """Return the transfer function of what deconvolution left: ripples along the three arms of a Y-shaped array."""
    start, period = generator.uniform(0.0, math.pi / 3.0), generator.uniform(0.05, 0.12)
    phase, width = generator.uniform(0.0, 2.0 * math.pi), generator.uniform(0.01, 0.03)
    pattern = np.zeros_like(u)
    for arm in range(3):
        angle = start + arm * math.pi / 3.0
        along, across = math.cos(angle) * u + math.sin(angle) * v, math.cos(angle) * v - math.sin(angle) * u
        pattern += np.exp(-0.5 * (across / width) ** 2) * np.cos(2.0 * math.pi * np.abs(along) / period + phase)
    # Nothing at the shortest baselines: the artefacts hold no flux in total.
    return pattern * -np.expm1(-0.5 * (u**2 + v**2) / 0.03**2)


def _correlated_noise(generator: Generator, u: Floats, v: Floats, size: int, beam: Beam) -> Floats:
    """Return noise of unit standard deviation that is correlated like the beam."""
    transfer = _transfer(u, v, beam)
    white = np.fft.rfft2(generator.standard_normal((size, size)))
    noise = np.fft.irfft2(white * transfer, s=(size, size))
    power = np.fft.irfft2(transfer**2, s=(size, size))[0, 0]
    return noise / math.sqrt(power)


def _stripes(generator: Generator, size: int) -> Floats:
    """Return a faint wave across the image, as one bad baseline leaves it, up to 0.6 sigma high."""
    height, angle = generator.uniform(0.0, 0.6), generator.uniform(0.0, math.pi)
    period, phase = generator.uniform(4.0, 16.0), generator.uniform(0.0, 2.0 * math.pi)
    pixels = np.arange(size)
    path = math.cos(angle) * pixels[None, :] + math.sin(angle) * pixels[:, None]
    stripes: Floats = height * np.sin(2.0 * math.pi * path / period + phase)
    return stripes
