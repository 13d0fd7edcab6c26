"""Tells whether somebody works on a study, and keeps others away from it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarker.errors import StorageError
from benchmarker.locks import is_locked, try_lock
from benchmarker.study.layout import RUNS_FOLDER

LOCK_FILE = ".lock"


def held_lock(study: Path) -> Path | None:
    """Return a lock of a study that a process holds: the study's own, or the claim of a cell; None if there is none."""
    locks = sorted((*study.glob("*.lock"), *(study / RUNS_FOLDER).glob("*.lock")))
    return next((path for path in locks if is_locked(path)), None)


@contextmanager
def alone(study: Path) -> Iterator[None]:
    """Keep other commands away from a study.

    Parameters
    ----------
    study : Path
        An existing folder.

    Raises
    ------
    StorageError
        If somebody works on it: a run, or a worker that outlived one.
    """
    # Those who work on a study share this lock; nobody claims a cell without it.
    lock = try_lock(study / LOCK_FILE)
    if lock is None:
        raise StorageError(f"{study}: a run is working on this study; wait for it")
    with lock:
        if any(is_locked(path) for path in (study / RUNS_FOLDER).glob("*.lock")):
            raise StorageError(f"{study}: a worker of a run that was ended is still working on this study; wait for it")
        yield
