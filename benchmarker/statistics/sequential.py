r"""Verdicts of a study that is judged after each round of seeds and stops where comparisons are decided.

Whoever looks after every seed and stops at the first significant difference finds one too often. The error rate
:math:`\alpha` is therefore spent over the looks: a comparison that may be decided at the level :math:`\alpha / m` is
decided at look k if p is at most the nominal level :math:`a_k(\alpha / m)` of `benchmarker.statistics.boundaries`.

Comparisons of a table are corrected as by Holm, and what is decided makes room for the others, at later looks too: the
p of the m comparisons that earlier looks have left undecided, in ascending order, become

.. math:: \tilde{p}_{(i)} = \max_{j \le i} \, (m - j + 1) \, p_{(j)} \, \frac{\alpha / m}{a_k(\alpha / m)}

and are compared with :math:`\alpha` (Maurer and Bretz 2013; Tamhane et al. 2021). The last factor is the price of
looking several times. It grows with m, so that using that of all m in every step errs on the safe side. Nominal levels
are those of a normal distribution while p comes from Student's t, as Pocock (1977) proposed.

A comparison keeps the verdict, the numbers and the interval of the first look that decided it.

References
----------
Pocock 1977, Biometrika 64, 191, doi:10.1093/biomet/64.2.191;
Maurer and Bretz 2013, Stat. Biopharm. Res. 5, 311, doi:10.1080/19466315.2013.807748;
Tamhane et al. 2021, Stat. Med. 40, 5333, doi:10.1002/sim.9128.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from benchmarker.statistics.boundaries import nominal_level
from benchmarker.statistics.comparing import corrected_table
from benchmarker.statistics.comparison import Comparison, ComparisonTable
from benchmarker.statistics.network_results import NetworkResults
from benchmarker.study.rounds import RoundsRecord, row_name

Judged = Callable[[Sequence[NetworkResults]], list[ComparisonTable]]
Place = tuple[str, str, str, str]
"""Table, sides and scope of a comparison."""


def sequential_tables(
    rows: Sequence[NetworkResults], level: float, rounds: RoundsRecord, judged: Judged
) -> list[ComparisonTable]:
    """Return the tables after the last round, in which each comparison has the verdict of the round that decided it.

    Parameters
    ----------
    rows : sequence of NetworkResults
        Rows of a study with all their seeds; those that were trained outside the rounds are not judged.
    level : float
        One minus the error rate that all looks at a table may use together.
    rounds : RoundsRecord
        Rounds of the study so far.
    judged : callable
        Returns the tables of some rows, judged as if nobody had looked before.
    """
    decided: dict[Place, Comparison] = {}
    found: list[ComparisonTable] = []
    for number in range(1, len(rounds.rounds) + 1):
        found = look(rows, level, rounds, number=number, judged=judged, decided=decided)
    return found


def look(
    rows: Sequence[NetworkResults],
    level: float,
    rounds: RoundsRecord,
    *,
    number: int,
    judged: Judged,
    decided: dict[Place, Comparison],
) -> list[ComparisonTable]:
    """Return the tables of one look with what earlier looks decided, and add to that what this one decides.

    Parameters
    ----------
    rows, level, rounds, judged
        As `sequential_tables` takes them.
    number : int
        Number of the look, from 1.
    decided : dict of Place to Comparison
        Comparisons with a verdict; those that the look decides are added.
    """
    seeds = tuple(each.seeds for each in rounds.rounds[:number])
    kept = [row.only(*rounds.seeds_of(row_name(row.model, row.arm), number)) for row in rows]
    tables = []
    for table in judged(kept):
        left = [row for row in table.rows if _place(table, row) not in decided]
        found = {_place(table, row): row for row in _judged_again(table, left, level, seeds, len(rounds.seeds)).rows}
        decided.update({place: row for place, row in found.items() if row.verdict != "undecided"})
        tables.append(replace(table, rows=tuple({**found, **decided}[_place(table, row)] for row in table.rows)))
    return tables


def _judged_again(
    table: ComparisonTable, rows: Sequence[Comparison], level: float, seeds: tuple[int, ...], most: int
) -> ComparisonTable:
    """Correct and judge the undecided comparisons of a table at what this look may spend."""
    single = (1 - level) / max(1, sum(row.p is not None for row in rows))
    share = nominal_level(seeds, most, single) / single
    return corrected_table(table.name, table.title, table.caption, rows, level, share=share)


def _place(table: ComparisonTable, row: Comparison) -> Place:
    return table.name, row.first.label, row.second.label, row.scope
