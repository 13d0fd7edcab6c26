"""Leaderboards as GitHub-flavoured Markdown."""

from __future__ import annotations

from benchmarker import Leaderboard
from benchmarker_reports.columns import columns, footnotes, lines


def render(leaderboard: Leaderboard) -> str:
    """Return a leaderboard as a Markdown section.

    Parameters
    ----------
    leaderboard : Leaderboard
        What to show.
    """
    shown = columns(leaderboard)
    parts = [f"## {_escaped(leaderboard.title)}", "", f"{leaderboard.denominator}.", ""]
    parts.append(_table_line([" ".join(filter(None, column.head)) for column in shown]))
    parts.append(_table_line(["---:" if column.numeric else "---" for column in shown]))
    parts.extend(_table_line([_escaped(column.text(line)) for column in shown]) for line in lines(leaderboard))
    # A footnote that starts with an asterisk would become a list.
    parts += ["", " ".join(_escaped(note) for note in footnotes(leaderboard)), ""]
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


def _table_line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    for character in "\\|*<`":
        text = text.replace(character, f"\\{character}")
    return text
