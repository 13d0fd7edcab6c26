"""Draws synthetic galaxies: redshift, stellar mass, orientation and scatter about the scaling relations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarker import Stream
from benchmarker_optical.relations import Component, Scatter, bulge_share, components

if TYPE_CHECKING:
    from numpy.random import Generator  # noqa: TID251 - the type of a stream's generator

    Range = tuple[float, float]

_LARGEST_SCATTER = 2.5
_POSITION_ERROR = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Galaxy:
    """A synthetic galaxy.

    Parameters
    ----------
    redshift : float
        Redshift.
    log_mass : float
        Decimal logarithm of the stellar mass in solar masses.
    inclination : float
        Inclination of the disc in degrees, 0 face-on.
    bulge_share : float
        Fraction of the stellar mass in the bulge.
    components : tuple of Component
        Disc and bulge.
    angle : float
        Angle of the major axis in radians, anticlockwise from the rows.
    offset : tuple of float
        Offset from the centre of the image in pixels, to the right and upwards.
    """

    redshift: float
    log_mass: float
    inclination: float
    bulge_share: float
    components: tuple[Component, Component]
    angle: float
    offset: tuple[float, float]


def draw_galaxy(number: int, seed: int, *, redshifts: Range, log_masses: Range) -> tuple[Galaxy, Generator]:
    """Draw a galaxy.

    Redshift and log stellar mass are uniform within their ranges, unlike on the sky: a network then sees
    as many massive and nearby galaxies as faint ones. Discs are oriented isotropically, so that the cosine of the
    inclination is uniform. Size, bulge fraction and colours scatter about the scaling relations with Gaussian deviates,
    cut at 2.5 standard deviations.

    Parameters
    ----------
    number : int
        Number of the galaxy.
    seed : int
        Seed of the data set.
    redshifts : tuple of float
        Lowest and highest redshift.
    log_masses : tuple of float
        Lowest and highest decimal logarithm of the stellar mass in solar masses.

    Returns
    -------
    galaxy : Galaxy
        The galaxy; it depends only on the arguments.
    generator : numpy.random.Generator
        Random numbers for its noise.

    Examples
    --------
    >>> galaxy, _ = draw_galaxy(0, 8901, redshifts=(0.1, 0.1), log_masses=(8.0, 11.0))
    >>> galaxy.redshift
    0.1
    """
    generator = Stream("synthetic-optical", seed=seed, source=number).generator()
    redshift = float(generator.uniform(*redshifts))
    log_mass = float(generator.uniform(*log_masses))
    inclination = math.degrees(math.acos(generator.uniform(0.0, 1.0)))
    angle = float(generator.uniform(0.0, math.pi))
    deviates = np.clip(generator.standard_normal(4), -_LARGEST_SCATTER, _LARGEST_SCATTER)
    size, bulge, disc_colour, bulge_colour = (float(x) for x in deviates)
    x, y = (float(value) for value in generator.normal(0.0, _POSITION_ERROR, 2))
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
