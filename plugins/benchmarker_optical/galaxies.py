"""Draws single galaxies, and observes them: a sky, and the counts of a detector."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarker import Stream
from benchmarker_optical.relations import Component, Scatter, bulge_share, components
from benchmarker_optical.rendering import PIXEL, draw

if TYPE_CHECKING:
    from numpy.random import Generator  # noqa: TID251 - the type of a stream's generator
    from numpy.typing import NDArray

    from benchmarker_optical.synthetic import SyntheticOpticalOptions

# Surface brightness of the sky in g, r and i, in magnitudes per square arcsecond: that of a dark site, chosen.
SKY = (21.9, 20.9, 20.2)
# Electrons per nanomaggie at an exposure of 1: chosen, so that a point source of r = 25.0 mag is seen at 5 sigma.
GAIN = 50_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Galaxy:
    """What is known about a galaxy.

    Parameters
    ----------
    redshift : float
        Dimensionless.
    log_mass : float
        Decimal logarithm of the stellar mass in solar masses.
    inclination : float
        In degrees, 0 face-on.
    bulge_share : float
        Of the stellar mass.
    components : tuple of Component
        Disc and bulge.
    angle : float
        Of the major axis, anticlockwise from the rows, in radians.
    offset : tuple of float
        From the middle of the image to the right and upwards, in pixels.
    """

    redshift: float
    log_mass: float
    inclination: float
    bulge_share: float
    components: tuple[Component, Component]
    angle: float
    offset: tuple[float, float]


def draw_galaxy(number: int, options: SyntheticOpticalOptions) -> tuple[Galaxy, Generator]:
    """Draw a galaxy, and return it with what its noise is to be drawn from.

    Parameters
    ----------
    number : int
        Which galaxy.
    options : SyntheticOpticalOptions
        Ranges and seed.
    """
    generator = Stream("synthetic-optical", seed=options.seed, source=number).generator()
    redshift = float(generator.uniform(*options.redshift))
    log_mass = float(generator.uniform(*options.log_stellar_mass))
    # Discs point anywhere on the sphere.
    inclination = math.degrees(math.acos(generator.uniform(0.0, 1.0)))
    angle = float(generator.uniform(0.0, math.pi))
    size, bulge, disc_colour, bulge_colour = (float(x) for x in np.clip(generator.standard_normal(4), -2.5, 2.5))
    x, y = (float(value) for value in generator.normal(0.0, 0.3, 2))
    scatter = Scatter(size=size, bulge=bulge, disc_colour=disc_colour, bulge_colour=bulge_colour)
    galaxy = Galaxy(
        redshift=redshift,
        log_mass=log_mass,
        inclination=inclination,
        bulge_share=bulge_share(log_mass, bulge),
        components=components(redshift, log_mass, inclination, scatter),
        angle=angle,
        offset=(x, y),
    )
    return galaxy, generator


def sky_flux() -> NDArray[np.float64]:
    """Return the flux of the sky in g, r and i, ndarray of shape (3,), in nanomaggies per pixel."""
    flux: NDArray[np.float64] = 10.0 ** (0.4 * (22.5 - np.array(SKY))) * PIXEL**2
    return flux


def observe(galaxy: Galaxy, generator: Generator, size: int, exposure: float) -> NDArray[np.float32]:
    """Return an image with the noise of counted electrons, from galaxy and sky; the mean sky is subtracted.

    Parameters
    ----------
    galaxy : Galaxy
        What is seen.
    generator : numpy.random.Generator
        For the noise.
    size : int
        Height and width in pixels of 0.5 arcseconds.
    exposure : float
        Relative to the default.

    Returns
    -------
    ndarray of shape (size, size, 3), float32
        Nanomaggies per pixel in g, r and i.
    """
    gain = GAIN * exposure
    sky = sky_flux()
    # Rounding leaves values as small as -1e-12 of the peak where there is no light.
    light = np.maximum(draw(galaxy.components, size, galaxy.offset, galaxy.angle), 0.0)
    counted = generator.poisson(gain * (light + sky))
    return np.asarray(counted / gain - sky, dtype=np.float32)
