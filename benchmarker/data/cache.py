"""A cache of folders named by the digest of what they were made from.

A folder appears under its name only when it is complete, so a process that is killed half-way leaves nothing that could
be mistaken for data; a lock lets one process produce while others wait.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarker.digests import digest_json
from benchmarker.errors import DataError, StorageError

ENVIRONMENT_VARIABLE = "BENCHMARKER_CACHE"


def cache_folder() -> Path:
    """Return the folder that holds downloads and prepared data: ``BENCHMARKER_CACHE``, or the user's cache folder."""
    chosen = os.environ.get(ENVIRONMENT_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return platformdirs.user_cache_path("galaxy-benchmarker")


def produce(name: str, key: Any, write: Callable[[Path], None], *, root: Path | None = None) -> Path:
    """Return a cached folder, written by ``write(folder)`` unless it is there already.

    Parameters
    ----------
    name : str
        What the folder holds; becomes part of its name.
    key : JSON value
        Everything that the contents depend on.
    write : callable
        Fills the empty folder that it is given.
    root : Path, optional
        Instead of `cache_folder` ().

    Raises
    ------
    StorageError
        If the cache cannot be written.
    DataError
        If ``write`` cannot read a file of the user's.
    """
    import filelock

    root = root or cache_folder()
    folder = root / name / digest_json(key)[:32]
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder.with_suffix(".lock")):
            if not folder.is_dir():
                _write_aside(folder, write)
    except OSError as error:
        if error.filename and not Path(error.filename).absolute().is_relative_to(root.absolute()):
            raise DataError(f"{error.filename}: cannot be read ({error.strerror})") from error
        raise storage_error(error, folder) from error
    return folder


def _write_aside(folder: Path, write: Callable[[Path], None]) -> None:
    aside = folder.with_suffix(".partial")
    if aside.exists():  # left by a process that was killed: the lock is ours, so nobody writes it now
        shutil.rmtree(aside)
    aside.mkdir()
    try:
        write(aside)
        aside.rename(folder)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep a cached folder from being freed while it is used; note that it was.

    Parameters
    ----------
    folder : Path
        That `produce` gave. Any number of processes may hold it; a killed one lets go.
    """
    import fcntl

    try:
        stream = held_file(folder).open("ab")
    except OSError:  # a cache that cannot be written can neither be freed
        yield
        return
    with stream:
        fcntl.flock(stream, fcntl.LOCK_SH)
        os.utime(stream.fileno())
        yield


def held_file(folder: Path) -> Path:
    """Return the file that is locked while a cached folder is in use, and as old as its last use."""
    return folder.with_name(f"{folder.name}.held")


def is_held(folder: Path) -> bool:
    """Tell whether a process uses a cached folder."""
    import fcntl

    try:
        with held_file(folder).open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:  # locked, or not to be asked
        return True
    return False


def storage_error(error: OSError, path: Path) -> StorageError:
    """Say in words why a file could not be written, and what to do."""
    place = error.filename or path
    cut_short = error.errno is None and " requested and " in str(error)  # how numpy says that it could not write all
    if cut_short or error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return StorageError(f"{place}: the disk is full; free some space and run the same command again")
    if error.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
        return StorageError(f"{place}: cannot be written ({error.strerror}); choose another folder")
    if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP}:
        return StorageError(f"{place}: {error.strerror}; correct the path, or choose another folder")
    return StorageError(f"{place}: {error.strerror or error}")
