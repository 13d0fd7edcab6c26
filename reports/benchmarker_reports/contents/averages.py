"""The same values over seeds, averaged and bounded in other ways: for readers who ask whether that would matter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarker import Interval, Leaderboard, LeaderboardRow, bca_interval, interquartile_mean, t_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Averages:
    """Averages of one line of a leaderboard, of the metric that it is sorted by.

    Parameters
    ----------
    row : LeaderboardRow
        The line.
    interquartile : float
        Mean of the middle half of the seeds: of all of them where there are fewer than four.
    t, bca : Interval or None
        Of the mean, by Student's t and by the BCa bootstrap over seeds; None where there is no spread.
    """

    row: LeaderboardRow
    interquartile: float
    t: Interval | None
    bca: Interval | None

    def to_json(self) -> dict[str, Any]:
        """Return the averages with what names the line."""
        return {
            "model": self.row.model,
            "variant": self.row.variant,
            "arm": self.row.arm,
            "environment": self.row.environment,
            "untrained": self.row.untrained,
            "n": self.row.n,
            "interquartile_mean": self.interquartile,
            "t_interval": None if self.t is None else [self.t.low, self.t.high],
            "bca_interval": None if self.bca is None else [self.bca.low, self.bca.high],
        }


def averages(board: Leaderboard, confidence: float) -> tuple[Averages, ...]:
    """Return other averages of the lines at the board's first checkpoint that have two or more seeds.

    Parameters
    ----------
    board : Leaderboard
        Whose sorted metric is averaged.
    confidence : float
        Level of intervals, between 0 and 1.
    """
    found = []
    for row in board.at(board.checkpoints[0]):
        summary = row.summary(board.sort)
        if summary is None or summary.n < 2:
            continue
        values = list(summary.values.values())
        found.append(
            Averages(
                row=row,
                interquartile=interquartile_mean(values),
                t=t_interval(values, confidence),
                bca=bca_interval(values, level=confidence),
            )
        )
    return tuple(found)
