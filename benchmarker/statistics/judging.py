"""What a round of seeds has decided, for the command that runs the study."""

from __future__ import annotations

from pathlib import Path

from benchmarker.results.study_results import StudyResults, open_results
from benchmarker.statistics.comparison import OVERALL
from benchmarker.statistics.study_comparison import Comparisons, compare_study
from benchmarker.study.rounds import Look, row_name


def judge_round(study: Path) -> Look:
    """Read a study back after a round of seeds, and say which rows still take part in an undecided comparison.

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
    return _look(results, compare_study(results))


def _look(results: StudyResults, found: Comparisons) -> Look:
    names = {(row.label, row.arm): row_name(row.model, row.arm) for row in results.leaderboard("best").rows}
    pairs = [
        row for table, row in found.rows() if table.name in {"arms", "networks"} and row.scope == OVERALL and row.n > 1
    ]
    open_ = [row for row in pairs if row.verdict == "undecided"]
    return Look(
        pairs=len(pairs),
        decided=len(pairs) - len(open_),
        undecided=frozenset(names[side.network, side.arm] for row in open_ for side in (row.first, row.second)),
    )
