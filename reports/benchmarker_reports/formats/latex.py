r"""Studies as LaTeX: a document that compiles, its tables, and one macro for each number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from benchmarker import Comparison, ReportOptions, StudyResults, Summary, higher_is_better, metric_label
from benchmarker_reports.content.classes import SCORES, ClassScores
from benchmarker_reports.content.comparisons import ComparisonSection
from benchmarker_reports.content.leaderboard import Column, Line
from benchmarker_reports.content.study_content import StudyContent
from benchmarker_reports.formats.latex_text import Macros, Raw, comment, escaped
from benchmarker_reports.formats.tables import pareto_table

LONGEST_TABULAR = 40
"""Rows of the longest table that does not break over pages."""
MOST_CLASS_LINES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    r"""A table whose parts are LaTeX already.

    Parameters
    ----------
    title : str
    columns, head : Raw
        Argument of ``tabular``, and the row of titles.
    rows : tuple of Raw
    notes : tuple of str
        Sentences below the table in the document.
    """

    title: str
    columns: Raw
    head: Raw
    rows: tuple[Raw, ...]
    notes: tuple[str, ...] = ()

    @property
    def long(self) -> bool:
        """Whether it may break over pages."""
        return len(self.rows) > LONGEST_TABULAR


def render(results: StudyResults, options: ReportOptions) -> dict[str, str]:
    r"""Return a study as LaTeX files: a document, tables to ``\input``, and macros for every number.

    Parameters
    ----------
    results : StudyResults
        The study.
    options : ReportOptions
        Choices of whoever asked for the report.

    Returns
    -------
    dict of str to str
        ``report.tex`` compiles by itself; the files ``table_*.tex`` are for the reader's own document, and
        ``numbers.tex`` holds the macros.
    """
    content = StudyContent(results, options)
    tables = {f"table_{name}.tex": table for name, table in _tables(content).items()}
    files = {file: _fill("table.tex.j2", table=table) for file, table in tables.items()}
    files["numbers.tex"] = macros(content).text()
    files["report.tex"] = _fill(
        "report.tex.j2",
        title=content.board.title,
        facts="; ".join((*content.facts, ", ".join(results.classes)) if results.classes else content.facts),
        messages=content.messages,
        tables={Raw(file): table for file, table in tables.items()},
        commands=results.commands,
    )
    return dict(sorted(files.items()))


def macros(content: StudyContent) -> Macros:
    """Return a macro for each number of the leaderboard and of the comparisons."""
    board, level = content.board, content.options.confidence
    found = Macros()
    for name, value in (("cells finished", board.ok), ("cells planned", board.planned), ("images", board.images)):
        found.add((name,), f"{value:,}", name)
    if content.lines and content.lines[0].first.rank is not None:
        found.add(("leader",), content.lines[0].label, "first row of the leaderboard")
    for line in content.lines:
        _add_line(found, board.sort, line, level)
    for _, compared in content.comparisons.rows() if content.comparisons else ():
        _add_comparison(found, compared)
    return found


def _add_line(found: Macros, sort: str, line: Line, level: float) -> None:
    row = line.first
    parts = (row.label, row.arm)
    found.add((*parts, "seeds"), row.n, f"{row.label} / {row.arm}: seeds of {row.planned}")
    for name, summary in {**row.metrics, **row.costs}.items():
        write = metric_label(name).write
        what = f"{row.label} / {row.arm}: {name}"
        found.add((*parts, name, "mean"), write(summary.mean), f"{what}, mean of {summary.n} seeds")
        if summary.standard_deviation is not None:
            found.add((*parts, name, "deviation"), write(summary.standard_deviation), f"{what}, sample deviation")
        estimate = line.estimate if name == sort else None
        if estimate is not None and estimate.low is not None:
            for end, value in zip(("low", "high"), estimate.ends, strict=True):
                side = "lower" if end == "low" else "upper"
                found.add((*parts, name, end), write(value), f"{what}, {side} end of the {level:.4g} interval")


def _add_comparison(found: Macros, row: Comparison) -> None:
    scope = "" if row.scope == "overall" else f" {row.scope}"
    same = row.first.network == row.second.network
    parts = [row.first.network, row.first.arm, "minus", row.second.arm if same else row.second.network, *scope.split()]
    what = f"{row.first.label} minus {row.second.label}{scope}"
    for name, number in (("difference", row.difference), ("low", row.low_adjusted), ("high", row.high_adjusted)):
        if number is not None:
            found.add([*parts, name], f"{number:+.3g}", f"{what}: {name}")
    if row.p_adjusted is not None:
        found.add([*parts, "p"], f"{row.p_adjusted:.3g}", f"{what}: p after Holm's correction")
    found.add([*parts, "verdict"], row.verdict, f"{what}: verdict over {row.n} seeds")


def _tables(content: StudyContent) -> dict[str, Table]:
    """Return the tables that the study has something for, by the names of their files."""
    found = {"leaderboard": _leaderboard_table(content)}
    if content.class_scores:
        found["per_class"] = _class_table(content.class_scores[:MOST_CLASS_LINES], len(content.finished))
    for section in content.comparison_sections:
        found[f"comparisons_{section.name}"] = _comparison_table(section, content)
    if content.pareto:
        found["costs"] = _pareto_table(content)
    return found


def _leaderboard_table(content: StudyContent) -> Table:
    """Return rank, network, arm, the metric with its interval, further metrics and costs, and seeds."""
    board = content.board
    shown = [column for column in content.columns if column.measured and column.checkpoint in ("", content.checkpoint)]
    shown.sort(key=lambda column: column.name != board.sort)
    arms = ["arm"] if content.several_arms else []
    head = [column.title for column in shown]
    head[1:1] = [f"{content.level} interval"]
    best = [_best(column, content.lines) for column in shown]
    rows = []
    for line in content.brief_table_lines:
        cells: list[object] = [
            _bold(column.cell(line).text, first=line is first) for column, first in zip(shown, best, strict=True)
        ]
        cells[1:1] = [_interval(line, board.sort)]
        rows.append(_row([line.number, line.label, *([line.arm] if arms else []), *cells, line.seeds]))
    names = _text_column("28mm" if arms else "50mm") + (_text_column("22mm") if arms else "")
    signs = [note for note in content.footnotes[2:] if not note.startswith("[")]
    notes = f"{content.level} interval of the mean {content.interval_words}."
    return Table(
        title="Leaderboard",
        columns=Raw("r" + names + "r" * (len(head) + 1)),
        head=_cells([content.columns[0].title, "network", *arms, *head, "seeds"]),
        rows=tuple(rows),
        notes=(
            " ".join((f"{board.denominator}. Mean ± sample standard deviation over seeds;", notes, *signs)),
            *board.notes,
        ),
    )


def _best(column: Column, lines: Sequence[Line]) -> Line | None:
    """Return the ranked line with the best value of a column, or None where several or none are best."""
    ranked = [(column.cell(line).sort, line) for line in lines if line.first.rank is not None]
    known = [(value, line) for value, line in ranked if value is not None]
    if len(known) < 2:
        return None
    extreme = (max if higher_is_better(column.name) else min)(value for value, _ in known)
    found = [line for value, line in known if value == extreme]
    return found[0] if len(found) == 1 else None


def _bold(text: str, *, first: bool) -> object:
    return Raw(rf"\textbf{{{escaped(text)}}}") if first else text


def _interval(line: Line, metric: str) -> str:
    if line.estimate is None or line.estimate.low is None:
        return "-"
    low, high = map(metric_label(metric).write, line.estimate.ends)
    return f"{low} to {high}"


def _pareto_table(content: StudyContent) -> Table:
    """Return the lines that no other one beats in the metric and a cost."""
    found = pareto_table(content)
    return Table(
        title=found.title,
        columns=Raw(_text_column("60mm") + "r" * (len(found.head) - 1)),
        head=_cells(found.head),
        rows=tuple(_row([cell.strip() for cell in row]) for row in found.rows),
        notes=found.notes,
    )


def _class_table(classes: Sequence[ClassScores], total: int) -> Table:
    """Return precision, recall and F1 of each class, network by network."""
    rows: list[Raw] = []
    for number, each in enumerate(classes):
        if number:
            rows.append(Raw(r"\addlinespace"))
        for place, (name, scores) in enumerate(each.scores.items()):
            first = f"{each.line.label}, {each.line.arm}" if place == 0 else ""
            rows.append(_row([first, name, *(_score(scores[score]) for score in SCORES)]))
    more = f" The first {len(classes)} of {total} lines." if len(classes) < total else ""
    return Table(
        title="Precision, recall and F1 of each class",
        columns=Raw(_text_column("52mm") + _text_column("32mm") + "rrr"),
        head=_cells(["network, arm", "class", "precision", "recall", "F1"]),
        rows=tuple(rows),
        notes=(f"Mean ± sample standard deviation over seeds.{more}",),
    )


def _comparison_table(section: ComparisonSection, content: StudyContent) -> Table:
    """Return paired differences with their verdicts."""
    rows = []
    for line in section.lines:
        row = line.comparison
        cells = [f"{row.first.network}, {row.first.arm}", line.second, *([row.scope] if section.by_class else [])]
        rows.append(_row([*cells, line.difference.text, line.interval, line.p.text, row.n, row.verdict]))
    names = _text_column("44mm") + _text_column("32mm") + (_text_column("20mm") if section.by_class else "")
    by_class = ["class"] if section.by_class else []
    caption = section.caption
    if section.tests > 1:
        caption += f" Intervals, p and verdicts hold for all {section.tests} comparisons together."
    if len(section.lines) < section.total:
        caption += f" The first {len(section.lines)} of {section.total} lines."
    return Table(
        title=section.title,
        columns=Raw(f"{names}rrrrl"),
        head=_cells(["first", "minus", *by_class, "difference", f"{content.level} interval", "p", "n", "verdict"]),
        rows=tuple(rows),
        notes=(caption, *(content.comparisons.caveats if content.comparisons else ())),
    )


def _score(summary: Summary) -> str:
    deviation = summary.standard_deviation
    return f"{summary.mean:.3f}" + ("" if deviation is None else f" ± {deviation:.3f}")


def _row(cells: Sequence[object]) -> Raw:
    return Raw(_cells(cells) + r" \\")


def _cells(cells: Sequence[object]) -> Raw:
    return Raw(" & ".join(map(escaped, cells)))


def _text_column(width: str) -> str:
    return rf">{{\raggedright\arraybackslash}}p{{{width}}}"


def _fill(template: str, **values: object) -> str:
    return _environment().get_template(template).render(comment=lambda text: Raw(comment(text)), **values)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    # Braces and percent signs have a meaning in LaTeX. Whatever is printed is escaped, unless it is Raw already.
    return Environment(
        loader=PackageLoader("benchmarker_reports.formats", "templates/latex"),
        variable_start_string="<<",
        variable_end_string=">>",
        block_start_string="<%",
        block_end_string="%>",
        comment_start_string="<#",
        comment_end_string="#>",
        finalize=escaped,
        autoescape=False,  # noqa: S701 - it is for HTML; `finalize` escapes
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
