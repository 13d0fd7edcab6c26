"""The tables below a leaderboard as rows of text, which Markdown and LaTeX share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarker import metric_label
from benchmarker_reports.content.study_content import StudyContent
from benchmarker_reports.content.values import marked_seeds, mean_value, signed_as, summary_value

if TYPE_CHECKING:
    from benchmarker import Comparison, Comparisons, ComparisonTable, RatioResponse

MOST_PAIRS = 40
"""Pairs of networks that are all shown; of more, only those of the leader."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTable:
    """A table with a heading.

    Parameters
    ----------
    title : str
    head : tuple of str
        Titles of the columns.
    numeric : tuple of bool
        Whether each column is aligned to the right.
    rows : tuple of tuple of str
    notes : tuple of str
        Sentences below the table.
    """

    title: str
    head: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def text_tables(content: StudyContent) -> Iterator[TextTable]:
    """Yield the tables below the leaderboard that the study has something for.

    Parameters
    ----------
    content : StudyContent
    """
    found = content.comparisons
    if found is not None:
        arms, networks = found.table("arms"), found.table("networks")
        averaged_arms, averaged_networks = found.table("main_arms"), found.table("main_networks")
        if averaged_arms is not None:
            yield _arms_table(averaged_arms, found, averaged=True)
        if averaged_networks is not None:
            yield _networks_table(averaged_networks, content, found, alone=False)
        if arms is not None:
            yield _arms_table(arms, found)
        if networks is not None:
            yield _networks_table(networks, content, found, alone=arms is None)
        yield from (_ratio_table(response, found) for response in found.ratios)
    if any(each.gain is not None for each in content.ensembles):
        yield _gains_table(content)
    if content.pareto:
        yield pareto_table(content)
    if content.quality:
        yield _quality_table(content)
    if content.published:
        yield _published_table(content)


def _gains_table(content: StudyContent) -> TextTable:
    """Return what each ensemble gains over its members, for those whose members share one test part."""
    from benchmarker_reports.content.ensembles import gain_title

    metric = content.board.sort
    shown = [each for each in content.ensembles if each.gain is not None]
    arms = content.several_arms
    return TextTable(
        title="Ensembles against their members",
        head=("ensemble", *(("arm",) if arms else ()), gain_title(metric), "interval"),
        numeric=(False, *((False,) if arms else ()), True, True),
        rows=tuple(
            (each.line.label, *((each.line.arm,) if arms else ()), *each.written_gain(metric)) for each in shown
        ),
        notes=(f"{content.level} interval for other test sources and the same members; other seeds may gain less.",),
    )


def pareto_table(content: StudyContent) -> TextTable:
    """Return the lines that no other one beats in the metric and a cost, marked where they are on a front."""
    from benchmarker import PARETO_COSTS

    board = content.board
    arms = len({row.arm for row in board.rows}) > 1
    rows = []
    for each in content.pareto:
        row = each.line.first
        costs = (
            f"{mean_value(cost, row.costs.get(cost)).text} {'+' if cost in each.costs else ' '}"
            for cost in PARETO_COSTS
        )
        name = each.line.name if arms else each.line.label
        rows.append((name, summary_value(board.sort, row.metrics.get(board.sort)).text, *costs))
    return TextTable(
        title=f"Best for its cost: {metric_label(board.sort).long} against cost",
        head=("network", metric_label(board.sort).short, *(metric_label(cost).short for cost in PARETO_COSTS)),
        numeric=(False, True, True, True, True),
        rows=tuple(rows),
        notes=(
            "+: on the Pareto front of that cost: no other network is as good at no higher cost and better in one.",
        ),
    )


def _arms_table(table: ComparisonTable, found: Comparisons, *, averaged: bool = False) -> TextTable:
    """Return arms against the reference, for each network or averaged over networks."""
    caveats = dict.fromkeys(
        f"{row.first.label}: {each}" for row in table.rows for each in row.caveats if each not in found.caveats
    )
    names = tuple((row.first.arm,) if averaged else (row.first.network, row.first.arm) for row in table.rows)
    return TextTable(
        title=table.title,
        head=(*(("arm",) if averaged else ("model", "arm")), _difference_title(found), "interval", "n", "verdict"),
        numeric=(*((False,) if averaged else (False, False)), True, True, True, False),
        rows=tuple((*each, *_cells(row)) for each, row in zip(names, table.rows, strict=True)),
        notes=(_corrected(table), *(() if averaged else found.caveats), *caveats),
    )


def _networks_table(table: ComparisonTable, content: StudyContent, found: Comparisons, *, alone: bool) -> TextTable:
    """Return all pairs of networks; where there are too many, the leader against the others of its arm."""
    rows = table.rows if len(table.rows) <= MOST_PAIRS else _leader_rows(table, content) or table.rows[:MOST_PAIRS]
    arms = len({row.first.arm for row in table.rows}) > 1
    notes = [_corrected(table)]
    left_out = len(table.rows) - len(rows)
    if left_out:
        pairs = "pair is" if left_out == 1 else f"{left_out} pairs are"
        notes.append(f"The other {pairs} in the JSON format and on the HTML page.")
    caveats = dict.fromkeys(
        f"{row.first.network} - {row.second.network}: {each}" for row in rows for each in row.caveats
    )
    return TextTable(
        title=table.title if not left_out else f"{table.title}: the leader against the others",
        head=("first", "minus", *(("arm",) if arms else ()), _difference_title(found), "interval", "n", "verdict"),
        numeric=(False, False, *((False,) if arms else ()), True, True, True, False),
        rows=tuple(
            (row.first.network, row.second.network, *((row.first.arm,) if arms else ()), *_cells(row)) for row in rows
        ),
        notes=(*notes, *(found.caveats if alone else ()), *caveats),
    )


def _corrected(table: ComparisonTable) -> str:
    """Return the caption of a table, and for how many comparisons it is corrected."""
    if table.tests < 2:
        return table.caption
    return f"{table.caption} Intervals and verdicts hold for all {table.tests} comparisons of the table together."


def _leader_rows(table: ComparisonTable, content: StudyContent) -> tuple[Comparison, ...]:
    """Return the pairs of the leaderboard's first line, which is the first side of each."""
    leader = content.lines[0]
    arm = leader.arm if any(row.first.arm == leader.arm for row in table.rows) else table.rows[0].first.arm
    return tuple(
        row if row.first.network == leader.label else row.reversed
        for row in table.rows
        if row.first.arm == arm and leader.label in {row.first.network, row.second.network}
    )


def _ratio_table(response: RatioResponse, found: Comparisons) -> TextTable:
    metric = found.metric
    write = metric_label(metric).write
    rows = []
    for point in response.points:
        mean = "-" if point.mean is None else write(point.mean)
        deviation = "" if point.standard_deviation is None else f" ± {write(point.standard_deviation)}"
        cells = ("", "", "", "") if point.comparison is None else _cells(point.comparison)
        rows.append((f"{point.ratio:g}", point.arm, mean + deviation, *cells))
    notes: tuple[str, ...] = ()
    if response.slope is not None:
        slope = signed_as(metric, response.slope)
        if response.low is not None and response.high is not None:
            slope += f" [{signed_as(metric, response.low)}, {signed_as(metric, response.high)}]"
        notes = (f"Slope per generated image for each real one: {slope}, n = {response.n}.",)
    return TextTable(
        title=f"Ratio of generated images: {response.network} with images of {response.generator}",
        head=("ratio", "arm", metric_label(metric).short, "difference", "interval", "n", "verdict"),
        numeric=(True, False, True, True, True, True, False),
        rows=tuple(rows),
        notes=notes,
    )


def _quality_table(content: StudyContent) -> TextTable:
    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:.4g}"

    rows = []
    for each in content.quality:
        deviation = "" if each.standard_deviation is None else f" ± {each.standard_deviation:.2g}"
        rows.append(
            (
                each.generator,
                f"{each.label} [{each.unit}]" if each.unit else each.label,
                number(each.value) + deviation,
                number(each.floor),
                each.better,
                "-" if each.n_samples is None else f"{each.n_samples:,}",
                marked_seeds(each.n, each.planned),
            )
        )
    return TextTable(
        title="Generators: quality of samples",
        head=("generator", "measure", "value", "floor", "better", "images", "seeds"),
        numeric=(False, False, True, True, False, True, True),
        rows=tuple(rows),
        notes=("Floor: the same measure between real images, which no generator can be expected to beat.",),
    )


def _published_table(content: StudyContent) -> TextTable:
    rows = tuple(
        (
            f"{each.published.what} ({each.published.source})",
            each.label,
            each.theirs,
            each.measured if each.metric else "",
            f"{each.n}/{each.planned}" if each.n else "",
            each.verdict,
        )
        for each in content.published
    )
    ours = dict.fromkeys(each.row for each in content.published if each.row)
    protocols = dict.fromkeys(f"{each.published.source}: {each.published.protocol}" for each in content.published)
    return TextTable(
        title="Published numbers",
        head=("published", "metric", "band", "ours", "seeds", "verdict"),
        numeric=(False, False, True, True, True, False),
        rows=rows,
        notes=(*([f"Ours: {'; '.join(ours)}."] if ours else ()), f"Protocols. {'. '.join(protocols)}."),
    )


def _difference_title(found: Comparisons) -> str:
    return f"difference [{found.unit}]" if found.unit else "difference"


def _cells(row: Comparison) -> tuple[str, str, str, str]:
    """Return difference, interval, number of seeds and verdict."""
    difference = "-" if row.difference is None else signed_as(row.metric, row.difference)
    interval = "-"
    if row.low_adjusted is not None and row.high_adjusted is not None:
        interval = f"[{signed_as(row.metric, row.low_adjusted)}, {signed_as(row.metric, row.high_adjusted)}]"
    return difference, interval, str(row.n), f"{row.sign} {row.verdict}"
