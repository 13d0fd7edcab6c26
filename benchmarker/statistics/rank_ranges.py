"""Ranges of ranks: how good and how bad a network may be, given which pairs are told apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarker.statistics.comparison import Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class RankRange:
    """Ranks that a network may have.

    Parameters
    ----------
    first, last : int
        Best and worst rank, counted from 1.
    """

    first: int
    last: int

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


def rank_ranges(
    names: Sequence[str], comparisons: Iterable[Comparison], *, by: Literal["network", "arm"] = "network"
) -> Mapping[str, RankRange]:
    """Return the ranks that verdicts on pairs of networks, or of arms, leave open.

    Parameters
    ----------
    names : sequence of str
        Networks or arms that are ranked.
    comparisons : iterable of Comparison
        Pairs of them, corrected for their number; pairs of others are left out.
    by : {"network", "arm"}
        What is ranked.

    Returns
    -------
    mapping of str to RankRange
        One entry for each name.

    Notes
    -----
    With K networks, of which b are better and w worse than a network, its rank is between b + 1 and K - w. If the
    verdicts of the table are all right, which holds in 95 of 100 tables, all ranges contain the true ranks together.

    References
    ----------
    Klein, Wright and Wieczorek 2020, J. R. Stat. Soc. C 69, 589, doi:10.1111/rssc.12402.

    Examples
    --------
    >>> rank_ranges(["a", "b"], [])
    {'a': RankRange(first=1, last=2), 'b': RankRange(first=1, last=2)}
    """
    better = dict.fromkeys(names, 0)
    worse = dict.fromkeys(names, 0)
    for row in comparisons:
        one, other = (side.network if by == "network" else side.arm for side in (row.first, row.second))
        if one not in better or other not in better or row.verdict not in {"better", "worse"}:
            continue
        winner, loser = (one, other) if row.verdict == "better" else (other, one)
        better[loser] += 1
        worse[winner] += 1
    return {name: RankRange(first=better[name] + 1, last=len(names) - worse[name]) for name in names}
