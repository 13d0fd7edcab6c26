"""The life of a run folder, from the first attempt to the rename that finishes it, and the existing runs of a study."""

from __future__ import annotations

import contextlib
import datetime
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypedDict

from benchmarker.claims import Share
from benchmarker.discovery import Plugins
from benchmarker.errors import PluginError, StorageError, UnknownPluginError
from benchmarker.files import discard, make_folder, move, publish, remove_partial_files, storage_error, synchronise
from benchmarker.study.claims import claim, find_working
from benchmarker.study.layout import (
    COSTS_FILE,
    FAILED_SUFFIX,
    MANIFEST_FILE,
    METRICS_FILE,
    TRACEBACK_FILE,
    RunPaths,
    replaced_path,
    replaced_runs,
)
from benchmarker.study.observer import CellOutcome, CellView
from benchmarker.study.opening import oddity
from benchmarker.study.plan import Planned, PlannedCell
from benchmarker.study.protocol import Job
from benchmarker.study.runs import (
    CellCosts,
    CellMetrics,
    FailedManifest,
    FinishedManifest,
    GeneratorCosts,
    GeneratorMetrics,
    Manifest,
    read_manifest,
)

RESUMABLE = ("crashed", "out-of-memory", "timeout", "interrupted")
"""Kinds of failure that say nothing about the network: the next attempt continues from the snapshots of such a run."""

_MACHINE_FAILED = ("out-of-memory", "timeout")
_SNAPSHOTS = "snapshot-*"

_Version = tuple[int, int]


class Identity(TypedDict):
    """What a manifest says about the cell or generator of a run."""

    key: str
    configuration: str
    model: str
    architecture: str
    arm: str
    seed: int


def identity(planned: Planned) -> Identity:
    """Return what the manifest says about a cell or generator."""
    view = CellView.of(planned)
    return {
        "key": planned.key,
        "configuration": planned.configuration,
        "model": view.model,
        "architecture": view.architecture,
        "arm": view.arm,
        "seed": view.seed,
    }


def now() -> str:
    """Return the time in ISO 8601, UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _no_objection() -> None:
    pass


def finish(
    folder: Path, final: Path, manifest: Manifest, confirm: Callable[[], object] = _no_objection, *, token: str
) -> None:
    """Write the manifest and give the folder its final name, in place of an older folder of that name.

    Parameters
    ----------
    folder, final : Path
        Paths now and afterwards, in the same folder.
    manifest : Manifest
        Written last, so that a folder with a manifest is complete.
    confirm : callable
        Called before each step that cannot be undone; raises what keeps the run from being finished.
    token : str
        Token of the claim that the run is worked on under; "" without one.
    """
    confirm()
    manifest.write(folder / MANIFEST_FILE)
    if isinstance(manifest, FinishedManifest) or manifest.kind not in RESUMABLE:
        for snapshot in folder.glob(_SNAPSHOTS):
            snapshot.unlink()
    remove_partial_files(folder)
    synchronise(folder)  # now, since it may take long, and the older folder should not be missing meanwhile
    with _out_of_the_way(final, confirm, token):
        publish(folder, final)


@contextlib.contextmanager
def _out_of_the_way(final: Path, confirm: Callable[[], object], token: str) -> Iterator[None]:
    """Move a run aside and remove it once the block has ended; if that fails, the run gets its name back.

    It may be that of a process that took over since the last look. So the claim is confirmed after the move, too. What
    another process has moved aside lies under another name, and is left to it and to its successors.
    """
    replaced = replaced_path(final, token)
    confirm()
    _move_aside(final, replaced)
    try:
        confirm()
        yield
    except BaseException:
        _restore(replaced, final)
        raise
    with contextlib.suppress(OSError):  # it is removed when the study is run again
        discard(replaced)


def _move_aside(final: Path, replaced: Path) -> None:
    """Move a run aside, if there is one; if not, the one stays there that an earlier attempt moved."""
    if final.exists():
        discard(replaced)
        with contextlib.suppress(FileNotFoundError):
            final.rename(replaced)


def record_failure(
    planned: Planned, paths: RunPaths, kind: str, message: str, confirm: Callable[[], object]
) -> CellOutcome:
    """Write down that a run failed without its worker saying so, and return how it ended.

    Parameters
    ----------
    planned : PlannedCell or PlannedGenerator
        What failed.
    paths : RunPaths
        Paths of its run.
    kind, message : str
        Kind of the failure, and what went wrong.
    confirm : callable
        As `finish` takes it.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    confirm()
    make_folder(paths.working)
    _finish_failed(paths.working, planned, paths, kind=kind, message=message, confirm=confirm)
    return read_failure(paths.failed)


def _finish_failed(
    folder: Path, planned: Planned, paths: RunPaths, *, kind: str, message: str, confirm: Callable[[], object]
) -> None:
    manifest = FailedManifest(**identity(planned), kind=kind, message=message, traceback="", finished=now())
    finish(folder, paths.failed, manifest, confirm, token=paths.token)


def read_failure(folder: Path) -> CellOutcome:
    """Return how the run in the folder of a failed run ended.

    Raises
    ------
    StorageError
        If its manifest cannot be read.
    """
    manifest = read_manifest(folder)
    if not isinstance(manifest, FailedManifest):
        raise StorageError(f"{folder / MANIFEST_FILE}: a failed run was expected. Received: status {manifest.status!r}")
    return CellOutcome(
        status="failed", kind=manifest.kind, message=manifest.message, retriable=manifest.kind in _MACHINE_FAILED
    )


def read_success(folder: Path, planned: Planned) -> CellOutcome:
    """Return how a finished run of a cell or generator ended.

    Raises
    ------
    StorageError
        If its metrics cannot be read.
    """
    model = CellMetrics if isinstance(planned, PlannedCell) else GeneratorMetrics
    return CellOutcome(status="ok", metrics=model.read(folder / METRICS_FILE))


class WorkFolder:
    """The folder that a job is worked on in, before, between and after its attempts.

    Parameters
    ----------
    job : Job
        What is run there.
    """

    def __init__(self, job: Job) -> None:
        self.path = job.folder
        self._planned = job.planned
        self._paths = job.paths
        self._confirm = job.require_claim
        self._testing = job.folder == job.paths.tested

    def take_up(self, *, fresh: bool) -> CellOutcome | None:
        """Prepare the folder for an attempt; return how an earlier attempt ended that lacked only its last rename.

        Parameters
        ----------
        fresh : bool
            Begin anew even where there are snapshots.
        """
        if self._testing:
            self._keep_interrupted_training()
        # No attempt left a link or a pipe; whoever did wants something else to be read or written.
        if fresh or self._testing or oddity(self.path) is not None:
            shutil.rmtree(self.path, ignore_errors=True)
        elif (settled := self.settled()) is not None:
            return settled
        else:
            self._keep_interrupted_training()
        for name in (MANIFEST_FILE, TRACEBACK_FILE):  # of an attempt that failed
            (self.path / name).unlink(missing_ok=True)
        make_folder(self.path)
        # From now on the cell is being worked on, or pending if that is stopped.
        self._remove_failed()
        return None

    def settled(self) -> CellOutcome | None:
        """Finish a run that was killed between its manifest and the rename, and return how it ended."""
        if not (self.path / MANIFEST_FILE).exists():
            return None
        manifest = read_manifest(self.path)
        if isinstance(manifest, FinishedManifest):
            finish(self.path, self._paths.finished, manifest, self._confirm, token=self._paths.token)
            self._remove_failed()
            return read_success(self._paths.finished, self._planned)
        if manifest.kind not in RESUMABLE:
            finish(self.path, self._paths.failed, manifest, self._confirm, token=self._paths.token)
            return read_failure(self._paths.failed)
        return None

    def ended(self) -> CellOutcome | None:
        """Return how the run ended if its worker finished it, or None."""
        if self.path.exists():
            return None
        if self._paths.failed.is_dir():
            return read_failure(self._paths.failed)
        return read_success(self._paths.finished, self._planned)

    def put_down(self) -> None:
        """Keep the folder only if the next attempt can continue from its snapshots."""
        if not any(self.path.glob(f"{_SNAPSHOTS}.npz")):
            shutil.rmtree(self.path, ignore_errors=True)

    def fail(self, kind: str, message: str) -> CellOutcome:
        """Finish the run as failed, and return how it ended."""
        _finish_failed(self.path, self._planned, self._paths, kind=kind, message=message, confirm=self._confirm)
        return read_failure(self._paths.failed)

    def _keep_interrupted_training(self) -> None:
        """Bring back the folder of a training that crashed, or ran out of memory or time, to be continued."""
        if self._paths.working.exists():
            return
        try:
            resumable = read_failure(self._paths.failed).kind in RESUMABLE
        except StorageError:
            resumable = False
        if resumable:
            self._confirm()
            self._paths.failed.rename(self._paths.working)
            try:
                self._confirm()
            except StorageError:  # it is the run of a process that has taken over meanwhile
                _restore(self._paths.working, self._paths.failed)
                raise

    def _remove_failed(self) -> None:
        """Remove the run of an earlier attempt that failed, but not that of a process that has taken over."""
        with _out_of_the_way(self._paths.failed, self._confirm, self._paths.token):
            pass


class ExistingRuns:
    """Finds how cells and generators of a study ended earlier; used by several threads, never by two for one cell.

    Parameters
    ----------
    study : Path
        Folder of the study.
    report : callable
        Called with a message for each damaged run, and for each run of other code.
    plugins : Plugins, optional
        Plugins whose code the runs are compared with.
    uses : sequence of Share
        Shares that are confirmed under each claim on a cell.
    """

    def __init__(
        self,
        study: Path,
        report: Callable[[str], None],
        plugins: Plugins | None = None,
        uses: Sequence[Share] = (),
    ) -> None:
        self._study = study
        self._report = report
        self._plugins = plugins
        self._uses = uses
        self._reported: set[str] = set()
        # Existing runs that are to be repeated; other processes may put newer ones in their place meanwhile.
        self._disregarded: set[tuple[str, _Version]] = set()

    def restore_replaced(self) -> None:
        """Restore finished runs whose replacement was killed between two renames."""
        # The newest one first, where several processes were killed one after the other.
        for replaced, final in sorted(replaced_runs(self._study), key=lambda each: _written(each[0]), reverse=True):
            name = final.name.removesuffix(FAILED_SUFFIX)
            held = claim(self._study, name, self._uses)
            if held is None:
                continue
            with held:
                try:
                    _restore(replaced, final, held.claim.require)
                except StorageError:
                    if held.claim.is_held():
                        raise
                    continue
                if (replaced.parent / name).is_dir():  # what was to replace it is of no use any more
                    shutil.rmtree(held.paths.working, ignore_errors=True)

    def disregard(self, planned: Iterable[Planned], *, finished: bool, failed: bool) -> None:
        """Disregard existing runs, so that they are repeated: those that have finished, those that failed, or both."""
        for each in planned:
            paths = RunPaths.of(self._study, each.key)
            for folder, wanted in ((paths.finished, finished), (paths.failed, failed)):
                if wanted and (version := _version(folder)) is not None:
                    self._disregarded.add((folder.name, version))

    def outcome(self, planned: Planned) -> CellOutcome | None:
        """Return how an existing run ended, or None where one is needed."""
        paths = RunPaths.of(self._study, planned.key)
        if self._counts(paths.finished) and (found := self._finished(paths.finished, planned)) is not None:
            return found
        if self._counts(paths.failed) and not find_working(self._study, planned.run_name).exists():
            try:
                _require_ordinary_run(paths.failed)
                failure = read_failure(paths.failed)
            except StorageError as error:
                self._report_damage(error)
                return None
            # For example a full disk: the user was asked to run the same command again.
            if failure.kind != "interrupted":
                return CellOutcome(status="failed", kind=failure.kind, message=failure.message, reused=True)
        return None

    def outcome_at_rest(self, planned: Planned) -> CellOutcome | None:
        """Return how an existing run ended, but not the failure of one that another process is trying again."""
        outcome = self.outcome(planned)
        if outcome is None or outcome.status == "ok":
            return outcome
        held = claim(self._study, planned.run_name, self._uses)
        if held is None:
            return None
        with held:
            return self.outcome(planned)

    def _counts(self, folder: Path) -> bool:
        version = _version(folder)
        return folder.is_dir() and (version is None or (folder.name, version) not in self._disregarded)

    def _finished(self, folder: Path, planned: Planned) -> CellOutcome | None:
        is_cell = isinstance(planned, PlannedCell)
        try:
            _require_ordinary_run(folder)
            manifest = read_manifest(folder)
            outcome = read_success(folder, planned)
            (CellCosts if is_cell else GeneratorCosts).read(folder / COSTS_FILE)
        except StorageError as error:
            self._report_damage(error)
            return None
        # A test of somebody's saved weights (-o) proves nothing about training under this cell's settings. A generator
        # that another study trained does.
        if not isinstance(manifest, FinishedManifest) or not (manifest.trained or not is_cell):
            return None
        self._compare_code(planned, manifest)
        return CellOutcome(status="ok", metrics=outcome.metrics, reused=True)

    def _compare_code(self, planned: Planned, manifest: FinishedManifest) -> None:
        """Report a run whose plugins have other code now; it stays, and newer runs get rows of their own."""
        if self._plugins is None or not manifest.fingerprint.code:
            return
        try:
            now = self._plugins.code(planned.spec.plugins)
        except (PluginError, UnknownPluginError):  # a plugin that is not installed is reported elsewhere
            return
        changed = [
            name for name, code in now.items() if manifest.fingerprint.code.get(name, code.digest) != code.digest
        ]
        if changed:
            self._report(
                f"{CellView.of(planned).name}: found finished, but the code of {' and '.join(changed)} has changed "
                "since; the run is kept, and runs of the new code are not averaged with it (--force trains it again)"
            )

    def _report_damage(self, error: StorageError) -> None:
        if str(error) not in self._reported:
            self._reported.add(str(error))
            self._report(f"{error}; the cell is run again")


def _require_ordinary_run(folder: Path) -> None:
    if (odd := oddity(folder)) is not None:
        raise StorageError(f"{folder}: {odd}")


def _restore(replaced: Path, final: Path, confirm: Callable[[], object] = _no_objection) -> None:
    """Give a run back its name, if it lies aside, unless a newer one has it.

    Parameters
    ----------
    replaced, final : Path
        Paths of the run now and afterwards.
    confirm : callable
        Makes sure that its cell is claimed; not needed by whoever moved it aside.
    """
    try:
        if final.exists():
            discard(replaced, confirm=confirm)
        else:
            move(replaced, final, confirm=confirm)
    except FileNotFoundError:  # there was nothing to move aside, or a successor has restored it
        return
    except OSError as error:
        raise storage_error(error, final) from error


def _version(folder: Path) -> _Version | None:
    """Return what distinguishes a run from another that takes its place; None if there is no run."""
    try:
        found = (folder / MANIFEST_FILE).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _written(folder: Path) -> int:
    """Return when the manifest of a run was written, in ns since 1970; 0 without one."""
    version = _version(folder)
    return 0 if version is None else version[1]
