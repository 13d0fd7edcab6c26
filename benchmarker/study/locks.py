"""Locks of a study: who may work on it, on one of its cells, and on its plan.

A run *claims* a cell while it works on it, and shares the study with other runs; commands that need a study for
themselves (`benchmarker merge`, `benchmarker gc`) lock it exclusively. Workers inherit the claim of their cell, so it
lasts until the last process that may write into the cell's folder has ended.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from benchmarker.errors import StorageError
from benchmarker.locks import Lock, is_locked, try_lock, wait_for_lock
from benchmarker.study.layout import RUNS_FOLDER
from benchmarker.study.opening import require_ordinary

_STUDY_LOCK = ".lock"
_PLAN_LOCK = ".plan.lock"
_STUDY_SECONDS = 1.0
_PLAN_SECONDS = 60.0


def claim(study: Path, run_name: str) -> Lock | None:
    """Claim a cell, or return None if another run works on it.

    Parameters
    ----------
    study : Path
        Path of the study's folder.
    run_name : str
        Name of the folder of the cell's run.
    """
    return try_lock(study / RUNS_FOLDER / f".{run_name}.lock")


@contextlib.contextmanager
def joined(study: Path) -> Iterator[None]:
    """Work on a study beside other runs, but not while its files are merged or removed.

    Raises
    ------
    StorageError
        If a command that needs the study for itself holds it, or it holds links or other things that no run writes.
    """
    require_ordinary(study)
    held = wait_for_lock(study / _STUDY_LOCK, shared=True, timeout=_STUDY_SECONDS)
    if held is None:
        raise StorageError(
            f"{study}: `benchmarker merge` or `benchmarker gc` is working on its files; wait for it, or choose another "
            "results folder"
        )
    with held:
        yield


@contextlib.contextmanager
def planning(study: Path) -> Iterator[None]:
    """Read and write the plan of a study without losing what another run writes at the same time.

    Raises
    ------
    StorageError
        If another process holds the plan for a minute.
    """
    held = wait_for_lock(study / _PLAN_LOCK, timeout=_PLAN_SECONDS)
    if held is None:
        raise StorageError(f"{study / _PLAN_LOCK}: another run does not release the plan; end it, and run again")
    with held:
        yield


@contextlib.contextmanager
def exclusive(study: Path) -> Iterator[None]:
    """Keep runs and other commands away from a study.

    Parameters
    ----------
    study : Path
        Path of the study's folder, which exists.

    Raises
    ------
    StorageError
        If a run is working on the study, or a worker that outlived its run, or the study holds links or other things
        that no run writes.
    """
    require_ordinary(study)
    # Whoever works on a study shares this lock; no cell is claimed without it.
    held = try_lock(study / _STUDY_LOCK)
    if held is None:
        raise StorageError(f"{study}: a run is working on this study; wait for it")
    with held:
        if any(is_locked(path) for path in (study / RUNS_FOLDER).glob("*.lock")):
            raise StorageError(f"{study}: a worker of a run that was ended is still working on this study; wait for it")
        yield


def held_lock(study: Path) -> Path | None:
    """Return a lock of a study that a process holds, the study's own or the claim of a cell; None if there is none."""
    locks = sorted((*study.glob("*.lock"), *(study / RUNS_FOLDER).glob("*.lock")))
    return next((path for path in locks if is_locked(path)), None)
