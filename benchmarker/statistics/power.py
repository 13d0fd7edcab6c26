r"""Statistical power: how many seeds it takes to find a difference, and which differences the seeds at hand can find.

The power of the interval in `benchmarker.statistics.paired` has no closed form. Given the variance components it is an
integral over the chi-squared distribution of the variance that S seeds will happen to show,

.. math:: P = \int \Phi\left(\frac{\delta - h(s^2)}{\sigma}\right) f(s^2) \, ds^2, \qquad
          \frac{(S - 1) s^2}{\sigma_S^2} \sim \chi^2_{S-1}

with the true difference :math:`\delta`, the half width h, the standard error :math:`\sigma` of the mean difference and
the true variance :math:`\sigma_S^2` over seeds. It is computed at 400 equally likely values of s².
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from benchmarker.statistics.paired import VarianceComponents

Obstacle = Literal["splits", "sources", "seeds"]

TARGET = 0.8
MOST_SEEDS = 1000
_NODES = 400
_STEPS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedPlan:
    """Number of seeds that a difference requires.

    Parameters
    ----------
    delta : float
        The difference to be found, in the unit of the metric.
    target, level : float
        Required power, and level of the interval that must exclude zero.
    now : int
        Number of seeds at hand.
    power_now : float or None
        Power of these seeds; None for a single seed.
    needed : int or None
        Fewest seeds that reach the target; None where no number of seeds does.
    needed_high : int or None
        The same if the variance over seeds is as large as its upper 80 % limit, since few seeds measure it badly.
    limit : float
        Power of infinitely many seeds on these test sources.
    sources_factor : float or None
        Factor by which the number of test sources must grow at least, whatever the number of seeds; 1 if they suffice.
        None where no number of them suffices, because every seed has its own split and these overlap too much.
    """

    delta: float
    target: float
    level: float
    now: int
    power_now: float | None
    needed: int | None
    needed_high: int | None
    limit: float
    sources_factor: float | None

    @property
    def more(self) -> int | None:
        """Number of seeds that are still to be trained; None where no number of seeds is enough."""
        return None if self.needed is None else max(0, self.needed - self.now)

    @property
    def obstacle(self) -> Obstacle | None:
        """Why up to 1,000 seeds are not enough: overlapping splits, few test sources, or neither but too few seeds."""
        if self.needed is not None:
            return None
        if self.sources_factor is None:
            return "splits"
        return "sources" if self.sources_factor > 1 else "seeds"


def detection_power(delta: float, components: VarianceComponents, level: float = 0.95) -> float:
    """Return the chance that the interval of a mean difference excludes zero on the right side.

    Parameters
    ----------
    delta : float
        The true difference, in the unit of the metric.
    components : VarianceComponents
        The true variances, in the squared unit of the metric, and the number of seeds.
    level : float
        Confidence level of the interval, before any correction for many comparisons.

    Returns
    -------
    float
        Between 0 and 1; 0 for a single seed, which has no interval.

    Notes
    -----
    The equation is at the top of this module. Simulated studies confirm it to about two percentage points; the figures
    are in ``docs/explanation/statistics.md``.

    Examples
    --------
    >>> components = VarianceComponents(n=3, seeds=9.0, floor=7.0, sources=1.0)
    >>> round(detection_power(5.0, components), 2)
    0.31
    >>> round(detection_power(10.0, components), 2)
    0.79
    """
    if components.n < 2:
        return 0.0
    return _share(abs(delta), _half_widths(components, level), components.standard_error)


def smallest_detectable(components: VarianceComponents, *, target: float = TARGET, level: float = 0.95) -> float | None:
    """Return the smallest difference that the seeds at hand find with a given chance.

    Parameters
    ----------
    components : VarianceComponents
        Variances and number of seeds.
    target, level : float
        Required power, and level of the interval.

    Returns
    -------
    float or None
        In the unit of the metric; None for a single seed.

    Notes
    -----
    This is the inverse of `detection_power`. It describes the study, not its outcome: do not read it as an upper limit
    of a difference that was not found. The interval gives that.

    Examples
    --------
    >>> components = VarianceComponents(n=3, seeds=9.0, floor=7.0, sources=1.0)
    >>> round(smallest_detectable(components), 1)
    10.1
    """
    if components.n < 2:
        return None
    half_widths, error = _half_widths(components, level), components.standard_error
    # At the largest half width the chance is at least one half everywhere; a few errors more make it almost certain.
    low, high = 0.0, float(half_widths[-1]) + 6 * error
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _share(middle, half_widths, error) < target else (low, middle)
    return high


def seeds_needed(
    delta: float, components: VarianceComponents, *, target: float = TARGET, level: float = 0.95
) -> int | None:
    """Return the fewest seeds that find a difference with a given chance.

    Parameters
    ----------
    delta : float
        The true difference, in the unit of the metric.
    components : VarianceComponents
        Variances from the seeds at hand; their number does not matter.
    target, level : float
        Required power, and level of the interval.

    Returns
    -------
    int or None
        None if 1,000 seeds are not enough, because the test sources are too few.

    Examples
    --------
    >>> seeds_needed(5.0, VarianceComponents(n=3, seeds=9.0, floor=7.0, sources=1.0))
    7
    >>> seeds_needed(1.0, VarianceComponents(n=3, seeds=9.0, floor=7.0, sources=1.0)) is None
    True
    """

    def enough(n: int) -> bool:
        return detection_power(delta, with_seeds(components, n), level) >= target

    if not enough(MOST_SEEDS):
        return None
    low, high = 1, MOST_SEEDS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def plan_seeds(
    delta: float, components: VarianceComponents, *, target: float = TARGET, level: float = 0.95
) -> SeedPlan:
    r"""Return how many seeds it takes to find a difference, from the variances that a study has shown so far.

    Parameters
    ----------
    delta : float
        The difference to be found, in the unit of the metric.
    components : VarianceComponents
        Measured variances. The variance over seeds is taken to be at least what drawing test sources explains of it.
    target, level : float
        Required power, and level of the interval.

    Returns
    -------
    SeedPlan
        Seeds, their power, and the power that these test sources allow.

    Notes
    -----
    Few seeds measure a variance badly, so the upper 80 % limit of :math:`s^2` gives a second, cautious number of seeds:

    .. math:: s_\mathrm{high}^2 = (S - 1) \, s^2 / \chi^2_{S-1,\,0.2}

    Infinitely many seeds reach the power :math:`\Phi(\delta / \sqrt{c} - t)` with the variance c from test sources.
    Where that is too small, only more test sources help.

    References
    ----------
    Browne 1995, Stat. Med. 14, 1933, doi:10.1002/sim.4780141709, for the upper limit of a variance from a pilot study.

    Examples
    --------
    >>> made = plan_seeds(5.0, VarianceComponents(n=3, seeds=9.0, floor=7.0, sources=1.0))
    >>> made.needed, made.needed_high, made.more
    (7, 21, 4)
    """
    if delta <= 0:
        raise ValueError(f"a positive difference was expected. Received: {delta}")
    likely = expected(components)
    return SeedPlan(
        delta=delta,
        target=target,
        level=level,
        now=components.n,
        power_now=detection_power(delta, likely, level) if components.n > 1 else None,
        needed=seeds_needed(delta, likely, target=target, level=level),
        needed_high=seeds_needed(delta, _pessimistic(likely), target=target, level=level),
        limit=_limit(delta, likely, level),
        sources_factor=_sources_factor(delta, likely, target, level),
    )


def expected(components: VarianceComponents) -> VarianceComponents:
    """Return the components with a variance over seeds of at least what drawing test sources explains of it."""
    return replace(components, seeds=max(components.seeds, components.floor))


def with_seeds(components: VarianceComponents, n: int) -> VarianceComponents:
    """Return the components of a study with n seeds: pooled degrees of freedom grow as the seeds of each row do."""
    pooled = components.pooled_degrees_of_freedom
    if pooled is not None and components.n > 1:
        pooled = pooled * (n - 1) / (components.n - 1)
    return replace(components, n=n, pooled_degrees_of_freedom=pooled)


def _half_widths(components: VarianceComponents, level: float) -> NDArray[np.float64]:
    """Return the half widths of the interval, shape (400,), at equally likely values of the variance over seeds."""
    shares = (np.arange(_NODES) + 0.5) / _NODES
    freedom = components.seeds_degrees_of_freedom
    ratios = special.chdtri(freedom, 1 - shares) / freedom
    few = float(special.stdtrit(freedom, (1 + level) / 2))
    many = components.sources_quantile((1 + level) / 2)
    from_seeds = np.maximum(few**2 * components.seeds * ratios, many**2 * components.floor)
    from_seeds = from_seeds * (1 / components.n + components.overlap)
    half: NDArray[np.float64] = np.sqrt(from_seeds + many**2 * components.sources)
    return half


def _share(delta: float, half_widths: NDArray[np.float64], error: float) -> float:
    if error == 0:
        return 1.0
    return float(special.ndtr((delta - half_widths) / error).mean())


def _pessimistic(components: VarianceComponents) -> VarianceComponents:
    if components.n < 2:
        return components
    freedom = components.seeds_degrees_of_freedom
    upper = components.seeds * freedom / float(special.chdtri(freedom, 0.8))
    return replace(components, seeds=max(upper, components.floor))


def _limit(delta: float, components: VarianceComponents, level: float) -> float:
    """Return the power of infinitely many seeds."""
    variance = components.sources + components.overlap * components.seeds
    if variance == 0:
        return 1.0
    return float(special.ndtr(delta / math.sqrt(variance) - components.sources_quantile((1 + level) / 2)))


def _sources_factor(delta: float, components: VarianceComponents, target: float, level: float) -> float | None:
    """Return how many times smaller `sources` must be; it is inversely proportional to the number of test sources."""
    wanted = components.sources_quantile((1 + level) / 2) + float(special.ndtri(target))
    room = (delta / wanted) ** 2 - components.overlap * components.seeds
    return max(1.0, components.sources / room) if room > 0 else None
