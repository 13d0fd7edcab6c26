"""The tables below a leaderboard, as rows of text that the terminal and Markdown share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarker import metric_label, write_summary
from benchmarker_reports.bars import Span
from benchmarker_reports.facts import Facts
from benchmarker_reports.quality import QualityLine
from benchmarker_reports.yardsticks import BEST_RATIO

if TYPE_CHECKING:
    from benchmarker import Comparison, ComparisonTable, RatioResponse
    from benchmarker_reports.yardsticks import Judged

MOST_PAIRS = 40
"""Pairs of networks; of more, those of the leader are shown."""

FRONT_NOTES = ("+: on the Pareto front of that cost, no other line is as good at no more cost and better in one.",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One table with a heading.

    Parameters
    ----------
    title : str
        Heading.
    head : tuple of str
        Of the columns.
    numeric : tuple of bool
        Which columns are set to the right.
    rows : tuple of tuple of str
        Cells.
    spans : tuple of Span or None
        Of each row, for formats that draw intervals; empty where there are none.
    notes : tuple of str
        Sentences below it.
    """

    title: str
    head: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]
    spans: tuple[Span | None, ...] = ()
    notes: tuple[str, ...] = ()


def sections(facts: Facts, *, brief: bool = False) -> list[Section]:
    """Return what is to be shown below the leaderboard; nothing for what the study does not have.

    Parameters
    ----------
    facts : Facts
        Of the study.
    brief : bool
        Of published numbers, only those for the metrics that the leaderboard shows.
    """
    found: list[Section] = []
    if facts.comparisons is not None:
        table = facts.comparisons.table("arms")
        if table is not None:
            found.append(_arms(table, facts))
        networks = facts.comparisons.table("networks")
        if networks is not None and not (brief and table is not None):
            found.append(_networks(networks, facts, most=0 if brief else MOST_PAIRS, alone=table is None))
        found.extend(_doses(response, facts) for response in facts.comparisons.ratios)
    if facts.fronts:
        found.append(fronts_section(facts))
    if facts.quality:
        found.append(_quality(facts.quality))
    shown = [judged for judged in facts.yardsticks if not brief or judged.metric in _headlines(facts)]
    if shown:
        found.append(_yardsticks(shown, left_out=len(facts.yardsticks) - len(shown)))
    return found


def signed(metric: str) -> Callable[[float], str]:
    """Return how differences of a metric are written, always with their sign."""
    write = metric_label(metric).write
    return lambda value: f"{'+' if value >= 0 else ''}{write(value)}"


def _arms(table: ComparisonTable, facts: Facts) -> Section:
    shown = facts.comparisons
    unit = f" [{shown.unit}]" if shown and shown.unit else ""
    caveats = shown.caveats if shown else ()
    own = [f"{row.first.label}: {caveat}" for row in table.rows for caveat in row.caveats if caveat not in caveats]
    return Section(
        title=table.title,
        head=("model", "arm", f"difference{unit}", "interval", "n", "verdict"),
        numeric=(False, False, True, True, True, False),
        rows=tuple(_comparison(row) for row in table.rows),
        spans=tuple(span(row) for row in table.rows),
        notes=tuple(filter(None, (table.caption, *caveats, *dict.fromkeys(own)))),
    )


def _networks(table: ComparisonTable, facts: Facts, *, most: int, alone: bool) -> Section:
    """Return all pairs of networks; where they are too many, the leader of the board against the others of its arm."""
    board, shown = facts.board, facts.comparisons
    unit = f" [{shown.unit}]" if shown and shown.unit else ""
    caveats = shown.caveats if shown else ()
    rows = table.rows
    if len(rows) > most:
        leader = next((row for row in board.at(board.checkpoints[0])), None)
        who = (leader.label, leader.arm) if leader else ("", "")
        rows = tuple(
            row if (row.first.network, row.first.arm) == who else row.reversed
            for row in rows
            if who in {(side.network, side.arm) for side in (row.first, row.second)}
        )
    arms = len({row.first.arm for row in table.rows}) > 1
    notes = [
        f"{table.caption} Verdicts hold after Holm's correction over all {table.tests} pairs.",
        f"The other {len(table.rows) - len(rows)} pairs are in the other formats."
        if len(rows) < len(table.rows)
        else "",
    ]
    own = [f"{row.first.network} - {row.second.network}: {each}" for row in rows for each in row.caveats]
    return Section(
        title=table.title if len(rows) == len(table.rows) else f"{table.title}: the leader against the others",
        head=("first", "minus", *(("arm",) if arms else ()), f"difference{unit}", "interval", "n", "verdict"),
        numeric=(False, False, *((False,) if arms else ()), True, True, True, False),
        rows=tuple(
            (
                row.first.network,
                row.second.network,
                *((row.first.arm,) if arms else ()),
                *_difference(row),
                str(row.n),
                _verdict(row),
            )
            for row in rows
        ),
        spans=tuple(span(row) for row in rows),
        notes=tuple(filter(None, (*notes, *(caveats if alone else ()), *dict.fromkeys(own)))),
    )


def fronts_section(facts: Facts) -> Section:
    """Return the lines that no other one beats in the metric and a cost, marked where they stand on a front."""
    board = facts.board
    arms = len({row.arm for row in board.rows}) > 1
    costs = ("parameters", "flops", "inference_images_per_second")
    rows = []
    for line in facts.fronts:
        name = f"{line.row.label} / {line.row.arm}" if arms else line.row.label
        cells = [write_summary(board.sort, line.row.metrics.get(board.sort))]
        for cost in costs:
            summary = line.row.costs.get(cost)
            text = "-" if summary is None else metric_label(cost).write(summary.mean)
            cells.append(f"{text} {'+' if cost in line.fronts else ' '}")
        rows.append((name, *cells))
    return Section(
        title=f"Best at its cost: {metric_label(board.sort).long} against cost",
        head=("network", metric_label(board.sort).short, *(metric_label(cost).short for cost in costs)),
        numeric=(False, True, True, True, True),
        rows=tuple(rows),
        notes=FRONT_NOTES,
    )


def _comparison(row: Comparison) -> tuple[str, ...]:
    return (row.first.network, row.first.arm, *_difference(row), str(row.n), f"{row.sign} {row.verdict}")


def _difference(row: Comparison) -> tuple[str, str]:
    write = signed(row.metric)
    difference = "-" if row.difference is None else write(row.difference)
    interval = "-" if row.low is None or row.high is None else f"[{write(row.low)}, {write(row.high)}]"
    return difference, interval


def span(row: Comparison) -> Span | None:
    """Return the interval of a difference, or None where there is no difference."""
    if row.difference is None:
        return None
    low, high = (row.difference if end is None else end for end in (row.low, row.high))
    return Span(mean=row.difference, low=low, high=high)


def _doses(response: RatioResponse, facts: Facts) -> Section:
    metric = facts.comparisons.metric if facts.comparisons else ""
    write = metric_label(metric).write
    rows, spans = [], []
    for point in response.points:
        mean = "-" if point.mean is None else write(point.mean)
        deviation = "" if point.standard_deviation is None else f" ± {write(point.standard_deviation)}"
        compared = point.comparison
        difference = (
            ("", "", "", "") if compared is None else (*_difference(compared), str(compared.n), _verdict(compared))
        )
        rows.append((f"{point.ratio:g}", point.arm, mean + deviation, *difference))
        spans.append(None if compared is None else span(compared))
    slope = ""
    if response.slope is not None:
        ends = signed(metric)
        interval = (
            "" if response.low is None or response.high is None else f" [{ends(response.low)}, {ends(response.high)}]"
        )
        slope = f"Slope per generated image for each real one: {ends(response.slope)}{interval}, n = {response.n}."
    return Section(
        title=f"Dose and response: {response.network} with images of {response.generator}",
        head=("ratio", "arm", metric_label(metric).short, "difference", "interval", "n", "verdict"),
        numeric=(True, False, True, True, True, True, False),
        rows=tuple(rows),
        spans=tuple(spans),
        notes=(slope,) if slope else (),
    )


def _verdict(row: Comparison) -> str:
    return f"{row.sign} {row.verdict}"


def _quality(lines: Sequence[QualityLine]) -> Section:
    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:.4g}"

    rows = []
    for line in lines:
        deviation = "" if line.standard_deviation is None else f" ± {line.standard_deviation:.2g}"
        unit = f" [{line.unit}]" if line.unit else ""
        seeds = f"{line.n}/{line.planned}{'' if line.n == line.planned else '*'}"
        samples = "-" if line.n_samples is None else f"{line.n_samples:,}"
        value = number(line.value) + deviation
        rows.append((line.generator, f"{line.label}{unit}", value, number(line.floor), line.better, samples, seeds))
    return Section(
        title="Generators: quality of samples",
        head=("generator", "measure", "value", "floor", "better", "images", "seeds"),
        numeric=(False, False, True, True, False, True, True),
        rows=tuple(rows),
        notes=("Floor: what real images reach against other real images, so no generator can be asked for more.",),
    )


def _headlines(facts: Facts) -> set[str]:
    return {*facts.board.headline_metrics, "accuracy", BEST_RATIO}


def _yardsticks(judged: Sequence[Judged], *, left_out: int) -> Section:
    rows = []
    for entry in judged:
        seeds = f"{entry.n}/{entry.planned}" if entry.n else ""
        rows.append(
            (
                f"{entry.yardstick.what} ({entry.yardstick.source})",
                entry.label,
                entry.published,
                entry.measured if entry.metric else "",
                seeds,
                entry.verdict,
            )
        )
    ours = dict.fromkeys(entry.row for entry in judged if entry.row)
    notes = [f"Ours: {'; '.join(ours)}."] if ours else []
    if left_out:
        notes.append(f"{left_out} more published results, and the protocols, are in the other formats.")
    else:
        named = dict.fromkeys(f"{entry.yardstick.source}: {entry.yardstick.protocol}" for entry in judged)
        notes.append(f"Protocols. {'. '.join(named)}.")
    return Section(
        title="Published numbers",
        head=("published", "metric", "band", "ours", "seeds", "verdict"),
        numeric=(False, False, True, True, True, False),
        rows=tuple(rows),
        notes=tuple(notes),
    )
