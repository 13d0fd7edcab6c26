"""Ensembles: unranked lines below the leaderboard, and what each gains over its members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarker import Leaderboard, LeaderboardRow, StudyResults, metric_label
from benchmarker_reports.content.leaderboard import Line
from benchmarker_reports.content.values import Estimate, signed_as, t_estimate

if TYPE_CHECKING:
    from benchmarker import Ensemble, Interval

_UNRANKED = "Ensembles combine the predictions of several runs; they have no rank and no verdicts."
_ONE_NUMBER = (
    "n in 1: n runs that differ in their seeds make one prediction, so there is no spread over seeds. Its interval "
    "covers the chance of the test sources alone, for these members."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsembleLine:
    """An ensemble as a line below the leaderboard.

    Parameters
    ----------
    line : Line
        Its metrics at each checkpoint, and costs.
    gain : Interval or None
        The sorted metric minus the mean of the members, for other test sources; None where it is not known.
    """

    line: Line
    gain: Interval | None

    def written_gain(self, metric: str) -> tuple[str, str]:
        """Return the gain, and its interval, as tables show them."""
        if self.gain is None:
            return "-", "-"
        value, low, high = (signed_as(metric, each) for each in (self.gain.value, self.gain.low, self.gain.high))
        return value, f"[{low}, {high}]"


def ensemble_lines(results: StudyResults, board: Leaderboard, confidence: float) -> tuple[EnsembleLine, ...]:
    """Return the ensembles of a study, the best first; those without the sorted metric come last.

    Parameters
    ----------
    results : StudyResults
    board : Leaderboard
        The leaderboard that the lines are shown below.
    confidence : float
        Level of the intervals, between 0 and 1.
    """
    from benchmarker import find_ensembles

    joined: dict[tuple[str, ...], dict[str, Ensemble]] = {}
    for checkpoint in board.checkpoints:
        for ensemble in find_ensembles(results, checkpoint):
            row = ensemble.row
            key = (row.label, row.arm, row.environment, row.backend, row.precision, "-o" if row.untrained else "")
            joined.setdefault(key, {})[checkpoint] = ensemble
    lines = []
    for found in joined.values():
        first = next(iter(found.values()))
        rows = {checkpoint: each.row for checkpoint, each in found.items()}
        summary = first.row.summary(board.sort)
        line = Line(rows=rows, summary=summary, estimate=_estimate(first, results, board.sort, confidence))
        lines.append(EnsembleLine(line=line, gain=_gain(first, results, board.sort, confidence)))
    sign = -1 if board.higher_is_better else 1
    return tuple(sorted(lines, key=lambda each: _place(each.line.first, board.sort, sign)))


def ensemble_notes(lines: Sequence[EnsembleLine]) -> tuple[str, ...]:
    """Return what readers of a table with these ensembles must know."""
    if not lines:
        return ()
    rows = (each.line.first for each in lines)
    alone = any(row.ensemble is not None and row.ensemble.over != "networks" for row in rows)
    return (_UNRANKED, _ONE_NUMBER) if alone else (_UNRANKED,)


def gain_title(metric: str) -> str:
    """Return the heading of the column of gains."""
    return f"{metric_label(metric).short} minus the members' mean"


def _place(row: LeaderboardRow, metric: str, sign: int) -> tuple[bool, float, str, str]:
    summary = row.summary(metric)
    return summary is None, 0.0 if summary is None else sign * summary.mean, row.label, row.arm


def _estimate(ensemble: Ensemble, results: StudyResults, metric: str, confidence: float) -> Estimate | None:
    """Return the mean over seeds, or a single value, with an interval that covers other test sources if possible."""
    from benchmarker import ensemble_interval

    interval = ensemble_interval(ensemble, results.task, metric, confidence)
    if interval is None:
        return t_estimate(ensemble.row.summary(metric), confidence)
    return Estimate(mean=interval.value, low=interval.low, high=interval.high, covers_sources=True)


def _gain(ensemble: Ensemble, results: StudyResults, metric: str, confidence: float) -> Interval | None:
    # Imported late, because `benchmarker leaderboard` of a single run does without scipy.
    from benchmarker import ensemble_gain

    return ensemble_gain(ensemble, results.task, metric, confidence)
