"""Compares a whole study: every arm with the reference, and all networks within an arm."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from benchmarker.results.metrics import metric_label
from benchmarker.statistics import caveats
from benchmarker.statistics.comparison import OVERALL, Comparison
from benchmarker.statistics.corrections import holm
from benchmarker.statistics.equivalence import DEFAULT_MARGIN, verdict
from benchmarker.statistics.pairs import ComparisonSettings, compare_pair
from benchmarker.statistics.ratios import ratio_responses
from benchmarker.statistics.seed_results import SeedResults, read_seed_results
from benchmarker.statistics.tables import Comparisons, ComparisonTable, TableName

if TYPE_CHECKING:
    from benchmarker.results.study_results import StudyResults

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
    """Compare every arm with the reference arm, and all networks within an arm.

    Parameters
    ----------
    results : StudyResults
        A study, as a report is given it.
    checkpoint : {"best", "final"}
        Whose predictions.
    reference : str
        The arm that others are compared with; where the study has no such arm there is no table of arms.
    level : float
        Of intervals; verdicts keep an error rate of one minus this over a whole table.
    margin : float, optional
        Half the width of the region of practical equivalence, in units of the primary metric; by default one
        percentage point for scores, and none for errors.
    predictions : bool
        Read them; without, test sources are taken as fixed and classes are not compared.
    """
    settings = comparison_settings(results, level=level, margin=margin, checkpoint=checkpoint)
    rows = read_seed_results(results, settings.metric, checkpoint, predictions=predictions)
    arms = list(dict.fromkeys(cell.arm for cell in results.cells))
    notes = []
    if reference not in arms and len(arms) > 1:
        notes.append(f"the study has no arm {reference!r}: arms are compared with {arms[0]!r}")
        reference = arms[0]
    tables = [
        _arms(rows, settings, reference),
        _arms_per_class(rows, settings, reference),
        _networks(rows, settings, arms),
    ]
    found = tuple(table for table in tables if table.rows)
    overall = next((table for table in found if table.name == "arms"), None)
    return Comparisons(
        title=results.title,
        metric=settings.metric,
        unit=settings.unit,
        checkpoint=checkpoint,
        higher_is_better=settings.higher_is_better,
        reference=reference,
        level=level,
        margin=settings.margin,
        tables=found,
        ratios=ratio_responses(rows, settings, reference, overall.rows if overall else ()),
        caveats=(*notes, *_table_caveats(found, level), *_fingerprint_caveats(results)),
        method=METHOD,
    )


def comparison_settings(
    results: StudyResults, *, level: float = 0.95, margin: float | None = None, checkpoint: str = "best"
) -> ComparisonSettings:
    """Return what a study is asked: its primary metric, the unit of differences, and the margin of equivalence."""
    board = results.leaderboard(checkpoint)
    metric = board.primary
    percent = metric == "mean_per_class_accuracy"
    higher = results.leaderboard(checkpoint, sort=metric).higher_is_better
    if margin is None and higher:
        margin = DEFAULT_MARGIN if percent else DEFAULT_MARGIN / 100
    regression = board.task_kind == "regression"
    targets = [str(target.get("name", "")) for target in board.task.get("targets", ())] if regression else []
    return ComparisonSettings(
        metric=metric,
        unit="pp" if percent else board.unit(metric),
        higher_is_better=higher,
        level=level,
        margin=margin,
        scopes=tuple(targets if regression else results.classes) if not regression or len(targets) > 1 else (),
        scope_metric=metric if regression else "recall",
    )


def corrected_table(
    name: TableName, title: str, caption: str, rows: Iterable[Comparison], level: float
) -> ComparisonTable:
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


def _arms(rows: Sequence[SeedResults], settings: ComparisonSettings, reference: str) -> ComparisonTable:
    label = metric_label(settings.metric).long
    return corrected_table(
        "arms",
        f"Arms against {reference}",
        f"Difference in {label}: arm minus {reference}, paired by seed and test source.",
        (compare_pair(row, base, settings) for row, base in _against(rows, reference)),
        settings.level,
    )


def _arms_per_class(rows: Sequence[SeedResults], settings: ComparisonSettings, reference: str) -> ComparisonTable:
    what = "Classes" if settings.scope_metric == "recall" else "Targets"
    measure = "recall in percent" if settings.scope_metric == "recall" else metric_label(settings.metric).long
    return corrected_table(
        "arms_per_class",
        f"{what}: arms against {reference}",
        f"Difference in {measure}: arm minus {reference}, paired by seed and test source.",
        (
            compare_pair(row, base, settings, index)
            for row, base in _against(rows, reference)
            for index in range(len(settings.scopes))
            if any(row.score(seed, settings.scope_metric, index) for seed in row.sums)
        ),
        settings.level,
    )


def _networks(rows: Sequence[SeedResults], settings: ComparisonSettings, arms: Sequence[str]) -> ComparisonTable:
    label = metric_label(settings.metric).long
    return corrected_table(
        "networks",
        "Networks within an arm",
        f"Difference in {label}: first network minus second, in the same arm, paired by seed and test source.",
        (
            compare_pair(first, second, settings)
            for arm in arms
            for first, second in combinations([row for row in rows if row.arm == arm], 2)
        ),
        settings.level,
    )


def _against(rows: Sequence[SeedResults], reference: str) -> list[tuple[SeedResults, SeedResults]]:
    bases = {row.network: row for row in rows if row.arm == reference}
    return [(row, bases[row.network]) for row in rows if row.arm != reference and row.network in bases]


def _table_caveats(tables: Sequence[ComparisonTable], level: float) -> list[str]:
    found: dict[str, None] = {}
    for table in tables:
        counts = [row.n for row in table.rows if row.n and row.scope == OVERALL]
        if not counts:
            continue
        for sentence in (
            caveats.few_seeds(min(counts), level),
            caveats.too_few_for_correction(int(np.median(counts)), table.tests, level),
        ):
            if sentence:
                found[sentence] = None
    return list(found)


def _fingerprint_caveats(results: StudyResults) -> list[str]:
    known = [environment.label for environment in results.environments]
    if len(known) < 2:
        return []
    sentence = caveats.differing_fingerprints(f"{len(known)} environments ({'; '.join(filter(None, known))})")
    return [sentence] if sentence else []
