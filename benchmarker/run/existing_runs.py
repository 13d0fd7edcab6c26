"""Runs that a study has already: how their cells ended, and which of them are to be run again all the same."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from benchmarker.errors import StorageError
from benchmarker.files import read_json
from benchmarker.run.launcher import read_failure, run_paths
from benchmarker.study.layout import COSTS_FILE, FAILED_SUFFIX, MANIFEST_FILE, METRICS_FILE, RUNS_FOLDER
from benchmarker.study.locks import claim
from benchmarker.study.manifest import REPLACED_SUFFIX, WORKING_SUFFIX, bring_back
from benchmarker.study.observer import CellOutcome
from benchmarker.study.plan import Cell, is_generator

_Mark = tuple[int, int]


class EarlierRuns:
    """Finds how cells of a study ended before; asked by several threads, never by two about one cell.

    Parameters
    ----------
    study : Path
        Folder of the study.
    tell : callable
        Told of runs that are damaged.
    """

    def __init__(self, study: Path, tell: Callable[[str], None]) -> None:
        self._study = study
        self._tell = tell
        self._told: set[str] = set()
        # Runs that were there before and are to be run again; other runs may put newer ones in their place meanwhile.
        self._outdated: set[tuple[str, _Mark]] = set()

    def bring_back(self) -> None:
        """Bring back finished runs whose replacement was killed between two renames."""
        for replaced in sorted((self._study / RUNS_FOLDER).glob(f".*{REPLACED_SUFFIX}")):
            name = replaced.name[1:].removesuffix(REPLACED_SUFFIX).removesuffix(FAILED_SUFFIX)
            lock = claim(self._study, name)
            if lock is not None:
                with lock:
                    bring_back(replaced)
                    if (replaced.parent / name).is_dir():  # what was to replace it is of no use any more
                        shutil.rmtree(replaced.with_name(f".{name}{WORKING_SUFFIX}"), ignore_errors=True)

    def set_aside(self, cells: Iterable[Cell], *, finished: bool, failed: bool) -> None:
        """Count the runs of cells that are there now as none: those that have finished, those that failed, or both."""
        for cell in cells:
            paths = run_paths(self._study, cell)
            for folder, wanted in ((paths.finished, finished), (paths.failed, failed)):
                if wanted and (mark := _mark(folder)) is not None:
                    self._outdated.add((folder.name, mark))

    def outcome(self, cell: Cell) -> CellOutcome | None:
        """Return how a cell ended before, or None where it is to be run."""
        paths = run_paths(self._study, cell)
        if self._stands(paths.finished) and self._is_finished(paths.finished, by_training=not is_generator(cell)):
            return CellOutcome(status="ok", metrics=read_json(paths.finished / METRICS_FILE), reused=True)
        if self._stands(paths.failed) and not paths.working.exists():
            try:
                failure = read_failure(paths.failed)
            except StorageError as error:
                self._tell_damaged(error)
                return None
            # A full disk, say: the user was told to run the same command again.
            if failure.kind != "interrupted":
                return CellOutcome(status="failed", kind=failure.kind, message=failure.message, reused=True)
        return None

    def outcome_at_rest(self, cell: Cell) -> CellOutcome | None:
        """Return how a cell ended before, but not the failure of one that another run is trying again."""
        outcome = self.outcome(cell)
        if outcome is None or outcome.status == "ok":
            return outcome
        lock = claim(self._study, cell.run_name)
        if lock is None:
            return None
        with lock:
            return self.outcome(cell)

    def _stands(self, folder: Path) -> bool:
        mark = _mark(folder)
        return folder.is_dir() and (mark is None or (folder.name, mark) not in self._outdated)

    def _is_finished(self, folder: Path, *, by_training: bool) -> bool:
        try:
            manifest = read_json(folder / MANIFEST_FILE)
            read_json(folder / METRICS_FILE)
            read_json(folder / COSTS_FILE)
        except StorageError as error:
            self._tell_damaged(error)
            return False
        # A test of somebody's saved weights (-o) proves nothing about training under this cell's settings. A generator
        # that another study trained does.
        return bool(manifest.get("trained")) or not by_training

    def _tell_damaged(self, error: StorageError) -> None:
        if str(error) not in self._told:
            self._told.add(str(error))
            self._tell(f"{error}; the cell is run again")


def _mark(folder: Path) -> _Mark | None:
    """Return what tells a run from another that takes its place; None where there is none."""
    try:
        found = (folder / MANIFEST_FILE).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
