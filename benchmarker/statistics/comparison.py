"""A comparison of two networks or arms, paired by seed and test source, and tables of them.

Numbers are stored as they were computed, in the units of their metric; report formats round, colour and align them. A
difference is *first minus second*: an arm minus `real`, or one network minus another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from benchmarker.statistics.paired import VarianceComponents
from benchmarker.statistics.verdicts import SIGNS, PooledMcNemar, Verdict

OVERALL = "overall"
TableName = Literal["main_arms", "main_networks", "interactions", "arms", "arms_per_class", "networks"]
Method = Literal[
    "pooled seeds and sources",
    "pooled folds and sources",
    "pooled seeds, overlapping splits",
    "seeds and sources",
    "folds and sources",
    "seeds, overlapping splits",
    "seeds alone",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonSettings:
    """Settings that all comparisons of a study share.

    Parameters
    ----------
    metric, unit : str
        Flat name of the overall metric, and unit of its differences.
    higher_is_better : bool
        True for scores, False for errors.
    level : float
        Confidence level of intervals; verdicts accept an error rate of one minus this per table.
    margin : float or None
        Half the width of the region of practical equivalence, in the unit of the metric; None for no such region.
    scopes : tuple of str
        Classes, or the targets of a regression with several.
    scope_metric : str
        Metric that is compared within a class or target.
    """

    metric: str
    unit: str
    higher_is_better: bool
    level: float
    margin: float | None
    scopes: tuple[str, ...] = ()
    scope_metric: str = "recall"

    def scope_margin(self, index: int | None) -> float | None:
        """Return the margin within a class or target; recalls are in percent, whatever the unit of the metric."""
        if index is None or self.scope_metric != "recall" or self.margin is None or self.unit == "pp":
            return self.margin
        return 100 * self.margin


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a comparison.

    Parameters
    ----------
    network : str
        Name on the leaderboard, with variant and environment where there are several.
    arm : str
        Name of the arm.
    mean, standard_deviation : float or None
        Mean and sample deviation over the seeds that both sides finished; None where these are too few.
    finished, planned : int
        Number of seeds of this side.
    """

    network: str
    arm: str
    mean: float | None
    standard_deviation: float | None
    finished: int
    planned: int

    @property
    def label(self) -> str:
        """Network and arm."""
        return f"{self.network}/{self.arm}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Comparison of two sides, paired by seed and test source: one row of a table.

    Parameters
    ----------
    first, second : Side
        The difference is the first's metric minus the second's; the second is the reference.
    scope : str
        ``"overall"``, ``"interaction"``, or the class (or target of a regression) that is compared.
    metric, unit : str
        Flat name of the metric (``"mean_per_class_accuracy"``, ``"recall"``), and unit of a difference: ``"pp"``
        (percentage points), the unit of a regression's target, or empty.
    higher_is_better : bool
        True for scores, False for errors.
    seeds : tuple of int
        Seeds that both sides finished, ascending.
    differences : tuple of float
        Difference under each of these seeds.
    n_sources : int
        Test sources, or clusters of them, that both sides predicted (mean over seeds); 0 where predictions could not
        be read.
    difference : float or None
        Mean over seeds; None without a shared seed.
    level : float
        Confidence level of the interval, usually 0.95.
    verdict : {"better", "worse", "equivalent", "undecided"}
        Verdict on the first side, after correction for all rows of the table.
    method : str
        How the interval was computed: ``"pooled seeds and sources"`` with the variance over seeds pooled over the
        table, ``"seeds and sources"`` with that of the two sides alone; ``"... overlapping splits"`` where every seed
        has its own split; ``"folds and sources"`` where folds of the training sources have a test part in common;
        ``"seeds alone"`` where predictions are unknown.
    standard_error, degrees_of_freedom, low, high : float or None
        Standard error of the mean difference, and its interval before any correction; None for fewer than two seeds.
    variance : VarianceComponents or None
        Where the uncertainty comes from; None for fewer than two seeds.
    low_adjusted, high_adjusted : float or None
        Interval that agrees with the verdict, after correction for all rows of the table: see `adjusted_interval`.
    p, p_adjusted : float or None
        Two-sided p of no difference, before and after Holm's correction over all rows of the table.
    margin : float or None
        Half the width of the region of practical equivalence, in the unit of the metric; None where there is none.
    p_equivalence, p_equivalence_adjusted : float or None
        p of equivalence, before and after Holm's correction.
    smallest_detectable : float or None
        Difference that as many seeds would find in 80 of 100 studies, after correction for all rows of the table.
    mcnemar : PooledMcNemar or None
        For classifications whose predictions could be read.
    caveats : tuple of str
        Sentences that belong beside this row, for example ``"2 of 3 seeds finished"``.
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
    method: Method
    standard_error: float | None = None
    degrees_of_freedom: float | None = None
    low: float | None = None
    high: float | None = None
    variance: VarianceComponents | None = None
    low_adjusted: float | None = None
    high_adjusted: float | None = None
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
        """Number of seeds that the difference is a mean of."""
        return len(self.seeds)

    @property
    def sign(self) -> str:
        """The verdict as one character."""
        return SIGNS[self.verdict]

    @property
    def reversed(self) -> Comparison:
        """The same comparison with its sides exchanged."""
        opposite: Mapping[str, Verdict] = {"better": "worse", "worse": "better"}
        return replace(
            self,
            first=self.second,
            second=self.first,
            differences=tuple(-value for value in self.differences),
            difference=None if self.difference is None else -self.difference,
            low=None if self.high is None else -self.high,
            high=None if self.low is None else -self.low,
            low_adjusted=None if self.high_adjusted is None else -self.high_adjusted,
            high_adjusted=None if self.low_adjusted is None else -self.low_adjusted,
            verdict=opposite.get(self.verdict, self.verdict),
            mcnemar=None
            if self.mcnemar is None
            else replace(self.mcnemar, first_only=self.mcnemar.second_only, second_only=self.mcnemar.first_only),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonTable:
    """Comparisons that are corrected together.

    Parameters
    ----------
    name : {"main_arms", "main_networks", "interactions", "arms", "arms_per_class", "networks"}
        Averages over networks or arms, and what deviates from them; arms against the reference arm, overall or for each
        class; all pairs of networks within an arm.
    title, caption : str
        Heading, and one sentence below the table.
    rows : tuple of Comparison
        Comparisons in the order of the plan.
    tests : int
        Number of comparisons that Holm's correction counts.
    """

    name: TableName
    title: str
    caption: str
    rows: tuple[Comparison, ...]
    tests: int
