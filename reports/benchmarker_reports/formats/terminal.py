"""Leaderboards for the terminal: as wide as it is, and readable without colours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from benchmarker import ReportOptions, StudyResults
from benchmarker_reports.content.leaderboard import Column, Line
from benchmarker_reports.content.study_content import StudyContent
from benchmarker_reports.content.values import Estimate
from benchmarker_reports.formats.tables import TextTable, text_tables

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.table import Table

MOST_COMPARED = 60
"""Lines whose comparisons a terminal shows; ``benchmarker compare`` and other formats show more."""
NARROWEST_BAR, WIDEST_BAR = 10, 30

_GAP = 2
_NARROWEST_MODEL = 8


def render(results: StudyResults, options: ReportOptions) -> TerminalReport:
    """Return a rich renderable.

    Nothing depends on colour alone: the leader is bold and has rank 1, rows that are not ranked are dim and marked,
    and verdicts are words with a sign.

    Parameters
    ----------
    results : StudyResults
        The study.
    options : ReportOptions
        Choices of whoever asked for the report.
    """
    return TerminalReport(StudyContent(results, options, most_compared=MOST_COMPARED))


class TerminalReport:
    """A leaderboard that drops its least important columns until it fits, and the tables below it."""

    def __init__(self, content: StudyContent) -> None:
        self.content = content

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw title, table, footnotes, tables of comparisons, failures, notes and the denominator."""
        from rich.text import Text

        board = self.content.board
        yield Text(board.title, style="bold")
        yield Text(", ".join(self.content.facts), style="dim")
        yield Text()
        yield from self._leaderboard(console, options)
        yield Text()
        for table in text_tables(self.content, brief=True):
            yield from _section(table, options)
        for cell in board.failed:
            yield Text.assemble(
                (f"failed ({cell.kind}): ", "bold"), f"{cell.model} / {cell.arm} / {cell.seed}: {cell.message}"
            )
        for note in board.notes:
            yield Text.assemble(("note: ", "bold"), note)
        yield Text(f"{board.denominator}.", style="bold")

    def _leaderboard(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        drawn = any(line.first.n > 1 for line in self.content.lines)
        shown, left = self._fitting(options.max_width, NARROWEST_BAR + _GAP if drawn else 0)
        estimates = [line.estimate for line in self.content.brief_table_lines]
        bars = _bars(estimates, left - _GAP, ascii_only=options.ascii_only) if drawn else []
        if left < 0:  # names of models have to be broken
            yield self._folded_table(shown, plain=not options.is_terminal)
        else:
            yield from self._table(shown, bars, console, plain=not options.is_terminal)
        yield Text()
        for note in self.content.footnotes:
            yield Text(note, style="dim")
        if bars:
            yield Text(f"Bars: {self.content.options.confidence:.0%} t interval over seeds.", style="dim")

    def _fitting(self, width: int, bars: int) -> tuple[list[Column], int]:
        """Return the columns that fit beside bars, and how many characters remain."""
        shown = list(self.content.columns)
        while (taken := sum(self._widths[column] + _GAP for column in shown)) > width + _GAP - bars:
            last = max(shown, key=lambda column: column.drop)
            if last.drop == 0:
                break
            shown.remove(last)
        return shown, width + _GAP - taken

    @cached_property
    def _cells(self) -> dict[Column, list[str]]:
        """The cells of each column."""
        lines = self.content.brief_table_lines
        return {column: [column.cell(line).text for line in lines] for column in self.content.columns}

    @cached_property
    def _widths(self) -> dict[Column, int]:
        """The width of each column."""
        from rich.cells import cell_len

        return {
            column: max(map(cell_len, (column.title, column.checkpoint, *cells)))
            for column, cells in self._cells.items()
        }

    def _table(self, shown: Sequence[Column], bars: Sequence[str], console: Console, *, plain: bool) -> RenderResult:
        """Draw the table line by line: a table of rich takes seconds for a thousand rows."""
        from rich.segment import Segment

        widths = [self._widths[column] for column in shown]
        cells = [self._cells[column] for column in shown]
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

    def _folded_table(self, shown: Sequence[Column], *, plain: bool) -> Table:
        table = _empty_table(plain=plain)
        two_lines = any(column.checkpoint for column in shown)
        for column in shown:
            fold = column.name == "model"
            table.add_column(
                f"{column.title}\n{column.checkpoint}" if two_lines else column.title,
                justify="right" if column.numeric else "left",
                overflow="fold",
                no_wrap=not fold,
                min_width=_NARROWEST_MODEL if fold else None,
            )
        for number, line in enumerate(self.content.brief_table_lines):
            table.add_row(*(self._cells[column][number] for column in shown), style=_style(line))
        return table


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


def _empty_table(*, plain: bool) -> Table:
    from rich import box
    from rich.table import Table

    # Only the line under the head is drawn, with a character that every terminal and log has.
    return Table(
        box=box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True) if plain else box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, _GAP - 1, 0, 0),  # the box adds one
        collapse_padding=True,
        header_style="bold",
    )


def _section(section: TextTable, options: ConsoleOptions) -> Iterator[RenderableType]:
    from rich.cells import cell_len
    from rich.text import Text

    taken = sum(
        max(map(cell_len, (head, *(row[k] for row in section.rows)))) + _GAP for k, head in enumerate(section.head)
    )
    bars = _bars(section.estimates, options.max_width - taken, zero=True, ascii_only=options.ascii_only)
    table = _empty_table(plain=not options.is_terminal)
    for head, numeric in zip(section.head, section.numeric, strict=True):
        table.add_column(head, justify="right" if numeric else "left", overflow="fold")
    if bars:
        table.add_column("", no_wrap=True)
    for number, row in enumerate(section.rows):
        table.add_row(*row, *bars[number : number + 1])
    yield from (Text(section.title, style="bold"), Text(), table, Text())
    if section.notes:
        yield from (Text(note, style="dim") for note in section.notes)
        yield Text()


@dataclass(frozen=True, slots=True, kw_only=True)
class BarScale:
    """The values at the first and the last character of all bars of a table."""

    low: float
    high: float
    width: int

    @classmethod
    def of(cls, estimates: Iterable[Estimate | None], width: int, *, zero: bool = False) -> BarScale:
        """Return the scale that all intervals fit on; with ``zero`` it also holds 0."""
        ends = [end for estimate in estimates if estimate is not None for end in estimate.ends]
        ends += [0.0] if zero else []
        return cls(low=min(ends, default=0.0), high=max(ends, default=0.0), width=width)

    def place(self, value: float) -> int:
        """Return the character that shows a value, counted from 0."""
        if self.high <= self.low:
            return self.width // 2
        share = (value - self.low) / (self.high - self.low)
        return min(self.width - 1, max(0, round(share * (self.width - 1))))


def bar(estimate: Estimate | None, scale: BarScale, *, zero: bool = False, ascii_only: bool = False) -> str:
    """Draw an interval as characters.

    Parameters
    ----------
    estimate : Estimate or None
        Drawn as blanks where it is None.
    scale : BarScale
        Scale of the whole table.
    zero : bool
        Whether 0 is marked.
    ascii_only : bool
        Whether to use only characters that every terminal has.
    """
    line, first, last, dot, mark = ("-", "|", "|", "o", ":") if ascii_only else ("─", "├", "┤", "●", "┊")
    cells = [" "] * scale.width
    if estimate is not None:
        low, high = map(scale.place, estimate.ends)
        cells[low : high + 1] = [line] * (high + 1 - low)
        if high > low:
            cells[low], cells[high] = first, last
    if zero and scale.low <= 0 <= scale.high:
        cells[scale.place(0.0)] = mark
    if estimate is not None:
        cells[scale.place(estimate.mean)] = dot
    return "".join(cells)


def _bars(estimates: Sequence[Estimate | None], left: int, *, ascii_only: bool, zero: bool = False) -> list[str]:
    """Draw the interval of each row; none where there is no room, or nothing to draw."""
    if left < NARROWEST_BAR or all(estimate is None for estimate in estimates):
        return []
    scale = BarScale.of(estimates, min(WIDEST_BAR, left), zero=zero)
    return [bar(estimate, scale, zero=zero, ascii_only=ascii_only) for estimate in estimates]
