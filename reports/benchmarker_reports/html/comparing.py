"""Comparisons as a page shows them: numbers written, intervals drawn, and long tables folded into matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from benchmarker import Comparison, Comparisons, ComparisonTable, RatioResponse
from benchmarker_reports.contents.model import Panel, Series, Value, as_floats
from benchmarker_reports.html.charts import difference_bar

MOST_ROWS = 60
_MINUS = "\N{MINUS SIGN}"
_SIGNS = {"better": "+", "worse": _MINUS, "equivalent": "=", "undecided": "?"}
_OPPOSITE = {"better": "worse", "worse": "better"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RowView:
    """One comparison, written."""

    first: str
    second: str
    scope: str
    difference: Value
    bar: Markup
    interval: str
    p: Value
    n: int
    sign: str
    verdict: str
    caveats: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellView:
    """One cell of a matrix."""

    text: str
    verdict: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixView:
    """All pairs of networks within an arm."""

    arm: str
    names: tuple[str, ...]
    rows: tuple[tuple[str, tuple[CellView, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableView:
    """One table; where there are too many lines, matrices stand in their place."""

    title: str
    caption: str
    scoped: bool
    folded: bool
    total: int
    reach: float
    rows: tuple[RowView, ...] = ()
    matrices: tuple[MatrixView, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseView:
    """How a network's metric follows the ratio of generated images."""

    title: str
    panel: Panel
    words: str


def table_views(found: Comparisons | None) -> tuple[TableView, ...]:
    """Return the tables of a study that have lines."""
    return tuple(_view(table) for table in found.tables if table.rows) if found is not None else ()


def dose_views(found: Comparisons | None) -> tuple[DoseView, ...]:
    """Return a chart for each network and generator."""
    return tuple(_dose(one, found) for one in found.ratios) if found is not None else ()


def _view(table: ComparisonTable) -> TableView:
    scoped = any(row.scope != "overall" for row in table.rows)
    if table.name == "networks" and len(table.rows) > MOST_ROWS:
        return TableView(
            title=table.title, caption=table.caption, scoped=False, folded=False, total=len(table.rows), reach=0.0,
            matrices=_matrices(table),
        )  # fmt: skip
    shown = table.rows[:MOST_ROWS]
    reach = _reach(shown)
    arms = len({side.arm for row in table.rows for side in (row.first, row.second)}) > 1
    return TableView(
        title=table.title,
        caption=table.caption,
        scoped=scoped,
        folded=scoped,
        total=len(table.rows),
        reach=reach,
        rows=tuple(_row(row, reach, arms=arms) for row in shown),
    )


def _reach(rows: Sequence[Comparison]) -> float:
    """Return how far bars reach to both sides: all means, and intervals unless they would dwarf the means."""
    means = [abs(row.difference) for row in rows if row.difference is not None]
    ends = [abs(end) for row in rows for end in (row.low, row.high) if end is not None and math.isfinite(end)]
    margins = [row.margin for row in rows if row.margin is not None]
    largest = max(means, default=1.0)
    wide = min(max(ends, default=largest), 4 * max(largest, *margins, 1e-9))
    exact = max(largest, wide, *margins, 1e-9)
    power = 10.0 ** math.floor(math.log10(exact))
    return math.ceil(exact / power * 2 - 1e-9) / 2 * power


def _row(row: Comparison, reach: float, *, arms: bool) -> RowView:
    same_network = row.first.network == row.second.network
    first = f"{row.first.network} / {row.first.arm}" if arms else row.first.network
    second = row.second.arm if same_network else row.second.network
    unit = f" {row.unit}" if row.unit else ""
    written = "-" if row.difference is None else f"{signed(row.difference)}{unit}"
    interval = "-" if row.low is None or row.high is None else f"{signed(row.low)} to {signed(row.high)}"
    bar = Markup()
    if row.difference is not None:
        ends = (row.difference, row.difference) if row.low is None or row.high is None else (row.low, row.high)
        bar = difference_bar(row.difference, ends, row.margin, reach, f"{written}, interval {interval}")
    return RowView(
        first=first,
        second=second,
        scope=row.scope,
        difference=Value(text=written, sort=row.difference),
        bar=bar,
        interval=interval,
        p=Value(text=probability(row.p_adjusted), sort=row.p_adjusted),
        n=row.n,
        sign=_SIGNS[row.verdict],
        verdict=row.verdict,
        caveats=row.caveats,
    )


def signed(value: float) -> str:
    """Return a difference with its sign, and three digits."""
    digits = 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    text = f"{abs(value):.{digits}f}"
    return text if float(text) == 0 else f"{'+' if value > 0 else _MINUS}{text}"


def probability(value: float | None) -> str:
    """Return a p, and ``< 0.001`` below that."""
    return "-" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def _matrices(table: ComparisonTable) -> tuple[MatrixView, ...]:
    found = []
    for arm in dict.fromkeys(row.first.arm for row in table.rows):
        rows = [row for row in table.rows if row.first.arm == arm]
        names = tuple(dict.fromkeys(name for row in rows for name in (row.first.network, row.second.network)))
        cells = {(row.first.network, row.second.network): _cell(row, 1) for row in rows}
        cells |= {(row.second.network, row.first.network): _cell(row, -1) for row in rows}
        lines = tuple((one, tuple(cells.get((one, other), CellView(text="")) for other in names)) for one in names)
        found.append(MatrixView(arm=arm, names=names, rows=lines))
    return tuple(found)


def _cell(row: Comparison, sign: int) -> CellView:
    verdict = row.verdict if sign > 0 else _OPPOSITE.get(row.verdict, row.verdict)
    if row.difference is None:
        return CellView(text="?", verdict="undecided")
    return CellView(text=f"{_SIGNS[verdict]} {signed(sign * row.difference)}", verdict=verdict)


def _dose(response: RatioResponse, found: Comparisons) -> DoseView:
    known = [point for point in response.points if point.mean is not None]
    deviations = as_floats([point.standard_deviation or 0.0 for point in known])
    means = as_floats([point.mean for point in known])
    series = Series(
        name=response.network,
        x=as_floats([point.ratio for point in known]),
        y=means,
        low=means - deviations,
        high=means + deviations,
    )
    if response.slope is None:
        words = "Too few ratios or seeds for a slope."
    else:
        interval = "" if response.low is None or response.high is None else (
            f" ({100 * found.level:.4g} % interval {signed(response.low)} to {signed(response.high)})"
        )  # fmt: skip
        unit = f" {found.unit}" if found.unit else ""
        words = (
            f"Slope {signed(response.slope)}{unit} for one generated image per real one{interval}, n = {response.n}."
        )
    title = f"{response.network}, {response.generator}"
    panel = Panel(
        title=title, series=(series,), x_label="generated images per real one", y_label=found.metric.replace("_", " ")
    )
    return DoseView(title=title, panel=panel, words=f"{words} Band: sample deviation over seeds.")
