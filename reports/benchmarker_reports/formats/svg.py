"""Drawings as SVG, and the axes of charts.

Shapes have classes (``line``, ``s3``, ``band``) instead of colours, so that one drawing serves light, dark and print.
Numbers have a fixed format, so that the same values always give the same text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

_EPSILON = 1e-9


def number(value: float) -> str:
    """Return a coordinate with at most one decimal place, and never ``-0``."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """An axis: maps values to coordinates.

    Parameters
    ----------
    low, high : float
        Values at both ends.
    start, end : float
        Coordinates of both ends.
    log : bool
        Whether equal distances are equal ratios; both ends must then be positive.
    whole : bool
        Whether ticks are whole numbers.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False
    whole: bool = False

    def at(self, value: float) -> float:
        """Return the coordinate of a value; values beyond the ends are moved to the ends."""
        low, high = self._mapped(self.low), self._mapped(self.high)
        share = (self._mapped(value) - low) / (high - low) if high > low else 0.5
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)

    def ticks(self, least: int = 3) -> tuple[float, ...]:
        """Return round values within the ends, at least `least` of them if possible."""
        if self.log:
            return _log_ticks(self.low, self.high)
        return round_ticks(self.low, self.high, least, smallest=1.0 if self.whole else 0.0)

    def _mapped(self, value: float) -> float:
        return math.log10(max(value, 1e-300)) if self.log else value


def round_ticks(low: float, high: float, least: int = 3, smallest: float = 0.0) -> tuple[float, ...]:
    """Return multiples of 1, 2 or 5 times a power of ten between two values: as few as possible, but `least` of them.

    Parameters
    ----------
    low, high : float
        Ends of the axis.
    least : int
        Smallest number of ticks.
    smallest : float
        Smallest step; takes precedence over `least`.
    """
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return (low,)
    power = math.floor(math.log10(high - low))
    found: tuple[float, ...] = (low,)
    for step in (factor * 10.0**k for k in (power, power - 1, power - 2) for factor in (5, 2, 1)):
        if step < smallest:
            break
        first, last = math.ceil(low / step - _EPSILON), math.floor(high / step + _EPSILON)
        found = tuple(round(k * step, 12) for k in range(first, last + 1))
        if len(found) >= least:
            break
    return found


def _log_ticks(low: float, high: float) -> tuple[float, ...]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for factors in ((1,), (1, 3), (1, 2, 5)):
        found = [f * 10.0**k for k in range(first, last + 1) for f in factors if low <= f * 10.0**k <= high]
        if len(found) >= 3:
            every = math.ceil(len(found) / 5)
            return tuple(found[::every])
    return round_ticks(low, high)


def tick_text(value: float) -> str:
    """Return a number as axes show it: ``0.25``, ``20``, ``3 k``, ``2 M``."""
    for limit, suffix in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e4, " k")):
        if abs(value) >= limit:
            return f"{value / (1e3 if suffix == ' k' else limit):.3g}{suffix}"
    return f"{value:.4g}"


class Drawing:
    """A drawing: shapes are added in order, and `markup` returns it as an element.

    Parameters
    ----------
    width, height : float
        Size in units of the drawing, which the page scales to the room that there is.
    label : str
        What it shows, for readers who cannot see it.
    style : str
        Class of the element.
    """

    def __init__(self, width: float, height: float, label: str, style: str = "chart") -> None:
        self.width = width
        self.height = height
        self._label = label
        self._style = style
        self._parts: list[str] = []

    def add(self, name: str, style: str, content: str = "", **attributes: float | str) -> None:
        """Add an element; attributes and content from outside must be escaped already."""
        written = "".join(
            f' {key.replace("_", "-")}="{number(value) if isinstance(value, (int, float)) else value}"'
            for key, value in attributes.items()
        )
        styled = f' class="{style}"' if style else ""
        self._parts.append(f"<{name}{styled}{written}>{content}</{name}>" if content else f"<{name}{styled}{written}/>")

    def line(self, x1: float, y1: float, x2: float, y2: float, style: str = "") -> None:
        """Add a straight line."""
        self.add("path", style, d=f"M{number(x1)} {number(y1)}L{number(x2)} {number(y2)}")

    def path(self, points: Sequence[tuple[float, float]], style: str, *, closed: bool = False) -> None:
        """Add a line through points, each an (x, y)."""
        if points:
            joined = "L".join(f"{number(x)} {number(y)}" for x, y in points)
            self.add("path", style, d=f"M{joined}{'Z' if closed else ''}")

    def rect(self, x: float, y: float, width: float, height: float, style: str) -> None:
        """Add a rectangle."""
        self.add("rect", style, x=x, y=y, width=width, height=height)

    def circle(self, x: float, y: float, radius: float, style: str, title: str = "") -> None:
        """Add a circle, with a title that appears when the pointer rests on it."""
        self.add("circle", style, f"<title>{escape(title)}</title>" if title else "", cx=x, cy=y, r=radius)

    def text(self, x: float, y: float, text: str, style: str = "", **attributes: float | str) -> None:
        """Add a text, which is escaped."""
        self.add("text", style, str(escape(text)), x=x, y=y, **attributes)

    def markup(self) -> Markup:
        """Return the drawing as an SVG element."""
        size = f"{number(self.width)} {number(self.height)}"
        return Markup('<svg class="{}" viewBox="0 0 {}" role="img" aria-label="{}">{}</svg>').format(
            self._style,
            size,
            self._label,
            Markup("".join(self._parts)),  # noqa: S704 - `add` escapes every part
        )
