"""Compares a whole study: every arm with the reference, and all networks within an arm."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from benchmarker import metric_label
from benchmarker_reports.statistics import guards
from benchmarker_reports.statistics.comparison import OVERALL, Comparison
from benchmarker_reports.statistics.corrections import holm
from benchmarker_reports.statistics.differences import Question, compare
from benchmarker_reports.statistics.doses import dose_responses
from benchmarker_reports.statistics.equivalence import DEFAULT_MARGIN, verdict
from benchmarker_reports.statistics.sides import Row, read_rows
from benchmarker_reports.statistics.tables import Comparisons, ComparisonTable, TableName

if TYPE_CHECKING:
    from benchmarker import StudyResults

METHOD = (
    "Differences are paired: same seed, same split, same test sources. Intervals take seeds and test sources as drawn "
    "at random: Var = s²/S + c, with the variance s² over S seeds and the covariance c that shared test sources cause "
    "(Obuchowski and Rockette 1995, doi:10.1080/03610919508813243; jackknife over sources: Efron and Stein 1981, "
    "doi:10.1214/aos/1176345462), each part with its own t quantile, added in quadrature (Howe 1974, "
    "doi:10.1080/01621459.1974.10480206). Where every seed has a split of its own, the variance is multiplied by "
    "1/S + n_test/n_train instead (Nadeau and Bengio 2003, doi:10.1023/A:1024068626366). p is corrected by Holm (1979) "
    "over all lines of a table; equivalent means inside the margin by two one-sided tests (Schuirmann 1987, "
    "doi:10.1007/BF01068419)."
)


def compare_study(
    results: StudyResults,
    *,
    checkpoint: str = "best",
    reference: str = "real",
    level: float = 0.95,
    margin: float | None = None,
    predictions: bool = True,
) -> Comparisons:
    """Compare a study; see `tables.comparisons`.

    Parameters
    ----------
    results, checkpoint, reference, level, margin
        As for `tables.comparisons`.
    predictions : bool
        Read them; without, test sources are taken as fixed and classes are not compared.
    """
    question = question_of(results, level=level, margin=margin, checkpoint=checkpoint)
    rows = read_rows(results, question.metric, checkpoint, predictions=predictions)
    arms = list(dict.fromkeys(cell.arm for cell in results.cells))
    notes = []
    if reference not in arms and len(arms) > 1:
        notes.append(f"the study has no arm {reference!r}: arms are compared with {arms[0]!r}")
        reference = arms[0]
    tables = [
        _arms(rows, question, reference),
        _arms_per_class(rows, question, reference),
        _networks(rows, question, arms),
    ]
    found = tuple(table for table in tables if table.rows)
    overall = next((table for table in found if table.name == "arms"), None)
    return Comparisons(
        title=results.title,
        metric=question.metric,
        unit=question.unit,
        checkpoint=checkpoint,
        higher_is_better=question.higher_is_better,
        reference=reference,
        level=level,
        margin=question.margin,
        tables=found,
        doses=dose_responses(rows, question, reference, overall.rows if overall else ()),
        guards=(*notes, *_table_guards(found, level), *_fingerprint_guards(results)),
        method=METHOD,
    )


def question_of(
    results: StudyResults, *, level: float = 0.95, margin: float | None = None, checkpoint: str = "best"
) -> Question:
    """Return what a study is asked: its primary metric, the unit of differences, and the margin of equivalence."""
    board = results.leaderboard(checkpoint)
    metric = board.primary
    percent = metric == "mean_per_class_accuracy"
    higher = results.leaderboard(checkpoint, sort=metric).higher_is_better
    if margin is None and higher:
        margin = DEFAULT_MARGIN if percent else DEFAULT_MARGIN / 100
    regression = board.task_kind == "regression"
    targets = [str(target.get("name", "")) for target in board.task.get("targets", ())] if regression else []
    return Question(
        metric=metric,
        unit="pp" if percent else board.unit(metric),
        higher_is_better=higher,
        level=level,
        margin=margin,
        scopes=tuple(targets if regression else results.classes) if not regression or len(targets) > 1 else (),
        scope_metric=metric if regression else "recall",
    )


def corrected(name: TableName, title: str, caption: str, rows: Iterable[Comparison], level: float) -> ComparisonTable:
    """Return a table whose p-values are corrected over all its lines, with verdicts."""
    lines = list(rows)
    adjusted = holm([row.p for row in lines])
    equivalence = holm([row.p_equivalence for row in lines])
    tests = sum(row.p is not None for row in lines)
    final = [
        replace(
            row,
            p_adjusted=p,
            p_equivalence_adjusted=same,
            verdict=verdict(row.difference, p, same, higher_is_better=row.higher_is_better, level=level),
        )
        for row, p, same in zip(lines, adjusted, equivalence, strict=True)
    ]
    return ComparisonTable(name=name, title=title, caption=caption, rows=tuple(final), tests=tests)


def _arms(rows: Sequence[Row], question: Question, reference: str) -> ComparisonTable:
    label = metric_label(question.metric).long
    return corrected(
        "arms",
        f"Arms against {reference}",
        f"Difference in {label}: arm minus {reference}, paired by seed and test source.",
        (compare(row, base, question) for row, base in _against(rows, reference)),
        question.level,
    )


def _arms_per_class(rows: Sequence[Row], question: Question, reference: str) -> ComparisonTable:
    what = "Classes" if question.scope_metric == "recall" else "Targets"
    measure = "recall in percent" if question.scope_metric == "recall" else metric_label(question.metric).long
    return corrected(
        "arms_per_class",
        f"{what}: arms against {reference}",
        f"Difference in {measure}: arm minus {reference}, paired by seed and test source.",
        (
            compare(row, base, question, index)
            for row, base in _against(rows, reference)
            for index in range(len(question.scopes))
            if any(row.score(seed, question.scope_metric, index) for seed in row.sums)
        ),
        question.level,
    )


def _networks(rows: Sequence[Row], question: Question, arms: Sequence[str]) -> ComparisonTable:
    label = metric_label(question.metric).long
    return corrected(
        "networks",
        "Networks within an arm",
        f"Difference in {label}: first network minus second, in the same arm, paired by seed and test source.",
        (
            compare(first, second, question)
            for arm in arms
            for first, second in combinations([row for row in rows if row.arm == arm], 2)
        ),
        question.level,
    )


def _against(rows: Sequence[Row], reference: str) -> list[tuple[Row, Row]]:
    bases = {row.network: row for row in rows if row.arm == reference}
    return [(row, bases[row.network]) for row in rows if row.arm != reference and row.network in bases]


def _table_guards(tables: Sequence[ComparisonTable], level: float) -> list[str]:
    found: dict[str, None] = {}
    for table in tables:
        counts = [row.n for row in table.rows if row.n and row.scope == OVERALL]
        if not counts:
            continue
        for sentence in (
            guards.few_seeds(min(counts), level),
            guards.too_few_for_correction(int(np.median(counts)), table.tests, level),
        ):
            if sentence:
                found[sentence] = None
    return list(found)


def _fingerprint_guards(results: StudyResults) -> list[str]:
    known = [environment.label for environment in results.environments]
    if len(known) < 2:
        return []
    sentence = guards.differing_fingerprints(f"{len(known)} environments ({'; '.join(filter(None, known))})")
    return [sentence] if sentence else []
