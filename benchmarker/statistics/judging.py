"""What a round of seeds has decided, for the command that runs the study."""

from __future__ import annotations

from pathlib import Path

from benchmarker.errors import StorageError
from benchmarker.results.study_results import open_results
from benchmarker.statistics.prospects import look_at
from benchmarker.statistics.study_comparison import compare_study
from benchmarker.study.rounds import Look, row_name


def judge_round(study: Path) -> Look:
    """Read a study back after a round of seeds, and say which rows take part in a comparison that more may decide.

    Parameters
    ----------
    study : Path
        Folder of the study.

    Returns
    -------
    Look
        Comparisons of arms with the reference, and of networks within an arm, by the primary metric. Those of a row
        with fewer than two finished seeds are left out: they cannot be decided by seeds of the other row.
    """
    results = open_results(study)
    found, rounds = compare_study(results), results.study.plan.until_decided
    if rounds is None:
        raise StorageError(f"{study}: the plan has no rounds of seeds, so there is nothing to judge; run it again")
    names = {(row.label, row.arm): row_name(row.model, row.arm) for row in results.leaderboard("best").rows}
    return look_at(found.tables, found.level, rounds, names)
