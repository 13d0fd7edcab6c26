"""Comparisons as documents show them: numbers written, many pairs folded into matrices, ratios drawn as a chart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarker import Comparison, Comparisons, ComparisonTable, RatioResponse, metric_label
from benchmarker_reports.content.charts import PALETTE, Panel, Series, as_floats
from benchmarker_reports.content.values import MINUS, Estimate, Value, signed, written_level, written_p

MOST_ROWS = 60
"""Rows of a table that a document shows."""

SIGNS = {"better": "+", "worse": MINUS, "equivalent": "=", "undecided": "?"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonLine:
    """One comparison with its numbers written.

    Parameters
    ----------
    comparison : Comparison
        The numbers themselves.
    first, second : str
        What is compared; the second is named in short, by what distinguishes it from the first.
    difference, p : Value
        Mean difference with its unit, and p after correction.
    interval : str
        Interval that holds for all lines of the table together.
    estimate : Estimate or None
        Difference and interval, for formats that draw them; None without a shared seed.
    """

    comparison: Comparison
    first: str
    second: str
    difference: Value
    interval: str
    p: Value
    estimate: Estimate | None

    @property
    def sign(self) -> str:
        """The verdict as one character."""
        return SIGNS[self.comparison.verdict]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixCell:
    """The network of the row minus that of the column; empty on the diagonal."""

    text: str = ""
    verdict: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """All pairs of networks within an arm.

    Parameters
    ----------
    arm : str
    names : tuple of str
        Networks, of rows and columns alike.
    rows : tuple of (str, tuple of MatrixCell)
        Name and cells of each row.
    """

    arm: str
    names: tuple[str, ...]
    rows: tuple[tuple[str, tuple[MatrixCell, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonSection:
    """A table of comparisons, or matrices where it would be too long.

    Parameters
    ----------
    title, caption : str
    by_class : bool
        Whether lines are about single classes or targets.
    total, tests : int
        Comparisons in the table, and those that Holm's correction counts.
    reach : float
        Largest difference that bars show, to both sides of zero.
    lines : tuple of ComparisonLine
        The first of them: those with a verdict before the others, the largest difference first.
    matrices : tuple of Matrix
    """

    name: str
    title: str
    caption: str
    by_class: bool
    total: int
    tests: int
    reach: float = 0.0
    lines: tuple[ComparisonLine, ...] = ()
    matrices: tuple[Matrix, ...] = ()

    @property
    def decided(self) -> tuple[ComparisonLine, ...]:
        """Lines with a verdict."""
        return tuple(line for line in self.lines if line.comparison.verdict != "undecided")

    @property
    def undecided(self) -> tuple[ComparisonLine, ...]:
        """Lines without a verdict, which pages fold."""
        return tuple(line for line in self.lines if line.comparison.verdict == "undecided")


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioChart:
    """How the metric of networks follows the ratio of images of one generator, with the slopes in words.

    Parameters
    ----------
    title : str
        Name of the generator.
    panel : Panel
        One line for each network. The charts of a study share one scale.
    words : tuple of str
        The slope of each network in a sentence.
    """

    title: str
    panel: Panel
    words: tuple[str, ...]


def comparison_section(table: ComparisonTable) -> ComparisonSection:
    """Return a table of comparisons as documents show it."""
    by_class = any(row.scope != "overall" for row in table.rows)
    shown = sorted(table.rows, key=_place)[:MOST_ROWS]
    arms = len({side.arm for row in table.rows for side in (row.first, row.second)}) > 1
    folded = table.name == "networks" and len(table.rows) > MOST_ROWS
    return ComparisonSection(
        name=table.name,
        title=table.title,
        caption=table.caption,
        by_class=by_class,
        total=len(table.rows),
        tests=table.tests,
        reach=_reach(shown),
        lines=tuple(_line(row, arms=arms) for row in shown),
        matrices=_matrices(table) if folded else (),
    )


def ratio_charts(found: Comparisons) -> tuple[RatioChart, ...]:
    """Return a chart for each generator with several ratios; one of many networks continues in the next chart."""
    by_generator: dict[str, list[RatioResponse]] = {}
    for response in found.ratios:
        if any(point.mean is not None for point in response.points):
            by_generator.setdefault(response.generator, []).append(response)
    charts = [
        _ratio_chart(generator, responses[start : start + len(PALETTE)], found)
        for generator, responses in by_generator.items()
        for start in range(0, len(responses), len(PALETTE))
    ]
    series = [each for chart in charts for each in chart.panel.series]
    if not series:
        return ()
    low = min(float(np.min(each.low if each.low is not None else each.y)) for each in series)
    high = max(float(np.max(each.high if each.high is not None else each.y)) for each in series)
    room = 0.04 * (high - low) or 0.5
    right = max(float(each.x.max()) for each in series)
    return tuple(
        replace(chart, panel=replace(chart.panel, x_range=(0.0, right), y_range=(low - room, high + room)))
        for chart in charts
    )


def _ratio_chart(generator: str, responses: Sequence[RatioResponse], found: Comparisons) -> RatioChart:
    series = []
    for colour, response in enumerate(responses):
        known = [point for point in response.points if point.mean is not None]
        deviations = as_floats([point.standard_deviation or 0.0 for point in known])
        means = as_floats([point.mean for point in known])
        x = as_floats([point.ratio for point in known])
        series.append(
            Series(name=response.network, x=x, y=means, low=means - deviations, high=means + deviations, colour=colour)
        )
    panel = Panel(
        title=generator,
        series=tuple(series),
        x_label="generated images per real one",
        y_label=metric_label(found.metric).short,
    )
    words = tuple(f"{response.network}: {_slope(response, found)}" for response in responses)
    return RatioChart(title=generator, panel=panel, words=words)


def _slope(response: RatioResponse, found: Comparisons) -> str:
    if response.slope is None:
        return "too few ratios or seeds for a slope."
    interval = ""
    if response.low is not None and response.high is not None:
        interval = f" ({written_level(found.level)} interval {signed(response.low)} to {signed(response.high)})"
    unit = f" {found.unit}" if found.unit else ""
    return f"slope {signed(response.slope)}{unit} per generated image for each real one{interval}, n = {response.n}."


def _line(row: Comparison, *, arms: bool) -> ComparisonLine:
    same_network = row.first.network == row.second.network
    unit = f" {row.unit}" if row.unit else ""
    return ComparisonLine(
        comparison=row,
        first=f"{row.first.network} / {row.first.arm}" if arms else row.first.network,
        second=row.second.arm if same_network else row.second.network,
        difference=Value(
            text="-" if row.difference is None else f"{signed(row.difference)}{unit}", sort=row.difference
        ),
        interval="-"
        if row.low_adjusted is None or row.high_adjusted is None
        else f"{signed(row.low_adjusted)} to {signed(row.high_adjusted)}",
        p=Value(text=written_p(row.p_adjusted), sort=row.p_adjusted),
        estimate=Estimate.of_difference(row),
    )


def _place(row: Comparison) -> tuple[bool, float]:
    return row.verdict == "undecided", -abs(row.difference or 0.0)


def _reach(rows: Sequence[Comparison]) -> float:
    """Return a round number that holds all means, and all intervals unless they would dwarf the means."""
    means = [abs(row.difference) for row in rows if row.difference is not None]
    ends = [
        abs(end)
        for row in rows
        for end in (row.low_adjusted, row.high_adjusted)
        if end is not None and math.isfinite(end)
    ]
    margins = [row.margin for row in rows if row.margin is not None]
    largest = max(means, default=1.0)
    wide = min(max(ends, default=largest), 4 * max(largest, *margins, 1e-9))
    exact = max(largest, wide, *margins, 1e-9)
    power = 10.0 ** math.floor(math.log10(exact))
    return math.ceil(exact / power * 2 - 1e-9) / 2 * power


def _matrices(table: ComparisonTable) -> tuple[Matrix, ...]:
    found = []
    for arm in dict.fromkeys(row.first.arm for row in table.rows):
        rows = [row for row in table.rows if row.first.arm == arm]
        names = tuple(dict.fromkeys(name for row in rows for name in (row.first.network, row.second.network)))
        cells = {(each.first.network, each.second.network): _cell(each) for row in rows for each in (row, row.reversed)}
        lines = tuple((one, tuple(cells.get((one, other), MatrixCell()) for other in names)) for one in names)
        found.append(Matrix(arm=arm, names=names, rows=lines))
    return tuple(found)


def _cell(row: Comparison) -> MatrixCell:
    if row.difference is None:
        return MatrixCell(text="?", verdict="undecided")
    return MatrixCell(text=f"{SIGNS[row.verdict]} {signed(row.difference)}", verdict=row.verdict)
