"""Draws synthetic spirals: shape, brightness, dust, arms, orientation, and the stars in front of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarker import Stream

if TYPE_CHECKING:
    from numpy.random import Generator  # noqa: TID251 - the type of a stream's generator

    Range = tuple[float, float]

_SCALE_LENGTH: Range = (0.10, 0.14)  # of the width of the image, so that about D25 fits into it
_THICKNESS: Range = (0.12, 0.28)
_SIGNAL: Range = (10.0, 200.0)
_OPTICAL_DEPTH: Range = (0.2, 1.2)
_BULGE_SHARE: Range = (0.02, 0.40)
_BULGE_RADIUS: Range = (0.15, 0.35)
_BULGE_FLATTENING: Range = (0.6, 0.9)
_ARM_CONTRAST: Range = (0.2, 0.8)
_PITCH: Range = (10.0, 30.0)
_SEEING: Range = (1.2, 2.4)
_POSITION_ERROR = 1.0
_STAR_FLUX: Range = (50.0, 5000.0)
_STAR_COLOUR: Range = (0.5, 1.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Star:
    """A star in front of the galaxy.

    Parameters
    ----------
    position : tuple of float
        Column and row as fractions of the image, from 0 to 1.
    flux : float
        Flux in r in standard deviations of the sky in one pixel.
    colour : float
        Flux in g relative to r; that in i is the inverse.
    """

    position: tuple[float, float]
    flux: float
    colour: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spiral:
    """A synthetic spiral; lengths are in pixels.

    Parameters
    ----------
    inclination : float
        Inclination in degrees, 0 face-on.
    angle : float
        Angle of the major axis in radians, anticlockwise from the rows.
    offset : tuple of float
        Offset from the centre of the image, to the right and upwards.
    scale_length, height : float
        Radial scale h of the disc, and scale z0 of its vertical profile sech^2(z / z0).
    signal : float
        Central surface brightness of the face-on disc in r, in standard deviations of the sky.
    optical_depth : float
        Optical depth of the dust through the centre of the face-on disc in g.
    bulge_share, bulge_radius, bulge_flattening : float
        Flux of the bulge over the total in r; its half-light radius; its intrinsic axis ratio.
    arms, arm_contrast, pitch, phase : int, float, float, float
        Number of arms, relative amplitude in g, pitch angle and phase in radians. A negative pitch winds the other way.
    seeing : float
        Full width at half maximum of the point spread function in r.
    stars : tuple of Star
        Stars in front.
    """

    inclination: float
    angle: float
    offset: tuple[float, float]
    scale_length: float
    height: float
    signal: float
    optical_depth: float
    bulge_share: float
    bulge_radius: float
    bulge_flattening: float
    arms: int
    arm_contrast: float
    pitch: float
    phase: float
    seeing: float
    stars: tuple[Star, ...] = ()


def draw_spiral(
    number: int, seed: int, *, size: int, inclinations: Range, stars: float = 0.0
) -> tuple[Spiral, Generator]:
    """Draw a spiral.

    All properties are uniform within their ranges and independent of each other, the signal logarithmically. Random
    orientations would be uniform in the cosine of the inclination instead; a set uniform in degrees has as many
    galaxies in every bin, as the published networks are trained.

    Parameters
    ----------
    number : int
        Number of the galaxy.
    seed : int
        Seed of the data set.
    size : int
        Height and width of the image in pixels; the scale length is 10 to 14 % of it.
    inclinations : tuple of float
        Lowest and highest inclination in degrees.
    stars : float
        Mean number of stars in front; their number has a Poisson distribution.

    Returns
    -------
    spiral : Spiral
        The galaxy; it depends only on the arguments.
    generator : numpy.random.Generator
        Random numbers for its noise.

    Notes
    -----
    Heights are 0.12 to 0.28 scale lengths, because real discs are not equally thin: they flatten from early to late
    types (de Grijs 1998, MNRAS 299, 595; 1998MNRAS.299..595D). The ranges are chosen, not fitted to a survey. Stars are
    uniformly distributed, and the number of those brighter than F falls as 1 / F, a little flatter than the counts of
    an infinite Euclidean space.

    Examples
    --------
    >>> spiral, _ = draw_spiral(0, 8901, size=64, inclinations=(60.0, 60.0))
    >>> spiral.inclination
    60.0
    """
    generator = Stream("synthetic-spirals", seed=seed, source=number).generator()

    def uniform(limits: Range) -> float:
        return float(generator.uniform(*limits))

    inclination = uniform(inclinations)
    scale_length = uniform(_SCALE_LENGTH) * size
    x, y = (float(value) for value in generator.normal(0.0, _POSITION_ERROR, 2))
    spiral = Spiral(
        inclination=inclination,
        angle=uniform((0.0, math.pi)),
        offset=(x, y),
        scale_length=scale_length,
        height=uniform(_THICKNESS) * scale_length,
        signal=math.exp(uniform((math.log(_SIGNAL[0]), math.log(_SIGNAL[1])))),
        optical_depth=uniform(_OPTICAL_DEPTH),
        bulge_share=uniform(_BULGE_SHARE),
        bulge_radius=uniform(_BULGE_RADIUS) * scale_length,
        bulge_flattening=uniform(_BULGE_FLATTENING),
        arms=int(generator.integers(2, 5)),
        arm_contrast=uniform(_ARM_CONTRAST),
        pitch=math.radians(uniform(_PITCH)) * (1 if generator.uniform() < 0.5 else -1),
        phase=uniform((0.0, 2.0 * math.pi)),
        seeing=uniform(_SEEING),
        stars=tuple(_draw_star(generator) for _ in range(int(generator.poisson(stars)))),
    )
    return spiral, generator


def _draw_star(generator: Generator) -> Star:
    column, row, rarity, colour = (float(value) for value in generator.uniform(size=4))
    faint, bright = _STAR_FLUX
    return Star(
        position=(column, row),
        flux=min(faint / max(rarity, 1e-9), bright),
        colour=_STAR_COLOUR[0] + colour * (_STAR_COLOUR[1] - _STAR_COLOUR[0]),
    )
