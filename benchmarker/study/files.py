"""Files of a run folder: written once, atomically, and readable by anything."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarker.data.cache import storage_error
from benchmarker.errors import StorageError


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON so that a reader finds the old file or the new one, and nothing in between.

    Raises
    ------
    StorageError
        If the file cannot be written.
    """
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically.

    Raises
    ------
    StorageError
        If the file cannot be written.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with aside.open("w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise storage_error(error, path) from error


def read_json(path: Path) -> Any:
    """Read JSON.

    Raises
    ------
    StorageError
        If the file is missing or no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StorageError(f"{path}: cannot be read: {error}") from error


def reserve(folder: Path, n_bytes: int) -> None:
    """Make sure that a folder's disk takes so many bytes more.

    For libraries that do not survive a full disk: HDF5 ends the process when it cannot close a file.

    Raises
    ------
    StorageError
        If it does not.
    """
    probe = folder / ".space"
    try:
        with probe.open("wb") as stream:
            os.posix_fallocate(stream.fileno(), 0, n_bytes)
    except OSError as error:
        raise storage_error(error, folder) from error
    finally:
        probe.unlink(missing_ok=True)


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a CSV file with line feeds alone at line ends, so that its bytes are the same everywhere."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def cut_half_line(path: Path) -> None:
    """Take away what a writer that was killed left of the last line of a file, if there is one."""
    if path.exists():
        with path.open("r+b") as stream:
            stream.truncate(stream.read().rfind(b"\n") + 1)


def make_folder(path: Path) -> Path:
    """Create a folder and its parents.

    Raises
    ------
    StorageError
        If that is not possible.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, path) from error
    return path
