"""``benchmarker compare``: differences between two studies, networks or runs, first in settings, then in results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from benchmarker import UserPath, command_settings, echo, flatten
from benchmarker_reports.commands.writing import table
from benchmarker_reports.content.values import signed_as, written_p

if TYPE_CHECKING:
    from benchmarker import Comparison, NetworkResults, SeedResult
    from benchmarker_reports.commands.selection import Selection

_LONGEST = 60
_USED = "plugins."


@click.command(
    name="compare",
    **command_settings(
        "benchmarker compare results/yesterday results/today",
        "benchmarker compare results/quickstart:mcrgnet results/quickstart:convxpress",
        "benchmarker compare results/gan:mcrgnet/real results/gan:mcrgnet/dcgan-0.5",
        "benchmarker compare results/laptop:mcrgnet/real/8901 results/cluster:mcrgnet/real/8901",
        "benchmarker compare results/first results/mirabest results/galaxy10 --svg ranks.svg",
    ),
)
@click.argument("first", metavar="A")
@click.argument("others", metavar="B [C ...]", nargs=-1, required=True)
@click.option("--checkpoint", type=click.Choice(["best", "final"]), default="best", show_default=True,
              help="Weights of the lowest validation loss, or of the last epoch.")  # fmt: skip
@click.option("--level", type=click.FloatRange(0.5, 0.999), default=0.95, show_default=True,
              help="Confidence level of intervals, and of all verdicts of a table together.")  # fmt: skip
@click.option("--ranks", is_flag=True,
              help="Rank networks over the datasets of two studies, as is done for three.")  # fmt: skip
@click.option("--svg", type=UserPath(dir_okay=False), metavar="FILE",
              help="Write the diagram of mean ranks and their critical difference as SVG.")  # fmt: skip
def command(
    *, first: str, others: tuple[str, ...], checkpoint: str, level: float, ranks: bool, svg: Path | None
) -> None:
    """Compare two studies, networks or runs: their configuration and environment first, then their results.

    A and B are each STUDY, STUDY:network, STUDY:network/arm or STUDY:network/arm/seed; commas separate several
    networks. Results are paired by seed and by test source. Differences are A minus B. A pair that the reports of the
    study compare has the interval and the verdict of the reports; other pairs are corrected for their own number.

    Three or more studies, or two with --ranks, must use different datasets. The networks that all of them have are
    ranked over datasets, with the critical difference of their mean ranks. Seeds never take the place of datasets.
    """
    from benchmarker_reports.commands.selection import select

    selections = [select(text, checkpoint=checkpoint, level=level) for text in (first, *others)]
    if len(selections) > 2 or ranks:
        _rank(selections, level, svg)
        return
    if svg is not None:
        raise click.UsageError("--svg draws ranks over datasets. Add --ranks or a third study.")
    echo(described(*selections))


def _rank(selections: Sequence[Selection], level: float, svg: Path | None) -> None:
    from benchmarker_reports.commands import ranking
    from benchmarker_reports.commands.rank_picture import rank_svg

    found = ranking.ranked(selections)
    echo(ranking.described(found, level))
    if svg is not None:
        svg.write_text(rank_svg(found.diagram), encoding="utf-8")
        echo(f"Wrote {svg}")


def described(first: Selection, second: Selection) -> str:
    """Return a comparison as text.

    Parameters
    ----------
    first, second : Selection
        Sides A and B.
    """
    from benchmarker import ConfigurationError
    from benchmarker_reports.commands.selection import pairs

    if first.settings.metric != second.settings.metric:
        raise ConfigurationError(
            f"{first.text} is evaluated by {first.settings.metric}, {second.text} by {second.settings.metric}. "
            "Compare studies with the same primary metric."
        )
    paired = pairs(first, second)
    lines = [f"A  {first.text}", f"B  {second.text}", ""]
    sides = _seeds(paired)
    lines += _differences("Configuration", *([one.spec.to_json() for one in side if one.spec] for side in sides))
    prints = ([one.fingerprint.to_json() for one in side if one.fingerprint] for side in sides)
    lines += _differences("Environment", *prints)
    return "\n".join([*lines, *_results(_compared(paired, first, second), first, second)])


def _compared(
    paired: Sequence[tuple[NetworkResults, NetworkResults]], first: Selection, second: Selection
) -> list[Comparison]:
    """Return the comparisons: those of the study's reports where these have them, others corrected on their own."""
    from benchmarker import compare_pair, corrected_table
    from benchmarker_reports.commands.selection import reported

    known = reported(paired, first, second)
    others = [pair for pair, row in zip(paired, known, strict=True) if row is None]
    own = corrected_table(
        "networks", "", "", (compare_pair(one, other, first.settings) for one, other in others), first.settings.level
    )
    rest = iter(own.rows)
    return [next(rest) if row is None else row for row in known]


def _seeds(paired: Sequence[tuple[NetworkResults, NetworkResults]]) -> list[list[SeedResult]]:
    return [[seed for rows in paired for seed in rows[side].seeds.values()] for side in (0, 1)]


def _differences(title: str, first: Sequence[Mapping[str, Any]], second: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the entries whose sets of values differ between the two sides."""
    entries = [_values(side) for side in (first, second)]
    names = sorted({name for side in entries for name in side})
    lines = [
        (name, *(_shortened(side.get(name, ["-"])) for side in entries))
        for name in names
        if entries[0].get(name) != entries[1].get(name) and not _used_once(name, entries)
    ]
    if not lines:
        return [f"{title}: the same", ""]
    return [f"{title}: {len(lines)} differ", table(("entry", "A", "B"), lines, left=3), ""]


def _used_once(name: str, entries: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether an entry is a plugin that only one side uses; the configuration shows it already."""
    return name.startswith(_USED) and not all(name in side for side in entries)


def _values(side: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {}
    for each in side:
        for name, value in flatten(each).items():
            found.setdefault(name, set()).add(value)
    return {name: sorted(values) for name, values in found.items()}


def _shortened(values: Sequence[str]) -> str:
    text = " | ".join(values)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _results(rows: Sequence[Comparison], first: Selection, second: Selection) -> list[str]:
    settings = first.settings
    unit = settings.unit and f" [{settings.unit}]"
    if not rows:
        return ["Results: A and B have no network and arm in common. Select one of each as STUDY:network/arm."]
    lines = [f"Results: {settings.metric}{unit}, A minus B, paired by seed"]
    head = ("A - B", "A", "B", "n", "difference", f"{settings.level:.0%} interval", "p (Holm)", "verdict for A")
    lines.append(table(head, [_line(row, settings.metric) for row in rows]))
    for row in rows:
        lines += [f"{row.first.label}: {sentence}" for sentence in row.caveats]
    lines += _single_runs(rows)
    unmatched = [row for side in (first, second) for row in side.rows if not _shown(row, rows)]
    if unmatched:
        names = list(dict.fromkeys(row.label for row in unmatched))
        lines.append(f"Not compared, because only one side has them: {', '.join(names)}")
    return lines


def _shown(row: NetworkResults, rows: Sequence[Comparison]) -> bool:
    return any((row.network, row.arm) in {(s.network, s.arm) for s in (each.first, each.second)} for each in rows)


def _line(row: Comparison, metric: str) -> tuple[str, ...]:
    same = row.first.label == row.second.label
    interval = (
        "-"
        if row.low_adjusted is None or row.high_adjusted is None
        else f"{signed_as(metric, row.low_adjusted)} .. {signed_as(metric, row.high_adjusted)}"
    )
    return (
        row.first.label if same else f"{row.first.label} - {row.second.label}",
        *("-" if side.mean is None else signed_as(metric, side.mean).lstrip("+") for side in (row.first, row.second)),
        str(row.n),
        "-" if row.difference is None else signed_as(metric, row.difference),
        interval,
        written_p(row.p_adjusted),
        row.verdict,
    )


def _single_runs(rows: Sequence[Comparison]) -> list[str]:
    """Return how many images only one of two single runs got right, which is all that one seed can show."""
    return [
        f"{row.first.label}, seed {row.seeds[0]}: only A got {row.mcnemar.first_only} test images right, only B "
        f"{row.mcnemar.second_only} (McNemar p = {written_p(row.mcnemar.p)}, for these two trainings only)"
        for row in rows
        if row.n == 1 and row.mcnemar is not None
    ]
