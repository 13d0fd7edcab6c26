"""Claims of a study: who may work on it, on one of its cells, and on its plan.

A run *claims* a cell while it works on it, and shares the study with other runs; commands that need a study for
themselves (`benchmarker merge`, `benchmarker gc`) claim it alone. The folder that a cell is worked on in is named after
the claim, and whoever takes over renames it first. So a worker that was given up, and comes back, finds nothing that it
could write into or finish.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from benchmarker.claims import (
    Claim,
    Share,
    chain_tokens,
    confirmed_if_it_fails,
    is_claimed,
    is_shared,
    try_claim,
    try_claim_alone,
    wait_for_claim,
    wait_for_share,
)
from benchmarker.errors import StorageError
from benchmarker.files import PARTIAL_SUFFIX, copy_file, discard, remove_partial_files, storage_error
from benchmarker.study.layout import RUNS_FOLDER, SNAPSHOTS, RunPaths
from benchmarker.study.opening import require_ordinary

_STUDY = ".claim"
_PLAN = ".plan.claim"
_STUDY_SECONDS = 1.0
_PLAN_SECONDS = 60.0


class CellClaim:
    """A claim on a cell or generator; leaving its ``with`` block releases it.

    Parameters
    ----------
    study : Path
        Folder of the study.
    run_name : str
        Name of the folder of the cell's run.
    claim : Claim
        The claim.

    Attributes
    ----------
    paths : RunPaths
        Paths of the run; those of folders that are worked in belong to this claim.
    """

    def __init__(self, study: Path, run_name: str, claim: Claim) -> None:
        self.claim = claim
        self.paths = RunPaths.of(study, run_name, token=claim.token)
        self._at_rest = RunPaths.of(study, run_name)
        left = [RunPaths.of(study, run_name, token=token) for token in reversed(claim.predecessors)]
        for earlier in (*left, self._at_rest):
            _move(earlier.working, self.paths.working, refresh=earlier is not self._at_rest)
            _move(earlier.tested, self.paths.tested, refresh=False)  # nobody continues a test

    def release(self) -> None:
        """Give up the claim, and leave an unfinished run where the next one finds it."""
        with contextlib.suppress(StorageError):
            if self.claim.is_held():
                _move(self.paths.working, self._at_rest.working, refresh=False)
                _move(self.paths.tested, self._at_rest.tested, refresh=False)
        self.claim.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _move(folder: Path, target: Path, *, refresh: bool) -> None:
    """Rename a folder, if it exists; one that is not needed, because there is a newer one, is removed.

    Parameters
    ----------
    folder, target : Path
        Paths of the folder now and afterwards.
    refresh : bool
        Whether a process may have files in it open: it must not write into those that the next one uses.
    """
    try:
        if target.exists():
            discard(folder)
            return
        folder.rename(target)
    except FileNotFoundError:
        return
    except OSError as error:
        raise storage_error(error, folder) from error
    if refresh:
        _refresh(target)


def _refresh(folder: Path) -> None:
    """Replace files by copies, but for snapshots: they had their names only when they were complete."""
    remove_partial_files(folder)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and not path.match(SNAPSHOTS):
            copy_file(path, path)


def _claim_path(study: Path, run_name: str) -> Path:
    return study / RUNS_FOLDER / f".{run_name}.claim"


def claim(study: Path, run_name: str, uses: Sequence[Share] = ()) -> CellClaim | None:
    """Claim a cell, or return None if another run works on it.

    Parameters
    ----------
    study : Path
        Path of the study's folder.
    run_name : str
        Name of the folder of the cell's run.
    uses : sequence of Share
        Shares of the study, and of data, that the run relies on.

    Raises
    ------
    LostClaimError
        If such a share is lost.
    """
    found = try_claim(_claim_path(study, run_name))
    if found is None:
        return None
    found.uses = tuple(uses)
    try:
        found.require()
        return CellClaim(study, run_name, found)
    except BaseException:
        found.release()
        raise


def find_working(study: Path, run_name: str) -> Path:
    """Return the folder of an unfinished run, whether a process works in it, was killed there, or left it in order.

    Parameters
    ----------
    study : Path
        Path of the study's folder.
    run_name : str
        Name of the folder of the cell's run.
    """
    with contextlib.suppress(StorageError):
        for token in reversed(chain_tokens(_claim_path(study, run_name))):
            if (folder := RunPaths.of(study, run_name, token=token).working).is_dir():
                return folder
    return RunPaths.of(study, run_name).working


@contextlib.contextmanager
def joined(study: Path) -> Iterator[Share]:
    """Work on a study beside other runs, but not while its files are merged or removed.

    Raises
    ------
    StorageError
        If a command that needs the study for itself holds it, or it holds links or other things that no run writes.
    LostClaimError
        If something fails within the block after another process took this one for dead: it may fail because of that.
    """
    require_ordinary(study)
    held = wait_for_share(study / _STUDY, timeout=_STUDY_SECONDS)
    if held is None:
        raise StorageError(
            f"{study}: `benchmarker merge` or `benchmarker gc` is working on its files; wait for it, or choose another "
            "results folder"
        )
    with held, confirmed_if_it_fails(held):
        yield held


@contextlib.contextmanager
def planning(study: Path, uses: Sequence[Share] = ()) -> Iterator[Claim]:
    """Read and write the plan of a study without losing what another run writes at the same time.

    Whoever writes it confirms its claim, which this yields, when its file is complete. Files of planners that were
    killed, or come back after they were given up, are removed first: so these cannot complete their plan.

    Parameters
    ----------
    study : Path
        Path of the study's folder.
    uses : sequence of Share
        The share of the study: without it, `benchmarker merge` may have written the plan meanwhile.

    Raises
    ------
    StorageError
        If another process holds the plan for a minute.
    """
    held = wait_for_claim(study / _PLAN, timeout=_PLAN_SECONDS)
    if held is None:
        raise StorageError(f"{study / _PLAN}: another run does not release the plan; end it, and run again")
    held.uses = tuple(uses)
    with held:
        for aside in study.glob(f".*{PARTIAL_SUFFIX}"):
            if aside.is_file():
                aside.unlink(missing_ok=True)
        yield held


@contextlib.contextmanager
def exclusive(study: Path) -> Iterator[Claim]:
    """Keep runs and other commands away from a study.

    Whoever changes it confirms the claim, which this yields, before each step that others see: a command that gave no
    sign of life for a while may find that runs have gone on.

    Parameters
    ----------
    study : Path
        Path of the study's folder, which exists.

    Raises
    ------
    StorageError
        If a run is working on the study, or the study holds links or other things that no run writes.
    """
    require_ordinary(study)
    # Whoever works on a study shares it; no cell is claimed without that.
    held = try_claim_alone(study / _STUDY)
    if held is None:
        raise StorageError(f"{study}: a run is working on this study; wait for it")
    with held:
        yield held


def is_in_use(study: Path) -> bool:
    """Whether a process works on a study, on its plan, or claims it alone."""
    return is_shared(study / _STUDY) or is_claimed(study / _STUDY) or is_claimed(study / _PLAN)
