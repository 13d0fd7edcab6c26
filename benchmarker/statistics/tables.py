"""What a report shows of comparisons: tables of lines, tables of ratios, and the caveats beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from benchmarker.statistics.comparison import Comparison, Verdict

if TYPE_CHECKING:
    import pandas as pd


TableName = Literal["arms", "arms_per_class", "networks"]


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
class RatioPoint:
    """One ratio of a table of ratios.

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
class RatioResponse:
    """How a network's metric follows the ratio of generated images.

    Parameters
    ----------
    network, generator : str
        Who was trained, and who generated.
    points : tuple of RatioPoint
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
    points: tuple[RatioPoint, ...]
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
    ratios : tuple of RatioResponse
        One for each network and generator with at least two ratios (0 counts).
    caveats : tuple of str
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
    ratios: tuple[RatioResponse, ...] = ()
    caveats: tuple[str, ...] = ()
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


def _flat(table: str, row: Comparison) -> dict[str, Any]:
    values = asdict(row)
    first, second, mcnemar = values.pop("first"), values.pop("second"), values.pop("mcnemar")
    values.pop("differences")
    flat: dict[str, Any] = {"table": table}
    for name, side in (("first", first), ("second", second)):
        flat.update({f"{name}_{key}": value for key, value in side.items()})
    flat.update(values)
    flat.update({"seeds": " ".join(map(str, row.seeds)), "n": row.n, "caveats": "; ".join(row.caveats)})
    flat["mcnemar_p"] = None if mcnemar is None else mcnemar["p"]
    return flat
