"""How many seeds a difference takes to be told, and which difference the seeds at hand can tell.

The power of the interval in `paired` has no closed form, but given the spread it is one integral over the chi-squared
distribution of the variance that S seeds will happen to show.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from benchmarker.statistics.paired import Spread

TARGET = 0.8
MOST_SEEDS = 1000
_NODES = 400
_STEPS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What it takes to tell a difference.

    Parameters
    ----------
    delta : float
        The difference, in the unit of the metric.
    target, level : float
        The chance of finding it, and the level of the interval that must exclude zero.
    now : int
        Seeds at hand.
    power_now : float or None
        Chance of finding it with these; None for a single seed.
    needed : int or None
        Seeds that reach the target; None where none do.
    needed_high : int or None
        The same if the variance over seeds is as large as its upper 80 % limit: few seeds say little about it.
    limit : float
        Chance of finding it with any number of seeds, on these test sources.
    sources_factor : float
        How many times more test sources are needed at least, whatever the number of seeds; 1 where these suffice.
    """

    delta: float
    target: float
    level: float
    now: int
    power_now: float | None
    needed: int | None
    needed_high: int | None
    limit: float
    sources_factor: float

    @property
    def more(self) -> int | None:
        """Seeds that are still to be trained."""
        return None if self.needed is None else max(0, self.needed - self.now)


def power(delta: float, spread: Spread, level: float = 0.95) -> float:
    """Return the chance that the interval of a mean difference excludes zero on the right side.

    Parameters
    ----------
    delta : float
        The true difference, in the unit of the metric.
    spread : Spread
        True variances; ``spread.n`` seeds.
    level : float
        Of the interval.
    """
    return _share(abs(delta), _half_widths(spread, level), spread.standard_error) if spread.n > 1 else 0.0


def _half_widths(spread: Spread, level: float) -> NDArray[np.float64]:
    """Return half widths of the interval for what S seeds may show, at equally likely places of its distribution."""
    shares = (np.arange(_NODES) + 0.5) / _NODES
    freedom = spread.n - 1
    ratios = special.chdtri(freedom, 1 - shares) / freedom
    few = float(special.stdtrit(freedom, (1 + level) / 2))
    many = _many(spread, level)
    from_seeds = np.maximum(few**2 * spread.seeds * ratios, many**2 * spread.floor) * (1 / spread.n + spread.overlap)
    half: NDArray[np.float64] = np.sqrt(from_seeds + many**2 * spread.sources)
    return half


def _share(delta: float, half_widths: NDArray[np.float64], error: float) -> float:
    if error == 0:
        return 1.0
    return float(special.ndtr((delta - half_widths) / error).mean())


def expected(spread: Spread) -> Spread:
    """Return a measured spread whose variance over seeds is at least what drawing test sources explains of it."""
    return replace(spread, seeds=max(spread.seeds, spread.floor))


def smallest_detectable(spread: Spread, *, target: float = TARGET, level: float = 0.95) -> float | None:
    """Return the difference that is found with a chance of ``target``, or None for a single seed."""
    if spread.n < 2:
        return None
    half_widths, error = _half_widths(spread, level), spread.standard_error
    # At the largest half width the chance is at least one half everywhere; a few errors more make it almost certain.
    low, high = 0.0, float(half_widths[-1]) + 6 * error
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _share(middle, half_widths, error) < target else (low, middle)
    return high


def seeds_needed(delta: float, spread: Spread, *, target: float = TARGET, level: float = 0.95) -> int | None:
    """Return the fewest seeds that find a difference with a chance of ``target``; None if 1,000 do not.

    Parameters
    ----------
    delta : float
        The true difference, in the unit of the metric.
    spread : Spread
        Variances, from the seeds at hand.
    target, level : float
        Chance of finding it, and level of the interval.
    """

    def enough(n: int) -> bool:
        return power(delta, replace(spread, n=n), level) >= target

    if not enough(MOST_SEEDS):
        return None
    low, high = 1, MOST_SEEDS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def plan(delta: float, spread: Spread, *, target: float = TARGET, level: float = 0.95) -> Plan:
    """Return what it takes to tell a difference, from the spread that a study has shown so far.

    Parameters
    ----------
    delta : float
        The difference to be told, in the unit of the metric.
    spread : Spread
        As measured; the variance over seeds is taken to be at least what drawing test sources explains of it.
    target, level : float
        Chance of finding it, and level of the interval.

    References
    ----------
    Browne 1995, Stat. Med. 14, 1933, doi:10.1002/sim.4780141709, for the upper limit of a variance from a pilot.
    """
    if delta <= 0:
        raise ValueError(f"a positive difference was expected. Received: {delta}")
    likely = expected(spread)
    limit = _limit(delta, likely, level)
    return Plan(
        delta=delta,
        target=target,
        level=level,
        now=spread.n,
        power_now=power(delta, likely, level) if spread.n > 1 else None,
        needed=seeds_needed(delta, likely, target=target, level=level),
        needed_high=seeds_needed(delta, _pessimistic(likely), target=target, level=level),
        limit=limit,
        sources_factor=_sources_factor(delta, likely, target, level),
    )


def _pessimistic(spread: Spread) -> Spread:
    if spread.n < 2:
        return spread
    upper = spread.seeds * (spread.n - 1) / float(special.chdtri(spread.n - 1, 0.8))
    return replace(spread, seeds=max(upper, spread.floor))


def _limit(delta: float, spread: Spread, level: float) -> float:
    """Return the power of infinitely many seeds."""
    variance = spread.sources + spread.overlap * spread.seeds
    if variance == 0:
        return 1.0
    return float(special.ndtr(delta / math.sqrt(variance) - _many(spread, level)))


def _sources_factor(delta: float, spread: Spread, target: float, level: float) -> float:
    """Return by how much ``sources`` would have to shrink; it goes as one over the number of test sources."""
    wanted = _many(spread, level) + float(special.ndtri(target))
    return max(1.0, spread.sources * (wanted / delta) ** 2)


def _many(spread: Spread, level: float) -> float:
    freedom = spread.sources_degrees_of_freedom
    return float(special.ndtri((1 + level) / 2) if math.isinf(freedom) else special.stdtrit(freedom, (1 + level) / 2))
