"""What the readable formats show beside the leaderboard: comparisons, generators and published numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from benchmarker import Leaderboard, ReportOptions, StudyResults
from benchmarker_reports.quality import QualityLine, quality_lines

if TYPE_CHECKING:
    from benchmarker import Comparisons
    from benchmarker_reports.fronts import FrontLine
    from benchmarker_reports.yardsticks import Judged

MOST_COMPARED = 120
"""Networks and arms; the pairs of more of them nobody reads, and they cost minutes."""


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
    from benchmarker import compare_study

    return compare_study(
        results,
        checkpoint=options.checkpoint,
        reference=options.reference,
        level=options.confidence,
        margin=options.equivalence,
    )
