r"""How small p must be at each of several looks, so that all looks together use the error rate once.

A test statistic that is looked at with :math:`n_1 < n_2 < \dots` seeds is looked at several times, but the looks share
their runs: like a Brownian motion at the times :math:`n_k`, its increments are independent and

.. math:: \mathrm{Cor}(Z_j, Z_k) = \sqrt{n_j / n_k}, \qquad j < k

With n of at most N seeds, all looks so far may use

.. math:: \alpha(n) = \alpha \ln\left(1 + (e - 1) \frac{n}{N}\right)

of an error rate :math:`\alpha` (Lan and DeMets 1983, in the manner of Pocock 1977). The nominal level of look k is the
:math:`a_k` for which

.. math:: P\left(|Z_1| < z_1, \dots, |Z_{k-1}| < z_{k-1}, |Z_k| \ge z_k\right) = \alpha(n_k) - \alpha(n_{k-1}),
          \qquad z_k = \Phi^{-1}(1 - a_k / 2)

found by recursive integration (Armitage, McPherson and Rowe 1969). Bonferroni's inequality would allow only
:math:`a_k = \alpha(n_k) - \alpha(n_{k-1})`, two to four times less after the first look. Test sources that all seeds
share make the looks more alike than this, which makes an error less likely.

References
----------
Armitage, McPherson and Rowe 1969, J. R. Stat. Soc. A 132, 235, doi:10.2307/2343787;
Lan and DeMets 1983, Biometrika 70, 659, doi:10.1093/biomet/70.3.659;
Pocock 1977, Biometrika 64, 191, doi:10.1093/biomet/64.2.191.
"""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

_POINTS = 201
_FARTHEST = 12.0

Array = NDArray[np.float64]


def spent_share(seeds: int, most: int) -> float:
    """Return the share of the error rate that all looks up to one may have used.

    Parameters
    ----------
    seeds : int
        Seeds of each row at this look.
    most : int
        Largest number of seeds.

    Examples
    --------
    >>> [round(spent_share(n, 10), 3) for n in (3, 4, 10)]
    [0.416, 0.523, 1.0]
    """
    return math.log1p((math.e - 1) * seeds / most)


@functools.lru_cache(maxsize=1024)
def nominal_level(looks: tuple[int, ...], most: int, error_rate: float) -> float:
    """Return the two-sided p that the last of several looks must reach.

    Parameters
    ----------
    looks : tuple of int
        Number of seeds at each look so far, ascending; at least one.
    most : int
        Largest number of seeds.
    error_rate : float
        Chance of a false finding at any look, between 0 and 1.

    Examples
    --------
    The looks of a study with 3, 4 and 5 of at most 5 seeds:

    >>> [round(nominal_level((3, 4, 5)[:k], 5, 0.05), 4) for k in (1, 2, 3)]
    [0.0354, 0.0209, 0.0194]
    """
    allowed = error_rate * spent_share(looks[0], most)
    level, edge = allowed, float(-special.ndtri(allowed / 2)) * math.sqrt(looks[0])
    points, width = _grid(edge)
    mass = width * np.exp(-(points**2) / (2 * looks[0])) / math.sqrt(2 * math.pi * looks[0])
    for before, now in itertools.pairwise(looks):
        step = math.sqrt(now - before)
        allowed = error_rate * (spent_share(now, most) - spent_share(before, most))
        edge = _edge(points, mass, step, allowed, farthest=_FARTHEST * math.sqrt(now))
        level = 2 * float(special.ndtr(-edge / math.sqrt(now)))
        further, width = _grid(edge)
        steps = (further[:, None] - points) / step
        mass = width * (np.exp(-(steps**2) / 2) @ mass) / (math.sqrt(2 * math.pi) * step)
        points = further
    return level


def _grid(edge: float) -> tuple[Array, Array]:
    """Return points between the boundaries, and the weight of each in an integral by Simpson's rule."""
    points = np.linspace(-edge, edge, _POINTS)
    weights = np.ones(_POINTS)
    weights[1:-1:2], weights[2:-1:2] = 4.0, 2.0
    return points, weights * (points[1] - points[0]) / 3


def _edge(points: Array, mass: Array, step: float, allowed: float, farthest: float) -> float:
    """Return the boundary that the sum of all seeds crosses with the allowed chance."""

    def excess(edge: float) -> float:
        crossing = special.ndtr((points - edge) / step) + special.ndtr((-edge - points) / step)
        return float(mass @ crossing) - allowed

    return float(optimize.brentq(excess, 0.0, farthest))
