"""Studies that are judged after each round of seeds, whose truth is known: false verdicts, power and seeds saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from benchmarker import Stream
from benchmarker.statistics.comparing import compare_pair, corrected_table
from benchmarker.statistics.comparison import Comparison, ComparisonSettings, ComparisonTable
from benchmarker.statistics.network_results import NetworkResults
from benchmarker.statistics.pairing import pooled_variance
from benchmarker.statistics.sequential import Judged, Place, look_tables, with_decided
from benchmarker.study.rounds import Look, RoundsRecord
from tests.statistics.characteristics import Array, Table, true_differences
from tests.statistics.crossed import SETTINGS, as_row


@dataclass(frozen=True)
class Outcome:
    """How often simulated studies are right, and what they save.

    Parameters
    ----------
    tables, pairs : float
        Share of tables with a false better or worse, and of pairs with one.
    found : float
        Share of pairs with a true difference that are told apart.
    saved : float
        Share of the runs of all seeds that were not trained.
    """

    tables: float
    pairs: float
    found: float
    saved: float


def networks(rows: Sequence[NetworkResults], settings: ComparisonSettings) -> list[ComparisonTable]:
    """Return the table of all pairs of networks, as the comparison of a study makes it."""
    pool = pooled_variance(rows, settings)
    pairs = (compare_pair(one, other, settings, pool=pool) for one, other in combinations(rows, 2))
    return [corrected_table("networks", "", "", pairs, settings.verdict_level)]


def verdicts(rows: Sequence[NetworkResults], settings: ComparisonSettings) -> list[ComparisonTable]:
    """Return the same table without corrected intervals and detectable differences, which take half of the time."""
    pool = pooled_variance(rows, settings)
    pairs = (compare_pair(one, other, settings, pool=pool) for one, other in combinations(rows, 2))
    return [corrected_table("networks", "", "", (replace(row, variance=None) for row in pairs), settings.verdict_level)]


def run(
    right: Array, table: Table, at_least: int = 3, judged: Judged = networks
) -> tuple[ComparisonTable, RoundsRecord]:
    """Return the table and the rounds of a study whose runs are known, shape (networks, seeds, sources)."""
    rows = [as_row(one, table.classes, f"network {k}", "real") for k, one in enumerate(right)]
    names = [f"{row.model}/{row.arm}" for row in rows]
    rounds = RoundsRecord.begin(range(table.seeds), at_least, names)
    decided: dict[Place, Comparison] = {}
    while True:
        look = look_tables(rows, SETTINGS, rounds, len(rounds.rounds), judged)
        (found,) = with_decided(look, decided)
        open_ = [row for row in found.rows if row.verdict == "undecided"]
        undecided = frozenset(side.label for row in open_ for side in (row.first, row.second))
        rounds = rounds.after(Look(pairs=found.tests, decided=found.tests - len(open_), undecided=undecided))
        if rounds.stopped is not None:
            return found, rounds


def outcome(table: Table, studies: int, at_least: int = 3) -> Outcome:
    """Return how often studies of a world are wrong and right, and what they save.

    Parameters
    ----------
    table : Table
        The world, with the largest number of seeds.
    studies : int
        Number of studies.
    at_least : int
        Number of seeds in the first round.
    """
    truth = true_differences(table) if table.gain else np.zeros(len(table.luck) * (len(table.luck) - 1) // 2)
    truth[np.array([a == b for a, b in combinations(table.gain or (0.0,) * len(table.luck), 2)])] = 0.0
    generator = Stream("sequential studies", table=str(table), at_least=at_least).generator()
    tables = pairs = found = saved = 0.0
    for _ in range(studies):
        result, rounds = run(table.draw(generator), table, at_least, verdicts)
        called = np.array([{"better": 1, "worse": -1}.get(row.verdict, 0) for row in result.rows])
        wrong = (called != 0) & (called != np.sign(truth))
        tables += bool(wrong.any())
        pairs += float(wrong.mean())
        found += float((called[truth != 0] != 0).mean()) if truth.any() else 0.0
        saved += 1 - rounds.spent / rounds.planned
    return Outcome(tables / studies, pairs / studies, found / studies, saved / studies)
