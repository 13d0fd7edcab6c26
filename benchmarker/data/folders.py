"""Files of a folder or an archive as members, and those of a folder."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarker.errors import DataError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file of a folder or an archive.

    Parameters
    ----------
    name : str
        Relative, with forward slashes.
    read : callable returning bytes
        Reads the file, anew in each call.
    """

    name: str
    read: Callable[[], bytes]


def list_folder(path: Path, suffixes: tuple[str, ...] = ()) -> list[tuple[str, Path]]:
    """Return the relative names and paths of the files below a folder, sorted by name.

    A folder is the user's own, so links are followed; a link that leads back to a folder above ends there.
    """
    seen: set[tuple[int, int]] = set()
    found: list[tuple[str, Path]] = []
    for parent, folders, files in os.walk(path, followlinks=True):
        status = Path(parent).stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders.sort()
        for file in files:
            full = Path(parent, file)
            name = full.relative_to(path).as_posix()
            if not is_wanted(name, suffixes):
                continue
            if full.is_file():
                found.append((name, full))
            else:
                _log.warning("%s is left out: not a regular file, or a link to nothing", full)
    return sorted(found)


def folder_members(path: Path, suffixes: tuple[str, ...]) -> Iterator[Member]:
    """Yield the files below a folder as members, sorted by name."""
    for name, file in list_folder(path, suffixes):
        yield Member(name=name, read=partial(_read_file, file))


def _read_file(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror or error}") from error


def is_wanted(name: str, suffixes: tuple[str, ...]) -> bool:
    """Whether a file has one of the suffixes (any, where none are given), and was not left behind by macOS."""
    parts = name.split("/")
    junk = "__MACOSX" in parts or parts[-1] == ".DS_Store" or parts[-1].startswith("._")
    return not junk and (not suffixes or name.lower().endswith(tuple(suffix.lower() for suffix in suffixes)))
