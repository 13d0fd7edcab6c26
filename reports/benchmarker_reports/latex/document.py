"""Builds the LaTeX files of a study from templates that escape whatever they are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from benchmarker import Comparisons, ComparisonTable, Leaderboard, ReportOptions, StudyResults, Summary, metric_label
from benchmarker_reports.contents.entries import SCORES, entries, metric_head, per_class
from benchmarker_reports.contents.model import Entry, PerClass
from benchmarker_reports.facts import Facts, gather
from benchmarker_reports.html.comparing import probability, signed
from benchmarker_reports.latex.escaping import Raw, comment, escaped
from benchmarker_reports.latex.macros import macros
from benchmarker_reports.sections import FRONT_NOTES, fronts_section

LONGEST_TABULAR = 40
"""Lines; a longer table may break over pages, and stands in no float."""
MOST_CLASS_ENTRIES = 20
MOST_COMPARISONS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table whose parts are LaTeX already."""

    title: str
    columns: Raw
    head: Raw
    lines: tuple[Raw, ...]

    @property
    def long(self) -> bool:
        """Whether it may break over pages."""
        return len(self.lines) > LONGEST_TABULAR


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading, a table in a file of its own, and notes."""

    title: str
    file: Raw | None
    long: bool
    notes: tuple[str, ...]


def build_files(results: StudyResults, options: ReportOptions) -> dict[str, str]:
    """Return the files of a study; see `benchmarker_reports.latex.render`."""
    facts = gather(results, options)
    board, compared = facts.board, facts.comparisons
    lines = entries(results, options)
    classes = per_class(results, lines[:MOST_CLASS_ENTRIES], options.checkpoint)
    level = f"{100 * options.confidence:.4g} %"
    tables = {
        "table_leaderboard.tex": (
            leaderboard_table(board, lines, level),
            (f"{board.denominator}. Mean ± sample standard deviation over seeds; {level} interval of the mean after "
             f"Student's t. {_incomplete(lines)}".strip(), *board.notes),
        ),
    }  # fmt: skip
    if classes:
        more = f" The first {len(classes)} of {len(lines)} lines." if len(classes) < len(lines) else ""
        tables["table_per_class.tex"] = (
            per_class_table(classes),
            (f"Mean ± sample standard deviation over seeds.{more}",),
        )
    for table in compared.tables if compared else ():
        file = f"table_comparisons_{table.name}.tex"
        tables[file] = (comparison_table(table, level), _remarks(compared, table))
    if facts.fronts:
        tables["table_costs.tex"] = (fronts_table(facts), FRONT_NOTES)
    sections = [
        Section(title=table.title, file=Raw(file), long=table.long, notes=notes)
        for file, (table, notes) in tables.items()
    ]
    files = {file: _fill("table.tex.j2", table=table) for file, (table, _) in tables.items()}
    files["numbers.tex"] = macros(board, options.checkpoint, compared, options.confidence).text()
    sections.append(Section(title="Commands", file=None, long=False, notes=results.commands))
    files["report.tex"] = _fill("report.tex.j2", title=board.title, facts=_facts(results, board), sections=sections)
    return dict(sorted(files.items()))


def leaderboard_table(board: Leaderboard, lines: Sequence[Entry], level: str) -> Table:
    """Return the leaderboard: rank, network, arm, the metric with its interval, its companions and costs."""
    arms = len({entry.arm for entry in lines}) > 1
    first = metric_head(board)
    others = [
        metric_label(name).short
        for name in (*board.headline_metrics, "parameters", "flops", "inference_images_per_second")
        if name != board.sort
    ]
    head = ["", "network", *(["arm"] if arms else []), first, f"{level} interval", *others, "seeds"]
    write = metric_label(board.sort).write
    rows = []
    for entry in lines:
        interval = "-" if entry.low is None or entry.high is None else f"{write(entry.low)} to {write(entry.high)}"
        cells = [entry.number, entry.label, *([entry.arm] if arms else []), entry.cells[first].text, interval]
        cells += [entry.cells[name].text if name in entry.cells else "-" for name in others]
        rows.append(_line([*cells, entry.seeds]))
    names = _text_column("32mm" if arms else "50mm") + (_text_column("24mm") if arms else "")
    return Table(
        title="Leaderboard",
        columns=Raw("r" + names + "r" * (len(head) - (3 if arms else 2))),
        head=_head(head),
        lines=tuple(rows),
    )


def fronts_table(facts: Facts) -> Table:
    """Return the lines that no other one beats in the metric and a cost."""
    section = fronts_section(facts)
    return Table(
        title=section.title,
        columns=Raw(_text_column("60mm") + "r" * (len(section.head) - 1)),
        head=_head(section.head),
        lines=tuple(_line([cell.strip() for cell in row]) for row in section.rows),
    )


def per_class_table(classes: Sequence[PerClass]) -> Table:
    """Return precision, recall and F1 of each class, network by network."""
    rows: list[Raw] = []
    for number, line in enumerate(classes):
        if number:
            rows.append(Raw(r"\addlinespace"))
        for place, (name, scores) in enumerate(line.scores.items()):
            first = f"{line.label}, {line.arm}" if place == 0 else ""
            rows.append(_line([first, name, *(_score(scores[score]) for score in SCORES)]))
    return Table(
        title="Precision, recall and F1 of each class",
        columns=Raw(_text_column("52mm") + _text_column("32mm") + "rrr"),
        head=_head(["network, arm", "class", "precision", "recall", "F1"]),
        lines=tuple(rows),
    )


def comparison_table(table: ComparisonTable, level: str) -> Table:
    """Return paired differences with their verdicts."""
    scoped = any(row.scope != "overall" for row in table.rows)
    rows = []
    for row in table.rows[:MOST_COMPARISONS]:
        same = row.first.network == row.second.network
        difference = "-" if row.difference is None else f"{signed(row.difference)} {row.unit}".strip()
        interval = "-" if row.low is None or row.high is None else f"{signed(row.low)} to {signed(row.high)}"
        cells = [f"{row.first.network}, {row.first.arm}", row.second.arm if same else row.second.network]
        cells += [row.scope] if scoped else []
        rows.append(_line([*cells, difference, interval, probability(row.p_adjusted), row.n, row.verdict]))
    names = _text_column("44mm") + _text_column("32mm") + (_text_column("20mm") if scoped else "")
    head = ["first", "minus", *(["class"] if scoped else []), "difference", f"{level} interval", "p", "n", "verdict"]
    return Table(title=table.title, columns=Raw(f"{names}rrrrl"), head=_head(head), lines=tuple(rows))


def _remarks(compared: Comparisons | None, table: ComparisonTable) -> tuple[str, ...]:
    shown = min(len(table.rows), MOST_COMPARISONS)
    more = f" The first {shown} of {len(table.rows)} lines." if shown < len(table.rows) else ""
    return (
        f"{table.caption} p after Holm's correction over {table.tests} comparisons.{more}",
        *(compared.caveats if compared else ()),
    )


def _incomplete(lines: Sequence[Entry]) -> str:
    found = [] if all(entry.complete for entry in lines) else ["* fewer seeds finished than were planned."]
    if any(entry.untrained for entry in lines):
        found.append("-o: saved weights were tested.")
    return " ".join(found)


def _facts(results: StudyResults, board: Leaderboard) -> str:
    parts = [board.dataset, f"{board.images:,} images", ", ".join(results.classes)]
    return "; ".join(filter(None, parts))


def _score(summary: Summary) -> str:
    deviation = summary.standard_deviation
    return f"{summary.mean:.3f}" + ("" if deviation is None else f" ± {deviation:.3f}")


def _line(cells: Sequence[object]) -> Raw:
    return Raw(" & ".join(map(escaped, cells)) + r" \\")


def _head(cells: Sequence[str]) -> Raw:
    return Raw(" & ".join(map(escaped, cells)))


def _text_column(width: str) -> str:
    return rf">{{\raggedright\arraybackslash}}p{{{width}}}"


def _fill(template: str, **values: object) -> str:
    return _environment().get_template(template).render(comment=lambda text: Raw(comment(text)), **values)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    # Braces and percent signs mean something in LaTeX; whatever is printed is escaped unless it says that it is LaTeX.
    return Environment(
        loader=PackageLoader("benchmarker_reports.latex", "templates"),
        variable_start_string="<<",
        variable_end_string=">>",
        block_start_string="<%",
        block_end_string="%>",
        comment_start_string="<#",
        comment_end_string="#>",
        finalize=escaped,
        autoescape=False,  # noqa: S701
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
