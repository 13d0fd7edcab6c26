"""Comparison of a study with published results: inside or outside their band, and under the same protocol or not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from benchmarker import Leaderboard, LeaderboardRow, StudyResults, flatten, metric_label
from benchmarker_reports.published.table import BEST_RATIO, PublishedResult, published_results

if TYPE_CHECKING:
    from benchmarker import Comparisons

Position = Literal["inside", "below", "above", "not compared"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedComparison:
    """A published result beside that of a study.

    Parameters
    ----------
    published : PublishedResult
        The published result.
    position : {"inside", "below", "above", "not compared"}
        Position of our mean relative to the published band.
    metric : str
        Flat name of the metric compared; empty for a finding in words.
    ours, standard_deviation : float or None
        Mean and sample deviation over seeds.
    n, planned : int
        Number of seeds.
    row : str
        Network and arm of ours.
    same_protocol : bool
        Whether ours was measured in the same way.
    """

    published: PublishedResult
    position: Position
    metric: str = ""
    ours: float | None = None
    standard_deviation: float | None = None
    n: int = 0
    planned: int = 0
    row: str = ""
    same_protocol: bool = False

    @property
    def verdict(self) -> str:
        """Position and protocol, for example ``"outside (below), other protocol"``."""
        if self.position == "not compared":
            return "not compared"
        where = "inside" if self.position == "inside" else f"outside ({self.position})"
        return f"{where}, {'same' if self.same_protocol else 'other'} protocol"

    @property
    def label(self) -> str:
        """Short name of the metric."""
        return "best ratio" if self.metric == BEST_RATIO else metric_label(self.metric).short if self.metric else ""

    @property
    def theirs(self) -> str:
        """The published number with its band, or the finding."""
        band = self.published.band
        if band is None:
            return self.published.finding
        shown = f"[{band[0]:.4g}, {band[1]:.4g}]"
        return shown if self.published.value is None else f"{self.published.value:.4g} {shown}"

    @property
    def measured(self) -> str:
        """Our mean with its deviation."""
        if self.ours is None:
            return "-"
        write = metric_label(self.metric).write
        deviation = "" if self.standard_deviation is None else f" ± {write(self.standard_deviation)}"
        return f"{write(self.ours)}{deviation}"

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {**asdict(self), "published": self.published.model_dump(mode="json"), "verdict": self.verdict}


def compare_with_published(
    results: StudyResults, board: Leaderboard, compared: Comparisons | None
) -> tuple[PublishedComparison, ...]:
    """Compare a study with what is published for its dataset.

    Parameters
    ----------
    results : StudyResults
        The study.
    board : Leaderboard
        Its leaderboard, of which the first checkpoint is compared.
    compared : Comparisons or None
        Comparisons of the study, which may hold its response to ratios of generated images.

    Returns
    -------
    tuple of PublishedComparison
        In the order of the table. Numbers for metrics that the study does not have are left out.
    """
    found = published_results(results)
    if not found or not board.checkpoints:
        return ()
    rows = [row for row in board.at(board.checkpoints[0]) if row.n]
    return tuple(each for published in found for each in _compare(published, results, rows, compared))


def _compare(
    published: PublishedResult, results: StudyResults, rows: Sequence[LeaderboardRow], compared: Comparisons | None
) -> Iterator[PublishedComparison]:
    if not published.metrics or published.band is None:
        yield PublishedComparison(published=published, position="not compared")
        return
    if published.metrics == (BEST_RATIO,):
        yield from _best_ratios(published, published.band, compared)
        return
    row = next((row for row in rows if row.architecture in published.architectures), rows[0] if rows else None)
    if row is None:
        return
    metric = next((name for name in published.metrics if name in row.metrics), None)
    if metric is not None:
        summary = row.metrics[metric]
        yield PublishedComparison(
            published=published,
            position=_position(summary.mean, published.band),
            metric=metric,
            ours=summary.mean,
            standard_deviation=summary.standard_deviation,
            n=summary.n,
            planned=summary.planned,
            row=f"{row.label} / {row.arm}",
            same_protocol=_same_protocol(published, results, row),
        )


def _best_ratios(
    published: PublishedResult, band: tuple[float, float], compared: Comparisons | None
) -> Iterator[PublishedComparison]:
    for response in compared.ratios if compared else ():
        means = [(point.mean, point.ratio) for point in response.points if point.mean is not None]
        if len(means) < 2 or compared is None:
            continue
        sign = 1 if compared.higher_is_better else -1
        _, best = max(means, key=lambda point: sign * point[0])
        yield PublishedComparison(
            published=published,
            position=_position(best, band),
            metric=BEST_RATIO,
            ours=best,
            n=response.n,
            planned=response.n,
            row=f"{response.network} / {response.generator}",
        )


def _position(value: float, band: tuple[float, float]) -> Position:
    return "below" if value < band[0] else "above" if value > band[1] else "inside"


def _same_protocol(published: PublishedResult, results: StudyResults, row: LeaderboardRow) -> bool:
    if not published.same_protocol:
        return False
    cells = [cell for cell in results.cells if cell.architecture == row.architecture and cell.arm == row.arm]
    source = results.study.plan.source
    preparation = {} if source is None else {"preparation": source.preparation.model_dump(exclude_unset=True)}
    settings = [flatten({**cell.spec.to_json(), **preparation}) for cell in cells]
    return bool(cells) and all(
        one.get(name, "null").lower() == wanted for one in settings for name, wanted in published.same_protocol.items()
    )
