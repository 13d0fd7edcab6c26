"""Locks between processes that share a study: the kernel lets go of them when a process dies, however suddenly.

A run *claims* a cell while it works on it, and shares the study with other runs; what must have a study to itself
(`benchmarker merge`, `benchmarker gc`) locks ``.lock`` alone. Workers inherit the claim of their cell, so that it lasts
until the last process that may write into its folder is gone.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from benchmarker.data.cache import storage_error
from benchmarker.errors import StorageError
from benchmarker.study.layout import RUNS_FOLDER

_STUDY_LOCK = ".lock"
_PLAN_LOCK = ".plan.lock"
_PATIENCE_SECONDS = 60.0
_INTERVAL_SECONDS = 0.05


class Lock:
    """A locked file.

    Parameters
    ----------
    path : Path
        Of the file.
    descriptor : int
        Open; whoever inherits it keeps the lock.
    shared : bool
        Whether others hold it too; then the file stays when it is released.
    """

    def __init__(self, path: Path, descriptor: int, *, shared: bool) -> None:
        self.descriptor = descriptor
        self._path = path
        self._shared = shared

    def release(self) -> None:
        """Let go."""
        if not self._shared:
            # Removed while it is locked: who waits for it notices that its file is no longer the one of that name.
            with contextlib.suppress(OSError):
                self._path.unlink()
        os.close(self.descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def try_lock(path: Path, *, shared: bool = False) -> Lock | None:
    """Lock a file, created if need be, or return None where another process holds it.

    Raises
    ------
    StorageError
        If the disk cannot be written, or knows no locks.
    """
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise storage_error(error, path) from error
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            if _is_still(path, descriptor):
                return Lock(path, descriptor, shared=shared)
        except OSError as error:
            os.close(descriptor)
            if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
                return None
            raise StorageError(
                f"{path}: cannot be locked ({error.strerror}); put the study on a disk that knows locks"
            ) from error
        os.close(descriptor)  # the process that held it removed the file just now


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    own = os.fstat(descriptor)
    return (found.st_dev, found.st_ino) == (own.st_dev, own.st_ino)


def claim(study: Path, run_name: str) -> Lock | None:
    """Claim a cell, or return None where another run works on it.

    Parameters
    ----------
    study : Path
        Its folder.
    run_name : str
        Of the cell.
    """
    return try_lock(study / RUNS_FOLDER / f".{run_name}.lock")


@contextlib.contextmanager
def joined(study: Path) -> Iterator[None]:
    """Work on a study, beside other runs but not beside what moves or frees its files.

    Raises
    ------
    StorageError
        If the study is locked by something that must have it alone.
    """
    lock = _wait(study / _STUDY_LOCK, shared=True, patience=1.0)
    if lock is None:
        raise StorageError(
            f"{study}: its files are being joined or freed (`benchmarker merge` or `gc`); wait for that, or choose "
            "another results folder"
        )
    with lock:
        yield


@contextlib.contextmanager
def planning(study: Path) -> Iterator[None]:
    """Read and write the plan of a study without losing what another run writes at the same time.

    Raises
    ------
    StorageError
        If another process keeps it for a minute.
    """
    lock = _wait(study / _PLAN_LOCK, shared=False, patience=_PATIENCE_SECONDS)
    if lock is None:
        raise StorageError(f"{study / _PLAN_LOCK}: another run does not let go of the plan; end it, and run again")
    with lock:
        yield


def _wait(path: Path, *, shared: bool, patience: float) -> Lock | None:
    until = time.monotonic() + patience
    while (lock := try_lock(path, shared=shared)) is None and time.monotonic() < until:
        time.sleep(_INTERVAL_SECONDS)
    return lock
