"""Published numbers for the same task, beside ours: inside or outside their band, and under whose protocol.

The YAML files beside this module hold them. A number without a stated uncertainty has a band as wide as its rounding,
or, where the number of test sources is known, the Wilson interval of a proportion (Wilson 1927,
doi:10.1080/01621459.1927.10502953).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

from benchmarker import BenchmarkerError, Leaderboard, LeaderboardRow, StudyResults, metric_label

if TYPE_CHECKING:
    from benchmarker import Comparisons

Place = Literal["inside", "below", "above", "stated"]

BEST_RATIO = "best_ratio"
"""Stands for the ratio of generated to real images that does best, in place of a metric."""

_NORMAL_QUANTILE = 1.959963984540054  # of 97.5 %


@dataclass(frozen=True, slots=True, kw_only=True)
class Yardstick:
    """One published result.

    Parameters
    ----------
    what, source, protocol : str
        Network or effect, where it is published, and how it was measured.
    metrics : tuple of str
        Flat names of the metric, in the spellings of several datasets; empty for a finding in words.
    value : float or None
        As published.
    band : tuple of (float, float) or None
        Between which ours would be called the same; both ends count.
    finding : str
        A result in words, which is shown and not judged.
    architectures : tuple of str
        Whose rows are compared with it; the best row where the study has none of them.
    same : mapping of str to str
        Settings of a cell, flat, under which the protocol is the same.
    """

    what: str
    source: str
    protocol: str
    metrics: tuple[str, ...] = ()
    value: float | None = None
    band: tuple[float, float] | None = None
    finding: str = ""
    architectures: tuple[str, ...] = ()
    same: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A published result beside ours.

    Parameters
    ----------
    yardstick : Yardstick
        What is published.
    metric : str
        Under which ours is measured; empty for a finding in words.
    ours, standard_deviation : float or None
        Mean over seeds, and its sample deviation.
    n, planned : int
        Seeds.
    row : str
        Network and arm of ours.
    place : {"inside", "below", "above", "stated"}
        Where ours lies; ``"stated"`` where nothing is compared.
    same_protocol : bool
        Whether ours was measured in the same way.
    """

    yardstick: Yardstick
    place: Place
    metric: str = ""
    ours: float | None = None
    standard_deviation: float | None = None
    n: int = 0
    planned: int = 0
    row: str = ""
    same_protocol: bool = False

    @property
    def verdict(self) -> str:
        """For example ``"outside (below), other protocol"``."""
        if self.place == "stated":
            return "stated, not compared"
        where = "inside" if self.place == "inside" else f"outside ({self.place})"
        return f"{where}, {'same' if self.same_protocol else 'other'} protocol"

    @property
    def label(self) -> str:
        """How the metric is called."""
        return "best ratio" if self.metric == BEST_RATIO else metric_label(self.metric).short if self.metric else ""

    @property
    def published(self) -> str:
        """The published number with its band, or the finding."""
        band = self.yardstick.band
        if band is None:
            return self.yardstick.finding
        shown = f"[{band[0]:.4g}, {band[1]:.4g}]"
        return shown if self.yardstick.value is None else f"{self.yardstick.value:.4g} {shown}"

    @property
    def measured(self) -> str:
        """Ours with its deviation and seeds, or nothing."""
        if self.ours is None:
            return "-"
        write = metric_label(self.metric).write
        deviation = "" if self.standard_deviation is None else f" ± {write(self.standard_deviation)}"
        return f"{write(self.ours)}{deviation}"

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {**asdict(self), "verdict": self.verdict}


@lru_cache(maxsize=1)
def _shipped() -> tuple[tuple[tuple[Mapping[str, Any], ...], tuple[Yardstick, ...]], ...]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where it was built
    found = []
    for resource in sorted(files(__package__).iterdir(), key=lambda entry: entry.name):
        if resource.name.endswith(".yaml"):
            content = yaml.load(resource.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - a safe one
            try:
                found.append((tuple(content["match"]), tuple(_read(entry) for entry in content["yardsticks"])))
            except (KeyError, TypeError, ValueError) as error:
                raise BenchmarkerError(f"{resource.name}: a yardstick is incomplete: {error}") from error
    return tuple(found)


def _read(entry: Mapping[str, Any]) -> Yardstick:
    value = entry.get("value")
    band = entry.get("band")
    if band is None and value is not None:
        band = wilson(float(value), int(entry["test_sources"]))
    return Yardstick(
        what=str(entry["what"]),
        source=str(entry["source"]),
        protocol=str(entry["protocol"]),
        metrics=tuple(entry.get("metrics", ())),
        value=None if value is None else float(value),
        band=None if band is None else (float(band[0]), float(band[1])),
        finding=str(entry.get("finding", "")),
        architectures=tuple(entry.get("architectures", ())),
        same=dict(entry.get("same", {})),
    )


def wilson(proportion: float, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a proportion of ``n`` sources (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""
    square = _NORMAL_QUANTILE**2
    centre = (proportion + square / (2 * n)) / (1 + square / n)
    half = _NORMAL_QUANTILE * math.sqrt(proportion * (1 - proportion) / n + square / (4 * n * n)) / (1 + square / n)
    return centre - half, centre + half


def yardsticks(results: StudyResults) -> tuple[Yardstick, ...]:
    """Return what is published for a study's dataset or targets."""
    name = str(results.study.dataset.get("name", ""))
    targets = {str(target.get("name")) for target in results.task.get("targets", ())}
    return tuple(
        yardstick
        for matches, found in _shipped()
        if any(_matches(match, name, results.classes, targets) for match in matches)
        for yardstick in found
    )


def _matches(match: Mapping[str, Any], dataset: str, classes: Sequence[str], targets: set[str]) -> bool:
    return (
        ("datasets" not in match or dataset in match["datasets"])
        and ("classes" not in match or set(match["classes"]) == set(classes))
        and ("targets" not in match or bool(targets & set(match["targets"])))
    )


def judge(results: StudyResults, board: Leaderboard, compared: Comparisons | None) -> tuple[Judged, ...]:
    """Lay published numbers beside a study's.

    Parameters
    ----------
    results : StudyResults
        The study.
    board : Leaderboard
        Whose first checkpoint is compared.
    compared : Comparisons or None
        Which may hold what a ratio of generated images does.

    Returns
    -------
    tuple of Judged
        In the order of the files; numbers for metrics that the study does not have are left out.
    """
    found = yardsticks(results)
    if not found or not board.checkpoints:
        return ()
    rows = [row for row in board.at(board.checkpoints[0]) if row.n]
    return tuple(judged for yardstick in found for judged in _judged(yardstick, results, rows, compared))


def _judged(
    yardstick: Yardstick, results: StudyResults, rows: Sequence[LeaderboardRow], compared: Comparisons | None
) -> Iterator[Judged]:
    if not yardstick.metrics or yardstick.band is None:
        yield Judged(yardstick=yardstick, place="stated")
        return
    if yardstick.metrics == (BEST_RATIO,):
        yield from _ratios(yardstick, compared)
        return
    row = next((row for row in rows if row.architecture in yardstick.architectures), rows[0] if rows else None)
    if row is None:
        return
    for metric in yardstick.metrics:
        summary = row.metrics.get(metric)
        if summary is not None:
            yield Judged(
                yardstick=yardstick,
                metric=metric,
                ours=summary.mean,
                standard_deviation=summary.standard_deviation,
                n=summary.n,
                planned=summary.planned,
                row=f"{row.label} / {row.arm}",
                place=_place(summary.mean, yardstick.band),
                same_protocol=_same_protocol(yardstick, results, row),
            )
            return


def _ratios(yardstick: Yardstick, compared: Comparisons | None) -> Iterator[Judged]:
    for response in compared.ratios if compared else ():
        known = [point for point in response.points if point.mean is not None]
        if len(known) < 2 or compared is None or yardstick.band is None:
            continue
        sign = 1 if compared.higher_is_better else -1
        best = max(known, key=lambda point: sign * (point.mean or 0.0))
        yield Judged(
            yardstick=yardstick,
            metric=BEST_RATIO,
            ours=best.ratio,
            n=response.n,
            planned=response.n,
            row=f"{response.network} / {response.generator}",
            place=_place(best.ratio, yardstick.band),
        )


def _place(value: float, band: tuple[float, float]) -> Place:
    return "below" if value < band[0] else "above" if value > band[1] else "inside"


def _same_protocol(yardstick: Yardstick, results: StudyResults, row: LeaderboardRow) -> bool:
    if not yardstick.same:
        return False
    cells = [cell for cell in results.cells if cell.architecture == row.architecture and cell.arm == row.arm]
    source = results.study.plan.get("source")
    preparation = source.get("preparation") if isinstance(source, Mapping) else None
    return bool(cells) and all(
        _setting({**cell.spec, "preparation": preparation}, name) == wanted
        for cell in cells
        for name, wanted in yardstick.same.items()
    )


def _setting(value: Any, name: str) -> str:
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return "null" if value is None else str(value).lower()
