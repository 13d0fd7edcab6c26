r"""Verdicts of a study that is judged after each round of seeds and stops where comparisons are decided.

Whoever looks after every seed and stops at the first significant difference finds one too often. The error rate
:math:`\alpha` is therefore spent over the looks: with n of at most N seeds, all looks so far may use

.. math:: \alpha(n) = \alpha \ln\left(1 + (e - 1) \frac{n}{N}\right)

of it (Lan and DeMets 1983, in the manner of Pocock), so the look with n seeds judges its tables at the level
:math:`\alpha(n) - \alpha(n')`, where n' are the seeds of the look before. By Bonferroni's inequality a table is wrong
at any look with a chance of at most :math:`\alpha`, whatever looks have in common, however many seeds each row has and
whichever rows got more of them. Looks share their test sources and most of their seeds, so the true rate is lower.

A comparison keeps the verdict, the numbers and the interval of the first look that decided it.

References
----------
Lan and DeMets 1983, Biometrika 70, 659, doi:10.1093/biomet/70.3.659;
Pocock 1977, Biometrika 64, 191, doi:10.1093/biomet/64.2.191.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from benchmarker.statistics.comparison import Comparison, ComparisonSettings, ComparisonTable
from benchmarker.statistics.network_results import NetworkResults
from benchmarker.study.rounds import RoundsRecord, row_name

Judged = Callable[[Sequence[NetworkResults], ComparisonSettings], list[ComparisonTable]]
Place = tuple[str, str, str, str]
"""Table, sides and scope of a comparison."""


def spent_share(seeds: int, most: int) -> float:
    """Return the share of the error rate that all looks up to one may have used.

    Parameters
    ----------
    seeds : int
        Seeds of each row at this look.
    most : int
        Largest number of seeds.

    Examples
    --------
    >>> [round(spent_share(n, 10), 3) for n in (3, 4, 10)]
    [0.416, 0.523, 1.0]
    """
    return math.log1p((math.e - 1) * seeds / most)


def sequential_tables(
    rows: Sequence[NetworkResults], settings: ComparisonSettings, rounds: RoundsRecord, judged: Judged
) -> list[ComparisonTable]:
    """Return the tables after the last round, in which each comparison has the verdict of the round that decided it.

    Parameters
    ----------
    rows : sequence of NetworkResults
        Rows of a study with all their seeds; those that were trained outside the rounds are not judged.
    settings : ComparisonSettings
        Metric, level and margin.
    rounds : RoundsRecord
        Rounds of the study so far.
    judged : callable
        Returns the tables of some rows.
    """
    decided: dict[Place, Comparison] = {}
    found: list[ComparisonTable] = []
    for number in range(1, len(rounds.rounds) + 1):
        found = with_decided(look_tables(rows, settings, rounds, number, judged), decided)
    return found


def look_tables(
    rows: Sequence[NetworkResults], settings: ComparisonSettings, rounds: RoundsRecord, number: int, judged: Judged
) -> list[ComparisonTable]:
    """Return the tables of one look alone, at the level that it may spend.

    Parameters
    ----------
    rows, settings, rounds, judged
        As `sequential_tables` takes them.
    number : int
        Number of the look, from 1.
    """
    reached = [0, *(each.seeds for each in rounds.rounds[:number])]
    before, now = (spent_share(seeds, len(rounds.seeds)) for seeds in reached[-2:])
    kept = [row.only(*rounds.seeds_of(row_name(row.model, row.arm), number)) for row in rows]
    return judged(kept, replace(settings, spent=now - before))


def with_decided(tables: Sequence[ComparisonTable], decided: dict[Place, Comparison]) -> list[ComparisonTable]:
    """Return the tables of a look with what earlier looks decided, and add to that what this one decides.

    Parameters
    ----------
    tables : sequence of ComparisonTable
        Tables of the look alone.
    decided : dict of Place to Comparison
        Comparisons with a verdict; those that the look decides are added.
    """
    for table in tables:
        for row in table.rows:
            if row.verdict != "undecided":
                decided.setdefault(_place(table, row), row)
    return [replace(table, rows=tuple(decided.get(_place(table, row), row) for row in table.rows)) for table in tables]


def _place(table: ComparisonTable, row: Comparison) -> Place:
    return table.name, row.first.label, row.second.label, row.scope
