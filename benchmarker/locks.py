"""Locks between processes: the kernel releases them when a process dies, however suddenly.

An exclusive lock is held by one process, a shared lock by any number. A child process that inherits the descriptor of a
lock keeps it until it ends, too.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

from benchmarker.errors import StorageError
from benchmarker.files import storage_error

_INTERVAL_SECONDS = 0.05


class Lock:
    """A locked file; leaving its ``with`` block releases it.

    Parameters
    ----------
    path : Path
        Path of the file.
    descriptor : int
        Open descriptor; a process that inherits it keeps the lock.
    shared : bool
        Whether other processes may hold the lock as well. The file of a shared lock stays when it is released, that of
        an exclusive lock is removed.
    """

    def __init__(self, path: Path, descriptor: int, *, shared: bool) -> None:
        self.descriptor = descriptor
        self._path = path
        self._shared = shared

    def release(self) -> None:
        """Release the lock."""
        if not self._shared:
            # Removed while it is locked: a process that waits for it notices that its file has lost the name.
            with contextlib.suppress(OSError):
                self._path.unlink()
        os.close(self.descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def try_lock(path: Path, *, shared: bool = False) -> Lock | None:
    """Lock a file, created if need be, or return None if another process holds it.

    Parameters
    ----------
    path : Path
        Path of the file.
    shared : bool
        Whether other processes may hold the lock as well.

    Raises
    ------
    StorageError
        If the file cannot be created, or the file system has no locks.
    """
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
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
                f"{path}: cannot be locked ({error.strerror}); choose a folder on a file system that supports locks"
            ) from error
        os.close(descriptor)  # the process that held the lock has just removed the file


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    opened = os.fstat(descriptor)
    return (found.st_dev, found.st_ino) == (opened.st_dev, opened.st_ino)


def wait_for_lock(path: Path, *, timeout: float, shared: bool = False) -> Lock | None:
    """Lock a file, or return None if another process does not release it in time.

    Parameters
    ----------
    path : Path
        Path of the file, created if need be.
    timeout : float
        How long to wait, in seconds.
    shared : bool
        Whether other processes may hold the lock as well.

    Raises
    ------
    StorageError
        If the file cannot be created, or the file system has no locks.
    """
    until = time.monotonic() + timeout
    while (lock := try_lock(path, shared=shared)) is None and time.monotonic() < until:
        time.sleep(_INTERVAL_SECONDS)
    return lock


def lock(
    path: Path, *, shared: bool = False, waiting: Callable[[], AbstractContextManager[object]] = contextlib.nullcontext
) -> Lock:
    """Lock a file, however long another process holds it; other parameters and errors are those of `try_lock`.

    Parameters
    ----------
    path : Path
        Path of the file.
    shared : bool
        Whether other processes may hold the lock as well.
    waiting : callable
        Returns a context that the function waits in, if it must wait.
    """
    if (found := try_lock(path, shared=shared)) is not None:
        return found
    with waiting():
        while (found := try_lock(path, shared=shared)) is None:
            time.sleep(_INTERVAL_SECONDS)
    return found


def is_locked(path: Path) -> bool:
    """Whether a process holds a lock on a file; neither creates nor removes the file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return False
    except OSError:  # the file cannot be examined
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
