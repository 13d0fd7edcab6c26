"""Accuracy against cost, as lines of text: what no other line of the leaderboard beats in both."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarker import Leaderboard, LeaderboardRow


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontLine:
    """A line of the leaderboard that stands on a Pareto front.

    Parameters
    ----------
    row : LeaderboardRow
        The line.
    fronts : tuple of str
        Costs against which it does: no other line is at least as good at no more cost, and better in one of them.
    """

    row: LeaderboardRow
    fronts: tuple[str, ...]


def front_lines(board: Leaderboard) -> tuple[FrontLine, ...]:
    """Return the lines that are on the front of the sorted metric against parameters, FLOPs or images per second.

    Parameters
    ----------
    board : Leaderboard
        Whose first checkpoint is looked at.

    Returns
    -------
    tuple of FrontLine
        In the order of the board; none where fewer than two lines have results, or the board is sorted by a cost.
    """
    from benchmarker import PARETO_COSTS, pareto_front

    rows = [row for row in board.at(board.checkpoints[0]) if row.metrics.get(board.sort) is not None]
    if len(rows) < 2:
        return ()
    found: dict[int, list[str]] = {}
    for name, more_is_better in PARETO_COSTS.items():
        # What was not measured is no number, and never on a front.
        table = [[row.metrics[board.sort].mean, _mean(row, name)] for row in rows]
        for place, on in enumerate(pareto_front(table, higher_is_better=[board.higher_is_better, more_is_better])):
            if on:
                found.setdefault(place, []).append(name)
    return tuple(FrontLine(row=rows[place], fronts=tuple(found[place])) for place in sorted(found))


def _mean(row: LeaderboardRow, name: str) -> float:
    cost = row.costs.get(name)
    return float("nan") if cost is None else cost.mean
