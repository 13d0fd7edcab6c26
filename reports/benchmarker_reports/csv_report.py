"""Leaderboards as CSV, one line for each row."""

from __future__ import annotations

import csv
import io

from benchmarker import ReportOptions, StudyResults

_FIXED = (
    "rank", "model", "variant", "architecture", "arm", "checkpoint", "environment", "backend", "precision", "seeds",
    "planned_seeds", "untrained_seeds",
)  # fmt: skip


def render(results: StudyResults, options: ReportOptions) -> str:
    """Return a leaderboard as CSV.

    Every metric and cost has the columns ``<name>_mean`` and ``<name>_standard_deviation`` (of the sample; empty for a
    single seed). ``rank`` is empty for rows that are not ranked; ``seeds`` of ``planned_seeds`` have finished,
    and ``untrained_seeds`` of them are tests of saved weights.

    Parameters
    ----------
    results : StudyResults
        What to show.
    options : ReportOptions
        How to show it.
    """
    leaderboard = results.board(options)
    names = list(dict.fromkeys(name for row in leaderboard.rows for name in (*row.metrics, *row.costs)))
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow((*_FIXED, *(f"{name}_{part}" for name in names for part in ("mean", "standard_deviation"))))
    for row in leaderboard.rows:
        fixed: list[object] = [
            row.rank, row.model, row.variant, row.architecture, row.arm, row.checkpoint, row.environment, row.backend,
            row.precision, row.n, row.planned, row.untrained,
        ]  # fmt: skip
        for name in names:
            summary = row.summary(name)
            fixed.extend((None, None) if summary is None else (summary.mean, summary.standard_deviation))
        writer.writerow(fixed)
    return stream.getvalue()
