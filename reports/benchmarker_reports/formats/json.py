"""Leaderboards as JSON: numbers read back are exactly those that were written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from benchmarker import FailedCell, LeaderboardRow, ReportOptions, StudyResults, Summary
from benchmarker_reports.content.ensembles import EnsembleLine
from benchmarker_reports.content.leaderboard import Averages
from benchmarker_reports.content.study_content import StudyContent

FORMAT = 2
"""Raised when keys change their names or meanings; new keys leave it as it is."""


def render(results: StudyResults, options: ReportOptions) -> str:
    """Return the leaderboard and what is beside it as indented JSON.

    Parameters
    ----------
    results : StudyResults
        The study.
    options : ReportOptions
        Choices of whoever asked for the report.

    Returns
    -------
    str
        An object with ``message``, ``rows``, ``failed``, ``notes``, the numbers of ``cells``, and, as far as the study
        has them, ``comparisons``, ``pareto``, ``generators``, ``published``, ``averages``, ``ensembles`` and ``prior``.
    """
    content = StudyContent(results, options)
    board = content.board
    value = {
        "format": FORMAT,
        "title": board.title,
        "dataset": {"name": board.dataset, "images": board.images, "skipped": board.skipped},
        "task": board.task.to_json(),
        "primary": board.primary,
        "sort": {"metric": board.sort, "higher_is_better": board.higher_is_better},
        "cells": {
            "planned": board.planned,
            "ok": board.ok,
            "failed": len(board.failed),
            "pending": board.pending,
        },
        "message": list(content.messages),
        "rows": [_row(row, content) for row in board.rows],
        "failed": [_failed(cell) for cell in board.failed],
        "notes": list(board.notes),
        **_beside(content),
    }
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _beside(content: StudyContent) -> dict[str, Any]:
    """Return what is beside the leaderboard, without what the study does not have."""
    found: dict[str, Any] = {
        "comparisons": content.comparisons.to_json() if content.comparisons is not None else None,
        "pareto": [
            {
                "model": each.line.first.model,
                "variant": each.line.first.variant,
                "arm": each.line.arm,
                "costs": list(each.costs),
            }
            for each in content.pareto
        ],
        "generators": [asdict(each) for each in content.quality],
        "published": [each.to_json() for each in content.published],
        "averages": [_averages(each) for each in content.averages],
        "ensembles": [_ensemble(each, content) for each in content.ensembles],
        "prior": None if content.prior is None else asdict(content.prior),
    }
    return {name: value for name, value in found.items() if value}


def _row(row: LeaderboardRow, content: StudyContent) -> dict[str, Any]:
    line = next((each for each in content.lines if each.first is row), None)
    known = content.calibrations.get((row.label, row.arm, row.checkpoint))
    return {
        "rank": row.rank,
        "ranks_in_arm": None if line is None or line.ranks is None else [line.ranks.first, line.ranks.last],
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
        "probabilities": None if known is None else known.to_json(),
        "costs": _summaries(row.costs),
    }


def _ensemble(each: EnsembleLine, content: StudyContent) -> dict[str, Any]:
    """Return the rows of an ensemble by checkpoint, its interval, and its gain over its members."""
    line, combination = each.line, each.line.first.ensemble
    return {
        **({} if combination is None else asdict(combination)),
        "rows": [_row(row, content) for row in line.rows.values()],
        "interval": None if line.estimate is None else [line.estimate.low, line.estimate.high],
        "gain": None if each.gain is None else asdict(each.gain),
    }


def _failed(cell: FailedCell) -> dict[str, Any]:
    return {"model": cell.model, "arm": cell.arm, "seed": cell.seed, "kind": cell.kind, "message": cell.message}


def _averages(each: Averages) -> dict[str, Any]:
    row = each.line.first
    return {
        "model": row.model,
        "variant": row.variant,
        "arm": row.arm,
        "environment": row.environment,
        "untrained": row.untrained,
        "n": row.n,
        "interquartile_mean": each.interquartile_mean,
        "t_interval": None if each.t is None else [each.t.low, each.t.high],
        "bca_interval": None if each.bca is None else [each.bca.low, each.bca.high],
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
