r"""Compact, FRI, FRII and bent radio sources as sets of Gaussian components.

The sky is a sum of circular Gaussians,

.. math:: I(\mathbf{r}) = \sum_k \frac{F_k}{2 \pi \sigma_k^2}
          \exp\left(-\frac{|\mathbf{r} - \mathbf{r}_k|^2}{2 \sigma_k^2}\right),

placed along two arms. With t from 0 at the core to 1 at the end of an arm:

- *FRI* (edge-darkened, `_plume`): the flux rises to t = 0.05...0.2, then falls as exp(-t / 0.25...0.5), and the arm
widens. - *FRII* (edge-brightened, `_lobe`): the flux grows as a power of t, and 10 to 35 per cent of it lie in a hot
spot at the
  end; the core has 0.5 to 6 per cent of the total.
- *BENT*: the two arms start 55 to 90 degrees away from an axis and curve towards it, like wide- and narrow-angle tails.
- *COMP*: one elliptical Gaussian.

A source is drawn with size 1 and then scaled until its *effective area* equals a value that was drawn independently of
its class. A network can therefore learn little from brightness: neither the number of bright pixels nor their values
reveal the class, and it has to learn the shape.

The distributions were chosen to look like FIRST sources. They are not fitted to a survey and imply no physics.

References
----------
Fanaroff & Riley 1974, MNRAS 167, 31P (doi:10.1093/mnras/167.1.31P).
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
"""Full width at half maximum of a Gaussian of unit standard deviation."""

# Range of effective areas in square arcseconds: log-uniform, and the same for every class.
_AREA_RANGE = (200.0, 480.0)
# Ranges of the largest angular size (FWHM for compact sources) in arcseconds.
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
        Offsets from the centre of the image in arcseconds, to the right and upwards.
    flux : ndarray of shape (n,), float64
        Flux densities in arbitrary units.
    sigma : ndarray of shape (n,), float64
        Intrinsic standard deviations in arcseconds, before convolution with the beam.
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
        """Return the components shifted by x and y in arcseconds."""
        return Components(x=self.x + x, y=self.y + y, flux=self.flux, sigma=self.sigma)

    def rotated(self, angle: float) -> Components:
        """Return the components rotated anticlockwise about the centre by an angle in radians."""
        cosine, sine = math.cos(angle), math.sin(angle)
        return Components(
            x=cosine * self.x - sine * self.y, y=sine * self.x + cosine * self.y, flux=self.flux, sigma=self.sigma
        )

    def effective_area(self, beam_sigma: float) -> float:
        r"""Return the effective area of the source, observed with a circular Gaussian beam.

        .. math:: A = \frac{\left(\int I \, d^2r\right)^2}{\int I^2 \, d^2r}

        A disc of uniform brightness with the same two integrals has this area. Fainter and more extended sources
        have larger areas. The integral of a product of two Gaussians has a closed form, so no image is needed:

        .. math:: \int I^2 = \sum_{jk} \frac{F_j F_k}{2 \pi s_{jk}^2} e^{-|\mathbf{r}_j - \mathbf{r}_k|^2 / 2 s_{jk}^2},
                  \qquad s_{jk}^2 = \sigma_j^2 + \sigma_k^2 + 2 \sigma_B^2

        Parameters
        ----------
        beam_sigma : float
            Standard deviation of the beam in arcseconds.

        Returns
        -------
        float
            Area in square arcseconds; 4 pi sigma^2 for a single Gaussian.

        Examples
        --------
        >>> point = Components(x=np.zeros(1), y=np.zeros(1), flux=np.ones(1), sigma=np.zeros(1))
        >>> round(point.effective_area(2.0) / (4 * math.pi * 2.0**2), 12)
        1.0
        """
        variance = self.sigma**2 + beam_sigma**2
        variances = variance[:, None] + variance[None, :]
        distances = (self.x[:, None] - self.x[None, :]) ** 2 + (self.y[:, None] - self.y[None, :]) ** 2
        overlaps = np.exp(-0.5 * distances / variances) / (2.0 * math.pi * variances)
        squared = (self.flux[:, None] * self.flux[None, :] * overlaps).sum()
        return float(self.flux.sum() ** 2 / squared)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """Components of a source with a largest angular size of 1.

    ``width`` scales with the size of the source; ``fixed`` is a width in arcseconds that does not.
    """

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
        Class of the source.
    generator : numpy.random.Generator
        Random numbers of this source, after those of its beam.
    field : float
        Width of the image in arcseconds, at least 80.
    beam_sigma : float
        Standard deviation of the beam in arcseconds.

    Returns
    -------
    Components
        Components with a total flux near 1. The source is at the centre, with a small error of its catalogued position.

    Examples
    --------
    >>> from benchmarker import Stream
    >>> source = draw_source("FRI", Stream("example").generator(), 115.2, 2.3)
    >>> 200 < source.effective_area(2.3) < 480
    True
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
    # Catalogues list the position of the core, of the centre of light, or something in between, with an error.
    towards, (x, y) = generator.uniform(0.0, 1.0), generator.normal(0.0, 1.5, size=2)
    x -= towards * float((source.flux * source.x).sum() / source.flux.sum())
    y -= towards * float((source.flux * source.y).sum() / source.flux.sum())
    return source.moved(x, y).rotated(generator.uniform(0.0, 2.0 * math.pi)) + neighbours


def _area(shape: _Shape, neighbours: Components, size: float, beam_sigma: float) -> float:
    return (shape.scaled(size) + neighbours).effective_area(beam_sigma)


def _solve_size(
    shape: _Shape, neighbours: Components, wanted: float, sizes: tuple[float, float], beam_sigma: float
) -> float:
    """Return the size with the wanted effective area, found by bisection between the two given sizes."""
    low, high = sizes
    for _ in range(9):
        middle = 0.5 * (low + high)
        if _area(shape, neighbours, middle, beam_sigma) < wanted:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _compact(generator: Generator) -> _Shape:
    """Draw a single elliptical Gaussian with a FWHM of 1 and an axial ratio of 0.5 to 1."""
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
    """Draw an edge-darkened source: two straight jets, brightest near the core, that fade into plumes."""
    return _two_arms(generator, _straight(generator), _plume)


def _fr2(generator: Generator) -> _Shape:
    """Draw an edge-brightened source: two straight lobes with hot spots at their ends and a weak core."""
    return _two_arms(generator, _straight(generator), _lobe)


def _bent(generator: Generator) -> _Shape:
    """Draw a wide- or narrow-angle tail: jets swept to one side, edge-darkened (three in four) or edge-brightened."""
    first = math.radians(generator.uniform(55.0, 90.0))
    last = math.radians(generator.uniform(-10.0, 35.0))
    skew = math.radians(generator.normal(0.0, 5.0))
    arms = ((first + skew, last), (-first + skew, -last))
    return _two_arms(generator, arms, _plume if generator.random() < 0.75 else _lobe)


def _straight(generator: Generator) -> tuple[tuple[float, float], tuple[float, float]]:
    """Draw the directions at the start and the end of two opposite, slightly bent arms in radians."""
    bends = np.radians(generator.normal(0.0, 5.0, size=2))
    return (0.0, float(bends[0])), (math.pi, math.pi + float(bends[1]))


def _two_arms(
    generator: Generator,
    directions: tuple[tuple[float, float], tuple[float, float]],
    brightness: Callable[[Generator, Floats], tuple[float, Floats, Floats, Floats]],
) -> _Shape:
    """Draw a core and two arms along curved paths, of which one may be longer and brighter than the other."""
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
    """Draw the core's share of the flux, and the fluxes and widths along an arm that fades outwards."""
    flare, decay, opening = generator.uniform(0.05, 0.2), generator.uniform(0.25, 0.5), generator.uniform(0.08, 0.16)
    flux = np.minimum(t / flare, np.exp(-(t - flare) / decay))
    return generator.uniform(0.04, 0.2), flux, 0.02 + opening * t, np.full_like(t, 0.5)


def _lobe(generator: Generator, t: Floats) -> tuple[float, Floats, Floats, Floats]:
    """Draw the core's share of the flux, and the fluxes and widths along an arm that ends in a hot spot."""
    inner, steepness, width = generator.uniform(0.0, 0.4), generator.uniform(0.8, 2.2), generator.uniform(0.06, 0.12)
    flux = np.clip(t - inner, 0.0, None) ** steepness + 0.01
    hot = generator.uniform(0.1, 0.35)
    flux *= (1.0 - hot) / flux.sum()
    flux[-1] += hot
    widths = np.full_like(t, width)
    widths[-1] = 0.02
    return math.exp(generator.uniform(math.log(0.005), math.log(0.06))), flux, widths, np.full_like(t, 0.7)


def _neighbours(generator: Generator, field: float) -> Components:
    """Draw up to three unrelated compact sources away from the edge, fainter than the source as a whole."""
    n = int(generator.integers(0, 4))
    reach = 0.5 * field - 7.0
    x, y = generator.uniform(-reach, reach, size=(2, n))
    return Components(x=x, y=y, flux=generator.uniform(0.03, 0.4, size=n), sigma=generator.uniform(0.0, 1.5, size=n))


def _log_uniform(generator: Generator, low: float, high: float) -> float:
    return math.exp(generator.uniform(math.log(low), math.log(high)))


_DRAW: dict[str, Callable[[Generator], _Shape]] = {"COMP": _compact, "FRI": _fr1, "FRII": _fr2, "BENT": _bent}
