"""The tables of ``benchmarker data``, as rich renderables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from benchmarker.data.audit.findings import Audit, Pair
from benchmarker.data.overview import Overview, Quantity

# Box-drawing characters that every log can hold.
_BOX = box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
_MOST_REASONS = 10
_MOST_EXAMPLES = 5


def overview_view(overview: Overview) -> RenderableType:
    """Return the facts about a dataset, and its tables of counts and quantities."""
    return Group(*_overview_parts(overview))


def audit_view(audit: Audit) -> RenderableType:
    """Return the findings of an audit, each with its first examples."""
    return Group(*_audit_parts(audit))


def _audit_parts(audit: Audit) -> Iterator[RenderableType]:
    yield Text(audit.summary()[0].upper() + audit.summary()[1:] + ".", style="bold")
    if audit.planted:
        count = "" if audit.recognisable is None else f"{audit.recognisable:,} "
        yield Text(
            f"It found {audit.planted_found} of {audit.planted} disturbed copies, added as a test, of the "
            f"{count}images that can be recognised."
        )
    if not audit.positions:
        yield Text("No position is known, so neighbours on the sky were not looked for.")
    for finding in audit.findings:
        yield Text()
        yield Text.assemble((f"{finding.severity}: {finding.check}: ", "bold"), f"{finding.text.rstrip('.')}.")
        for pair in finding.pairs[:_MOST_EXAMPLES]:
            yield Text(
                f"  {pair.first} ({pair.parts[0]}, {pair.labels[0]}) and {pair.second} ({pair.parts[1]}, "
                f"{pair.labels[1]}): {_likeness(pair)}"
            )
        for name in finding.images[:_MOST_EXAMPLES]:
            yield Text(f"  {name}")
        hidden = max(len(finding.pairs), len(finding.images)) - _MOST_EXAMPLES
        if hidden > 0:
            yield Text(f"  ... and {hidden:,} more; --out or --json lists them")


def _likeness(pair: Pair) -> str:
    if pair.separation is not None:
        return f"{pair.why}, {pair.separation:.1f} arcsec apart"
    return pair.why if pair.similarity is None else f"{pair.why}, similarity {pair.similarity:.3f}"


def _overview_parts(overview: Overview) -> Iterator[RenderableType]:
    yield Text(f"{overview.name}: {overview.images:,} images of {overview.sources:,} sources", style="bold")
    yield _facts(overview)
    yield Text()
    yield _counts(overview)
    for heading, quantities in (("target", overview.targets), ("attribute", overview.attributes)):
        if quantities:
            yield Text()
            yield _quantities(heading, quantities)
    if overview.split_problem:
        yield Text.assemble(("no parts: ", "bold"), overview.split_problem)
    if overview.skipped:
        yield Text(f"{sum(overview.skipped.values()):,} image(s) cannot be used:", style="bold")
        for reason, count in list(overview.skipped.items())[:_MOST_REASONS]:
            yield Text(f"  {count:,}: {reason}")
        if len(overview.skipped) > _MOST_REASONS:
            yield Text(f"  ... and {len(overview.skipped) - _MOST_REASONS} more reasons; --json lists them")
    for caveat in overview.caveats:
        yield Text.assemble(("note: ", "bold"), caveat)


def _facts(overview: Overview) -> Table:
    published = overview.published
    values = "none" if published.minimum is None else f"{published.minimum:g} to {published.maximum:g}"
    missing = f", {100 * published.missing:.2g} % without a value" if published.missing else ""
    facts = {
        "in the files": ", ".join(f"{count:,} of {size} pixels" for size, count in published.sizes.items()),
        "type": ", ".join(published.types),
        "values": f"{values}{missing}",
        "prepared": " x ".join(map(str, overview.shape)),
        "licence": overview.licence,
        "citation": overview.citation,
        "published at": overview.homepage,
        "SHA-256": overview.digest,
    }
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in facts.items():
        if value:
            table.add_row(Text(name, style="dim"), Text(value))
    return table


def _counts(overview: Overview) -> Table:
    labels = list(next(iter(overview.parts.values())))
    seed = "" if overview.seed is None else f" (seed {overview.seed})"
    table = _table(f"class{seed}", *overview.parts, "all")
    for label in labels:
        numbers = [counts[label] for counts in overview.parts.values()]
        table.add_row(Text(label), *(f"{number:,}" for number in (*numbers, sum(numbers))))
    if len(labels) > 1:
        sums = [sum(counts.values()) for counts in overview.parts.values()]
        table.add_row("all", *(f"{number:,}" for number in (*sums, sum(sums))), style="bold")
    return table


def _quantities(heading: str, quantities: Mapping[str, Quantity]) -> Table:
    table = _table(heading, "known", "minimum", "median", "maximum", "unit", left=(0, 5))
    for name, found in quantities.items():
        values = ["" if value is None else f"{value:.6g}" for value in (found.minimum, found.median, found.maximum)]
        table.add_row(Text(name), f"{found.known:,}", *values, Text(found.unit))
    return table


def _table(*columns: str, left: tuple[int, ...] = (0,)) -> Table:
    table = Table(box=_BOX, pad_edge=False, header_style="bold", show_edge=False)
    for number, column in enumerate(columns):
        table.add_column(Text(column), justify="left" if number in left else "right")
    return table
