"""The figures of a paper, drawn with matplotlib and saved in three formats; the same study gives the same bytes.

Their widths are those of a column and of a page of a journal, so that they are printed as they are, with the fonts that
are written here. Texts are measured first: they are shortened, wrapped or numbered where they would meet others.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator
from matplotlib.transforms import Bbox

from benchmarker import Comparison, Comparisons, ComparisonTable, ReportOptions, StudyResults, figure_style
from benchmarker_reports.content.charts import PALETTE, Panel, Series, apart
from benchmarker_reports.content.classes import Confusion
from benchmarker_reports.content.costs import CostChart, CostPoint
from benchmarker_reports.content.leaderboard import Line, metric_title
from benchmarker_reports.content.study_content import StudyContent
from benchmarker_reports.formats.figure_texts import (
    FONT,
    most_columns,
    place_labels,
    plain,
    shortened,
    width_of,
    wrapped,
)
from benchmarker_reports.formats.svg import Scale, tick_text

FORMATS: Mapping[str, Mapping[str, None]] = {
    "pdf": {"CreationDate": None, "ModDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
}
"""Metadata to leave out: times, and versions that would change the bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """Widths of figures.

    Parameters
    ----------
    column, page : float
        Width of a column and of a page, in millimetres.
    """

    column: float
    page: float


MNRAS = Journal(column=84, page=174)
"""Monthly Notices of the Royal Astronomical Society."""
ASTRONOMY_AND_ASTROPHYSICS = Journal(column=88, page=180)
"""Astronomy & Astrophysics."""

MOST_LINES = 40
MOST_PANELS = 12
MOST_WRITTEN = 20
"""Classes of a confusion matrix whose counts are written into it: each is a text, and 355 classes have 126,025."""

MOST_TICKS = 40
MOST_NAMED = 4
"""Networks on the Pareto fronts that are named beside their points; more are numbered."""

_COLUMNS = 4
_INK, _FAINT = "#1c2126", "#8a929b"
_SIZE, _SMALL = 7.0, 6.0
_POINTS = 72.0
_MM = 25.4
_ROW = 0.155
_HANDLE = 30.0
_CELL = 13.0
"""Points that a cell of a confusion matrix needs for three digits."""
_STYLES: tuple[Any, ...] = (
    "-", "-.", ":", (0, (8, 2)), (0, (3, 1, 1, 1, 1, 1)), (0, (1, 2.5)), (0, (5, 1, 1, 1)), (0, (10, 3, 2, 3)),
)  # fmt: skip
"""Strokes by colour, so that curves keep apart without it."""

STYLE: dict[Any, Any] = {
    "svg.hashsalt": "galaxy-benchmarker",
    "pdf.fonttype": 42,  # outlines as TrueType, which journals ask for
    "font.family": FONT,
    "font.size": _SIZE,
    "axes.titlesize": _SIZE,
    "xtick.labelsize": _SMALL,
    "ytick.labelsize": _SMALL,
    "legend.fontsize": _SMALL,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "grid.color": "#e6e8ea",
    "grid.linewidth": 0.5,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "lines.linewidth": 1.1,
    "figure.dpi": 300,  # texts have other widths at other resolutions, so the layout is made at that of the file
    "savefig.dpi": 300,
}
"""Settings of matplotlib that figures are drawn and saved with."""


def render(results: StudyResults, options: ReportOptions) -> dict[str, bytes]:
    """Return a study's figures in the widths of MNRAS (84 and 174 mm), each as PNG, SVG and PDF.

    Parameters
    ----------
    results : StudyResults
        The study.
    options : ReportOptions
        Choices of whoever asked for the report.

    Returns
    -------
    dict of str to bytes
        Files by name: ``leaderboard``, ``comparisons_networks``, ``comparisons_arms``, ``learning_loss``,
        ``learning_accuracy``, ``confusion``, ``roc``, ``precision_recall``, ``calibration``, ``attributes``, ``costs``
        and ``fidelity``, as far as the study has what they show. The same study gives the same bytes.
    """
    return _rendered(results, options, MNRAS)


def render_wide(results: StudyResults, options: ReportOptions) -> dict[str, bytes]:
    """Return the same figures in the widths of Astronomy & Astrophysics (88 and 180 mm).

    Parameters
    ----------
    results : StudyResults
        The study.
    options : ReportOptions
        Choices of whoever asked for the report.
    """
    return _rendered(results, options, ASTRONOMY_AND_ASTROPHYSICS)


def _rendered(results: StudyResults, options: ReportOptions, journal: Journal) -> dict[str, bytes]:
    files = {}
    with figure_style(STYLE):
        for name, figure in figures(StudyContent(results, options), journal).items():
            for suffix in FORMATS:
                files[f"{name}.{suffix}"] = saved(figure, suffix)
    return files


def figures(content: StudyContent, journal: Journal = MNRAS) -> dict[str, Figure]:
    """Return the figures that a study has the numbers for, by name."""
    lines = [line for line in content.lines if line.estimate is not None]
    if not lines:
        return {}
    title = metric_title(content.board, content.board.sort)
    found = {"leaderboard": leaderboard_figure(lines[:MOST_LINES], title, content.level, journal)}
    compared = content.comparisons
    if compared is not None:
        for table in compared.tables:
            if table.name in {"arms", "networks"}:
                found[f"comparisons_{table.name}"] = comparison_figure(table, compared, journal)
    for name, panels in content.learning.items():
        found[f"learning_{name}"] = panel_figure(panels[:MOST_PANELS], journal)
    if content.confusions:
        found["confusion"] = confusion_figure(content.confusions[:_COLUMNS], journal)
    found |= _probability_figures(content, journal)
    if content.attributes:
        found["attributes"] = panel_figure(content.attributes[:MOST_PANELS], journal)
    if content.cost_charts:
        found["costs"] = cost_figure(content.cost_charts, journal)
    fidelity = [panel for training in content.trainings for panel in training.fidelity]
    if fidelity:
        found["fidelity"] = panel_figure(fidelity[:MOST_PANELS], journal)
    return found


def _probability_figures(content: StudyContent, journal: Journal) -> dict[str, Figure]:
    curves = content.probabilities
    if curves is None:
        return {}
    return {
        "roc": panel_figure(curves.roc[:MOST_PANELS], journal),
        "precision_recall": panel_figure(curves.precision_recall[:MOST_PANELS], journal),
        "density": panel_figure(curves.densities[:MOST_PANELS], journal),
        "calibration": panel_figure([curves.reliability, curves.confidence], journal),
    }


def leaderboard_figure(lines: Sequence[Line], title: str, level: str, journal: Journal = MNRAS) -> Figure:
    """Draw each line's mean with its interval, and its seeds as points."""
    several = len({line.arm for line in lines}) > 1
    figure, axes = _rows([line.name if several else line.label for line in lines], journal)
    for place, line in enumerate(lines):
        estimate = line.estimate
        if estimate is not None and estimate.low is not None:
            axes.plot(estimate.ends, [place, place], color=PALETTE[0], alpha=0.35, linewidth=4, solid_capstyle="butt")
        seeds = list(line.values.values())
        axes.plot(seeds, [place] * len(seeds), "o", color=_INK, markersize=2, alpha=0.7)
        if estimate is not None:
            axes.plot([estimate.mean, estimate.mean], [place - 0.3, place + 0.3], color=PALETTE[0], linewidth=1.6)
    _label_below(figure, axes, f"{title}: mean, {level} interval, seeds")
    return figure


def comparison_figure(table: ComparisonTable, found: Comparisons, journal: Journal = MNRAS) -> Figure:
    """Draw paired differences with their intervals, zero and the region of practical equivalence.

    Those with a verdict come first, and of each kind the largest difference.
    """
    known = [row for row in table.rows if row.difference is not None]
    rows = sorted(known, key=lambda row: (row.verdict == "undecided", -abs(row.difference or 0.0)))[:MOST_LINES]
    arms = len({row.first.arm for row in rows}) > 1
    figure, axes = _rows([_compared(row, arms=arms) for row in rows], journal)
    if found.margin is not None:
        axes.axvspan(-found.margin, found.margin, color="#d8e6dd", linewidth=0)
    axes.axvline(0, color=_FAINT, linewidth=0.8, linestyle="--")
    for place, row in enumerate(rows):
        if row.low is not None and row.high is not None:
            axes.plot([row.low, row.high], [place, place], color=_INK, linewidth=0.8)
        filled: Literal["full", "none"] = "full" if row.verdict in {"better", "worse"} else "none"
        axes.plot([row.difference or 0.0], [place], "o", markersize=3.2, color=PALETTE[0], fillstyle=filled)
    unit = f" [{found.unit}]" if found.unit else ""
    cut = f"; the {len(rows)} clearest of {len(known)}" if len(rows) < len(known) else ""
    _label_below(figure, axes, f"difference in {found.metric.replace('_', ' ')}{unit}; filled: significant{cut}")
    return figure


def panel_figure(panels: Sequence[Panel], journal: Journal = MNRAS) -> Figure:
    """Draw panels side by side, with one legend for all."""
    figure, grid = _grid(len(panels), 1.35 if len(panels) > 2 else 2.4, journal)
    for axes, panel in zip(grid, panels, strict=True):
        for series in panel.series:
            _draw_series(axes, series)
        if panel.diagonal:
            axes.plot([0, 1], [0, 1], color=_FAINT, linewidth=0.8, linestyle=":")
        if panel.x_range is not None:
            axes.set_xlim(*apart(panel.x_range))
        if panel.y_range is not None:
            axes.set_ylim(*apart(panel.y_range))
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=panel.whole, min_n_ticks=3))
        axes.yaxis.set_major_locator(MaxNLocator(4, min_n_ticks=3))
        same = len({each.y_label for each in panels}) == 1 and axes not in grid[::_COLUMNS]
        _labelled(axes, panel.title, panel.x_label, "" if same else panel.y_label, _room(figure, len(panels)))
    handles = {label: handle for axes in grid for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    if len(handles) > 1:
        _legend(figure, list(handles.values()), list(handles))
    return figure


def confusion_figure(matrices: Sequence[Confusion], journal: Journal = MNRAS) -> Figure:
    """Draw confusion matrices: counts over all seeds, shaded by the share of the true class.

    As many are drawn side by side as leave room for the numbers. With more than `MOST_WRITTEN` classes, only the first
    one is drawn, as wide as the page and without numbers.
    """
    n = len(matrices[0].classes)
    shown = list(matrices if n <= MOST_WRITTEN else matrices[:1])
    size = _SMALL if n <= MOST_WRITTEN else 5.0
    ticks = list(range(0, n, -(-n // MOST_TICKS)))
    names = [shortened(plain(matrices[0].classes[tick]), size, 60) for tick in ticks]
    widest = max(width_of(name, size) for name in names)
    page = journal.page / _MM * _POINTS
    fitting = (k for k in range(min(_COLUMNS, len(shown)), 0, -1) if (page / k - widest - 30) / n >= _CELL)
    columns = next(fitting, 1)
    side = min((page / columns - widest - 30) / _POINTS, 4.6)
    upright = widest <= _POINTS * side / len(ticks)
    rows = -(-len(shown) // columns)
    height = rows * (side + ((0.0 if upright else widest) + 46) / _POINTS)
    figure = Figure(figsize=(journal.page / _MM, height), layout="constrained")
    grid = list(np.ravel(figure.subplots(rows, columns, squeeze=False)))
    for axes in grid[len(shown) :]:
        axes.set_visible(False)
    several = len({matrix.line.arm for matrix in shown}) > 1
    for axes, matrix in zip(grid, shown, strict=False):
        _draw_matrix(axes, matrix)
        turned: dict[str, Any] = {} if upright else {"rotation": 90}
        axes.set_xticks(ticks, names, fontsize=size, **turned)
        axes.set_yticks(ticks, names, fontsize=size)
        axes.grid(visible=False)
        title = matrix.line.name if several else matrix.line.label
        _labelled(axes, title, "predicted", "true", page / columns - 10)
    return figure


def _draw_matrix(axes: Axes, matrix: Confusion) -> None:
    shares = matrix.shares
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if len(matrix.classes) > MOST_WRITTEN:
        return
    for (row, column), share in np.ndenumerate(shares):
        ink = "white" if share > 0.6 else _INK
        axes.text(column, row, str(matrix.counts[row, column]), ha="center", va="center", color=ink, fontsize=_SMALL)


def cost_figure(charts: Sequence[CostChart], journal: Journal = MNRAS) -> Figure:
    """Draw a metric against costs, with the Pareto fronts; their points are named, or numbered with a list below."""
    figure, grid = _grid(len(charts), 2.1, journal)
    names = list(dict.fromkeys(point.label for chart in charts for point in _front(chart)))
    named = len(names) <= MOST_NAMED
    for axes, chart in zip(grid, charts, strict=True):
        _draw_costs(axes, chart)
        _labelled(axes, "", chart.x_label, chart.y_label, _room(figure, len(charts)))
    texts = {name: plain(name) if named else str(number) for number, name in enumerate(names, start=1)}
    if not named:
        _legend(
            figure, [grid[0].plot([], [], " ")[0] for _ in names], [f"{texts[name]}  {plain(name)}" for name in names]
        )
    _freeze(figure)
    for axes, chart in zip(grid, charts, strict=True):
        front = [(point.cost, point.value) for point in _front(chart)]
        labels = [texts[point.label] for point in _front(chart)]
        place_labels(axes, front, labels, size=_SMALL, avoid=_steps(axes, front, lower=chart.lower_is_better))
    return figure


def _steps(axes: Axes, front: Sequence[tuple[float, float]], *, lower: bool) -> list[Bbox]:
    """Return boxes around the line of a Pareto front, in pixels."""
    corners: list[tuple[float, float]] = []
    for (x, y), (next_x, next_y) in pairwise(front):
        corners += [(x, y), (next_x, y) if lower else (x, next_y), (next_x, next_y)]
    pixels = [axes.transData.transform(corner) for corner in corners]
    return [Bbox.from_extents(*np.minimum(a, b) - 1, *np.maximum(a, b) + 1) for a, b in pairwise(pixels)]


def _front(chart: CostChart) -> list[CostPoint]:
    return sorted((point for point in chart.points if point.on_front), key=lambda point: (point.cost, point.value))


def _draw_costs(axes: Axes, chart: CostChart) -> None:
    beaten = [point for point in chart.points if not point.on_front]
    front = _front(chart)
    axes.plot([point.cost for point in beaten], [point.value for point in beaten], "o", color=_FAINT, markersize=2)
    axes.step(
        [point.cost for point in front],
        [point.value for point in front],
        where="post" if chart.lower_is_better else "pre",
        color=PALETTE[0],
        linestyle=":",
        marker="o",
        markersize=3,
    )
    _log_axis(axes, [point.cost for point in chart.points])
    axes.margins(y=0.15)
    axes.yaxis.set_major_locator(MaxNLocator(5, min_n_ticks=3))


def _draw_series(axes: Axes, series: Series) -> None:
    colour = PALETTE[series.colour % len(PALETTE)]
    style = "--" if series.dashed else _STYLES[series.colour % len(_STYLES)]
    mark = "o" if len(series.x) == 1 else None
    axes.plot(
        series.x, series.y, linestyle=style, color=colour, label=plain(series.name), marker=mark, markersize=2.5
    )  # fmt: skip
    if series.low is not None and series.high is not None:
        axes.fill_between(series.x, series.low, series.high, color=colour, alpha=0.18, linewidth=0)


def _rows(names: Sequence[str], journal: Journal) -> tuple[Figure, Axes]:
    """Return a figure with a row for each name, as wide as a column where the names leave half of it."""
    texts = [plain(name) for name in names]
    widest = max((width_of(text, _SMALL) for text in texts), default=0.0)
    column = journal.column / _MM
    width = column if widest <= 0.45 * column * _POINTS else journal.page / _MM
    figure = Figure(figsize=(width, 0.5 + _ROW * len(texts)), layout="constrained")
    axes = figure.subplots()
    axes.set_yticks(range(len(texts)), [shortened(text, _SMALL, 0.55 * width * _POINTS) for text in texts])
    axes.set_ylim(len(texts) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(6, min_n_ticks=3))
    return figure, axes


def _grid(n: int, height: float, journal: Journal) -> tuple[Figure, list[Axes]]:
    columns = min(n, _COLUMNS)
    rows = -(-n // columns)
    width = (journal.column if n == 1 else journal.page) / _MM
    figure = Figure(figsize=(width, height * rows + 0.3), layout="constrained")
    grid = list(np.ravel(figure.subplots(rows, columns, squeeze=False)))
    for axes in grid[n:]:
        axes.set_visible(False)
    return figure, grid[:n]


def _room(figure: Figure, n: int) -> float:
    """Return the width of a panel for its texts, in points."""
    return float(figure.get_figwidth()) * _POINTS / min(n, _COLUMNS) - 34


def _legend(figure: Figure, handles: Sequence[Any], labels: Sequence[str]) -> None:
    """Add a legend below everything, with as many columns as fit; the figure grows by its lines."""
    room = float(figure.get_figwidth()) * _POINTS - 8
    texts = [shortened(label, _SMALL, room - _HANDLE) for label in labels]
    columns = most_columns(texts, _SMALL, room, _HANDLE)
    rows = -(-len(texts) // columns)
    figure.set_figheight(float(figure.get_figheight()) + rows * _SMALL * 1.6 / _POINTS)
    figure.legend(
        list(handles), texts, loc="outside lower center", ncols=columns, handlelength=2.6, columnspacing=1.0,
        labelspacing=0.3,
    )  # fmt: skip


def _label_below(figure: Figure, axes: Axes, text: str) -> None:
    """Write the label of the x axis in the middle of the figure, where long ones have room."""
    axes.set_xlabel("")
    figure.supxlabel(wrapped(plain(text), _SIZE, float(figure.get_figwidth()) * _POINTS - 12), fontsize=_SIZE)


def _log_axis(axes: Axes, costs: Sequence[float]) -> None:
    scale = Scale(low=min(costs) / 2, high=max(costs) * 2, start=0, end=1, log=True)
    axes.set_xscale("log")
    axes.set_xlim(scale.low, scale.high)
    ticks = scale.ticks()
    ticks = ticks[:: -(-len(ticks) // 4)]
    axes.set_xticks(ticks, [tick_text(tick) for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())


def _labelled(axes: Axes, title: str, x_label: str, y_label: str, room: float) -> None:
    axes.set_title(shortened(plain(title), _SIZE, room))
    axes.set_xlabel(wrapped(plain(x_label), _SIZE, room))
    axes.set_ylabel(wrapped(plain(y_label), _SIZE, 80))


def _compared(row: Comparison, *, arms: bool) -> str:
    same = row.first.network == row.second.network
    if same:
        return f"{row.first.network}: {row.first.arm} - {row.second.arm}"
    return f"{row.first.network} - {row.second.network}" + (f" ({row.first.arm})" if arms else "")


def saved(figure: Figure, suffix: str) -> bytes:
    """Return a figure as a file, without metadata that varies between runs."""
    stream = io.BytesIO()
    _freeze(figure)
    figure.savefig(stream, format=suffix, metadata=dict(FORMATS[suffix]))
    return stream.getvalue()


def _freeze(figure: Figure) -> None:
    """Compute the layout once, and keep it for all formats."""
    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
