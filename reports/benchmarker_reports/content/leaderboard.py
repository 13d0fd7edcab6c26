"""The leaderboard: one line for each network in each arm, the columns of its table, and what its signs mean.

To add a column to every format that shows a table, add it to `columns`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarker import CellRecord, Leaderboard, LeaderboardRow, StudyResults, Summary, metric_label
from benchmarker_reports.content.values import (
    CHECKPOINTS,
    Estimate,
    Value,
    marked_seeds,
    mean_value,
    sentence,
    summary_value,
    t_estimate,
)

if TYPE_CHECKING:
    from benchmarker import Comparisons, Interval, MeanScore, RankRange

_COSTS = {"parameters": 3, "inference_images_per_second": 4, "flops": 5}
"""Costs that tables show, and how early each leaves a narrow one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One network in one arm.

    Parameters
    ----------
    rows : mapping of str to LeaderboardRow
        Its row at each checkpoint; the first one gives rank and order.
    summary : Summary or None
        The metric that the table is sorted by, over seeds; None without a finished seed.
    estimate : Estimate or None
        Mean and interval of that metric.
    ranks : RankRange or None
        Ranks that the line may have among the ranked networks of its arm, or among the arms of the only network; None
        where it is not ranked or was not compared.
    runs : tuple of CellRecord
        Finished runs, in the order of their seeds.
    """

    rows: Mapping[str, LeaderboardRow]
    summary: Summary | None
    estimate: Estimate | None
    ranks: RankRange | None = None
    runs: tuple[CellRecord, ...] = ()

    @property
    def first(self) -> LeaderboardRow:
        """The row at the first checkpoint."""
        return next(iter(self.rows.values()))

    @property
    def label(self) -> str:
        """The network, with what distinguishes it from another of the same name."""
        return self.first.label

    @property
    def arm(self) -> str:
        """The arm that it was trained in."""
        return self.first.arm

    @property
    def name(self) -> str:
        """Network and arm in one."""
        return f"{self.label} / {self.arm}"

    @property
    def number(self) -> str:
        """The rank or its range, or a dash."""
        return "-" if self.first.rank is None else str(self.ranks or self.first.rank)

    @property
    def seeds(self) -> str:
        """Finished and planned seeds, marked where they differ and where saved weights were tested."""
        ensemble = self.first.ensemble
        if ensemble is not None and ensemble.over != "networks":
            return f"{ensemble.size} in 1{'' if ensemble.size == ensemble.planned else '*'}"
        return marked_seeds(self.first.n, self.first.planned, self.first.untrained)

    @property
    def values(self) -> Mapping[int, float]:
        """The value of each seed."""
        return {} if self.summary is None else self.summary.values


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of the leaderboard.

    Parameters
    ----------
    name : str
        Flat name of the metric or cost, or ``"rank"``, ``"model"``, ``"arm"`` or ``"seeds"``.
    title : str
        Heading.
    cell : callable
        Returns the cell of a line.
    checkpoint : str
        ``"best"`` or ``"final"``; empty for a column that does not depend on it.
    numeric : bool
        Whether cells are aligned to the right.
    measured : bool
        Whether the column shows a metric or a cost.
    drop : int
        Columns with the highest number are the first to leave a narrow table; those with 0 stay.
    """

    name: str
    title: str
    cell: Callable[[Line], Value]
    checkpoint: str = ""
    numeric: bool = True
    measured: bool = False
    drop: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Averages:
    """Other averages of a line, for readers who ask whether the choice matters.

    Parameters
    ----------
    line : Line
    interquartile_mean : float
        Mean of the middle half of the seeds; of all where there are fewer than four.
    t, bca : Interval or None
        Intervals of the mean by Student's t and by the BCa bootstrap over seeds; None where the seeds do not differ.
    """

    line: Line
    interquartile_mean: float
    t: Interval | None
    bca: Interval | None


def build_lines(
    results: StudyResults, board: Leaderboard, confidence: float, compared: Comparisons | None = None
) -> tuple[Line, ...]:
    """Join the rows of each network and arm at all checkpoints, in the order of the first checkpoint.

    Parameters
    ----------
    results : StudyResults
        The study that the board was made from.
    board : Leaderboard
    confidence : float
        Level of the intervals, between 0 and 1.
    compared : Comparisons, optional
        Comparisons of the study, which tell which ranks a line may have, and how well its mean is known. Without them,
        intervals cover other seeds alone.
    """
    joined: dict[tuple[str, ...], dict[str, LeaderboardRow]] = {}
    for row in board.rows:
        key = (row.label, row.model, row.arm, row.variant, row.environment, row.backend, row.precision)
        joined.setdefault(key, {})[row.checkpoint] = row
    same = compared is not None and compared.metric == board.sort
    ranks = _ranks([next(iter(rows.values())) for rows in joined.values()], compared) if compared and same else {}
    lines = []
    for rows in joined.values():
        first = next(iter(rows.values()))
        summary = first.summary(board.sort)
        known = compared.mean(first.label, first.arm) if compared and same else None
        lines.append(
            Line(
                rows=rows,
                summary=summary,
                estimate=_estimate(summary, known, confidence),
                ranks=ranks.get((first.label, first.arm)),
                runs=results.cells_of(first),
            )
        )
    return tuple(lines)


def _estimate(summary: Summary | None, known: MeanScore | None, confidence: float) -> Estimate | None:
    if summary is not None and known is not None and known.covers_sources:
        return Estimate(mean=summary.mean, low=known.low, high=known.high, covers_sources=True)
    return t_estimate(summary, confidence)


def _ranks(rows: Sequence[LeaderboardRow], compared: Comparisons) -> Mapping[tuple[str, str], RankRange]:
    names = list(dict.fromkeys(row.label for row in rows))
    if len(names) == 1:
        arms = [row.arm for row in rows if row.rank is not None]
        return {(names[0], arm): ranks for arm, ranks in compared.ranks_of_arms(arms).items()}
    found: dict[tuple[str, str], RankRange] = {}
    for arm in dict.fromkeys(row.arm for row in rows):
        ranked = [row.label for row in rows if row.arm == arm and row.rank is not None]
        found |= {(name, arm): ranks for name, ranks in compared.ranks(arm, ranked).items()}
    return found


def columns(board: Leaderboard, *, in_arm: bool = False) -> tuple[Column, ...]:
    """Return the columns of the leaderboard, the most important ones first.

    Parameters
    ----------
    board : Leaderboard
    in_arm : bool
        Whether ranks are those among the networks of an arm.
    """
    found = [
        Column(name="rank", title="in arm" if in_arm else "#", cell=_rank),
        Column(name="model", title="model", cell=lambda line: Value(text=line.label), numeric=False),
    ]
    if {row.arm for row in board.rows} - {"real"}:
        found.append(Column(name="arm", title="arm", cell=lambda line: Value(text=line.arm), numeric=False))
    first = board.checkpoints[0] if board.checkpoints else ""
    if board.sort != board.primary and any(board.sort in row.metrics for row in board.rows):
        found.append(_metric(board, board.sort, first))
    found.extend(
        _metric(board, board.primary, checkpoint, drop=0 if checkpoint == first else 1)
        for checkpoint in board.checkpoints
    )
    found.extend(
        _metric(board, name, first, drop=2)
        for name in board.headline_metrics
        if name not in {board.sort, board.primary}
    )
    found.append(
        Column(name="seeds", title="seeds", cell=lambda line: Value(text=line.seeds, sort=float(line.first.n)))
    )
    found.extend(_cost(name, 0 if name == board.sort else drop) for name, drop in _COSTS.items())
    if board.sort not in _COSTS and any(board.sort in row.costs for row in board.rows):
        found.append(_cost(board.sort, 0))
    return tuple(found)


def page_columns(board: Leaderboard) -> tuple[Column, ...]:
    """Return the metrics and costs that a page has room for, the one that the board is sorted by first."""
    measured = [column for column in columns(board) if column.measured]
    if board.sort != "training_seconds":
        measured.append(_cost("training_seconds", 0))
    at = {"", *board.checkpoints[:1]}
    return tuple(sorted(measured, key=lambda column: column.name != board.sort or column.checkpoint not in at))


def metric_title(board: Leaderboard, metric: str) -> str:
    """Return the short name of a metric, with its unit."""
    unit = board.unit(metric)
    return metric_label(metric).short + (f" [{unit}]" if unit else "")


def footnotes(board: Leaderboard, lines: Sequence[Line] = (), *, in_arm: bool = False) -> tuple[str, ...]:
    """Return what the signs in the table mean; only those that it has.

    Parameters
    ----------
    board : Leaderboard
    lines : sequence of Line
        Lines of the board.
    in_arm : bool
        Whether ranks are those among the networks of an arm.
    """
    shown = "; ".join(f"{name}: {CHECKPOINTS[name]}" for name in board.checkpoints if name in CHECKPOINTS)
    at = f" ({board.checkpoints[0]})" if len(board.checkpoints) > 1 else ""
    notes = [
        f"Mean ± sample standard deviation over seeds. {sentence(shown)}.",
        f"Sorted by {metric_label(board.sort).long}{at}.",
    ]
    if any(line.ranks is not None and line.ranks.first < line.ranks.last for line in lines):
        what = "In arm: ranks among the networks of the arm" if in_arm else "#: ranks"
        notes.append(f"{what}; a range where they are not told apart.")
    if any(not row.complete for row in board.rows):
        ranked = any(row.rank is not None and not row.complete for row in board.rows)
        notes.append(
            "* Fewer seeds finished than planned; ranked because --include-incomplete was given."
            if ranked
            else "* Fewer seeds finished than planned; not ranked (--include-incomplete ranks these rows)."
        )
    if any(row.untrained for row in board.rows):
        notes.append("-o: saved weights were tested; how they were trained is unknown, so they have separate rows.")
    if any(row.environment for row in board.rows):
        notes.append("[...]: runs of one environment. Results of different environments are never averaged.")
    return tuple(notes)


def averages(lines: Sequence[Line], confidence: float) -> tuple[Averages, ...]:
    """Return other averages of the lines that have two or more seeds.

    Parameters
    ----------
    lines : sequence of Line
    confidence : float
        Level of the intervals, between 0 and 1.
    """
    from benchmarker import bca_interval, interquartile_mean, t_interval

    found = []
    for line in lines:
        values = list(line.values.values())
        if len(values) > 1:
            found.append(
                Averages(
                    line=line,
                    interquartile_mean=interquartile_mean(values),
                    t=t_interval(values, confidence),
                    bca=bca_interval(values, level=confidence),
                )
            )
    return tuple(found)


def _rank(line: Line) -> Value:
    rank = line.first.rank
    return Value(text=line.number, sort=None if rank is None else float(rank))


def _metric(board: Leaderboard, name: str, checkpoint: str, drop: int = 0) -> Column:
    def cell(line: Line) -> Value:
        row = line.rows.get(checkpoint)
        return summary_value(name, row.metrics.get(name) if row else None)

    title = metric_title(board, name)
    return Column(name=name, title=title, cell=cell, checkpoint=checkpoint, measured=True, drop=drop)


def _cost(name: str, drop: int) -> Column:
    def cell(line: Line) -> Value:
        return mean_value(name, line.first.costs.get(name))

    return Column(name=name, title=metric_label(name).short, cell=cell, measured=True, drop=drop)
