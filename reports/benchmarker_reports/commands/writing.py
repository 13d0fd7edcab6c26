"""Numbers, times and tables as plain text."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarker import metric_label


def written_time(seconds: float) -> str:
    """Return a duration in a readable unit: ``"40 s"``, ``"12 min"``, ``"3.5 h"``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def written_p(p: float | None) -> str:
    """Return a p-value with three decimal places, or ``"< 0.001"``."""
    if p is None:
        return "-"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def signed(metric: str, value: float) -> str:
    """Return a difference of a metric with its sign and the digits of that metric."""
    digits = max(1, metric_label(metric).digits)
    return f"{value:+.{digits}f}"


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
