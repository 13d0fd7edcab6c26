"""Charts of a page: lines with bands, costs, intervals and forests, as SVG that the page's style colours."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from markupsafe import Markup

from benchmarker_reports.contents.model import CostChart, CostPoint, Entry, Panel, Series
from benchmarker_reports.html.svg import Drawing, Scale, tick_text

COLOURS = 8
_WIDTH, _HEIGHT = 320.0, 230.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 12.0, 12.0, 38.0
_BAR_WIDTH, _BAR_HEIGHT = 180.0, 22.0


def line_chart(panel: Panel) -> Markup:
    """Draw lines, each with its band."""
    drawing = Drawing(_WIDTH, _HEIGHT, _described(panel))
    x = _scale(panel.x_range or _extent(panel.series, "x"), _LEFT, _WIDTH - _RIGHT)
    y = _scale(panel.y_range or _extent(panel.series, "y"), _HEIGHT - _BOTTOM, _TOP)
    _axes(drawing, x, y, panel.x_label, panel.y_label)
    if panel.diagonal:
        drawing.line(x.at(x.low), y.at(y.low), x.at(x.high), y.at(y.high), "guide")
    for series in panel.series:
        _band(drawing, series, x, y)
    for series in panel.series:
        style = f"line s{series.colour % COLOURS}" + (" dashed" if series.dashed else "")
        for part in _pieces(series):
            points = [(x.at(series.x[k]), y.at(series.y[k])) for k in part]
            if len(points) == 1:
                drawing.circle(*points[0], 2.5, f"dot s{series.colour % COLOURS}", series.name)
            else:
                drawing.path(points, style)
    return drawing.markup()


def cost_chart(chart: CostChart) -> Markup:
    """Draw a metric against a cost on a logarithmic axis, and the front that no entry beats in both."""
    points = chart.points
    drawing = Drawing(_WIDTH, _HEIGHT, f"{chart.title}: {len(points)} entries, {_front_words(chart)}")
    costs = [point.cost for point in points]
    values = [point.value for point in points]
    x = Scale(low=min(costs) / 1.4, high=max(costs) * 1.4, start=_LEFT, end=_WIDTH - _RIGHT, log=True)
    y = _scale(_padded(min(values), max(values), 0.14), _HEIGHT - _BOTTOM, _TOP)
    _axes(drawing, x, y, chart.x_label, chart.y_label)
    front = sorted((point for point in points if point.front), key=lambda point: (point.cost, point.value))
    drawing.path(list(_steps(front, x, y, lower=chart.lower)), "front")
    for point in points:
        if not point.front:
            drawing.circle(x.at(point.cost), y.at(point.value), 3.0, "dot beaten", _point_words(point))
    for point in front:
        drawing.circle(x.at(point.cost), y.at(point.value), 4.5, "dot s0", _point_words(point))
        drawing.text(x.at(point.cost), y.at(point.value) - 8, point.number, "mark", text_anchor="middle")
    return drawing.markup()


def interval_bar(entry: Entry, domain: tuple[float, float], written: str) -> Markup:
    """Draw one entry's interval as a bar, its mean as a tick and its seeds as dots."""
    drawing = Drawing(_BAR_WIDTH, _BAR_HEIGHT, written, "bar")
    x = _scale(domain, 5, _BAR_WIDTH - 5)
    middle = _BAR_HEIGHT / 2
    drawing.line(0, middle, _BAR_WIDTH, middle, "rail")
    if entry.low is not None and entry.high is not None:
        left, right = x.at(entry.low), x.at(entry.high)
        drawing.rect(left, middle - 5, max(right - left, 1), 10, "span")
    for seed, value in entry.values.items():
        drawing.circle(x.at(value), middle, 2, "seed", f"seed {seed}: {tick_text(value)}")
    if entry.mean is not None:
        drawing.line(x.at(entry.mean), middle - 8, x.at(entry.mean), middle + 8, "mean")
    return drawing.markup()


def domain_of(entries: Sequence[Entry]) -> tuple[float, float]:
    """Return the range that holds all seeds, and intervals as far as they do not dwarf the seeds."""
    values = [value for entry in entries for value in entry.values.values()]
    if not values:
        return (0.0, 1.0)
    low, high = min(values), max(values)
    room = max(high - low, abs(high) * 0.01, 1e-9)
    ends = [end for entry in entries for end in (entry.low, entry.high) if end is not None]
    return (
        max(min([low, *ends]), low - room) - room * 0.05,
        min(max([high, *ends]), high + room) + room * 0.05,
    )


def domain_axis(domain: tuple[float, float]) -> Markup:
    """Draw the axis that stands over a column of interval bars."""
    drawing = Drawing(_BAR_WIDTH, 16, f"from {tick_text(domain[0])} to {tick_text(domain[1])}", "bar")
    x = _scale(domain, 5, _BAR_WIDTH - 5)
    for tick in x.ticks(3):
        drawing.line(x.at(tick), 12, x.at(tick), 16, "axis")
        drawing.text(min(max(x.at(tick), 10), _BAR_WIDTH - 10), 9, tick_text(tick), "tick", text_anchor="middle")
    return drawing.markup()


def band_bar(band: tuple[float, float], published: float | None, ours: tuple[float, float], written: str) -> Markup:
    """Draw a published number with its band, and ours as a point with its deviation.

    Parameters
    ----------
    band : tuple of float
        Between which ours would be called the same.
    published : float, optional
        The number itself.
    ours : tuple of float
        Mean over seeds and its sample deviation (0 for one seed).
    written : str
        The same in words.
    """
    drawing = Drawing(_BAR_WIDTH, _BAR_HEIGHT, written, "bar")
    low, high = min(band[0], ours[0] - ours[1]), max(band[1], ours[0] + ours[1])
    x = _scale(_padded(low, high, 0.15), 5, _BAR_WIDTH - 5)
    middle = _BAR_HEIGHT / 2
    drawing.line(0, middle, _BAR_WIDTH, middle, "rail")
    drawing.rect(x.at(band[0]), middle - 6, max(x.at(band[1]) - x.at(band[0]), 1), 12, "published")
    if published is not None:
        drawing.line(x.at(published), middle - 8, x.at(published), middle + 8, "yard")
    drawing.line(x.at(ours[0] - ours[1]), middle, x.at(ours[0] + ours[1]), middle, "whisker")
    drawing.circle(x.at(ours[0]), middle, 3.5, "dot s0")
    return drawing.markup()


def difference_bar(mean: float, ends: tuple[float, float], margin: float | None, reach: float, written: str) -> Markup:
    """Draw one difference with its interval, zero, and the region that counts as equivalent.

    Parameters
    ----------
    mean : float
        The difference.
    ends : tuple of float
        Of its interval.
    margin : float, optional
        Half the width of the region of practical equivalence.
    reach : float
        The largest difference that is drawn, to both sides.
    written : str
        The same in words.
    """
    drawing = Drawing(_BAR_WIDTH, _BAR_HEIGHT, written, "bar")
    x = _scale((-reach, reach), 5, _BAR_WIDTH - 5)
    middle = _BAR_HEIGHT / 2
    if margin is not None:
        drawing.rect(x.at(-margin), 0, x.at(margin) - x.at(-margin), _BAR_HEIGHT, "rope")
    drawing.line(x.at(0), 0, x.at(0), _BAR_HEIGHT, "zero")
    drawing.line(x.at(ends[0]), middle, x.at(ends[1]), middle, "whisker")
    for end in ends:
        if abs(end) <= reach:
            drawing.line(x.at(end), middle - 4, x.at(end), middle + 4, "whisker")
    drawing.circle(x.at(mean), middle, 3.5, "dot s0")
    return drawing.markup()


def _axes(drawing: Drawing, x: Scale, y: Scale, x_label: str, y_label: str) -> None:
    for tick in y.ticks(4):
        drawing.line(x.start, y.at(tick), x.end, y.at(tick), "grid")
        drawing.text(x.start - 6, y.at(tick) + 3.5, tick_text(tick), "tick", text_anchor="end")
    drawing.line(x.start, y.start, x.end, y.start, "axis")
    for tick in x.ticks(5):
        drawing.line(x.at(tick), y.start, x.at(tick), y.start + 4, "axis")
        drawing.text(x.at(tick), y.start + 15, tick_text(tick), "tick", text_anchor="middle")
    drawing.text((x.start + x.end) / 2, drawing.height - 6, x_label, "name", text_anchor="middle")
    if y_label:
        middle = (y.start + y.end) / 2
        drawing.text(10, middle, y_label, "name", text_anchor="middle", transform=f"rotate(-90 10 {middle:.0f})")


def _band(drawing: Drawing, series: Series, x: Scale, y: Scale) -> None:
    if series.low is None or series.high is None:
        return
    for part in _pieces(series):
        if len(part) > 1 and np.any(series.high[part] > series.low[part]):
            upper = [(x.at(series.x[k]), y.at(series.high[k])) for k in part]
            lower = [(x.at(series.x[k]), y.at(series.low[k])) for k in reversed(part)]
            drawing.path([*upper, *lower], f"band b{series.colour % COLOURS}", closed=True)


def _pieces(series: Series) -> Iterator[list[int]]:
    """Yield the stretches of a line between its gaps."""
    found: list[int] = []
    for k, value in enumerate(series.y):
        if math.isfinite(value):
            found.append(k)
        elif found:
            yield found
            found = []
    if found:
        yield found


def _scale(values: tuple[float, float], start: float, end: float) -> Scale:
    low, high = values
    if high <= low:
        low, high = low - 0.5, high + 0.5
    return Scale(low=low, high=high, start=start, end=end)


def _extent(series: Sequence[Series], axis: str) -> tuple[float, float]:
    arrays = [getattr(one, name) for one in series for name in ((axis, "low", "high") if axis == "y" else (axis,))]
    finite = np.concatenate([array[np.isfinite(array)] for array in arrays if array is not None] or [np.zeros(0)])
    if not finite.size:
        return (0.0, 1.0)
    low, high = float(finite.min()), float(finite.max())
    return _padded(low, high, 0.04) if axis == "y" else (low, high)


def _padded(low: float, high: float, share: float) -> tuple[float, float]:
    room = (high - low) * share or abs(high) * 0.05 or 0.5
    return (low - room, high + room)


def _steps(front: Sequence[CostPoint], x: Scale, y: Scale, *, lower: bool) -> Iterator[tuple[float, float]]:
    """Yield the corners of the region that the front dominates."""
    previous: CostPoint | None = None
    for point in front:
        if previous is not None:
            corner = (point.cost, previous.value) if lower else (previous.cost, point.value)
            yield x.at(corner[0]), y.at(corner[1])
        yield x.at(point.cost), y.at(point.value)
        previous = point


def _described(panel: Panel) -> str:
    names = ", ".join(series.name for series in panel.series[:6])
    return f"{panel.title}: {panel.y_label} over {panel.x_label}; {names}"


def _front_words(chart: CostChart) -> str:
    return "on the front: " + ", ".join(point.label for point in chart.points if point.front)


def _point_words(point: CostPoint) -> str:
    return f"{point.number} {point.label}: {tick_text(point.value)} at {tick_text(point.cost)}"
