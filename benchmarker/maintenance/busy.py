"""Tells whether somebody works on a study, and keeps others away from it."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarker.errors import StorageError
from benchmarker.study.layout import RUNS_FOLDER
from benchmarker.study.locks import try_lock

LOCK_FILE = ".lock"


def is_locked(path: Path) -> bool:
    """Tell whether a process holds a lock file, without making or removing it."""
    try:
        with path.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:  # held, or not to be asked
        return True
    return False


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
