"""Says what is wrong with a path that a user gave, before anything opens it."""

from __future__ import annotations

from pathlib import Path


def reading_problem(path: Path) -> str:
    """Return why nothing can be read from a path, or an empty text where it is a regular file or a folder.

    Opening a pipe waits until somebody writes to it, for ever if nobody does, and what came through it once cannot be
    read again, as checksums and a later run need it.
    """
    if path.is_file() or path.is_dir():
        return ""
    if path.exists():
        return f"{path} is not a regular file, but a pipe, a socket or a device: copy what it holds into a file"
    return f"no such file or folder: {path}"
