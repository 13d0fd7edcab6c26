"""Leaderboards as GitHub-flavoured Markdown."""

from __future__ import annotations

from benchmarker import ReportOptions, StudyResults
from benchmarker_reports.columns import columns, footnotes, lines
from benchmarker_reports.facts import gather
from benchmarker_reports.sections import Section, sections


def render(results: StudyResults, options: ReportOptions) -> str:
    """Return a leaderboard as a Markdown section, and what there is to say beside it.

    Parameters
    ----------
    results : StudyResults
        What to show.
    options : ReportOptions
        How to show it.
    """
    facts = gather(results, options)
    leaderboard = facts.board
    shown = columns(leaderboard)
    parts = [f"## {_escaped(leaderboard.title)}", "", f"{leaderboard.denominator}.", ""]
    parts.append(_table_line([" ".join(filter(None, column.head)) for column in shown]))
    parts.append(_table_line(["---:" if column.numeric else "---" for column in shown]))
    parts.extend(_table_line([_escaped(column.text(line)) for column in shown]) for line in lines(leaderboard))
    # A footnote that starts with an asterisk would become a list.
    parts += ["", " ".join(_escaped(note) for note in footnotes(leaderboard)), ""]
    for section in sections(facts):
        parts += _section(section)
    if leaderboard.failed:
        parts += ["Failed cells:", ""]
        parts += [
            f"- {_escaped(f'{cell.model} / {cell.arm} / {cell.seed}: {cell.kind}: {cell.message}')}"
            for cell in leaderboard.failed
        ]
        parts.append("")
    if leaderboard.notes:
        parts += ["Notes:", "", *(f"- {_escaped(note)}" for note in leaderboard.notes), ""]
    return "\n".join(parts)


def _section(section: Section) -> list[str]:
    parts = [f"### {_escaped(section.title)}", "", _table_line([_escaped(head) for head in section.head])]
    parts.append(_table_line(["---:" if numeric else "---" for numeric in section.numeric]))
    parts.extend(_table_line([_escaped(cell.strip()) for cell in row]) for row in section.rows)
    return [*parts, "", *(line for note in section.notes for line in (_escaped(note), ""))]


def _table_line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    for character in "\\|*<`":
        text = text.replace(character, f"\\{character}")
    return text
