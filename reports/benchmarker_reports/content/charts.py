"""Charts of lines as plain numbers, which pages and figures draw in their own ways."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PALETTE = ("#0b62a8", "#c8520a", "#00836a", "#a8428a", "#4d4a00", "#2f93cc", "#5b6168", "#7f5a36")
"""Colours that the common kinds of colour blindness tell apart, dark enough on white; the page has the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line of a chart.

    Parameters
    ----------
    name : str
        Entry of the legend.
    x, y : ndarray of shape (n,), float64
        Points of the line; NaN are gaps.
    low, high : ndarray of shape (n,), float64, optional
        A band around the line.
    colour : int
        Index into the palette.
    dashed : bool
        Whether the line is the less important of two of the same colour.
    """

    name: str
    x: Floats
    y: Floats
    low: Floats | None = None
    high: Floats | None = None
    colour: int = 0
    dashed: bool = False


def apart(ends: tuple[float, float]) -> tuple[float, float]:
    """Return the ends of an axis, half a unit on either side where they are one point, such as a single epoch."""
    low, high = ends
    return (low, high) if high > low else (low - 0.5, high + 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A small chart of lines; panels that belong together have the same axes.

    Parameters
    ----------
    title : str
    series : tuple of Series
    x_label, y_label : str
    x_range, y_range : tuple of (float, float), optional
        Ends of the axes; those of the data by default.
    diagonal : bool
        Whether the line x = y is drawn for orientation.
    whole : bool
        Whether x counts something, such as epochs, so that its ticks are whole numbers.
    """

    title: str
    series: tuple[Series, ...]
    x_label: str = ""
    y_label: str = ""
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    diagonal: bool = False
    whole: bool = False


def as_floats(values: object) -> Floats:
    """Return values as an array of float64."""
    return np.asarray(values, dtype=np.float64)
