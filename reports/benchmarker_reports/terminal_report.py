"""Leaderboards for the terminal: as wide as it is, readable without colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarker import ReportOptions, StudyResults
from benchmarker_reports.bars import NARROWEST, WIDEST, Span, bar, scale, t_span
from benchmarker_reports.columns import Column, columns, footnotes, lines
from benchmarker_reports.facts import Facts, gather
from benchmarker_reports.sections import Section, sections

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.table import Table

MOST_COMPARED = 60
"""Networks in arms whose comparisons a terminal shows; more of them are for `benchmarker compare` and other formats."""

_GAP = 2
_NARROWEST_MODEL = 8


def render(results: StudyResults, options: ReportOptions) -> LeaderboardView:
    """Return a rich renderable.

    Nothing is said by colour alone: the leader is bold and has rank 1, rows that are not ranked are dim and marked,
    verdicts are words with a sign.

    Parameters
    ----------
    results : StudyResults
        What to show.
    options : ReportOptions
        How to show it.
    """
    return LeaderboardView(gather(results, options, most=MOST_COMPARED), options)


class LeaderboardView:
    """A leaderboard that leaves out its least important columns until it fits, and the tables below it."""

    def __init__(self, facts: Facts, options: ReportOptions) -> None:
        self.facts = facts
        self.options = options
        self.leaderboard = facts.board
        self.lines = lines(facts.board)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw title, table, footnotes, tables of comparisons, failures, notes and the denominator."""
        from rich.text import Text

        board = self.leaderboard
        yield Text(board.title, style="bold")
        yield Text(self._subtitle(), style="dim")
        yield Text()
        yield from self._board(console, options)
        yield Text()
        for section in sections(self.facts, brief=True):
            yield from _section(section, options)
        for cell in board.failed:
            yield Text.assemble(
                (f"failed ({cell.kind}): ", "bold"), f"{cell.model} / {cell.arm} / {cell.seed}: {cell.message}"
            )
        for remark in board.notes:
            yield Text.assemble(("note: ", "bold"), remark)
        yield Text(f"{board.denominator}.", style="bold")

    def _subtitle(self) -> str:
        board = self.leaderboard
        classes = board.task.get("classes")
        parts = [board.dataset]
        if isinstance(classes, list):
            parts.append(f"{len(classes)} classes")
        if board.images:
            parts.append(f"{board.images:,} images" + (f" ({board.skipped:,} skipped)" if board.skipped else ""))
        settings = sorted({f"{row.backend} {row.precision}".strip() for row in board.rows})
        return ", ".join(filter(None, [*parts, *settings]))

    def _board(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        drawn = any(line.first.n > 1 for line in self.lines)
        shown, left = self._fitting(options.max_width, NARROWEST + _GAP if drawn else 0)
        bars = self._bars(left - _GAP, ascii_only=options.ascii_only) if drawn else []
        if left < 0:  # the names of models have to be broken
            yield self._table(shown, plain=not options.is_terminal)
        else:
            yield from self._lines(shown, bars, console, plain=not options.is_terminal)
        yield Text()
        for note in footnotes(self.leaderboard):
            yield Text(note, style="dim")
        if bars:
            yield Text(f"Bars: {self.options.confidence:.0%} t interval over seeds.", style="dim")

    def _lines(self, shown: list[Column], bars: list[str], console: Console, *, plain: bool) -> RenderResult:
        """Draw the table line by line: a table of rich takes seconds where there are a thousand rows."""
        from rich.cells import cell_len, set_cell_size
        from rich.segment import Segment

        widths = {column.head: self._width(column) for column in shown}

        def joined(texts: list[str]) -> str:
            cells = []
            for column, text in zip(shown, texts, strict=False):
                size = widths[column.head]
                blank = " " * (size - cell_len(text)) if column.numeric else ""
                cells.append(set_cell_size(blank + text, size))
            return (" " * _GAP).join([*cells, *texts[len(shown) :]])

        taken = sum(size + _GAP for size in widths.values()) - _GAP + (_GAP + len(bars[0]) if bars else 0)
        for level in (0, 1) if any(column.head[1] for column in shown) else (0,):
            titles = ["interval"] if bars and level == 0 else []
            yield Segment(joined([*(column.head[level] for column in shown), *titles]), console.get_style("bold"))
            yield Segment.line()
        yield Segment(("-" if plain else "─") * taken)
        yield Segment.line()
        for number, line in enumerate(self.lines):
            style = "bold cyan" if line.first.rank == 1 else "dim" if line.first.rank is None else ""
            texts = [*(column.text(line) for column in shown), *bars[number : number + 1]]
            yield Segment(joined(texts), console.get_style(style) if style else None)
            yield Segment.line()

    def _table(self, shown: list[Column], *, plain: bool) -> Table:
        table = _empty_table(plain=plain)
        for column in shown:
            fold = column.head[0] == "model"
            table.add_column(
                "\n".join(column.head) if any(other.head[1] for other in shown) else column.head[0],
                justify="right" if column.numeric else "left",
                overflow="fold",
                no_wrap=not fold,
                min_width=_NARROWEST_MODEL if fold else None,
            )
        for line in self.lines:
            style = "bold cyan" if line.first.rank == 1 else "dim" if line.first.rank is None else ""
            table.add_row(*(column.text(line) for column in shown), style=style)
        return table

    def _bars(self, left: int, *, ascii_only: bool) -> list[str]:
        """Return the interval of each line as a bar; none where there is no room."""
        if left < NARROWEST:
            return []
        spans = [t_span(line.first.summary(self.leaderboard.sort), self.options.confidence) for line in self.lines]
        on = scale(spans, min(WIDEST, left))
        return [bar(span, on, ascii_only=ascii_only) for span in spans]

    def _fitting(self, width: int, bars: int) -> tuple[list[Column], int]:
        """Return the columns that fit beside bars, and how many characters they leave."""
        shown = columns(self.leaderboard)
        widths = {id(column): self._width(column) for column in shown}
        while (taken := sum(widths[id(column)] + _GAP for column in shown)) > width + _GAP - bars:
            last = max(shown, key=lambda column: column.drop)
            if last.drop == 0:
                break
            shown.remove(last)
        return shown, width + _GAP - taken

    def _width(self, column: Column) -> int:
        from rich.cells import cell_len

        texts = [*column.head, *(column.text(line) for line in self.lines)]
        return max(map(cell_len, texts))


def _empty_table(*, plain: bool) -> Table:
    from rich import box
    from rich.table import Table

    # Only the line under the head is drawn, with a sign that every terminal and log has.
    return Table(
        box=box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True) if plain else box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, _GAP - 1, 0, 0),  # the box adds one
        collapse_padding=True,
        header_style="bold",
    )


def _section(section: Section, options: ConsoleOptions) -> list[RenderableType]:
    from rich.cells import cell_len
    from rich.text import Text

    taken = sum(
        max(cell_len(text) for text in (head, *(row[k] for row in section.rows))) + _GAP
        for k, head in enumerate(section.head)
    )
    bars = _difference_bars(section.spans, options.max_width - taken, ascii_only=options.ascii_only)
    table = _empty_table(plain=not options.is_terminal)
    for head, numeric in zip(section.head, section.numeric, strict=True):
        table.add_column(head, justify="right" if numeric else "left", overflow="fold")
    if bars:
        table.add_column("", no_wrap=True)
    for number, row in enumerate(section.rows):
        table.add_row(*row, *bars[number : number + 1])
    notes = [Text(note, style="dim") for note in section.notes]
    return [Text(section.title, style="bold"), Text(), table, Text(), *notes, *([Text()] if notes else [])]


def _difference_bars(spans: tuple[Span | None, ...], left: int, *, ascii_only: bool) -> list[str]:
    if left < NARROWEST or all(span is None for span in spans):
        return []
    on = scale(spans, min(WIDEST, left), zero=True)
    return [bar(span, on, zero=True, ascii_only=ascii_only) for span in spans]
