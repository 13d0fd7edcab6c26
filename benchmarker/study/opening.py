"""Check that a study holds nothing but files and folders of a sensible size, before anything in it is read or written.

Studies travel: a referee opens an author's, a consortium merges twenty. A link in one may lead to any file of whoever
opens it, and reading or writing it would then disclose or overwrite that file; a pipe would keep a command waiting for
ever, a device would never end, and a table of 64 GiB may take no space at all on a disk. A study that a run wrote holds
none of these, so all of them are refused.

Names are examined with ``lstat`` alone: nothing is opened to find out what it is.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from benchmarker.errors import StorageError
from benchmarker.study.layout import COSTS_FILE, MANIFEST_FILE, METRICS_FILE, RUNS_FOLDER
from benchmarker.trail import TRAIL_FILE

_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_LARGEST = {
    ".json": 256 << 20,
    ".jsonl": 1 << 30,
    ".csv": 1 << 30,
    ".yaml": 64 << 20,
    ".txt": 1 << 30,
    ".png": 64 << 20,
}
"""Bytes that a file may have by its suffix, where it is read as a whole. The plan of 10,000 cells has 20 MB."""

_LARGEST_OF_RUN = dict.fromkeys((MANIFEST_FILE, METRICS_FILE, COSTS_FILE, TRAIL_FILE), 16 << 20)
"""Bytes that these may have: hostile JSON takes 30 times as many in memory. Trails have hundreds for each epoch."""

_LARGEST_EMPTY = 1 << 30
_LARGEST_RATIO = 16
"""A larger file may have this many bytes for each that it takes on the disk; compressing file systems save less."""

_REFUSED = ", which no run writes; it is neither read nor written"

_DEEPEST = 8
"""Levels of folders that a study may have; runs use three."""


def require_ordinary(study: Path) -> None:
    """Refuse a study with a link, a pipe, a device, an absurdly large file or two like names beside or among its runs.

    What runs contain is checked by `oddity`, run by run, so that a bad run does not hide the others.

    Parameters
    ----------
    study : Path
        Path of the study; itself it may be a link, because the user named it.

    Raises
    ------
    StorageError
        If there is one. A folder that does not exist is not refused.
    """
    found = next(_oddities(os.fspath(study), "", inside_runs=False), None)
    if found is not None:
        raise StorageError(f"{study}: {found}. Remove it, or ask whoever sent the study")


def oddity(folder: str | Path) -> str | None:
    """Return the first thing in a run's folder that no run writes, such as a link, a pipe or an absurdly large file.

    Parameters
    ----------
    folder : str or Path
        Path of the folder.

    Returns
    -------
    str or None
        What it is, such as ``"log.txt is a symbolic link, which no run writes; it is neither read nor written"``; None
        where all is well.
    """
    return next(_oddities(os.fspath(folder), "", inside_runs=True), None)


def _oddities(folder: str, prefix: str, *, inside_runs: bool, level: int = 1) -> Iterator[str]:
    if level > _DEEPEST:
        yield f"{prefix.rstrip('/')} lies more than {_DEEPEST} folders deep{_REFUSED}"
        return
    try:
        entries = os.scandir(folder)
    except OSError:  # missing, or not readable: whoever reads it says so
        return
    with entries:
        known: dict[str, str] = {}
        for entry in entries:
            name = f"{prefix}{entry.name}"
            other = known.setdefault(_folded(entry.name), entry.name)
            if other != entry.name:
                first, second = sorted((other, entry.name))
                yield f"{prefix}{first} and {second} have one name on file systems that ignore case{_REFUSED}"
            # Most file systems tell the kind of an entry with its name, so this takes no further call.
            if entry.is_dir(follow_symlinks=False):
                if inside_runs or prefix != f"{RUNS_FOLDER}/":
                    yield from _oddities(entry.path, f"{name}/", inside_runs=inside_runs, level=level + 1)
            elif not entry.is_file(follow_symlinks=False):
                yield f"{name} is {_kind(entry)}{_REFUSED}"
            elif (problem := _problem_of_size(entry)) is not None:
                yield f"{name} {problem}{_REFUSED}"


def _folded(name: str) -> str:
    """Return a name as file systems compare it that ignore case, and how accents are encoded."""
    return name.lower() if name.isascii() else unicodedata.normalize("NFC", name.casefold())


def _kind(entry: os.DirEntry[str]) -> str:
    try:
        return _KINDS.get(stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode), "neither a file nor a folder")
    except OSError:
        return "neither a file nor a folder"


def _problem_of_size(entry: os.DirEntry[str]) -> str | None:
    most = _LARGEST_OF_RUN.get(entry.name) or _LARGEST.get(os.path.splitext(entry.name)[1])  # noqa: PTH122
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return None
    if most is not None and status.st_size > most:
        return f"has {status.st_size:,} bytes, more than {most:,}"
    taken = 512 * status.st_blocks
    if status.st_size > max(_LARGEST_EMPTY, _LARGEST_RATIO * taken):
        return f"has {status.st_size:,} bytes, of which only {taken:,} are on the disk"
    return None
