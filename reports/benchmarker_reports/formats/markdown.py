"""Leaderboards as GitHub-flavoured Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarker import ReportOptions, StudyResults, markdown_text
from benchmarker_reports.content.study_content import StudyContent
from benchmarker_reports.formats.tables import TextTable, text_tables


def render(results: StudyResults, options: ReportOptions) -> str:
    """Return a Markdown section: the message, the leaderboard, the tables below it, failures and notes.

    Parameters
    ----------
    results : StudyResults
        The study.
    options : ReportOptions
        Choices of whoever asked for the report.
    """
    content = StudyContent(results, options)
    board = content.board
    parts = [f"## {markdown_text(board.title)}", ""]
    parts += [line for message in content.messages for line in (markdown_text(message), "")]
    parts += [f"{board.denominator}.", "", *_leaderboard(content)]
    # Footnotes are joined, because a line that starts with an asterisk would become a list.
    parts += ["", " ".join(markdown_text(note) for note in content.footnotes), ""]
    for table in text_tables(content):
        parts += _section(table)
    if board.failed:
        parts += ["Failed cells:", ""]
        parts += [
            f"- {markdown_text(f'{cell.model} / {cell.arm} / {cell.seed}: {cell.kind}: {cell.message}')}"
            for cell in board.failed
        ]
        parts.append("")
    if board.notes:
        parts += ["Notes:", "", *(f"- {markdown_text(note)}" for note in board.notes), ""]
    return "\n".join(parts)


def _leaderboard(content: StudyContent) -> list[str]:
    head = [f"{column.title} {column.checkpoint}".strip() for column in content.columns]
    rows = [[column.cell(line).text for column in content.columns] for line in content.brief_table_lines]
    return _table(head, [column.numeric for column in content.columns], rows)


def _section(table: TextTable) -> list[str]:
    parts = [f"### {markdown_text(table.title)}", "", *_table(table.head, table.numeric, table.rows)]
    return [*parts, "", *(line for note in table.notes for line in (markdown_text(note), ""))]


def _table(head: Sequence[str], numeric: Sequence[bool], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [[markdown_text(cell.strip()) for cell in row] for row in (head, *rows)]
    lines.insert(1, ["---:" if right else "---" for right in numeric])
    return [f"| {' | '.join(cells)} |" for cells in lines]
