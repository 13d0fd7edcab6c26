"""What the readable formats show beside the leaderboard: comparisons, generators and published numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from benchmarker import CellRecord, Leaderboard, ReportOptions, StudyResults

if TYPE_CHECKING:
    from benchmarker_reports.fronts import FrontLine
    from benchmarker_reports.statistics.tables import Comparisons
    from benchmarker_reports.yardsticks import Judged

MOST_COMPARED = 120
"""Networks and arms; the pairs of more of them nobody reads, and they cost minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityLine:
    """One measure of a generator's samples, averaged over seeds.

    Parameters
    ----------
    generator : str
        As the registry calls it.
    name, label, unit : str
        Of the measure.
    value, standard_deviation : float or None
        Over seeds; the deviation (n - 1 in the denominator) is None for one seed, both are where nothing was measured.
    floor : float or None
        What real images reach against real images: the best that can be hoped for.
    better : str
        ``"lower"`` or ``"higher"``.
    n, planned : int
        Seeds measured and planned.
    n_samples : int or None
        Generated images that were measured, the fewest of any seed.
    """

    generator: str
    name: str
    label: str
    unit: str
    value: float | None
    standard_deviation: float | None
    floor: float | None
    better: str
    n: int
    planned: int
    n_samples: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that the readable formats show of a study.

    Parameters
    ----------
    board : Leaderboard
        Metrics averaged over seeds.
    comparisons : Comparisons or None
        Of arms and networks; None where there is one line alone, or more than anybody reads.
    quality : tuple of QualityLine
        Of generators, one line for each measure.
    yardsticks : tuple of Judged
        Published numbers for the same task, beside ours.
    fronts : tuple of FrontLine
        Lines that no other one beats in the metric and a cost.
    """

    board: Leaderboard
    comparisons: Comparisons | None = None
    fronts: tuple[FrontLine, ...] = ()
    quality: tuple[QualityLine, ...] = ()
    yardsticks: tuple[Judged, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return what is beside the leaderboard; nothing for what the study does not have."""
        value: dict[str, Any] = {}
        if self.comparisons is not None:
            value["comparisons"] = self.comparisons.to_json()
        if self.fronts:
            value["fronts"] = [
                {"model": line.row.model, "variant": line.row.variant, "arm": line.row.arm, "costs": list(line.fronts)}
                for line in self.fronts
            ]
        if self.quality:
            value["generators"] = [asdict(line) for line in self.quality]
        if self.yardsticks:
            value["yardsticks"] = [judged.to_json() for judged in self.yardsticks]
        return value


def gather(results: StudyResults, options: ReportOptions, *, most: int = MOST_COMPARED) -> Facts:
    """Collect what the readable formats show.

    Parameters
    ----------
    results : StudyResults
        What to show.
    options : ReportOptions
        How to show it.
    most : int
        Leave comparisons and fronts out where there are more lines than this: nobody reads them in such a format.
    """
    from benchmarker_reports.fronts import front_lines
    from benchmarker_reports.yardsticks import judge

    board = results.board(options)
    several = 1 < len(board.at(options.checkpoint)) <= most
    compared = _comparisons(results, options) if several else None
    return Facts(
        board=board,
        comparisons=compared,
        quality=quality_lines(results.generators),
        yardsticks=judge(results, board, compared),
        fronts=front_lines(board) if several else (),
    )


def _comparisons(results: StudyResults, options: ReportOptions) -> Comparisons:
    from benchmarker_reports.statistics.tables import comparisons

    return comparisons(
        results,
        checkpoint=options.checkpoint,
        reference=options.reference,
        level=options.confidence,
        margin=options.equivalence,
    )


def quality_lines(generators: Iterable[CellRecord]) -> tuple[QualityLine, ...]:
    """Average what was measured of generators over their seeds, in the order of the plan."""
    groups: dict[str, list[CellRecord]] = {}
    for cell in generators:
        groups.setdefault(cell.model, []).append(cell)
    return tuple(line for name, cells in groups.items() for line in _lines(name, cells))


def _lines(generator: str, cells: list[CellRecord]) -> Iterable[QualityLine]:
    measured: dict[str, list[Mapping[str, Any]]] = {}
    for cell in cells:
        for row in _rows(cell):
            measured.setdefault(str(row["name"]), []).append(row)
    for name, rows in measured.items():
        values = [value for row in rows if (value := _number(row.get("value"))) is not None]
        floors = [floor for row in rows if (floor := _number(row.get("floor"))) is not None]
        counts = [row["n"] for row in rows if isinstance(row.get("n"), int)]
        yield QualityLine(
            generator=generator,
            name=name,
            label=str(rows[0].get("label") or name.replace("_", " ")),
            unit=str(rows[0].get("unit") or ""),
            value=_mean(values),
            standard_deviation=_deviation(values),
            floor=_mean(floors),
            better=str(rows[0].get("better") or ""),
            n=len(values),
            planned=len(cells),
            n_samples=min(counts, default=None),
        )


def _rows(cell: CellRecord) -> list[Mapping[str, Any]]:
    quality = StudyResults.quality(cell)
    rows = quality.get("rows")
    return [row for row in rows if isinstance(row, Mapping) and "name" in row] if isinstance(rows, list) else []


def _number(value: object) -> float | None:
    known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if known and isinstance(value, int | float) else None


def _mean(values: list[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _deviation(values: list[float]) -> float | None:
    if len(values) < 2:
        return None
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
