r"""Whether more seeds may still decide a comparison, in a study that adds seeds until it is decided.

Two networks that are nearly equal are told apart by no number of seeds that anybody would train. After n of N seeds,
with the difference :math:`D_n` and the variance v of a difference over seeds, the difference after all seeds is
expected at

.. math:: D_N = D_n + t_\nu \sqrt{v \left(\frac{1}{n} - \frac{1}{N}\right)}

where :math:`\nu` are the degrees of freedom of v: a predictive distribution (Spiegelhalter, Freedman and Blackburn
1986). Test sources play no part in it, because all seeds share them. A comparison is *out of reach* if the chance that
:math:`D_N` is significant at the last look, or shows equivalence, is below 5 % (a stochastically curtailed test; Lan,
Simon and Halperin 1982). The half width at the last look is computed from the variance so far, with the degrees of
freedom that N seeds will have.

Giving up cannot cause a false verdict, because nothing is called better or worse by it.

References
----------
Lan, Simon and Halperin 1982, Communications in Statistics C 1, 207, doi:10.1080/07474948208836014;
Spiegelhalter, Freedman and Blackburn 1986, Control. Clin. Trials 7, 8, doi:10.1016/0197-2456(86)90003-6.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from scipy import special

from benchmarker.statistics.boundaries import nominal_level
from benchmarker.statistics.comparison import OVERALL, Comparison, ComparisonTable, Side, TableName
from benchmarker.statistics.main_effects import ALL_ARMS, ALL_NETWORKS
from benchmarker.statistics.paired import VarianceComponents
from benchmarker.statistics.power import expected, with_seeds
from benchmarker.study.rounds import Look, RoundsRecord

OUT_OF_REACH = 0.05
"""Chance of a verdict below which no seeds are added for a comparison."""

_PAIRS: frozenset[TableName] = frozenset({"arms", "networks"})
_AVERAGES: frozenset[TableName] = frozenset({"main_arms", "main_networks"})

Names = Mapping[tuple[str, str], str]
"""What rounds call the row of a network in an arm."""


def chance_of_verdict(
    difference: float, variance: VarianceComponents, seeds: int, p: float, margin: float | None = None
) -> float:
    """Return the chance that a comparison is decided when all seeds are trained.

    Parameters
    ----------
    difference : float
        Mean difference so far, in the unit of the metric.
    variance : VarianceComponents
        Its variance, and the number of seeds so far.
    seeds : int
        Number of seeds in the end.
    p : float
        Two-sided p that the comparison must reach then.
    margin : float, optional
        Half the width of the region of practical equivalence.

    Examples
    --------
    >>> variance = VarianceComponents(n=5, seeds=8.0, pooled_degrees_of_freedom=20.0)
    >>> [round(chance_of_verdict(d, variance, 10, 0.002), 2) for d in (0.5, 3.0, 6.0)]
    [0.01, 0.53, 1.0]
    """
    likely = expected(variance)
    spread = math.sqrt(likely.seeds * max(0.0, 1 / variance.n - 1 / seeds))
    if spread == 0:
        return 1.0
    final, freedom = with_seeds(likely, seeds), likely.seeds_degrees_of_freedom

    def below(limit: float) -> float:
        return float(special.stdtr(freedom, (limit - abs(difference)) / spread))

    half = final.half_width(p)
    chance = 1 - below(half) + below(-half)
    room = 0.0 if margin is None else margin - final.half_width(min(1.0, 2 * p))
    return chance + below(room) - below(-room) if room > 0 else chance


def look_at(tables: Iterable[ComparisonTable], level: float, rounds: RoundsRecord, names: Names) -> Look:
    """Return what the tables of a round say: how many pairs are decided or out of reach, and which rows go on.

    A row goes on where more seeds may decide a comparison of it with another row. A row whose comparisons are out of
    reach also goes on for an average over networks or arms that may be decided, if all rows of that average go on.

    Parameters
    ----------
    tables : iterable of ComparisonTable
        Tables after the last round, as `benchmarker.statistics.sequential` judges them.
    level : float
        One minus the error rate that all looks at a table may use together.
    rounds : RoundsRecord
        Rounds of the study so far; the last one has ended.
    names : mapping of (str, str) to str
        Name of each row by network and arm.
    """
    tables = list(tables)
    pairs = [row for table in tables if table.name in _PAIRS for row in table.rows if _counts(row)]
    undecided = [row for row in pairs if row.verdict == "undecided"]
    open_ = [row for table in tables if table.name in _PAIRS for row in _within_reach(table, level, rounds)]
    averages = [row for table in tables if table.name in _AVERAGES for row in _within_reach(table, level, rounds)]
    rows = _rows(open_, names)
    may_stay = rows | _rows(undecided, names)
    for average in averages:
        if (needed := _rows([average], names)) <= may_stay:
            rows |= needed
    return Look(
        pairs=len(pairs),
        decided=len(pairs) - len(undecided),
        out_of_reach=len(undecided) - len(open_),
        rows=frozenset(rows),
    )


def _counts(row: Comparison) -> bool:
    """Return whether a comparison is about whole rows, both of which have seeds enough to be judged."""
    return row.scope == OVERALL and row.n > 1


def _within_reach(table: ComparisonTable, level: float, rounds: RoundsRecord) -> list[Comparison]:
    """Return the undecided comparisons of a table that more seeds may decide."""
    left = [row for row in table.rows if row.verdict == "undecided" and _counts(row)]
    looks, most = [each.seeds for each in rounds.rounds], len(rounds.seeds)
    single = (1 - level) / max(1, sum(row.p is not None for row in left))
    final = nominal_level((*looks, *range(looks[-1] + 1, most + 1)), most, single)
    return [row for row in left if _chance(row, most, final) >= OUT_OF_REACH]


def _chance(row: Comparison, seeds: int, p: float) -> float:
    if row.difference is None or row.variance is None:
        return 1.0
    return chance_of_verdict(row.difference, row.variance, seeds, p, row.margin)


def _rows(comparisons: Sequence[Comparison], names: Names) -> set[str]:
    """Return the names of all rows that comparisons are about."""
    return {name for row in comparisons for side in (row.first, row.second) for name in _members(side, names)}


def _members(side: Side, names: Names) -> list[str]:
    return [
        name
        for (network, arm), name in names.items()
        if side.network in {network, ALL_NETWORKS} and side.arm in {arm, ALL_ARMS}
    ]
