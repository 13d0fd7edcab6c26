"""The columns that the readable formats share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarker import Leaderboard, LeaderboardRow, metric_label, write_summary

CAPTION = "Mean ± sample standard deviation over seeds."
CHECKPOINTS = {"best": "best: weights of the lowest validation loss", "final": "final: weights of the last epoch"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a table: a model in an arm, with its row at each checkpoint."""

    rows: dict[str, LeaderboardRow]

    @property
    def first(self) -> LeaderboardRow:
        """The row that the order of lines comes from."""
        return next(iter(self.rows.values()))

    @property
    def rank(self) -> str:
        """Rank at the first checkpoint."""
        return "-" if self.first.rank is None else str(self.first.rank)

    @property
    def seeds(self) -> str:
        """Finished and planned seeds, marked where they differ, and where saved weights were tested."""
        return marked_seeds(self.first.n, self.first.planned, self.first.untrained)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table; those with the highest ``drop`` leave a narrow table first, those with 0 never."""

    head: tuple[str, str]
    text: Callable[[Line], str]
    numeric: bool = True
    drop: int = 0


def marked_seeds(n: int, planned: int, untrained: int) -> str:
    """Return ``"3/3"``, with ``*`` where seeds are missing, and ``-o`` where saved weights were tested."""
    return f"{n}/{planned}{'' if n == planned else '*'}{' -o' if untrained else ''}"


def lines(leaderboard: Leaderboard) -> list[Line]:
    """Join the checkpoints of each model and arm, in the order of the first checkpoint's ranks."""
    joined: dict[tuple[str, ...], dict[str, LeaderboardRow]] = {}
    for row in leaderboard.rows:
        key = (row.label, row.model, row.arm, row.variant, row.environment, row.backend, row.precision)
        joined.setdefault(key, {})[row.checkpoint] = row
    return [Line(rows=rows) for rows in joined.values()]


def columns(leaderboard: Leaderboard) -> list[Column]:
    """Return the columns of a table, the most important ones first."""
    found = [
        Column(head=("#", ""), text=lambda line: line.rank),
        Column(head=("model", ""), text=lambda line: line.first.label, numeric=False),
    ]
    arms = {row.arm for row in leaderboard.rows}
    if arms - {"real"}:
        found.append(Column(head=("arm", ""), text=lambda line: line.first.arm, numeric=False))
    first = leaderboard.checkpoints[0]
    if leaderboard.sort != leaderboard.primary and any(leaderboard.sort in row.metrics for row in leaderboard.rows):
        found.append(_metric(leaderboard, leaderboard.sort, first))
    found.extend(_metric(leaderboard, leaderboard.primary, checkpoint) for checkpoint in leaderboard.checkpoints)
    found.extend(
        _metric(leaderboard, name, first, drop=2)
        for name in leaderboard.headline_metrics
        if name not in {leaderboard.sort, leaderboard.primary}
    )
    found.append(Column(head=("seeds", ""), text=lambda line: line.seeds))
    for name, drop in (("parameters", 3), ("inference_images_per_second", 4), ("flops", 5)):
        found.append(_cost(name, 0 if name == leaderboard.sort else drop))
    known = {"parameters", "inference_images_per_second", "flops"}
    if any(leaderboard.sort in row.costs for row in leaderboard.rows) and leaderboard.sort not in known:
        found.append(_cost(leaderboard.sort, 0))
    return found


def footnotes(leaderboard: Leaderboard) -> list[str]:
    """Return what the table's signs mean."""
    shown = "; ".join(CHECKPOINTS[name] for name in leaderboard.checkpoints if name in CHECKPOINTS)
    label = metric_label(leaderboard.sort).long
    at = f" ({leaderboard.checkpoints[0]})" if len(leaderboard.checkpoints) > 1 else ""
    notes = [f"{CAPTION} {shown[:1].upper()}{shown[1:]}.", f"Sorted by {label}{at}."]
    if any(not row.complete for row in leaderboard.rows):
        ranked = any(row.rank is not None and not row.complete for row in leaderboard.rows)
        notes.append(
            "* fewer seeds finished than were planned: ranked because you asked for it."
            if ranked
            else "* fewer seeds finished than were planned: not ranked (--include-incomplete ranks them)."
        )
    if any(row.untrained for row in leaderboard.rows):
        notes.append(
            "-o: saved weights were tested, nobody knows how they were trained (see the notes); such runs have rows of "
            "their own."
        )
    if any(row.environment for row in leaderboard.rows):
        notes.append("[...] runs of one environment only: results of different environments are never averaged.")
    return notes


def _metric(leaderboard: Leaderboard, name: str, checkpoint: str, drop: int = 0) -> Column:
    unit = leaderboard.unit(name)
    short = metric_label(name).short + (f" [{unit}]" if unit else "")

    def text(line: Line) -> str:
        row = line.rows.get(checkpoint)
        return write_summary(name, row.metrics.get(name) if row else None)

    return Column(head=(short, checkpoint), text=text, drop=drop)


def _cost(name: str, drop: int) -> Column:
    label = metric_label(name)

    def text(line: Line) -> str:
        summary = line.first.costs.get(name)
        return "-" if summary is None else label.write(summary.mean)

    return Column(head=(label.short, ""), text=text, drop=drop)
