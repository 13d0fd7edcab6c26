"""A metric against costs: the lines that no other line beats in both, as a list and as charts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarker import Leaderboard, metric_label
from benchmarker_reports.content.leaderboard import Line, metric_title

TIMING_NOISE = 0.02
"""Relative difference between two timings of the same network that a quiet machine shows; seeds may show more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParetoLine:
    """A line of the leaderboard on a Pareto front.

    Parameters
    ----------
    line : Line
    costs : tuple of str
        Costs on whose front it is: no other line is at least as good at no higher cost, and better in one of them.
    """

    line: Line
    costs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CostPoint:
    """One line of the leaderboard in a chart of the metric against a cost."""

    label: str
    number: str
    cost: float
    value: float
    on_front: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CostChart:
    """The metric against a cost.

    Parameters
    ----------
    title, x_label, y_label : str
    points : tuple of CostPoint
    lower_is_better : bool
        Of the cost.
    """

    title: str
    x_label: str
    y_label: str
    points: tuple[CostPoint, ...]
    lower_is_better: bool = True


def pareto_lines(board: Leaderboard, lines: Sequence[Line]) -> tuple[ParetoLine, ...]:
    """Return the lines on the front of the sorted metric against parameters, FLOPs or images per second.

    Parameters
    ----------
    board : Leaderboard
    lines : sequence of Line
        Lines of the board.

    Returns
    -------
    tuple of ParetoLine
        Ranked lines in the order of the board; empty where fewer than two are ranked, or the board is sorted by a cost.
    """
    from benchmarker import PARETO_COSTS, pareto_front

    measured = [line for line in lines if board.sort in line.first.metrics and line.first.rank is not None]
    if len(measured) < 2:
        return ()
    found: dict[int, list[str]] = {}
    for name, more_is_better in PARETO_COSTS.items():
        # A cost that was not measured is NaN, which is never on a front.
        table = [[line.first.metrics[board.sort].mean, _cost(line, name)] for line in measured]
        noise = [[0.0, _noise(line, name)] for line in measured]
        front = pareto_front(table, higher_is_better=[board.higher_is_better, more_is_better], noise=noise)
        for place, on_front in enumerate(front):
            if on_front:
                found.setdefault(place, []).append(name)
    return tuple(ParetoLine(line=measured[place], costs=tuple(found[place])) for place in sorted(found))


def cost_charts(board: Leaderboard, lines: Sequence[Line]) -> tuple[CostChart, ...]:
    """Return a chart of the sorted metric against each cost; costs that were not measured are left out."""
    from benchmarker import PARETO_COSTS, pareto_front

    several_arms = len({line.arm for line in lines}) > 1
    charts = []
    for name, more_is_better in PARETO_COSTS.items():
        shown = [line for line in lines if line.summary is not None and _cost(line, name) > 0]
        if not shown:
            continue
        table = [(_cost(line, name), line.summary.mean if line.summary else math.nan) for line in shown]
        ranked = [line.first.rank is not None for line in shown]
        candidates = [row if known else (math.nan, math.nan) for row, known in zip(table, ranked, strict=True)]
        noise = [(_noise(line, name), 0.0) for line in shown]
        directions = [more_is_better, board.higher_is_better]
        front = pareto_front(candidates, higher_is_better=directions, noise=noise).tolist()
        points = tuple(
            CostPoint(
                label=line.name if several_arms else line.label,
                number=line.number,
                cost=cost,
                value=value,
                on_front=on_front,
            )
            for line, (cost, value), on_front in zip(shown, table, front, strict=True)
        )
        title = metric_title(board, board.sort)
        charts.append(
            CostChart(
                title=f"{title} against {metric_label(name).short}",
                x_label=metric_label(name).long,
                y_label=title,
                points=points,
                lower_is_better=not more_is_better,
            )
        )
    return tuple(charts)


def _noise(line: Line, name: str) -> float:
    """Return how far apart two measurements of a cost may be by chance: 0 for counts, which are exact."""
    summary = line.first.costs.get(name)
    if summary is None or not name.endswith("per_second"):
        return 0.0
    return max(summary.standard_deviation or 0.0, TIMING_NOISE * summary.mean)


def _cost(line: Line, name: str) -> float:
    summary = line.first.costs.get(name)
    return math.nan if summary is None else summary.mean
