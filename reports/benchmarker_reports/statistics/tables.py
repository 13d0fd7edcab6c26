"""What a report shows of comparisons: verdicts with n, interval and adjusted p, as plain data that any format can draw.

Every number is stored as it was computed, in the units of its metric; formats round, colour and align. A difference is
*first minus second*: arm minus `real`, or one network minus another. Verdicts already know which way is better.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

    from benchmarker import StudyResults

Verdict = Literal["better", "worse", "equivalent", "undecided"]
TableName = Literal["arms", "arms_per_class", "networks"]

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
    guards : tuple of str
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
    guards: tuple[str, ...] = ()

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonTable:
    """Comparisons that were corrected together.

    Parameters
    ----------
    name : str
        ``"arms"`` (against the reference arm), ``"arms_per_class"``, or ``"networks"`` (all pairs within an arm).
    title, caption : str
        Heading, and one sentence for below the table.
    rows : tuple of Comparison
        In the order of the plan.
    tests : int
        Comparisons that Holm's correction counts.
    """

    name: TableName
    title: str
    caption: str
    rows: tuple[Comparison, ...]
    tests: int

    def count(self, verdict: Verdict) -> int:
        """Return how many rows have a verdict."""
        return sum(row.verdict == verdict for row in self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dose:
    """One ratio of a dose-response table.

    Parameters
    ----------
    ratio : float
        Generated images for each real one; 0 for the reference arm.
    arm : str
    mean, standard_deviation : float or None
        Of the metric over finished seeds.
    comparison : Comparison or None
        Against the reference arm, the same line as in table ``"arms"``; None for the reference itself.
    """

    ratio: float
    arm: str
    mean: float | None
    standard_deviation: float | None
    comparison: Comparison | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseResponse:
    """How a network's metric follows the ratio of generated images.

    Parameters
    ----------
    network, generator : str
        Who was trained, and who generated.
    doses : tuple of Dose
        By ratio, from 0 on.
    slope : float or None
        Change of the metric for one generated image more per real one: least squares within each seed, then the mean.
    low, high, p : float or None
        Interval and two-sided p of the slope, not corrected; None for fewer than two seeds with all ratios.
    n : int
        Seeds with all ratios.
    """

    network: str
    generator: str
    doses: tuple[Dose, ...]
    slope: float | None
    low: float | None
    high: float | None
    p: float | None
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparisons:
    """Everything that a study says about differences.

    Parameters
    ----------
    title : str
        Of the study.
    metric, unit, checkpoint : str
        What was compared, the unit of differences, and of which weights (``"best"`` or ``"final"``).
    higher_is_better : bool
    reference : str
        The arm that others are compared with.
    level : float
        Of intervals; one minus the error rate that verdicts keep over a whole table.
    margin : float or None
        Half the width of the region of practical equivalence of the overall metric.
    tables : tuple of ComparisonTable
        Those that have rows.
    doses : tuple of DoseResponse
        One for each network and generator with at least two ratios (0 counts).
    guards : tuple of str
        What a reader must know before believing any line.
    method : str
        One paragraph that says how verdicts are made, with sources.
    """

    title: str
    metric: str
    unit: str
    checkpoint: str
    higher_is_better: bool
    reference: str
    level: float
    margin: float | None
    tables: tuple[ComparisonTable, ...]
    doses: tuple[DoseResponse, ...] = ()
    guards: tuple[str, ...] = ()
    method: str = field(default="")

    def table(self, name: TableName) -> ComparisonTable | None:
        """Return a table by its name, or None where the study has no such comparison."""
        return next((table for table in self.tables if table.name == name), None)

    def rows(self) -> Iterator[tuple[ComparisonTable, Comparison]]:
        """Yield every line with its table."""
        for table in self.tables:
            for row in table.rows:
                yield table, row

    def to_json(self) -> dict[str, Any]:
        """Return everything as nested JSON values."""
        return asdict(self)

    def frame(self) -> pd.DataFrame:
        """Return every line of every table as a tidy table; one row for each comparison."""
        import pandas as pd

        return pd.DataFrame([_flat(table.name, row) for table, row in self.rows()])


def comparisons(
    results: StudyResults,
    *,
    checkpoint: str = "best",
    reference: str = "real",
    level: float = 0.95,
    margin: float | None = None,
) -> Comparisons:
    """Compare every arm with the reference arm, and all networks within an arm.

    Parameters
    ----------
    results : StudyResults
        A study, as a report is given it.
    checkpoint : {"best", "final"}
        Whose predictions.
    reference : str
        The arm that others are compared with; where the study has no such arm there is no table of arms.
    level : float
        Of intervals; verdicts keep an error rate of one minus this over a whole table.
    margin : float, optional
        Half the width of the region of practical equivalence, in units of the primary metric; by default one
        percentage point for scores, and none for errors.
    """
    from benchmarker_reports.statistics.verdicts import compare_study

    return compare_study(results, checkpoint=checkpoint, reference=reference, level=level, margin=margin)


def _flat(table: str, row: Comparison) -> dict[str, Any]:
    values = asdict(row)
    first, second, mcnemar = values.pop("first"), values.pop("second"), values.pop("mcnemar")
    values.pop("differences")
    flat: dict[str, Any] = {"table": table}
    for name, side in (("first", first), ("second", second)):
        flat.update({f"{name}_{key}": value for key, value in side.items()})
    flat.update(values)
    flat.update({"seeds": " ".join(map(str, row.seeds)), "n": row.n, "guards": "; ".join(row.guards)})
    flat["mcnemar_p"] = None if mcnemar is None else mcnemar["p"]
    return flat
