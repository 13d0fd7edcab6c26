"""Leaderboards for the terminal: as wide as it is, readable without colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarker import Leaderboard
from benchmarker_reports.columns import Column, columns, footnotes, lines

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table

_GAP = 2
_NARROWEST_MODEL = 8


def render(leaderboard: Leaderboard) -> LeaderboardView:
    """Return a rich renderable.

    Nothing is said by colour alone: the leader is bold and has rank 1, rows that are not ranked are dim and marked.

    Parameters
    ----------
    leaderboard : Leaderboard
        What to show.
    """
    return LeaderboardView(leaderboard)


class LeaderboardView:
    """A leaderboard that leaves out its least important columns until it fits."""

    def __init__(self, leaderboard: Leaderboard) -> None:
        self.leaderboard = leaderboard

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw title, table, footnotes, failures, notes and the denominator."""
        from rich.text import Text

        board = self.leaderboard
        yield Text(board.title, style="bold")
        yield Text(self._subtitle(), style="dim")
        yield Text()
        yield self._table(options.max_width, plain=not options.is_terminal)
        yield Text()
        for note in footnotes(board):
            yield Text(note, style="dim")
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

    def _table(self, width: int, *, plain: bool) -> Table:
        from rich import box
        from rich.table import Table

        shown = self._fitting(width)
        # Only the line under the head is drawn, with a sign that every terminal and log has.
        table = Table(
            box=box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True) if plain else box.SIMPLE_HEAD,
            show_edge=False,
            pad_edge=False,
            padding=(0, _GAP - 1, 0, 0),  # the box adds one
            collapse_padding=True,
            header_style="bold",
        )
        for column in shown:
            fold = column.head[0] == "model"
            table.add_column(
                "\n".join(column.head) if any(other.head[1] for other in shown) else column.head[0],
                justify="right" if column.numeric else "left",
                overflow="fold",
                no_wrap=not fold,
                min_width=_NARROWEST_MODEL if fold else None,
            )
        for line in lines(self.leaderboard):
            style = "bold cyan" if line.first.rank == 1 else "dim" if line.first.rank is None else ""
            table.add_row(*(column.text(line) for column in shown), style=style)
        return table

    def _fitting(self, width: int) -> list[Column]:
        shown = columns(self.leaderboard)
        widths = {id(column): self._width(column) for column in shown}
        while sum(widths[id(column)] + _GAP for column in shown) > width + _GAP:
            last = max(shown, key=lambda column: column.drop)
            if last.drop == 0:
                break
            shown.remove(last)
        return shown

    def _width(self, column: Column) -> int:
        from rich.cells import cell_len

        texts = [*column.head, *(column.text(line) for line in lines(self.leaderboard))]
        return max(map(cell_len, texts))
