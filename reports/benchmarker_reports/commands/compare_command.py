"""``benchmarker compare``: what differs between two studies, networks or runs, and what that did to the results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from benchmarker_reports.commands.writing import SETTINGS, examples, signed, table, written_p

if TYPE_CHECKING:
    from benchmarker import Comparison, ComparisonTable, SeedResults
    from benchmarker_reports.commands.selection import Selection

EPILOG = examples(
    "benchmarker compare results/yesterday results/today",
    "benchmarker compare results/quickstart:mcrgnet results/quickstart:convxpress",
    "benchmarker compare results/gan:mcrgnet/real results/gan:mcrgnet/dcgan-0.5",
    "benchmarker compare results/laptop:mcrgnet/real/8901 results/cluster:mcrgnet/real/8901",
    "benchmarker compare results/first results/mirabest results/galaxy10 --svg ranks.svg",
)
_LONGEST = 60
_USED = "plugins."


@click.command(name="compare", epilog=EPILOG, context_settings=SETTINGS)
@click.argument("first", metavar="A")
@click.argument("others", metavar="B [C ...]", nargs=-1, required=True)
@click.option("--checkpoint", type=click.Choice(["best", "final"]), default="best", show_default=True,
              help="Weights of the lowest validation loss, or of the last epoch.")  # fmt: skip
@click.option("--level", type=click.FloatRange(0.5, 0.999), default=0.95, show_default=True,
              help="Of intervals; verdicts keep an error rate of one minus this over the whole table.")  # fmt: skip
@click.option("--ranks", is_flag=True,
              help="Rank the networks that all studies have over their datasets, as of three studies.")  # fmt: skip
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write the diagram of ranks and their critical difference as SVG.")  # fmt: skip
def command(
    *, first: str, others: tuple[str, ...], checkpoint: str, level: float, ranks: bool, svg: Path | None
) -> None:
    """Compare two studies, networks or runs: first what differs in configuration and environment, then in results.

    A and B are each STUDY, STUDY:network, STUDY:network/arm or STUDY:network/arm/seed. Results are paired: same seed,
    and the same test sources. Differences are A minus B.

    Three or more studies, or two with --ranks, must be on different datasets: the networks that all of them have are
    ranked over datasets, with the critical difference of their mean ranks. Seeds are never ranked over.
    """
    from benchmarker_reports.commands.selection import select

    selections = [select(text, checkpoint=checkpoint, level=level) for text in (first, *others)]
    if len(selections) > 2 or ranks:
        _rank(selections, level, svg)
        return
    if svg is not None:
        raise click.UsageError("--svg draws ranks over datasets: add --ranks, or a third study.")
    click.echo(described(*selections))


def _rank(selections: Sequence[Selection], level: float, svg: Path | None) -> None:
    from benchmarker_reports.commands import ranking
    from benchmarker_reports.commands.rank_picture import rank_svg

    found = ranking.ranked(selections)
    click.echo(ranking.described(found, level))
    if svg is not None:
        svg.write_text(rank_svg(found.diagram), encoding="utf-8")
        click.echo(f"written  {svg}")


def described(first: Selection, second: Selection) -> str:
    """Return a comparison as text.

    Parameters
    ----------
    first, second : Selection
        What was typed.
    """
    from benchmarker import ConfigurationError, compare_pair, corrected_table
    from benchmarker_reports.commands.selection import pairs

    if first.settings.metric != second.settings.metric:
        raise ConfigurationError(
            f"{first.text} is judged by {first.settings.metric}, {second.text} by {second.settings.metric}: "
            "they cannot be compared."
        )
    paired = pairs(first, second)
    lines = [f"A  {first.text}", f"B  {second.text}", ""]
    lines += _differences("Configuration", *_both(paired, lambda row: list(row.specs.values())))
    lines += _differences("Environment", *_both(paired, lambda row: list(row.fingerprints.values())))
    found = corrected_table(
        "networks", "", "", (compare_pair(one, other, first.settings) for one, other in paired), first.settings.level
    )
    return "\n".join([*lines, *_results(found, first, second)])


def flattened(value: Any, prefix: str = "") -> dict[str, str]:
    """Return nested JSON as one text for each entry: ``{"model.epochs": "16"}``."""
    if isinstance(value, Mapping):
        found: dict[str, str] = {}
        for name, entry in value.items():
            found.update(flattened(entry, f"{prefix}.{name}" if prefix else str(name)))
        return found
    if isinstance(value, list):
        text = ", ".join(str(next(iter(flattened(entry).values()), entry)) for entry in value) or "none"
        return {prefix: text}
    return {prefix: str(value)}


def _both(paired: Sequence[tuple[SeedResults, SeedResults]], of: Any) -> tuple[list[Any], list[Any]]:
    return [each for one, _ in paired for each in of(one)], [each for _, other in paired for each in of(other)]


def _differences(title: str, first: Sequence[Mapping[str, Any]], second: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name the entries whose sets of values are not the same on both sides."""
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
    """Tell plugins that one side does not use from those that differ: the configuration names them already."""
    return name.startswith(_USED) and not all(name in side for side in entries)


def _values(side: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {}
    for each in side:
        for name, value in flattened(each).items():
            found.setdefault(name, set()).add(value)
    return {name: sorted(values) for name, values in found.items()}


def _shortened(values: Sequence[str]) -> str:
    text = " | ".join(values)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _results(found: ComparisonTable, first: Selection, second: Selection) -> list[str]:
    settings = first.settings
    unit = settings.unit and f" [{settings.unit}]"
    if not found.rows:
        return ["Results: A and B have no network and arm in common; name one of each: STUDY:network/arm."]
    lines = [f"Results: {settings.metric}{unit}, A minus B, paired by seed"]
    head = ("A - B", "A", "B", "n", "difference", f"{settings.level:.0%} interval", "p (Holm)", "verdict for A")
    lines.append(table(head, [_line(row, settings.metric) for row in found.rows]))
    for row in found.rows:
        lines += [f"{row.first.label}: {sentence}" for sentence in row.caveats]
    lines += _single_runs(found.rows)
    alone = [row for side in (first, second) for row in side.rows if not _shown(row, found.rows)]
    if alone:
        names = list(dict.fromkeys(f"{row.network}/{row.arm}" for row in alone))
        lines.append(f"on one side only, not compared: {', '.join(names)}")
    return lines


def _shown(row: SeedResults, rows: Sequence[Comparison]) -> bool:
    return any((row.network, row.arm) in {(s.network, s.arm) for s in (each.first, each.second)} for each in rows)


def _line(row: Comparison, metric: str) -> tuple[str, ...]:
    same = row.first.label == row.second.label
    interval = (
        "-" if row.low is None or row.high is None else f"{signed(metric, row.low)} .. {signed(metric, row.high)}"
    )
    return (
        row.first.label if same else f"{row.first.label} - {row.second.label}",
        *("-" if side.mean is None else signed(metric, side.mean).lstrip("+") for side in (row.first, row.second)),
        str(row.n),
        "-" if row.difference is None else signed(metric, row.difference),
        interval,
        written_p(row.p_adjusted),
        row.verdict,
    )


def _single_runs(rows: Sequence[Comparison]) -> list[str]:
    """Say of single runs how many images only one of them got right: all that one seed can tell."""
    return [
        f"{row.first.label}, seed {row.seeds[0]}: {row.mcnemar.first_only} test images only A got right, "
        f"{row.mcnemar.second_only} only B (McNemar p = {written_p(row.mcnemar.p)}, of these two trainings alone)"
        for row in rows
        if row.n == 1 and row.mcnemar is not None
    ]
