"""Leaderboards as tidy CSV, one line for each number: what plotting and statistics packages read best."""

from __future__ import annotations

import csv
import io

from benchmarker import Leaderboard

_HEAD = (
    "model", "variant", "architecture", "arm", "checkpoint", "environment", "backend", "precision", "seed", "metric",
    "value",
)  # fmt: skip


def render(leaderboard: Leaderboard) -> str:
    """Return each seed's value of each metric and cost as a line of CSV.

    Parameters
    ----------
    leaderboard : Leaderboard
        What to show.
    """
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_HEAD)
    for row in leaderboard.rows:
        fixed = (
            row.model, row.variant, row.architecture, row.arm, row.checkpoint, row.environment, row.backend,
            row.precision,
        )  # fmt: skip
        for name, summary in (*row.metrics.items(), *row.costs.items()):
            for seed, value in summary.values.items():
                writer.writerow((*fixed, seed, name, value))
    return stream.getvalue()
