"""The message and the leaderboard for the terminal: as wide as it is, and readable without colours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarker import ReportOptions, StudyResults, counted
from benchmarker_reports.content.leaderboard import Column, Line
from benchmarker_reports.content.study_content import StudyContent
from benchmarker_reports.content.values import Estimate

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

MOST_COMPARED = 60
"""Lines that a terminal compares; ``benchmarker compare`` and other formats compare more."""
MOST_FAILED = 6
"""Failed cells that a terminal lists."""
NARROWEST_BAR, WIDEST_BAR = 10, 30

_GAP = 2


def render(results: StudyResults, options: ReportOptions) -> TerminalReport:
    """Return a rich renderable.

    Nothing depends on colour alone: the leader is bold and the first line, and rows that are not ranked are dim and
    marked.

    Parameters
    ----------
    results : StudyResults
        The study.
    options : ReportOptions
        Choices of whoever asked for the report.
    """
    return TerminalReport(StudyContent(results, options, most_compared=MOST_COMPARED))


class TerminalReport:
    """The message of a study, and its leaderboard, which drops its least important columns until it fits."""

    def __init__(self, content: StudyContent) -> None:
        self.content = content
        self._found: dict[Column, list[str]] = {}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the title, the message, failures and notes, and last the leaderboard."""
        from rich.text import Text

        board = self.content.board
        yield Text(board.title, style="bold")
        yield Text(", ".join(self.content.facts), style="dim")
        yield Text()
        for message in self.content.messages:
            yield Text(message)
        yield Text()
        for cell in board.failed[:MOST_FAILED]:
            yield Text.assemble(
                (f"failed ({cell.kind}): ", "bold"), f"{cell.model} / {cell.arm} / {cell.seed}: {cell.message}"
            )
        if len(board.failed) > MOST_FAILED:
            yield Text(f"{counted(len(board.failed) - MOST_FAILED, 'more cell')} failed; benchmarker show lists them.")
        for note in board.notes:
            yield Text.assemble(("note: ", "bold"), note)
        yield from self._leaderboard(console, options)

    def _leaderboard(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw what the table means and how much of the plan it covers, and then the table."""
        from rich.text import Text

        drawn = any(line.first.n > 1 for line in self.content.lines)
        shown, left = self._fitting(options.max_width, NARROWEST_BAR + _GAP if drawn else 0)
        estimates = [line.estimate for line in self.content.brief_table_lines]
        bars = _bars(estimates, left - _GAP, ascii_only=options.ascii_only) if drawn else []
        bars_note = f"Bars: {self.content.level} intervals {self.content.interval_words}."
        for note in (*self.content.footnotes, *([bars_note] if bars else ())):
            yield Text(note, style="dim")
        yield Text(f"{self.content.board.denominator}.", style="bold")
        yield Text()
        if left < 0:
            yield from self._stacked(shown, console, options.max_width)
        else:
            yield from self._table(shown, bars, console, plain=not options.is_terminal)

    def _fitting(self, width: int, bars: int) -> tuple[list[Column], int]:
        """Return the columns that fit beside bars, and how many characters remain; others are not even computed."""
        columns = list(self.content.columns)
        shown = {column for column in columns if column.drop == 0}
        taken = sum(self._width(column) + _GAP for column in shown)
        # Of two that are equally dispensable, the left one goes first.
        for place in sorted(range(len(columns)), key=lambda place: (columns[place].drop, -place)):
            column = columns[place]
            if column not in shown:
                wider = taken + self._width(column) + _GAP
                if wider > width + _GAP - bars:
                    break
                shown.add(column)
                taken = wider
        return [column for column in columns if column in shown], width + _GAP - taken

    def _cells(self, column: Column) -> list[str]:
        """Return the cells of a column."""
        if column not in self._found:
            self._found[column] = [column.cell(line).text for line in self.content.brief_table_lines]
        return self._found[column]

    def _width(self, column: Column) -> int:
        from rich.cells import cell_len

        return max(map(cell_len, (column.title, column.checkpoint, *self._cells(column))))

    def _table(self, shown: Sequence[Column], bars: Sequence[str], console: Console, *, plain: bool) -> RenderResult:
        """Draw the table line by line: a table of rich takes seconds for a thousand rows."""
        from rich.segment import Segment

        widths = [self._width(column) for column in shown]
        cells = [self._cells(column) for column in shown]
        right = [column.numeric for column in shown]
        heads = [[*(column.title for column in shown), *(["interval"] if bars else [])]]
        if any(column.checkpoint for column in shown):
            heads.append([column.checkpoint for column in shown])
        for head in heads:
            yield Segment(_joined(head, widths, right), console.get_style("bold"))
            yield Segment.line()
        taken = sum(widths) + _GAP * (len(widths) - 1) + (_GAP + len(bars[0]) if bars else 0)
        yield Segment(("-" if plain else "─") * taken)
        yield Segment.line()
        for number, line in enumerate(self.content.brief_table_lines):
            style = _style(line)
            texts = [*(column[number] for column in cells), *bars[number : number + 1]]
            yield Segment(_joined(texts, widths, right), console.get_style(style) if style else None)
            yield Segment.line()

    def _stacked(self, shown: Sequence[Column], console: Console, width: int) -> RenderResult:
        """Draw each line of the leaderboard as its numbers and, below them, its names, for a narrow terminal."""
        from rich.segment import Segment

        numbers = [column for column in shown if column.numeric]
        names = [column for column in shown if not column.numeric]
        widths = [self._width(column) for column in numbers]
        yield Segment(_joined([column.title for column in numbers], widths, [True] * len(widths)).rstrip())
        yield Segment.line()
        for number, line in enumerate(self.content.brief_table_lines):
            style = _style(line)
            texts = [_joined([self._cells(column)[number] for column in numbers], widths, [True] * len(widths))]
            texts += broken(" / ".join(self._cells(column)[number] for column in names), max(1, width - _GAP))
            for place, text in enumerate(texts):
                shifted = f"{' ' * _GAP if place else ''}{text}"
                yield Segment(shifted, console.get_style(style) if style else None)
                yield Segment.line()


def broken(text: str, width: int) -> list[str]:
    """Break a name into lines after a character that separates its parts; only a part that is too long is cut.

    Examples
    --------
    >>> broken("radio_galaxy_zoo / rotations", 20)
    ['radio_galaxy_zoo /', 'rotations']
    >>> broken("radio_galaxy_zoo", 10)
    ['radio_', 'galaxy_zoo']
    """
    lines = [""]
    for part in re.findall(r"[^\s_/.-]*[\s_/.-]*", text):
        if lines[-1] and len(lines[-1]) + len(part.rstrip()) > width:
            lines.append("")
        lines[-1] += part
        while len(lines[-1].rstrip()) > width:
            lines[-1:] = [lines[-1][:width], lines[-1][width:]]
    return [line.rstrip() for line in lines if line.strip()]


def _joined(texts: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    """Return the cells of a line at their widths; texts beyond the last width are kept as they are."""
    from rich.cells import cell_len, set_cell_size

    cells = [
        set_cell_size(" " * (width - cell_len(text)) + text if to_right else text, width)
        for text, width, to_right in zip(texts, widths, right, strict=False)
    ]
    return (" " * _GAP).join([*cells, *texts[len(widths) :]])


def _style(line: Line) -> str:
    return "bold cyan" if line.first.rank == 1 else "dim" if line.first.rank is None else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BarScale:
    """The values at the first and the last character of all bars of a table."""

    low: float
    high: float
    width: int

    @classmethod
    def of(cls, estimates: Iterable[Estimate | None], width: int) -> BarScale:
        """Return the scale that all intervals fit on."""
        ends = [end for estimate in estimates if estimate is not None for end in estimate.ends]
        return cls(low=min(ends, default=0.0), high=max(ends, default=0.0), width=width)

    def place(self, value: float) -> int:
        """Return the character that shows a value, counted from 0."""
        if self.high <= self.low:
            return self.width // 2
        share = (value - self.low) / (self.high - self.low)
        return min(self.width - 1, max(0, round(share * (self.width - 1))))


def bar(estimate: Estimate | None, scale: BarScale, *, ascii_only: bool = False) -> str:
    """Draw an interval as characters.

    Parameters
    ----------
    estimate : Estimate or None
        Drawn as blanks where it is None.
    scale : BarScale
        Scale of the whole table.
    ascii_only : bool
        Whether to use only characters that every terminal has.
    """
    line, first, last, dot = ("-", "|", "|", "o") if ascii_only else ("─", "├", "┤", "●")
    cells = [" "] * scale.width
    if estimate is not None:
        low, high = map(scale.place, estimate.ends)
        cells[low : high + 1] = [line] * (high + 1 - low)
        if high > low:
            cells[low], cells[high] = first, last
    if estimate is not None:
        cells[scale.place(estimate.mean)] = dot
    return "".join(cells)


def _bars(estimates: Sequence[Estimate | None], left: int, *, ascii_only: bool) -> list[str]:
    """Draw the interval of each row; none where there is no room, or nothing to draw."""
    if left < NARROWEST_BAR or all(estimate is None for estimate in estimates):
        return []
    scale = BarScale.of(estimates, min(WIDEST_BAR, left))
    return [bar(estimate, scale, ascii_only=ascii_only) for estimate in estimates]
