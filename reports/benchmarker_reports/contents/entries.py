"""The lines of a leaderboard with their intervals, costs and runs, and what is counted from their metrics alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarker import (
    PARETO_COSTS,
    Leaderboard,
    LeaderboardRow,
    ReportOptions,
    StudyResults,
    Summary,
    metric_label,
    pareto_front,
    write_summary,
)
from benchmarker_reports.bars import t_span
from benchmarker_reports.contents.model import Confusion, CostChart, CostPoint, Entry, PerClass, Value

SCORES = ("precision", "recall", "f1")


def entries(results: StudyResults, options: ReportOptions) -> tuple[Entry, ...]:
    """Return the lines of the leaderboard at the report's checkpoint, in its order.

    Parameters
    ----------
    results : StudyResults
        What to show.
    options : ReportOptions
        The checkpoint, the metric to sort by, and the level of intervals.
    """
    board = results.board(options)
    others = {
        other: {_identity(row): row for row in board.at(other)}
        for other in board.checkpoints
        if other != options.checkpoint
    }
    return tuple(_entry(results, board, row, options, others) for row in board.at(options.checkpoint))


def value_of(name: str, summary: Summary | None) -> Value:
    """Return a summary as a table's value."""
    return Value(text=write_summary(name, summary), sort=None if summary is None else summary.mean)


def confusions(results: StudyResults, lines: Sequence[Entry], checkpoint: str) -> tuple[Confusion, ...]:
    """Return the confusion matrices of entries, summed over their seeds; none for a regression."""
    found = []
    for entry in lines:
        counts = results.confusion(entry.runs, checkpoint) if entry.runs else None
        if counts is not None:
            found.append(
                Confusion(label=entry.label, arm=entry.arm, classes=results.classes, counts=counts, seeds=entry.n)
            )
    return tuple(found)


def per_class(results: StudyResults, lines: Sequence[Entry], checkpoint: str) -> tuple[PerClass, ...]:
    """Return precision, recall and F1 of each class for entries; none for a regression."""
    found = []
    for entry in lines:
        scores: dict[str, dict[str, Summary]] = {}
        for name in results.classes:
            values = {
                score: {run.seed: run.evaluations[checkpoint][f"{score}_{name}"] for run in entry.runs
                        if f"{score}_{name}" in run.evaluations.get(checkpoint, {})}
                for score in SCORES
            }  # fmt: skip
            if all(values.values()):
                scores[name] = {score: Summary.of(each, planned=entry.planned) for score, each in values.items()}
        if scores:
            found.append(PerClass(label=entry.label, arm=entry.arm, number=entry.number, scores=scores))
    return tuple(found)


def cost_charts(board: Leaderboard, lines: Sequence[Entry]) -> tuple[CostChart, ...]:
    """Return the metric that the board is sorted by against each cost; costs that nobody measured are left out."""
    charts = []
    for name, more_is_better in PARETO_COSTS.items():
        short = metric_label(name).short
        points = [
            (entry, cost, entry.mean)
            for entry in lines
            if entry.mean is not None and (cost := entry.cells[short].sort) is not None and cost > 0
        ]
        if points:
            table = [(cost, value) for _, cost, value in points]
            front = pareto_front(table, higher_is_better=[more_is_better, board.higher_is_better])
            charts.append(_chart(board, name, points, front.tolist()))
    return tuple(charts)


def _chart(
    board: Leaderboard, name: str, points: Sequence[tuple[Entry, float, float]], front: Sequence[bool]
) -> CostChart:
    several = len({entry.arm for entry, _, _ in points}) > 1
    return CostChart(
        name=name,
        title=f"{metric_head(board)} against {metric_label(name).short}",
        x_label=metric_label(name).long,
        y_label=metric_head(board),
        points=tuple(
            CostPoint(
                label=f"{entry.label} / {entry.arm}" if several else entry.label,
                number=entry.number,
                cost=cost,
                value=value,
                front=on_front,
            )
            for (entry, cost, value), on_front in zip(points, front, strict=True)
        ),
        lower=not PARETO_COSTS[name],
    )


def metric_head(board: Leaderboard) -> str:
    """Return the metric that a board is sorted by, with its unit."""
    unit = board.unit(board.sort)
    return metric_label(board.sort).short + (f" [{unit}]" if unit else "")


def _entry(
    results: StudyResults,
    board: Leaderboard,
    row: LeaderboardRow,
    options: ReportOptions,
    others: Mapping[str, Mapping[tuple[str, ...], LeaderboardRow]],
) -> Entry:
    summary = row.summary(board.sort)
    span = t_span(summary, options.confidence) if summary is not None and summary.n > 1 else None
    cells = {metric_head(board): value_of(board.sort, summary)}
    for other, rows in others.items():
        twin = rows.get(_identity(row))
        if twin is not None:
            cells[f"{metric_label(board.primary).short} ({other})"] = value_of(
                board.primary, twin.metrics.get(board.primary)
            )
    for name in board.headline_metrics:
        if name != board.sort:
            cells[metric_label(name).short] = value_of(name, row.metrics.get(name))
    for name in (*PARETO_COSTS, "training_seconds"):
        cost = row.costs.get(name)
        text = "-" if cost is None else metric_label(name).write(cost.mean)
        cells[metric_label(name).short] = Value(text=text, sort=None if cost is None else cost.mean)
    return Entry(
        rank=row.rank,
        label=row.label,
        arm=row.arm,
        n=row.n,
        planned=row.planned,
        mean=None if summary is None else summary.mean,
        low=None if span is None else span.low,
        high=None if span is None else span.high,
        values={} if summary is None else summary.values,
        cells=cells,
        runs=results.cells_of(row),
        untrained=row.untrained,
    )


def _identity(row: LeaderboardRow) -> tuple[str, ...]:
    """Return what a row has in common with its twin at another checkpoint."""
    return (row.label, row.arm, row.backend, row.precision)
