"""Charts of a page as SVG that its style colours: lines with bands, costs, intervals, differences, published bands."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from markupsafe import Markup

from benchmarker_reports.content.charts import Panel, Series, apart
from benchmarker_reports.content.comparisons import ComparisonLine
from benchmarker_reports.content.costs import CostChart, CostPoint
from benchmarker_reports.content.leaderboard import Line
from benchmarker_reports.formats.svg import Drawing, Scale, tick_text
from benchmarker_reports.published.comparison import PublishedComparison

COLOURS = 8
_WIDTH, _HEIGHT = 320.0, 230.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 12.0, 12.0, 38.0
_BAR_WIDTH, _BAR_HEIGHT = 180.0, 22.0
_BAR_MARGIN = 5.0

Range = tuple[float, float]


def line_chart(panel: Panel) -> Markup:
    """Draw the lines of a panel, each with its band."""
    names = ", ".join(series.name for series in panel.series[:6])
    drawing = Drawing(_WIDTH, _HEIGHT, f"{panel.title}: {panel.y_label} over {panel.x_label}; {names}")
    x = _scale(panel.x_range or _extent(panel.series, "x"), _LEFT, _WIDTH - _RIGHT, whole=panel.whole)
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
    """Draw a metric against a cost on a logarithmic axis, with the Pareto front."""
    points = chart.points
    on_front = ", ".join(point.label for point in points if point.on_front)
    drawing = Drawing(_WIDTH, _HEIGHT, f"{chart.title}: {len(points)} points; on the front: {on_front}")
    costs, values = [point.cost for point in points], [point.value for point in points]
    x = Scale(low=min(costs) / 1.4, high=max(costs) * 1.4, start=_LEFT, end=_WIDTH - _RIGHT, log=True)
    y = _scale(_padded(min(values), max(values), 0.14), _HEIGHT - _BOTTOM, _TOP)
    _axes(drawing, x, y, chart.x_label, chart.y_label)
    front = sorted((point for point in points if point.on_front), key=lambda point: (point.cost, point.value))
    drawing.path(list(_steps(front, x, y, lower_is_better=chart.lower_is_better)), "front")
    for point in points:
        if not point.on_front:
            drawing.circle(x.at(point.cost), y.at(point.value), 3.0, "dot beaten", _point_words(point))
    for point in front:
        drawing.circle(x.at(point.cost), y.at(point.value), 4.5, "dot s0", _point_words(point))
        drawing.text(x.at(point.cost), y.at(point.value) - 8, point.number, "mark", text_anchor="middle")
    return drawing.markup()


def interval_bar(line: Line, domain: Range, written: str) -> Markup:
    """Draw one line's interval as a bar, its mean as a tick and its seeds as dots.

    Parameters
    ----------
    line : Line
    domain : tuple of float
        Ends of the axis, the same for the whole table.
    written : str
        The same in words.
    """
    drawing, x, middle = _bar(domain, written)
    drawing.line(0, middle, _BAR_WIDTH, middle, "rail")
    estimate = line.estimate
    if estimate is not None and estimate.low is not None:
        left, right = map(x.at, estimate.ends)
        drawing.rect(left, middle - 5, max(right - left, 1), 10, "span")
    for seed, value in line.values.items():
        drawing.circle(x.at(value), middle, 2, "seed", f"seed {seed}: {tick_text(value)}")
    if estimate is not None:
        drawing.line(x.at(estimate.mean), middle - 8, x.at(estimate.mean), middle + 8, "mean")
    return drawing.markup()


def domain_of(lines: Sequence[Line]) -> Range:
    """Return the range that holds all seeds, and intervals as far as they do not dwarf the seeds."""
    values = [value for line in lines for value in line.values.values()]
    if not values:
        return (0.0, 1.0)
    low, high = min(values), max(values)
    room = max(high - low, abs(high) * 0.01, 1e-9)
    ends = [end for line in lines if line.estimate is not None for end in line.estimate.ends]
    return (
        max(min([low, *ends]), low - room) - room * 0.05,
        min(max([high, *ends]), high + room) + room * 0.05,
    )


def domain_axis(domain: Range) -> Markup:
    """Draw the axis above a column of bars."""
    drawing = Drawing(_BAR_WIDTH, 16, f"from {tick_text(domain[0])} to {tick_text(domain[1])}", "bar")
    x = _scale(domain, _BAR_MARGIN, _BAR_WIDTH - _BAR_MARGIN)
    for tick in x.ticks():
        drawing.line(x.at(tick), 12, x.at(tick), 16, "axis")
        drawing.text(min(max(x.at(tick), 10), _BAR_WIDTH - 10), 9, tick_text(tick), "tick", text_anchor="middle")
    return drawing.markup()


def difference_bar(line: ComparisonLine, reach: float) -> Markup:
    """Draw a difference with its interval, zero, and the region that counts as equivalent; nothing without seeds.

    Parameters
    ----------
    line : ComparisonLine
    reach : float
        Largest difference that is drawn, to both sides.
    """
    if line.estimate is None:
        return Markup()
    drawing, x, middle = _bar((-reach, reach), f"{line.difference.text}, interval {line.interval}")
    margin = line.comparison.margin
    if margin is not None:
        drawing.rect(x.at(-margin), 0, x.at(margin) - x.at(-margin), _BAR_HEIGHT, "rope")
    drawing.line(x.at(0), 0, x.at(0), _BAR_HEIGHT, "zero")
    low, high = line.estimate.ends
    drawing.line(x.at(low), middle, x.at(high), middle, "whisker")
    for end in (low, high):
        if abs(end) <= reach:
            drawing.line(x.at(end), middle - 4, x.at(end), middle + 4, "whisker")
    drawing.circle(x.at(line.estimate.mean), middle, 3.5, "dot s0")
    return drawing.markup()


def published_bar(compared: PublishedComparison) -> Markup:
    """Draw a published number with its band, and ours with its sample deviation; nothing without both."""
    band, ours = compared.published.band, compared.ours
    if band is None or ours is None:
        return Markup()
    deviation = compared.standard_deviation or 0.0
    domain = _padded(min(band[0], ours - deviation), max(band[1], ours + deviation), 0.15)
    drawing, x, middle = _bar(domain, f"published {compared.theirs}, ours {compared.measured}")
    drawing.line(0, middle, _BAR_WIDTH, middle, "rail")
    drawing.rect(x.at(band[0]), middle - 6, max(x.at(band[1]) - x.at(band[0]), 1), 12, "published")
    if compared.published.value is not None:
        value = x.at(compared.published.value)
        drawing.line(value, middle - 8, value, middle + 8, "published-value")
    drawing.line(x.at(ours - deviation), middle, x.at(ours + deviation), middle, "whisker")
    drawing.circle(x.at(ours), middle, 3.5, "dot s0")
    return drawing.markup()


def _bar(domain: Range, written: str) -> tuple[Drawing, Scale, float]:
    """Return an empty bar of a table, its axis and the height of its middle."""
    drawing = Drawing(_BAR_WIDTH, _BAR_HEIGHT, written, "bar")
    return drawing, _scale(domain, _BAR_MARGIN, _BAR_WIDTH - _BAR_MARGIN), _BAR_HEIGHT / 2


def _axes(drawing: Drawing, x: Scale, y: Scale, x_label: str, y_label: str) -> None:
    for tick in y.ticks():
        drawing.line(x.start, y.at(tick), x.end, y.at(tick), "grid")
        drawing.text(x.start - 6, y.at(tick) + 3.5, tick_text(tick), "tick", text_anchor="end")
    drawing.line(x.start, y.start, x.end, y.start, "axis")
    for tick in x.ticks(4):
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


def _scale(values: Range, start: float, end: float, *, whole: bool = False) -> Scale:
    low, high = apart(values)
    return Scale(low=low, high=high, start=start, end=end, whole=whole)


def _extent(series: Sequence[Series], axis: str) -> Range:
    arrays = [getattr(one, name) for one in series for name in ((axis, "low", "high") if axis == "y" else (axis,))]
    finite = np.concatenate([array[np.isfinite(array)] for array in arrays if array is not None] or [np.zeros(0)])
    if not finite.size:
        return (0.0, 1.0)
    low, high = float(finite.min()), float(finite.max())
    return _padded(low, high, 0.04) if axis == "y" else (low, high)


def _padded(low: float, high: float, share: float) -> Range:
    room = (high - low) * share or abs(high) * 0.05 or 0.5
    return (low - room, high + room)


def _steps(front: Sequence[CostPoint], x: Scale, y: Scale, *, lower_is_better: bool) -> Iterator[tuple[float, float]]:
    """Yield the corners of the region that the front dominates."""
    previous: CostPoint | None = None
    for point in front:
        if previous is not None:
            corner = (point.cost, previous.value) if lower_is_better else (previous.cost, point.value)
            yield x.at(corner[0]), y.at(corner[1])
        yield x.at(point.cost), y.at(point.value)
        previous = point


def _point_words(point: CostPoint) -> str:
    return f"{point.number} {point.label}: {tick_text(point.value)} at {tick_text(point.cost)}"
