"""The figures of a paper, drawn with matplotlib and saved in three formats; the same study gives the same bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.ticker import MaxNLocator, NullLocator

from benchmarker import Comparison, Comparisons, ComparisonTable, ReportOptions, StudyResults, figure_style
from benchmarker_reports.content.charts import PALETTE, Panel, apart
from benchmarker_reports.content.classes import Confusion
from benchmarker_reports.content.costs import CostChart
from benchmarker_reports.content.leaderboard import Line, metric_title
from benchmarker_reports.content.study_content import StudyContent
from benchmarker_reports.formats.svg import Scale, tick_text

FORMATS: Mapping[str, Mapping[str, None]] = {
    "pdf": {"CreationDate": None, "ModDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
}
"""Metadata to leave out: times, and versions that would change the bytes."""

MOST_LINES = 40
MOST_PANELS = 12
MOST_WRITTEN = 20
"""Classes of a confusion matrix whose counts are written into it: each is a text, and 355 classes have 126,025."""

MOST_TICKS = 40
_COLUMNS = 4
_INK, _FAINT = "#1c2126", "#8a929b"
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "galaxy-benchmarker",
    "pdf.fonttype": 42,
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that every machine draws the same
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e8ea",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "savefig.dpi": 200,
}


def render(results: StudyResults, options: ReportOptions) -> dict[str, bytes]:
    """Return a study's figures, each as PNG, SVG and PDF; the same study gives the same bytes.

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
        ``learning_accuracy``, ``confusion``, ``roc``, ``precision_recall``, ``calibration``, ``costs`` and
        ``fidelity``, as far as the study has what they show.
    """
    files = {}
    with figure_style(_STYLE):
        for name, figure in figures(StudyContent(results, options)).items():
            for suffix in FORMATS:
                files[f"{name}.{suffix}"] = saved(figure, suffix)
    return files


def figures(content: StudyContent) -> dict[str, Figure]:
    """Return the figures that a study has the numbers for, by name."""
    lines = [line for line in content.lines if line.estimate is not None]
    if not lines:
        return {}
    title = metric_title(content.board, content.board.sort)
    found = {"leaderboard": leaderboard_figure(lines[:MOST_LINES], title, content.level)}
    compared = content.comparisons
    if compared is not None:
        for table in compared.tables:
            if table.name in {"arms", "networks"}:
                found[f"comparisons_{table.name}"] = comparison_figure(table, compared)
    for name, panels in content.learning.items():
        found[f"learning_{name}"] = panel_figure(panels[:MOST_PANELS])
    if content.confusions:
        found["confusion"] = confusion_figure(content.confusions[:_COLUMNS])
    curves = content.probabilities
    if curves is not None:
        found["roc"] = panel_figure(curves.roc[:MOST_PANELS])
        found["precision_recall"] = panel_figure(curves.precision_recall[:MOST_PANELS])
        found["density"] = panel_figure(curves.densities[:MOST_PANELS])
        found["calibration"] = panel_figure([curves.reliability])
    if content.cost_charts:
        found["costs"] = cost_figure(content.cost_charts)
    fidelity = [panel for training in content.trainings for panel in training.fidelity]
    if fidelity:
        found["fidelity"] = panel_figure(fidelity[:MOST_PANELS])
    return found


def leaderboard_figure(lines: Sequence[Line], title: str, level: str) -> Figure:
    """Draw each line's mean with its interval, and its seeds as points."""
    figure, axes = _figure(5.6, 0.55 + 0.26 * len(lines))
    several = len({line.arm for line in lines}) > 1
    for place, line in enumerate(lines):
        estimate = line.estimate
        if estimate is not None and estimate.low is not None:
            axes.plot(estimate.ends, [place, place], color=PALETTE[0], alpha=0.35, linewidth=5)
        seeds = list(line.values.values())
        axes.plot(seeds, [place] * len(seeds), "o", color=_INK, markersize=2.4, alpha=0.7)
        if estimate is not None:
            axes.plot([estimate.mean, estimate.mean], [place - 0.3, place + 0.3], color=PALETTE[0], linewidth=2)
    _lines_down(axes, [line.name if several else line.label for line in lines])
    axes.set_xlabel(_plain(f"{title}: mean, {level} interval, seeds"))
    return figure


def comparison_figure(table: ComparisonTable, found: Comparisons) -> Figure:
    """Draw paired differences with their intervals, zero and the region of practical equivalence."""
    rows = [row for row in table.rows if row.difference is not None][:MOST_LINES]
    figure, axes = _figure(6.4, 0.7 + 0.26 * len(rows))
    if found.margin is not None:
        axes.axvspan(-found.margin, found.margin, color="#d8e6dd", linewidth=0)
    axes.axvline(0, color=_FAINT, linewidth=0.8, linestyle="--")
    for place, row in enumerate(rows):
        if row.low is not None and row.high is not None:
            axes.plot([row.low, row.high], [place, place], color=_INK, linewidth=1)
        filled: Literal["full", "none"] = "full" if row.verdict in {"better", "worse"} else "none"
        axes.plot([row.difference or 0.0], [place], "o", markersize=4, color=PALETTE[0], fillstyle=filled)
    arms = len({row.first.arm for row in rows}) > 1
    _lines_down(axes, [_compared(row, arms=arms) for row in rows])
    unit = f" [{found.unit}]" if found.unit else ""
    axes.set_xlabel(_plain(f"difference in {found.metric.replace('_', ' ')}{unit}; filled: significant"))
    return figure


def panel_figure(panels: Sequence[Panel]) -> Figure:
    """Draw panels side by side, with one legend for all."""
    figure, grid = _grid(len(panels), 1.9 if len(panels) > 1 else 3.2)
    for axes, panel in zip(grid, panels, strict=True):
        for series in panel.series:
            colour = PALETTE[series.colour % len(PALETTE)]
            style = "--" if series.dashed else "-"
            mark = "o" if len(series.x) == 1 else None
            axes.plot(series.x, series.y, style, color=colour, label=_plain(series.name), marker=mark, markersize=3)
            if series.low is not None and series.high is not None:
                axes.fill_between(series.x, series.low, series.high, color=colour, alpha=0.18, linewidth=0)
        if panel.diagonal:
            axes.plot([0, 1], [0, 1], color=_FAINT, linewidth=0.8, linestyle=":")
        if panel.x_range is not None:
            axes.set_xlim(*apart(panel.x_range))
        if panel.y_range is not None:
            axes.set_ylim(*apart(panel.y_range))
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=panel.whole))
        same = len({each.y_label for each in panels}) == 1 and axes not in grid[::_COLUMNS]
        _labelled(axes, panel.title, panel.x_label, "" if same else panel.y_label)
    handles = {label: handle for axes in grid for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    if len(handles) > 1:
        columns = min(len(handles), 2 if len(panels) == 1 else 4)
        figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=columns)
    return figure


def confusion_figure(matrices: Sequence[Confusion]) -> Figure:
    """Draw confusion matrices: counts over all seeds, shaded by the share of the true class."""
    figure, grid = _grid(len(matrices), 2.3)
    several = len({matrix.line.arm for matrix in matrices}) > 1
    for axes, matrix in zip(grid, matrices, strict=True):
        shares = matrix.shares
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        written = np.ndenumerate(shares) if len(matrix.classes) <= MOST_WRITTEN else ()
        for (row, column), share in written:
            ink = "white" if share > 0.6 else _INK
            axes.text(column, row, str(matrix.counts[row, column]), ha="center", va="center", color=ink, fontsize=7)
        ticks = range(0, len(matrix.classes), -(-len(matrix.classes) // MOST_TICKS))
        names = [_plain(matrix.classes[tick]) for tick in ticks]
        size = None if len(matrix.classes) <= MOST_WRITTEN else 4
        axes.set_xticks(ticks, names, rotation=45 if size is None else 90, ha="right", fontsize=size)
        axes.set_yticks(ticks, names, fontsize=size)
        axes.grid(visible=False)
        title = matrix.line.name if several else matrix.line.label
        _labelled(axes, title, "predicted", "true")
    return figure


def cost_figure(charts: Sequence[CostChart]) -> Figure:
    """Draw a metric against costs, with the Pareto fronts."""
    figure, grid = _grid(len(charts), 2.3)
    for axes, chart in zip(grid, charts, strict=True):
        beaten = [point for point in chart.points if not point.on_front]
        front = sorted((point for point in chart.points if point.on_front), key=lambda point: (point.cost, point.value))
        axes.plot([point.cost for point in beaten], [point.value for point in beaten], "o", color=_FAINT, markersize=3)
        axes.step(
            [point.cost for point in front],
            [point.value for point in front],
            where="post" if chart.lower_is_better else "pre",
            color=PALETTE[0],
            linestyle=":",
            marker="o",
            markersize=4,
        )
        for place, point in enumerate(front):
            # Names are written above and below their points in turn, so that neighbours do not meet.
            above = place % 2 == (len(front) - 1) % 2
            axes.annotate(
                _plain(point.label), (point.cost, point.value),
                xytext=(0, 4 if above else -4), textcoords="offset points",
                ha="center", va="bottom" if above else "top", fontsize=6.5,
            )  # fmt: skip
        _log_axis(axes, [point.cost for point in chart.points])
        axes.margins(y=0.15)
        _labelled(axes, "", chart.x_label, chart.y_label)
    return figure


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _grid(n: int, height: float) -> tuple[Figure, list[Axes]]:
    columns = min(n, _COLUMNS)
    rows = -(-n // columns)
    figure = Figure(figsize=(2.2 * columns + (1.2 if columns == 1 else 0), height * rows + 0.3), layout="constrained")
    grid = list(np.ravel(figure.subplots(rows, columns, squeeze=False)))
    for axes in grid[n:]:
        axes.set_visible(False)
    return figure, grid[:n]


def _log_axis(axes: Axes, costs: Sequence[float]) -> None:
    scale = Scale(low=min(costs) / 2, high=max(costs) * 2, start=0, end=1, log=True)
    axes.set_xscale("log")
    axes.set_xlim(scale.low, scale.high)
    ticks = scale.ticks()[-4:]
    axes.set_xticks(ticks, [tick_text(tick) for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())


def _labelled(axes: Axes, title: str, x_label: str, y_label: str) -> None:
    axes.set_title(_plain(title))
    axes.set_xlabel(_plain(x_label))
    axes.set_ylabel(_plain(y_label))


def _lines_down(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), [_plain(name) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")


def _compared(row: Comparison, *, arms: bool) -> str:
    same = row.first.network == row.second.network
    if same:
        return f"{row.first.network}: {row.first.arm} - {row.second.arm}"
    return f"{row.first.network} - {row.second.network}" + (f" ({row.first.arm})" if arms else "")


def _plain(text: str) -> str:
    """Return text on one line in which no dollar sign begins a formula; characters that the font lacks are escaped.

    Fonts of the machine would draw them, but other machines would draw other bytes.
    """
    line = "".join(c if c.isprintable() else " " for c in text)
    drawn = "".join(c if ord(c) in _glyphs() else c.encode("unicode_escape").decode() for c in line)
    return drawn.replace("$", r"\$")


@cache
def _glyphs() -> frozenset[int]:
    return frozenset(get_font(findfont("DejaVu Sans", fallback_to_default=False)).get_charmap())


def saved(figure: Figure, suffix: str) -> bytes:
    """Return a figure as a file, without metadata that varies between runs."""
    stream = io.BytesIO()
    if figure.get_layout_engine() is not None:
        # The layout is computed once and kept for the other formats.
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    figure.savefig(stream, format=suffix, metadata=dict(FORMATS[suffix]))
    return stream.getvalue()
