"""Draws compact, FRI, FRII and bent radio sources as sets of Gaussian components.

A source is drawn as a shape of size 1 and then scaled, so that its *effective area* meets a value that was drawn
without regard to its class. That leaves a network little to learn from brightness: how much of an image is bright, and
how bright, says next to nothing about the class.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator  # noqa: TID251 - the type of a stream's generator
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CLASSES = ("COMP", "FRI", "FRII", "BENT")

FWHM_PER_SIGMA = math.sqrt(8.0 * math.log(2.0))

# Effective areas in square arcseconds: log-uniform, the same for every class.
_AREA_RANGE = (200.0, 480.0)
# Largest angular size (FWHM for compact sources) in arcseconds.
_COMPACT_SIZES = (0.0, 10.0)
_EXTENDED_SIZES = (22.0, 90.0)
_POINTS_PER_ARM = 24
_ATTEMPTS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """Circular Gaussian components of the sky.

    Parameters
    ----------
    x, y : ndarray of shape (n,), float64
        Offsets from the centre of the image to the right and upwards, in arcseconds.
    flux : ndarray of shape (n,), float64
        Flux densities, relative to one another.
    sigma : ndarray of shape (n,), float64
        Standard deviations in arcseconds, before any beam.
    """

    x: Floats
    y: Floats
    flux: Floats
    sigma: Floats

    def __add__(self, other: Components) -> Components:
        return Components(
            x=np.concatenate([self.x, other.x]),
            y=np.concatenate([self.y, other.y]),
            flux=np.concatenate([self.flux, other.flux]),
            sigma=np.concatenate([self.sigma, other.sigma]),
        )

    def moved(self, x: float, y: float) -> Components:
        """Return the components shifted by arcseconds."""
        return Components(x=self.x + x, y=self.y + y, flux=self.flux, sigma=self.sigma)

    def turned(self, angle: float) -> Components:
        """Return the components turned about the centre, anticlockwise, by radians."""
        cosine, sine = math.cos(angle), math.sin(angle)
        return Components(
            x=cosine * self.x - sine * self.y, y=sine * self.x + cosine * self.y, flux=self.flux, sigma=self.sigma
        )

    def effective_area(self, beam_sigma: float) -> float:
        r"""Return :math:`(\int I)^2 / \int I^2` in square arcseconds, seen with a circular Gaussian beam.

        It is the area of a disc of uniform brightness that would have the same two integrals.
        """
        variance = self.sigma**2 + beam_sigma**2
        variances = variance[:, None] + variance[None, :]
        distances = (self.x[:, None] - self.x[None, :]) ** 2 + (self.y[:, None] - self.y[None, :]) ** 2
        overlaps = np.exp(-0.5 * distances / variances) / (2.0 * math.pi * variances)
        squared = (self.flux[:, None] * self.flux[None, :] * overlaps).sum()
        return float(self.flux.sum() ** 2 / squared)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """Components of a source of largest angular size 1; ``fixed`` widths in arcseconds do not grow with it."""

    x: Floats
    y: Floats
    flux: Floats
    width: Floats
    fixed: Floats

    def scaled(self, size: float) -> Components:
        return Components(
            x=size * self.x, y=size * self.y, flux=self.flux, sigma=np.hypot(size * self.width, self.fixed)
        )


def draw_source(label: str, generator: Generator, field: float, beam_sigma: float) -> Components:
    """Draw a source of a class together with unrelated neighbours.

    Parameters
    ----------
    label : {"COMP", "FRI", "FRII", "BENT"}
        The class.
    generator : numpy.random.Generator
        At the start of the stream of this source.
    field : float
        Width of the image in arcseconds; at least 80.
    beam_sigma : float
        Standard deviation of the beam in arcseconds.

    Returns
    -------
    Components
        With a total flux near 1; the source at the centre, but for a small error of its catalogued position.
    """
    smallest, largest = _COMPACT_SIZES if label == "COMP" else _EXTENDED_SIZES
    largest = min(largest, 0.72 * field)
    wanted = _log_uniform(generator, *_AREA_RANGE)
    for _ in range(_ATTEMPTS):
        shape, neighbours = _DRAW[label](generator), _neighbours(generator, field)
        low, high = (_area(shape, neighbours, size, beam_sigma) for size in (smallest, largest))
        if low <= wanted <= high:
            break
    size = _solve_size(shape, neighbours, wanted, (smallest, largest), beam_sigma)
    source = shape.scaled(size)
    # Catalogues give the position of the core, of the centre of light, or something in between, with an error.
    towards, (x, y) = generator.uniform(0.0, 1.0), generator.normal(0.0, 1.5, size=2)
    x -= towards * float((source.flux * source.x).sum() / source.flux.sum())
    y -= towards * float((source.flux * source.y).sum() / source.flux.sum())
    return source.moved(x, y).turned(generator.uniform(0.0, 2.0 * math.pi)) + neighbours


def _area(shape: _Shape, neighbours: Components, size: float, beam_sigma: float) -> float:
    return (shape.scaled(size) + neighbours).effective_area(beam_sigma)


def _solve_size(
    shape: _Shape, neighbours: Components, wanted: float, sizes: tuple[float, float], beam_sigma: float
) -> float:
    """Return the size between the given ones that comes nearest to the wanted effective area, by bisection."""
    low, high = sizes
    for _ in range(9):
        middle = 0.5 * (low + high)
        if _area(shape, neighbours, middle, beam_sigma) < wanted:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _compact(generator: Generator) -> _Shape:
    """Draw a source without parts: an elliptical Gaussian of FWHM 1 with an axial ratio of 0.5 to 1."""
    ratio = generator.uniform(0.5, 1.0)
    minor, spread = ratio / FWHM_PER_SIGMA, math.sqrt(1.0 - ratio**2) / FWHM_PER_SIGMA
    along = np.linspace(-2.5, 2.5, 11)
    flux = np.exp(-0.5 * along**2)
    return _Shape(
        x=along * spread,
        y=np.zeros(11),
        flux=flux / flux.sum(),
        width=np.full(11, minor),
        fixed=np.zeros(11),
    )


def _fr1(generator: Generator) -> _Shape:
    """Draw an edge-darkened source: two straight jets that are brightest near the core and fade into plumes."""
    return _two_arms(generator, _straight(generator), _plume)


def _fr2(generator: Generator) -> _Shape:
    """Draw an edge-brightened source: two straight lobes with hot spots at their ends and a weak core."""
    return _two_arms(generator, _straight(generator), _lobe)


def _bent(generator: Generator) -> _Shape:
    """Draw a source with jets that are swept to one side (wide- to narrow-angle tails), of either brightness type."""
    first = math.radians(generator.uniform(55.0, 90.0))
    last = math.radians(generator.uniform(-10.0, 35.0))
    skew = math.radians(generator.normal(0.0, 5.0))
    arms = ((first + skew, last), (-first + skew, -last))
    return _two_arms(generator, arms, _plume if generator.random() < 0.75 else _lobe)


def _straight(generator: Generator) -> tuple[tuple[float, float], tuple[float, float]]:
    """Draw directions at the start and the end of two opposite arms, in radians, with a slight bend."""
    bends = np.radians(generator.normal(0.0, 5.0, size=2))
    return (0.0, float(bends[0])), (math.pi, math.pi + float(bends[1]))


def _two_arms(
    generator: Generator,
    directions: tuple[tuple[float, float], tuple[float, float]],
    brightness: Callable[[Generator, Floats], tuple[float, Floats, Floats, Floats]],
) -> _Shape:
    """Return a core and two arms along curved paths; one arm may be longer and brighter than the other."""
    ratio, balance = generator.uniform(0.75, 1.0), generator.uniform(0.4, 0.6)
    swap = generator.random() < 0.5
    lengths = (ratio, 1.0) if swap else (1.0, ratio)
    t = (np.arange(_POINTS_PER_ARM) + 1.0) / _POINTS_PER_ARM
    parts = [(np.zeros(1), np.zeros(1), np.ones(1), np.zeros(1), np.full(1, 0.3))]
    core = 0.0
    for (start, end), length, share in zip(directions, lengths, (balance, 1.0 - balance), strict=True):
        core, flux, width, fixed = brightness(generator, t)
        angle = start + (end - start) * t**0.7
        x, y = np.cumsum(np.cos(angle)) / t.size, np.cumsum(np.sin(angle)) / t.size
        parts.append((length * x, length * y, share * flux / flux.sum(), length * width, fixed))
    x, y, flux, width, fixed = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    flux[1:] *= 1.0 - core
    flux[0] = core
    extent = float(np.hypot(x[:, None] - x[None, :], y[:, None] - y[None, :]).max())
    return _Shape(x=x / extent, y=y / extent, flux=flux, width=width / extent, fixed=fixed)


def _plume(generator: Generator, t: Floats) -> tuple[float, Floats, Floats, Floats]:
    """Draw the core's share of the flux, and flux and width along an arm that fades outwards (edge-darkened)."""
    flare, decay, opening = generator.uniform(0.05, 0.2), generator.uniform(0.25, 0.5), generator.uniform(0.08, 0.16)
    flux = np.minimum(t / flare, np.exp(-(t - flare) / decay))
    return generator.uniform(0.04, 0.2), flux, 0.02 + opening * t, np.full_like(t, 0.5)


def _lobe(generator: Generator, t: Floats) -> tuple[float, Floats, Floats, Floats]:
    """Draw the core's share of the flux, and flux and width along an arm that ends in a hot spot (edge-brightened)."""
    inner, steepness, width = generator.uniform(0.0, 0.4), generator.uniform(0.8, 2.2), generator.uniform(0.06, 0.12)
    flux = np.clip(t - inner, 0.0, None) ** steepness + 0.01
    hot = generator.uniform(0.1, 0.35)
    flux *= (1.0 - hot) / flux.sum()
    flux[-1] += hot
    widths = np.full_like(t, width)
    widths[-1] = 0.02
    return math.exp(generator.uniform(math.log(0.005), math.log(0.06))), flux, widths, np.full_like(t, 0.7)


def _neighbours(generator: Generator, field: float) -> Components:
    """Draw unrelated compact sources anywhere but at the edge, fainter than the source as a whole."""
    n = int(generator.integers(0, 4))
    reach = 0.5 * field - 7.0
    x, y = generator.uniform(-reach, reach, size=(2, n))
    return Components(x=x, y=y, flux=generator.uniform(0.03, 0.4, size=n), sigma=generator.uniform(0.0, 1.5, size=n))


def _log_uniform(generator: Generator, low: float, high: float) -> float:
    return math.exp(generator.uniform(math.log(low), math.log(high)))


_DRAW: dict[str, Callable[[Generator], _Shape]] = {"COMP": _compact, "FRI": _fr1, "FRII": _fr2, "BENT": _bent}
