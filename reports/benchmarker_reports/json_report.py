"""Leaderboards as JSON: numbers read back are the numbers that were written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from benchmarker import Leaderboard, LeaderboardRow, ReportOptions, StudyResults, Summary
from benchmarker_reports.facts import MOST_COMPARED, gather

FORMAT = 1


def render(results: StudyResults, options: ReportOptions) -> str:
    """Return a leaderboard as indented JSON.

    Parameters
    ----------
    results : StudyResults
        What to show.
    options : ReportOptions
        How to show it.

    Returns
    -------
    str
        An object with ``rows``, ``failed``, ``notes``, the counts ``ok``, ``failed``, ``pending`` and ``planned``, and,
        where there is something to say, ``comparisons``, ``fronts``, ``generators``,
        ``yardsticks`` and ``averages``.
    """
    facts = gather(results, options)
    leaderboard = facts.board
    value = {
        "format": FORMAT,
        "title": leaderboard.title,
        "dataset": {"name": leaderboard.dataset, "images": leaderboard.images, "skipped": leaderboard.skipped},
        "task": dict(leaderboard.task),
        "primary": leaderboard.primary,
        "sort": {"metric": leaderboard.sort, "higher_is_better": leaderboard.higher_is_better},
        "cells": {
            "planned": leaderboard.planned,
            "ok": leaderboard.ok,
            "failed": len(leaderboard.failed),
            "pending": leaderboard.pending,
        },
        "rows": [_row(row) for row in leaderboard.rows],
        "failed": [
            {"model": cell.model, "arm": cell.arm, "seed": cell.seed, "kind": cell.kind, "message": cell.message}
            for cell in leaderboard.failed
        ],
        "notes": list(leaderboard.notes),
        **facts.to_json(),
        **_averages(leaderboard, options),
    }
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _averages(board: Leaderboard, options: ReportOptions) -> dict[str, Any]:
    from benchmarker_reports.contents.averages import averages

    # Bootstraps of a thousand lines take long, and few look at them.
    found = averages(board, options.confidence) if len(board.at(options.checkpoint)) <= MOST_COMPARED else ()
    return {"averages": [each.to_json() for each in found]} if found else {}


def _row(row: LeaderboardRow) -> dict[str, Any]:
    return {
        "rank": row.rank,
        "model": row.model,
        "variant": row.variant,
        "architecture": row.architecture,
        "arm": row.arm,
        "checkpoint": row.checkpoint,
        "environment": row.environment,
        "backend": row.backend,
        "precision": row.precision,
        "n": row.n,
        "planned": row.planned,
        "complete": row.complete,
        "untrained": row.untrained,
        "keys": list(row.keys),
        "metrics": _summaries(row.metrics),
        "costs": _summaries(row.costs),
    }


def _summaries(summaries: Mapping[str, Summary]) -> dict[str, Any]:
    return {
        name: {
            "mean": summary.mean,
            "standard_deviation": summary.standard_deviation,
            "n": summary.n,
            "values": {str(seed): value for seed, value in summary.values.items()},
        }
        for name, summary in summaries.items()
    }
