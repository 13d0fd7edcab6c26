"""Files below a folder: in a fixed order, as members that loaders read, and as a signature that shows changes."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from benchmarker.digests import digest_file
from benchmarker.errors import DataError

logger = logging.getLogger(__name__)

_HASHED_BYTES = 1 << 28
"""Larger files are recognised by size and modification time instead of their SHA-256."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file of a folder or an archive.

    Parameters
    ----------
    name : str
        Name relative to the folder or archive, with forward slashes.
    read : callable returning bytes
        Reads the file again in each call.
    """

    name: str
    read: Callable[[], bytes]


def list_folder(path: Path, suffixes: tuple[str, ...] = ()) -> list[tuple[str, Path]]:
    """Return the relative names and paths of the files below a folder, sorted by name.

    A folder belongs to the user, so links are followed, but a link back to a folder above is not followed again.

    Parameters
    ----------
    path : Path
        The folder.
    suffixes : tuple of str
        Endings of the wanted names, for example ``(".png",)``, compared without case; all files by default.
    """
    return [(file.name, Path(file.path)) for file in _regular_files(path, suffixes)]


@dataclass(frozen=True, slots=True)
class _RegularFile:
    """What is kept of each file; its whole status takes ten times the memory."""

    name: str
    path: str
    size: int
    modified_ns: int


def _regular_files(path: Path, suffixes: tuple[str, ...]) -> list[_RegularFile]:
    """Return the files below a folder, sorted by name, with one stat of each."""
    seen: set[tuple[int, int]] = set()
    found: list[_RegularFile] = []
    for parent, folders, files in os.walk(path, followlinks=True):
        status = Path(parent).stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders.sort()
        prefix = "" if Path(parent) == path else f"{Path(parent).relative_to(path).as_posix()}/"
        for file in files:
            name = f"{prefix}{file}"
            if not is_wanted(name, suffixes):
                continue
            full = f"{parent}{os.sep}{file}"
            file_status = _status(full)
            if file_status is not None and stat.S_ISREG(file_status.st_mode):
                found.append(_RegularFile(name, full, file_status.st_size, file_status.st_mtime_ns))
            else:
                logger.warning("%s is left out: it is not a regular file, or a broken link", full)
    found.sort(key=lambda file: file.name)
    return found


def _status(file: str) -> os.stat_result | None:
    try:
        return os.stat(file)  # noqa: PTH116 - a Path for each of 100,000 files takes longer than its status
    except OSError:
        return None


def folder_members(path: Path, suffixes: tuple[str, ...]) -> Iterator[Member]:
    """Yield the files below a folder as members, sorted by name."""
    for file in _regular_files(path, suffixes):
        yield Member(name=file.name, read=_File(file.path))


@dataclass(frozen=True, slots=True)
class _File:
    """Reads a file when it is called; small, because somebody may list 100,000 of them."""

    path: str

    def __call__(self) -> bytes:
        try:
            return Path(self.path).read_bytes()
        except OSError as error:
            raise DataError(f"{self.path} cannot be read: {error.strerror or error}") from error


def is_wanted(name: str, suffixes: tuple[str, ...]) -> bool:
    """Whether a name ends in one of the suffixes (any name, without suffixes) and was not left behind by macOS."""
    last = name.rpartition("/")[2]
    junk = last == ".DS_Store" or last.startswith("._") or ("__MACOSX" in name and "__MACOSX" in name.split("/"))
    return not junk and (not suffixes or name.lower().endswith(_lowered(suffixes)))


@cache
def _lowered(suffixes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(suffix.lower() for suffix in suffixes)


def path_signature(path: Path, suffixes: tuple[str, ...] = ()) -> Any:
    """Return what a dataset's `DatasetContents.signature` should hold about a file or a folder.

    Parameters
    ----------
    path : Path
        A file or a folder.
    suffixes : tuple of str
        Endings of the files of a folder that count, for example ``(".png",)``, compared without case; all files by
        default.

    Returns
    -------
    JSON value
        The SHA-256 of a file of up to 256 MiB; name, size in bytes and modification time in nanoseconds of a larger
        file, and of every file of a folder. Holds no absolute path, so a folder that is moved with its times keeps its
        signature.

    Notes
    -----
    A signature only decides whether prepared images are read again. A cell's key depends on the digest of the prepared
    pixels and labels, so touching a file changes no result.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "labels.csv")
    ...     _ = file.write_text("3C 31,FRI")
    ...     before = path_signature(file)
    ...     _ = file.write_text("3C 31,FRII")
    ...     path_signature(file) == before
    False
    """
    if path.is_dir():
        return [[file.name, file.size, file.modified_ns] for file in _regular_files(path, suffixes)]
    status = path.stat()
    if status.st_size <= _HASHED_BYTES:
        return {"sha256": digest_file(path)}
    return [path.name, status.st_size, status.st_mtime_ns]
