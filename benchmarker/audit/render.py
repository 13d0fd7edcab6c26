"""Audit reports as text, JSON, Markdown and a single HTML page; the same report always gives the same bytes."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from benchmarker.audit.bands import RESAMPLES, STANDARD_ERRORS, MetricComparison
from benchmarker.audit.verdicts import BITWISE, DIFFERS, INTACT, TOLERATED, UNCHECKED, AuditReport, CellAudit
from benchmarker.printing import markdown_text
from benchmarker.results.trails import Entry

MEANING: Mapping[str, str] = {
    BITWISE: "the environments and every digest of the trails are equal: the results reproduce bit for bit",
    TOLERATED: (
        "the environments differ, so bits may differ too; every metric of the test part is within its band of "
        f"{STANDARD_ERRORS:g} standard errors over the choice of the test sources, from {RESAMPLES} resamples of both "
        "runs' predictions. A change that small supports no statement about the networks"
    ),
    DIFFERS: "the recorded results do not reproduce; the first link that differs shows where the two runs diverge",
    UNCHECKED: (
        "something could not be compared, which says nothing about the results: provide what is missing, and audit "
        "again; everything else was checked"
    ),
    INTACT: "every file is what the trail of its run covers; nothing was trained",
}
_SHOWN = 8  # entries of one kind in a report for people; JSON holds all
_ABBREVIATED = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """A heading with a list of lines, or a table with columns."""

    title: str
    lines: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = field(default=())


def render(report: AuditReport, name: str) -> str:
    """Render a report.

    Parameters
    ----------
    report : AuditReport
        Report to render.
    name : {"text", "json", "html", "markdown"}
        Name of the format.
    """
    formats: Mapping[str, Callable[[AuditReport], str]] = {
        "text": _text,
        "json": lambda each: json.dumps(each.to_json(), indent=2, ensure_ascii=False) + "\n",
        "html": _html,
        "markdown": _markdown,
    }
    return formats[name](report)


def _facts(report: AuditReport) -> tuple[str, ...]:
    counts = ", ".join(f"{n} {verdict}" for verdict, n in report.counts().items())
    return (
        f"dataset: {report.dataset}",
        f"finished: {report.finished} of {report.planned} planned cells",
        f"audited: {len(report.cells)} ({report.selection}), {'run again' if report.trained else 'files only'}",
        f"found: {counts}",
    )


def _blocks(cell: CellAudit) -> Iterator[_Block]:
    """Yield the details of a cell, its environment first."""
    if cell.environment:
        yield _entries("differs in the environment", cell.environment)
    if cell.findings:
        lines = tuple(f"{each.file} ({each.link}): {each.text}" for each in cell.findings[:_SHOWN])
        yield _Block(title="files", lines=(*lines, *_more(len(cell.findings))))
    if cell.difference is not None:
        yield _entries(f"first link that differs: {cell.difference.name}", cell.difference.entries)
        yield _Block(title="usual causes", lines=cell.causes)
    if cell.metrics:
        yield _Block(
            title="metrics of the test part",
            columns=("checkpoint", "metric", "recorded", "re-run", "difference", "band", "within"),
            rows=tuple(_metric(comparison) for comparison in cell.metrics),
        )


def _entries(title: str, entries: tuple[Entry, ...]) -> _Block:
    rows = tuple((each.name, _short(each.recorded), _short(each.rerun)) for each in entries[:_SHOWN])
    return _Block(title=title, columns=("entry", "recorded", "re-run"), rows=rows, lines=_more(len(entries)))


def _more(n: int) -> tuple[str, ...]:
    return (f"... and {n - _SHOWN} more",) if n > _SHOWN else ()


def _short(value: str) -> str:
    """Shorten digests, but no other text."""
    is_digest = len(value) == 64 and set(value) <= set("0123456789abcdef")
    return f"{value[:_ABBREVIATED]}..." if is_digest else value


def _metric(comparison: MetricComparison) -> tuple[str, ...]:
    difference = comparison.rerun - comparison.recorded
    return (
        comparison.checkpoint,
        comparison.metric,
        f"{comparison.recorded:.6g}",
        f"{comparison.rerun:.6g}",
        f"{difference:+.3g}",
        f"{comparison.band:.3g}",
        "yes" if comparison.within else "NO",
    )


def _text(report: AuditReport) -> str:
    lines = [f"Audit of {report.title}", *(f"  {fact}" for fact in _facts(report)), ""]
    lines += [f"  {finding.file}: {finding.text}" for finding in report.findings]
    width = max(len(cell.name) for cell in report.cells)
    for cell in report.cells:
        lines.append(f"{cell.name:<{width}}  {cell.verdict}: {cell.summary}")
        for block in _blocks(cell):
            lines.append(f"    {block.title}:")
            lines += [f"      {line}" for line in (*_aligned((block.columns, *block.rows)), *block.lines)]
    lines += ["", f"Verdict: {report.verdict}", f"  {MEANING[report.verdict]}"]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _aligned(rows: tuple[tuple[str, ...], ...]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if widths:
        for row in rows:
            yield "  ".join(f"{value:<{width}}" for value, width in zip(row, widths, strict=True))


def _markdown(report: AuditReport) -> str:
    lines = [
        f"# Audit of {markdown_text(report.title)}",
        "",
        f"**Verdict: {report.verdict}.** {MEANING[report.verdict]}.",
        "",
    ]
    lines += [f"- {markdown_text(fact)}" for fact in _facts(report)]
    lines += [f"- **{markdown_text(finding.file)}**: {markdown_text(finding.text)}" for finding in report.findings]
    summaries = tuple((cell.name, cell.verdict, cell.summary) for cell in report.cells)
    lines += ["", *_pipes(("cell", "verdict", "why"), summaries)]
    for cell in report.cells:
        for number, block in enumerate(_blocks(cell)):
            lines += ["", f"## {markdown_text(cell.name)}", ""] if number == 0 else [""]
            lines += [f"{markdown_text(block.title)}:", ""]
            lines += _pipes(block.columns, block.rows) if block.columns else []
            lines += ["", *(f"- {markdown_text(line)}" for line in block.lines)] if block.lines else []
    return "\n".join(lines) + "\n"


def _pipes(columns: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> list[str]:
    return [f"| {' | '.join(map(markdown_text, row))} |" for row in (columns,)] + [
        f"|{' --- |' * len(columns)}",
        *(f"| {' | '.join(map(markdown_text, row))} |" for row in rows),
    ]


_STYLE = """
body { font: 15px/1.5 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #1b1b1b; }
table { border-collapse: collapse; margin: .5em 0 1em; }
th, td { border-bottom: 1px solid #ccc; padding: .2em .8em .2em 0; text-align: left; vertical-align: top; }
.verdict { border-left: .4em solid; padding: .5em 1em; background: #f5f5f5; }
.good { border-color: #1a7f37; } .tolerated { border-color: #9a6700; } .bad { border-color: #b3261e; }
@media print { body { margin: 0; font-size: 11px; } }
"""
_CLASSES: Mapping[str, str] = {
    BITWISE: "good",
    INTACT: "good",
    TOLERATED: "tolerated",
    UNCHECKED: "tolerated",
    DIFFERS: "bad",
}


def _html(report: AuditReport) -> str:
    title = html.escape(f"Audit of {report.title}")
    head = f'<meta charset="utf-8">\n<title>{title}</title>\n<style>{_STYLE}</style>'
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n'
        + "\n".join(_body(report, title))
        + "\n</body>\n</html>\n"
    )


def _body(report: AuditReport, title: str) -> Iterator[str]:
    escape = html.escape
    yield f"<h1>{title}</h1>"
    yield (
        f'<p class="verdict {_CLASSES[report.verdict]}"><strong>Verdict: {report.verdict}.</strong> '
        f"{escape(MEANING[report.verdict])}.</p>"
    )
    found = (f"{finding.file}: {finding.text}" for finding in report.findings)
    yield _items((*_facts(report), *found))
    yield _table(("cell", "verdict", "why"), tuple((cell.name, cell.verdict, cell.summary) for cell in report.cells))
    for cell in report.cells:
        for number, block in enumerate(_blocks(cell)):
            if number == 0:
                yield f"<h2>{escape(cell.name)}</h2>"
            yield f"<h3>{escape(block.title)}</h3>"
            if block.columns:
                yield _table(block.columns, block.rows)
            if block.lines:
                yield _items(block.lines)


def _items(lines: tuple[str, ...]) -> str:
    return f"<ul>{''.join(f'<li>{html.escape(line)}</li>' for line in lines)}</ul>"


def _table(columns: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> str:
    head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"
