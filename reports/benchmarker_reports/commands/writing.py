"""How these commands write numbers, times and tables: plain text, as wide as it needs to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarker import metric_label

SETTINGS: Mapping[str, Any] = {
    "help_option_names": ["-h", "--help"],
    "rich_help_config": {"theme": "cargo-slim", "max_width": 100},
}
"""Of a command, so that its help looks like that of the program's own."""


def examples(*commands: str) -> str:
    """Return the end of a command's help; paragraphs of their own, for help joins lines."""
    return "\n\n".join(("Examples:", *(f"$ {command}" for command in commands)))


def written_time(seconds: float) -> str:
    """Return a duration as people say it: ``"40 s"``, ``"12 min"``, ``"3.5 h"``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def written_p(p: float | None) -> str:
    """Return a p-value with as many digits as it deserves."""
    if p is None:
        return "-"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def signed(metric: str, value: float) -> str:
    """Return a difference of a metric with its sign."""
    digits = max(1, metric_label(metric).digits)
    return f"{value:+.{digits}f}"


def table(head: Sequence[str], lines: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """Return lines of cells as aligned text.

    Parameters
    ----------
    head : sequence of str
        Of the columns.
    lines : sequence of sequence of str
        One cell for each column.
    left : int
        So many columns are aligned to the left, the others to the right.
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
