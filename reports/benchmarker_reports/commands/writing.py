"""Times and tables as plain text."""

from __future__ import annotations

from collections.abc import Sequence


def written_time(seconds: float) -> str:
    """Return a duration in a readable unit: ``"40 s"``, ``"12 min"``, ``"3.5 h"``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def table(head: Sequence[str], lines: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """Return lines of cells as aligned text.

    Parameters
    ----------
    head : sequence of str
        Column headings.
    lines : sequence of sequence of str
        Lines with one cell per column.
    left : int
        Number of columns aligned to the left; the others are aligned to the right.
    """
    rows = [list(head), *(list(line) for line in lines)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if k < left else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return "  ".join(padded).rstrip()

    return "\n".join([line(rows[0]), "  ".join("-" * width for width in widths), *map(line, rows[1:])])
