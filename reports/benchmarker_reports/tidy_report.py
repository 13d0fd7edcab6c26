"""Leaderboards as tidy CSV, one line for each number: what plotting and statistics packages read best."""

from __future__ import annotations

import csv
import io

from benchmarker import ReportOptions, StudyResults

_HEAD = (
    "model", "variant", "architecture", "arm", "checkpoint", "environment", "backend", "precision", "seed", "metric",
    "value", "trained",
)  # fmt: skip


def render(results: StudyResults, options: ReportOptions) -> str:
    """Return each seed's value of each metric and cost as a line of CSV.

    Parameters
    ----------
    results : StudyResults
        What to show.
    options : ReportOptions
        How to show it.
    """
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_HEAD)
    for row in results.board(options).rows:
        fixed = (
            row.model, row.variant, row.architecture, row.arm, row.checkpoint, row.environment, row.backend,
            row.precision,
        )  # fmt: skip
        for name, summary in (*row.metrics.items(), *row.costs.items()):
            for seed, value in summary.values.items():
                writer.writerow((*fixed, seed, name, value, "no" if row.untrained else "yes"))
    return stream.getvalue()
