"""Leaderboards as CSV: one line for each row, or, tidy, one line for each number."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from benchmarker import Leaderboard, LeaderboardRow, ReportOptions, StudyResults, table_cell
from benchmarker_reports.content.probabilities import CALIBRATION_NAMES
from benchmarker_reports.content.study_content import StudyContent

_NAMES = ("model", "variant", "architecture", "arm", "checkpoint", "environment", "backend", "precision")


def render(results: StudyResults, options: ReportOptions) -> str:
    """Return the leaderboard as CSV, one line for each model, arm and checkpoint.

    Every metric and cost has the columns ``<name>_mean`` and ``<name>_standard_deviation`` (of the sample; empty for a
    single seed), and there are four scores of probabilities, means over seeds. ``rank`` is empty for rows that are not
    ranked; ``seeds`` of ``planned_seeds`` have finished, and ``untrained_seeds`` of them are tests of saved weights.
    Rows of ensembles have their name in ``ensemble`` and the number of combined runs in ``members``; both are empty for
    networks.

    Parameters
    ----------
    results : StudyResults
        The study.
    options : ReportOptions
        Choices of whoever asked for the report.
    """
    return _written(_wide(StudyContent(results, options)))


def render_tidy(results: StudyResults, options: ReportOptions) -> str:
    """Return each seed's value of each metric and cost as a line of CSV: what statistics packages read best.

    Parameters
    ----------
    results : StudyResults
        The study.
    options : ReportOptions
        Choices of whoever asked for the report.
    """
    return _written(_tidy(results.board(options)))


def render_comparisons(results: StudyResults, options: ReportOptions) -> str:
    """Return every comparison of the study as a line of CSV, with differences, intervals, p-values and verdicts.

    ``low_adjusted`` and ``high_adjusted`` are the interval that agrees with the verdict, after correction for all
    comparisons of the table; ``low`` and ``high`` are that of the comparison alone.

    Parameters
    ----------
    results : StudyResults
        The study.
    options : ReportOptions
        Choices of whoever asked for the report.
    """
    found = StudyContent(results, options).comparisons
    if found is None or not found.tables:
        return _written([("table",)])
    frame = found.frame()
    rows = frame.astype(object).where(frame.notna(), None)
    return _written([tuple(frame.columns), *rows.itertuples(index=False, name=None)])


def _wide(content: StudyContent) -> Iterator[Iterable[object]]:
    ensembles = (row for each in content.ensembles for row in each.line.rows.values())
    rows = (*content.board.rows, *ensembles)
    metrics = list(dict.fromkeys(name for row in rows for name in (*row.metrics, *row.costs)))
    parts = (f"{name}_{part}" for name in metrics for part in ("mean", "standard_deviation"))
    scores = CALIBRATION_NAMES if content.calibrations else ()
    yield ("rank", *_NAMES, "seeds", "planned_seeds", "untrained_seeds", "ensemble", "members", *parts, *scores)
    for row in rows:
        kind = ("", None) if row.ensemble is None else (row.ensemble.label, row.ensemble.size)
        cells: list[object] = [row.rank, *_names(row), row.n, row.planned, row.untrained, *kind]
        for name in metrics:
            summary = row.summary(name)
            cells.extend((None, None) if summary is None else (summary.mean, summary.standard_deviation))
        known = content.calibrations.get((row.label, row.arm, row.checkpoint))
        cells.extend([None] * len(scores) if known is None else known.to_json().values())
        yield cells


def _tidy(board: Leaderboard) -> Iterator[Iterable[object]]:
    yield (*_NAMES, "seed", "metric", "value", "trained")
    for row in board.rows:
        for name, summary in (*row.metrics.items(), *row.costs.items()):
            for seed, value in summary.values.items():
                yield (*_names(row), seed, name, value, "no" if row.untrained else "yes")


def _names(row: LeaderboardRow) -> tuple[str, ...]:
    return (
        row.model, row.variant, row.architecture, row.arm, row.checkpoint, row.environment, row.backend, row.precision,
    )  # fmt: skip


def _written(lines: Iterable[Iterable[object]]) -> str:
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\n").writerows([table_cell(value) for value in line] for line in lines)
    return stream.getvalue()
