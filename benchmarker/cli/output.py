"""How commands print and write: consoles, plain text of a fixed width, counts and durations."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarker.printing import counted, echo, printable

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

# Logs are read in editors and on the web. With a fixed width, the same study always gives the same bytes.
PLAIN_WIDTH = 100


def planned(cells: int, generators: int) -> str:
    """Return how many cells and generators there are: ``"6 cells and 3 generators"``."""
    return counted(cells, "cell") + (f" and {counted(generators, 'generator')}" if generators else "")


def duration(seconds: float) -> str:
    """Return a duration in the units that a person would choose."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def on_terminal() -> bool:
    """Return whether standard output is a terminal that can redraw lines."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def console() -> Console:
    """Return a rich console as wide as the terminal."""
    from rich.console import Console

    return Console(width=terminal_width(), highlight=False, markup=False, emoji=False)


def terminal_width() -> int:
    """Return the number of columns of the terminal, or of ``COLUMNS`` where that is positive."""
    import shutil

    return shutil.get_terminal_size().columns


def plain_text(renderable: RenderableType, width: int = PLAIN_WIDTH) -> str:
    """Return a rich renderable as text for a file: no escape codes, no trailing spaces, a fixed width."""
    import io

    from rich.console import Console

    stream = io.StringIO()
    Console(file=stream, width=width, force_terminal=False, color_system=None, highlight=False, emoji=False).print(
        renderable, markup=False
    )
    return "".join(f"{line.rstrip()}\n" for line in printable(stream.getvalue()).split("\n")[:-1])


def show(content: RenderableType) -> None:
    """Print text, or a rich renderable: drawn on a terminal, as plain text into a file."""
    if isinstance(content, str):
        echo(content, nl=not content.endswith("\n"))
    elif on_terminal():
        console().print(_Printable(content))
    else:
        # A terminal that cannot redraw lines still has a width.
        echo(plain_text(content, terminal_width() if sys.stdout.isatty() else PLAIN_WIDTH), nl=False)


class _Printable:
    """A renderable whose text commands no terminal: only the styles that it was given become escape codes."""

    def __init__(self, content: RenderableType) -> None:
        self._content = content

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.segment import Segment

        for segment in console.render(self._content, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)


def write(content: RenderableType, path: Path) -> None:
    """Write text, or a rich renderable as plain text, to a file.

    Raises
    ------
    StorageError
        If the file cannot be written.
    """
    text = content if isinstance(content, str) else plain_text(content)
    # Bytes rather than text, so that the same study gives the same line ends everywhere.
    write_file(path, text.encode())


def write_file(path: Path, content: bytes, *, parents: bool = False) -> bool:
    """Write a file atomically unless it has that content already; return whether it was written.

    Parameters
    ----------
    path : Path
        The file. If it is a link, the file that it points to is replaced; a pipe or a device is written to directly.
    content : bytes
        New content.
    parents : bool
        Create the folders that contain the file.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    from benchmarker.files import make_folder, storage_error, write_bytes

    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return True
        path = path.resolve()
        if path.is_file() and path.read_bytes() == content:
            return False
    except OSError as error:
        raise storage_error(error, path) from error
    if parents:
        make_folder(path.parent)
    write_bytes(path, content)
    return True
