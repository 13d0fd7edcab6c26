"""Single numbers as tables write them, and the interval of a mean over seeds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from benchmarker import Summary, metric_label, write_summary

if TYPE_CHECKING:
    from benchmarker import Comparison

MINUS = "\N{MINUS SIGN}"
CHECKPOINTS = {"best": "weights of the lowest validation loss", "final": "weights of the last epoch"}
"""What each checkpoint is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One cell of a table.

    Parameters
    ----------
    text : str
        The number as it is shown.
    sort : float or None
        The number that the table sorts by; None is sorted last.
    """

    text: str
    sort: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean or a difference, and its interval.

    Parameters
    ----------
    mean : float
    low, high : float or None
        Ends of the interval; None where there is only one seed.
    covers_sources : bool
        Whether the interval covers other test sources, besides other seeds.
    """

    mean: float
    low: float | None = None
    high: float | None = None
    covers_sources: bool = False

    @classmethod
    def of_difference(cls, row: Comparison) -> Estimate | None:
        """Return the difference of a comparison with its corrected interval, or None without a shared seed."""
        if row.difference is None:
            return None
        return cls(mean=row.difference, low=row.low_adjusted, high=row.high_adjusted, covers_sources=True)

    @property
    def ends(self) -> tuple[float, float]:
        """Ends of the interval, or twice the mean where there is none."""
        return (self.mean, self.mean) if self.low is None or self.high is None else (self.low, self.high)


def t_estimate(summary: Summary | None, confidence: float) -> Estimate | None:
    """Return a mean over seeds with Student's t interval.

    Parameters
    ----------
    summary : Summary or None
        Mean, sample standard deviation and number of seeds.
    confidence : float
        Level of the interval, between 0 and 1.

    References
    ----------
    Student 1908, Biometrika 6, 1, doi:10.1093/biomet/6.1.1.
    """
    if summary is None:
        return None
    if summary.standard_deviation is None:
        return Estimate(mean=summary.mean)
    half = t_quantile(summary.n - 1, confidence) * summary.standard_deviation / math.sqrt(summary.n)
    return Estimate(mean=summary.mean, low=summary.mean - half, high=summary.mean + half)


@lru_cache(maxsize=64)
def t_quantile(degrees_of_freedom: int, confidence: float) -> float:
    """Return the half-width of a two-sided interval in standard errors.

    For whole degrees of freedom the probability is a finite sum (Abramowitz and Stegun 1964, Handbook of Mathematical
    Functions, 26.7.3 and 26.7.4). Using it spares ``benchmarker leaderboard`` the import of scipy.
    """
    low, high = 0.0, math.pi / 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if _probability_within(middle, degrees_of_freedom) < confidence else (low, middle)
    return math.tan(low) * math.sqrt(degrees_of_freedom)


def _probability_within(angle: float, degrees_of_freedom: int) -> float:
    """Return the probability of -t to t, where t is the tangent of the angle times the root of the degrees."""
    odd = degrees_of_freedom % 2
    term = math.cos(angle) if odd else 1.0
    total = 0.0
    for k in range(1, degrees_of_freedom // 2 + 1):
        total += term
        term *= math.cos(angle) ** 2 * ((2 * k) / (2 * k + 1) if odd else (2 * k - 1) / (2 * k))
    total *= math.sin(angle)
    return 2 / math.pi * (angle + total) if odd else total


def summary_value(metric: str, summary: Summary | None) -> Value:
    """Return a metric over seeds as a cell: mean and sample standard deviation."""
    return Value(text=write_summary(metric, summary), sort=None if summary is None else summary.mean)


def mean_value(metric: str, summary: Summary | None) -> Value:
    """Return the mean of a metric or cost as a cell."""
    if summary is None:
        return Value(text="-")
    return Value(text=metric_label(metric).write(summary.mean), sort=summary.mean)


def signed(value: float) -> str:
    """Return a difference with its sign and about three digits: ``"+1.25"``, ``"+12.3"``, ``"0.000"``."""
    digits = 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    text = f"{abs(value):.{digits}f}"
    return text if float(text) == 0 else f"{'+' if value > 0 else MINUS}{text}"


def signed_as(metric: str, value: float) -> str:
    """Return a difference with its sign and as many digits as tables give the metric."""
    return f"{'-' if value < 0 else '+'}{metric_label(metric).write(abs(value))}"


def written_p(p: float | None) -> str:
    """Return a p-value with three decimal places, and ``"< 0.001"`` below that."""
    return "-" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def written_level(level: float) -> str:
    """Return the level of an interval: ``"95 %"``."""
    return f"{100 * level:.4g} %"


def sentence(text: str) -> str:
    """Return words with a capital first letter, the others as they are."""
    return f"{text[:1].upper()}{text[1:]}"


def marked_seeds(n: int, planned: int, untrained: int = 0) -> str:
    """Return ``"3/3"``, with ``*`` where seeds are missing, and ``-o`` where saved weights were tested."""
    return f"{n}/{planned}{'' if n == planned else '*'}{' -o' if untrained else ''}"
