"""Studies that are judged after each round of seeds, whose truth is known: false verdicts, power and seeds saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy import special

from benchmarker import Stream
from benchmarker.statistics.boundaries import nominal_level
from benchmarker.statistics.comparing import compare_pair, corrected_table
from benchmarker.statistics.comparison import Comparison, ComparisonSettings, ComparisonTable
from benchmarker.statistics.network_results import NetworkResults
from benchmarker.statistics.paired import VarianceComponents
from benchmarker.statistics.pairing import pooled_variance
from benchmarker.statistics.prospects import look_at
from benchmarker.statistics.sequential import Judged, Place, look
from benchmarker.study.rounds import RoundsRecord, row_name
from tests.statistics.characteristics import Array, Table, scores, true_differences
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


def networks(rows: Sequence[NetworkResults], settings: ComparisonSettings = SETTINGS) -> list[ComparisonTable]:
    """Return the table of all pairs of networks, as the comparison of a study makes it."""
    pool = pooled_variance(rows, settings)
    pairs = (compare_pair(one, other, settings, pool=pool) for one, other in combinations(rows, 2))
    return [corrected_table("networks", "", "", pairs, settings.level)]


class Verdicts:
    """Judges the same table without corrected intervals and detectable differences, which take half of the time."""

    def __init__(self) -> None:
        self._variances: dict[tuple[str, str], VarianceComponents | None] = {}

    def __call__(self, rows: Sequence[NetworkResults]) -> list[ComparisonTable]:
        """Return the table of all pairs of networks, without their variances."""
        pool = pooled_variance(rows, SETTINGS)
        pairs = [compare_pair(one, other, SETTINGS, pool=pool) for one, other in combinations(rows, 2)]
        self._variances = {(row.first.label, row.second.label): row.variance for row in pairs}
        return [corrected_table("networks", "", "", (replace(row, variance=None) for row in pairs), SETTINGS.level)]

    def with_variances(self, table: ComparisonTable) -> ComparisonTable:
        """Return a table with the variances of the last look."""
        rows = (replace(row, variance=self._variances[row.first.label, row.second.label]) for row in table.rows)
        return replace(table, rows=tuple(rows))


def run(
    right: Array, table: Table, at_least: int = 3, judged: Judged = networks
) -> tuple[ComparisonTable, RoundsRecord]:
    """Return the table and the rounds of a study whose runs are known, shape (networks, seeds, sources)."""
    rows = [as_row(one, table.classes, f"network {k}", "real") for k, one in enumerate(right)]
    names = {(row.network, row.arm): row_name(row.model, row.arm) for row in rows}
    rounds = RoundsRecord.begin(range(table.seeds), at_least, names.values())
    decided: dict[Place, Comparison] = {}
    while True:
        (found,) = look(rows, SETTINGS.level, rounds, number=len(rounds.rounds), judged=judged, decided=decided)
        whole = judged.with_variances(found) if isinstance(judged, Verdicts) else found
        rounds = rounds.after(look_at([whole], SETTINGS.level, rounds, names))
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
        result, rounds = run(table.draw(generator), table, at_least, Verdicts())
        called = np.array([{"better": 1, "worse": -1}.get(row.verdict, 0) for row in result.rows])
        wrong = (called != 0) & (called != np.sign(truth))
        tables += bool(wrong.any())
        pairs += float(wrong.mean())
        found += float((called[truth != 0] != 0).mean()) if truth.any() else 0.0
        saved += 1 - rounds.spent / rounds.planned
    return Outcome(tables / studies, pairs / studies, found / studies, saved / studies)


def oracle_saved(table: Table, studies: int, at_least: int = 3) -> tuple[float, float]:
    """Return the share of runs that a study saves which knows the variance of every difference, and the pairs it finds.

    It judges means by a z test with the same boundaries and Holm's correction, so what it saves more is the price of
    not knowing the variances.

    Parameters
    ----------
    table, studies, at_least
        As in `outcome`.
    """
    generator = Stream("oracle of sequential studies", table=str(table), at_least=at_least).generator()
    pairs = list(combinations(range(len(table.luck)), 2))
    values = np.stack([scores(table.draw(generator), table.classes)[0] for _ in range(studies)])
    differences = np.stack([values[:, a] - values[:, b] for a, b in pairs], axis=-1)  # study, seed, pair
    around = differences - differences.mean(axis=(0, 1))
    of_one, of_mean = around.var(axis=(0, 1)), around.mean(axis=1).var(axis=0)
    of_seeds = (of_one - of_mean) * table.seeds / (table.seeds - 1)
    looks = tuple(range(at_least, table.seeds + 1))
    spread = [np.sqrt(of_seeds / n + np.maximum(0.0, of_one - of_seeds)) for n in looks]
    p = [2 * special.ndtr(-np.abs(differences[:, :n].mean(axis=1)) / sd) for n, sd in zip(looks, spread, strict=True)]
    ends = [_ends(np.array([each[k] for each in p]), looks) for k in range(studies)]
    spent = [
        [max(end for end, pair in zip(one, pairs, strict=True) if row in pair) for row in range(len(table.luck))]
        for one, _ in ends
    ]
    return 1 - float(np.mean(spent)) / table.seeds, float(np.mean([found for _, found in ends]))


def _ends(p: Array, looks: tuple[int, ...]) -> tuple[list[int], float]:
    """Return the seeds after which each pair is decided, or all of them, and the share of decided pairs."""
    ends = np.full(p.shape[1], looks[-1])
    left = set(range(p.shape[1]))
    for number, n in enumerate(looks):
        for pair in sorted(left, key=lambda pair: p[number, pair]):
            if p[number, pair] > nominal_level(looks[: number + 1], looks[-1], (1 - SETTINGS.level) / len(left)):
                break
            left.discard(pair)
            ends[pair] = n
    return ends.tolist(), 1 - len(left) / p.shape[1]
