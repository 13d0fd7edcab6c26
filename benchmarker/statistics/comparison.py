"""One comparison of two sides: a line of a table, as plain data that any format can draw.

Every number is stored as it was computed, in the units of its metric; formats round, colour and align. A difference is
*first minus second*: arm minus `real`, or one network minus another. Verdicts already know which way is better.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

Verdict = Literal["better", "worse", "equivalent", "undecided"]

SIGNS: Mapping[Verdict, str] = {"better": "+", "worse": "-", "equivalent": "=", "undecided": "?"}
"""One letter for each verdict, for narrow tables and for readers who see no colours."""

OVERALL = "overall"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a comparison.

    Parameters
    ----------
    network : str
        As the leaderboard calls it, with its variant and environment where there are several.
    arm : str
    mean, standard_deviation : float or None
        Over the seeds that both sides finished; None without any (or, for the deviation, with one).
    finished, planned : int
        Seeds of this side alone.
    """

    network: str
    arm: str
    mean: float | None
    standard_deviation: float | None
    finished: int
    planned: int

    @property
    def label(self) -> str:
        """Network and arm in one."""
        return f"{self.network}/{self.arm}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledMcNemar:
    """McNemar's test on the predictions of all shared seeds, shown for comparison and never the ground of a verdict.

    Parameters
    ----------
    first_only, second_only : int
        Predictions that only the first, or only the second side got right.
    p : float
        Exact and two-sided; too small, for it takes every prediction of every seed for independent.
    """

    first_only: int
    second_only: int
    p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One line of a table: two sides, paired by seed and test source.

    Parameters
    ----------
    first, second : Side
        The difference is the first's metric minus the second's; the second is the reference.
    scope : str
        ``"overall"``, or the class (or target of a regression) that it is about.
    metric, unit : str
        Flat name of the metric (``"mean_per_class_accuracy"``, ``"recall_FRI"``) and the unit of a difference:
        ``"pp"`` (percentage points), the unit of a regression's target, or empty.
    higher_is_better : bool
        Of the metric.
    seeds : tuple of int
        That both sides finished, ascending.
    differences : tuple of float
        One for each of those seeds.
    n_sources : int
        Test sources that both predicted under a seed (the mean over seeds); 0 where predictions could not be read.
    difference : float or None
        Mean over seeds; None without a shared seed.
    standard_error, degrees_of_freedom, low, high : float or None
        Of the mean difference, with the interval at `level`, before any correction; None for fewer than two seeds.
    level : float
        Of the interval, usually 0.95.
    p, p_adjusted : float or None
        That there is no difference, two-sided; and after Holm's correction over all lines of the table.
    margin : float or None
        Half the width of the region of practical equivalence, in units of the metric; None where there is none.
    p_equivalence, p_equivalence_adjusted : float or None
        That the difference is outside that region; after Holm's correction.
    smallest_detectable : float or None
        The difference that as many seeds would find in 80 of 100 studies (before correction).
    verdict : {"better", "worse", "equivalent", "undecided"}
        Of the first side against the second, after correction.
    method : str
        ``"seeds and sources"``, ``"seeds, overlapping splits"`` or ``"seeds alone"``.
    mcnemar : PooledMcNemar or None
        For classifications whose predictions could be read.
    caveats : tuple of str
        Sentences that belong beside this line: ``"2 of 3 seeds finished"``.
    """

    first: Side
    second: Side
    scope: str
    metric: str
    unit: str
    higher_is_better: bool
    seeds: tuple[int, ...]
    differences: tuple[float, ...]
    n_sources: int
    difference: float | None
    level: float
    verdict: Verdict
    method: str
    standard_error: float | None = None
    degrees_of_freedom: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_adjusted: float | None = None
    margin: float | None = None
    p_equivalence: float | None = None
    p_equivalence_adjusted: float | None = None
    smallest_detectable: float | None = None
    mcnemar: PooledMcNemar | None = None
    caveats: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """Seeds that the difference is a mean of."""
        return len(self.seeds)

    @property
    def sign(self) -> str:
        """The verdict as one letter."""
        return SIGNS[self.verdict]

    @property
    def reversed(self) -> Comparison:
        """The same comparison with its sides exchanged: second minus first."""
        opposite: Mapping[str, Verdict] = {"better": "worse", "worse": "better"}
        return replace(
            self,
            first=self.second,
            second=self.first,
            differences=tuple(-value for value in self.differences),
            difference=None if self.difference is None else -self.difference,
            low=None if self.high is None else -self.high,
            high=None if self.low is None else -self.low,
            verdict=opposite.get(self.verdict, self.verdict),
            mcnemar=None
            if self.mcnemar is None
            else replace(self.mcnemar, first_only=self.mcnemar.second_only, second_only=self.mcnemar.first_only),
        )
