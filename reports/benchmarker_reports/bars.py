"""Intervals drawn as bars of characters, all of a table on one scale; they say nothing by colour."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from benchmarker import Summary

NARROWEST, WIDEST = 10, 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A mean and the interval around it; ``low`` and ``high`` are the mean itself where there is one seed alone."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The values at the first and the last character of a bar."""

    low: float
    high: float
    width: int

    def place(self, value: float) -> int:
        """Return the character at which a value stands, from 0."""
        if self.high <= self.low:
            return self.width // 2
        share = (value - self.low) / (self.high - self.low)
        return min(self.width - 1, max(0, round(share * (self.width - 1))))


def t_span(summary: Summary | None, confidence: float) -> Span | None:
    """Return the t interval of a mean over seeds (Student 1908, doi:10.1093/biomet/6.1.1).

    Parameters
    ----------
    summary : Summary or None
        Mean, sample standard deviation and number of seeds.
    confidence : float
        Level, between 0 and 1.
    """
    if summary is None:
        return None
    if summary.standard_deviation is None:
        return Span(mean=summary.mean, low=summary.mean, high=summary.mean)
    half = t_quantile(summary.n - 1, confidence) * summary.standard_deviation / math.sqrt(summary.n)
    return Span(mean=summary.mean, low=summary.mean - half, high=summary.mean + half)


@lru_cache(maxsize=64)
def t_quantile(degrees_of_freedom: int, confidence: float) -> float:
    """Return how many standard errors a two-sided interval reaches to each side.

    The probability of whole degrees of freedom is a finite sum (Abramowitz and Stegun 1964, Handbook of Mathematical
    Functions, 26.7.3 and 26.7.4), which spares the most used command the import of a statistics library.
    """
    low, high = 0.0, math.pi / 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if _inside(middle, degrees_of_freedom) < confidence else (low, middle)
    return math.tan(low) * math.sqrt(degrees_of_freedom)


def _inside(angle: float, degrees_of_freedom: int) -> float:
    """Return the probability between the tangents of minus and plus an angle, in units of the root of the degrees."""
    odd = degrees_of_freedom % 2
    term = math.cos(angle) if odd else 1.0
    total = 0.0
    for k in range(1, degrees_of_freedom // 2 + 1):
        total += term
        term *= math.cos(angle) ** 2 * ((2 * k) / (2 * k + 1) if odd else (2 * k - 1) / (2 * k))
    total *= math.sin(angle)
    return 2 / math.pi * (angle + total) if odd else total


def scale(spans: Iterable[Span | None], width: int, *, zero: bool = False) -> Scale:
    """Return the scale that all spans fit on; with ``zero`` it also holds 0."""
    known = [span for span in spans if span is not None]
    ends = [end for span in known for end in (span.low, span.high)] + ([0.0] if zero else [])
    return Scale(low=min(ends, default=0.0), high=max(ends, default=0.0), width=width)


def bar(span: Span | None, on: Scale, *, zero: bool = False, ascii_only: bool = False) -> str:
    """Draw an interval.

    Parameters
    ----------
    span : Span or None
        Drawn as blanks where it is None.
    on : Scale
        Of the whole table.
    zero : bool
        Mark where no difference is.
    ascii_only : bool
        Use signs that every terminal has.
    """
    line, first, last, dot, mark = ("-", "|", "|", "o", ":") if ascii_only else ("─", "├", "┤", "●", "┊")
    cells = [" "] * on.width
    if span is not None:
        low, high = on.place(span.low), on.place(span.high)
        for k in range(low, high + 1):
            cells[k] = line
        if high > low:
            cells[low], cells[high] = first, last
    if zero and on.low <= 0 <= on.high:
        cells[on.place(0.0)] = mark
    if span is not None:
        cells[on.place(span.mean)] = dot
    return "".join(cells)
