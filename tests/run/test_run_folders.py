"""A folder gets its final name complete, without what killed writers left in it, but not in a successor's place."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarker.errors import StorageError
from benchmarker.files import make_folder, write_bytes
from benchmarker.run import run_folders
from benchmarker.run.launcher import cell_job
from benchmarker.run.run_folders import WorkFolder, finish, now, record_failure
from benchmarker.study.claims import CellClaim, claim
from benchmarker.study.layout import RUNS_FOLDER, RunPaths
from benchmarker.study.runs import FailedManifest
from tests.claims.holding import succeed
from tests.study.material import planned_cell

CELL = planned_cell("one")
KEY = "0123456789abcdef"
LEFT = ".epoch-0002.png.20249.e717bf0f.partial"


def failed(message: str = "") -> FailedManifest:
    identity = {"key": KEY, "configuration": KEY, "model": "m", "architecture": "a", "arm": "real"}
    return FailedManifest(**identity, seed=1, kind="crashed", message=message, traceback="", finished=now())


@pytest.mark.parametrize("place", [".", "samples", "samples/deeper"])
def test_finish_removes_partial_files_at_any_depth(tmp_path: Path, place: str) -> None:
    working, final = tmp_path / f".{KEY}.partial", tmp_path / KEY
    (working / "samples" / "deeper").mkdir(parents=True)
    write_bytes(working / "samples" / "epoch-0001.png", b"whole")
    (working / place / LEFT).write_bytes(b"half")
    finish(working, final, failed(), token="")
    assert [path.name for path in final.rglob("*.partial")] == []
    assert (final / "samples" / "epoch-0001.png").read_bytes() == b"whole"


def test_finish_leaves_alone_what_a_link_in_the_folder_names(tmp_path: Path) -> None:
    working, elsewhere = tmp_path / f".{KEY}.partial", tmp_path / "elsewhere"
    working.mkdir()
    elsewhere.mkdir()
    (elsewhere / LEFT).write_bytes(b"another's")
    (working / "samples").symlink_to(elsewhere)
    finish(working, tmp_path / KEY, failed(), token="")
    assert (elsewhere / LEFT).read_bytes() == b"another's"


class Stalled:
    """A run that stalls at some moment, so that another one takes over its cell and ends it meanwhile.

    Parameters
    ----------
    held : CellClaim
        Claim of the run that stalls.
    """

    def __init__(self, held: CellClaim) -> None:
        self.held = held
        self.working = held.paths.working
        self.ends_as = held.paths.finished
        self._over = False

    def stall(self) -> None:
        """Let the other run take over, and end its own run."""
        if self._over:
            return
        self._over = True
        succeed(self.held.claim)
        if self.working.exists():
            self.working.rename(RunPaths.of(self.working.parents[1], CELL.key, token="f" * 16).working)
        shutil.rmtree(self.ends_as, ignore_errors=True)
        self.ends_as.mkdir()
        failed("the successor's").write(self.ends_as / "manifest.json")

    def after(self, calls: int, function: Callable[..., object]) -> Callable[..., object]:
        """Return a function that stalls once it was called so many times."""
        left = calls

        def call(*arguments: object) -> object:
            nonlocal left
            found = function(*arguments)
            left -= 1
            if left == 0:
                self.stall()
            return found

        return call

    def require_run_of_successor(self) -> None:
        """Make sure that the other run is where it ended, and that nothing lies aside."""
        assert self._over
        assert "the successor's" in (self.ends_as / "manifest.json").read_text()
        assert [path.name for path in self.ends_as.parent.iterdir() if path.name.endswith(".replaced")] == []


@pytest.fixture
def stalled(tmp_path: Path) -> Iterator[Stalled]:
    (tmp_path / RUNS_FOLDER).mkdir()
    held = claim(tmp_path, CELL.run_name)
    assert held is not None
    with held:
        yield Stalled(held)


def work_folder(stalled: Stalled) -> WorkFolder:
    study = stalled.working.parents[1]
    return WorkFolder(cell_job(study, CELL, prepared=study, generators={}, claim=stalled.held.claim))


@pytest.mark.parametrize("older", [True, False])
@pytest.mark.parametrize("moment", ["remove_partial_files", "confirm 1", "confirm 2", "confirm 3"])
def test_stalled_run_leaves_the_finished_run_of_its_successor(
    stalled: Stalled, monkeypatch: pytest.MonkeyPatch, moment: str, older: bool
) -> None:
    stalled.working.mkdir()
    if older:
        stalled.ends_as.mkdir()
        failed("an older one").write(stalled.ends_as / "manifest.json")
    confirm = stalled.held.claim.require
    if moment.startswith("confirm"):
        confirm = stalled.after(int(moment[-1]), confirm)  # type: ignore[assignment]
    else:
        monkeypatch.setattr(run_folders, moment, stalled.after(1, getattr(run_folders, moment)))
    with pytest.raises((StorageError, OSError)):
        finish(stalled.working, stalled.ends_as, failed("late"), confirm, token=stalled.held.claim.token)
    stalled.require_run_of_successor()


def test_older_run_gets_its_name_back_where_the_newer_one_cannot_be_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    working, final = tmp_path / f".{KEY}.partial", tmp_path / KEY
    for folder in (working, final):
        folder.mkdir()
    failed("older").write(final / "manifest.json")

    def full(*_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_folders, "publish", full)
    with pytest.raises(OSError, match="No space"):
        finish(working, final, failed("newer"), token="")
    assert "older" in (final / "manifest.json").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {working.name, final.name}


@pytest.mark.parametrize("moment", ["published", "moving aside"])
def test_stalled_run_leaves_what_its_successor_moved_aside(
    stalled: Stalled, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """It stalls before it removes an older run; its successor cannot publish, and gives that run its name back."""
    final = stalled.ends_as
    for folder, text in ((final, "the oldest"), (stalled.working, "the stalled one's")):
        folder.mkdir()
        failed(text).write(folder / "manifest.json")
    begun, goes_on = threading.Event(), threading.Event()
    where, stops = {"published": (run_folders, "publish"), "moving aside": (Path, "exists")}[moment]
    original = getattr(where, stops)

    def stop(*arguments: object) -> object:
        found = original(*arguments)
        if threading.current_thread() is late and final in arguments:
            begun.set()
            assert goes_on.wait(60)
        return found

    def finish_late() -> None:
        with contextlib.suppress(StorageError, OSError):
            manifest = failed("the stalled one's")
            finish(stalled.working, final, manifest, stalled.held.claim.require, token=stalled.held.claim.token)

    late = threading.Thread(target=finish_late)
    monkeypatch.setattr(where, stops, stop)
    late.start()
    assert begun.wait(60)
    succeed(stalled.held.claim)
    newer = RunPaths.of(stalled.working.parents[1], CELL.key, token="f" * 16)
    newer.working.mkdir()

    def full(*_: Path) -> None:
        goes_on.set()
        late.join()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_folders, "publish", full)
    with pytest.raises(OSError, match="No space"):
        finish(newer.working, final, failed("newer"), token=newer.token)
    expected = {"published": "the stalled one's", "moving aside": "the oldest"}[moment]
    assert expected in (final / "manifest.json").read_text()


@pytest.mark.parametrize("moment", ["make_folder", "confirm 1", "confirm 2"])
def test_stalled_run_that_begins_anew_leaves_the_failed_run_of_its_successor(
    stalled: Stalled, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    stalled.ends_as = stalled.held.paths.failed
    stalled.working.mkdir()
    folder = work_folder(stalled)
    if moment.startswith("confirm"):
        monkeypatch.setattr(folder, "_confirm", stalled.after(int(moment[-1]), stalled.held.claim.require))
    else:
        monkeypatch.setattr(run_folders, moment, stalled.after(1, getattr(run_folders, moment)))
    if moment == "confirm 2":  # too late: there was nothing to remove, and nothing is
        folder.take_up(fresh=True)
    else:
        with pytest.raises(StorageError, match="taken over"):
            folder.take_up(fresh=True)
    stalled.require_run_of_successor()


@pytest.mark.parametrize("moment", ["read_failure", "confirm 1"])
def test_stalled_run_does_not_resume_the_failed_run_of_its_successor(
    stalled: Stalled, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    stalled.ends_as = stalled.held.paths.failed
    stalled.ends_as.mkdir()
    failed("an older one").write(stalled.ends_as / "manifest.json")
    folder = work_folder(stalled)
    if moment.startswith("confirm"):
        monkeypatch.setattr(folder, "_confirm", stalled.after(1, stalled.held.claim.require))
    else:
        monkeypatch.setattr(run_folders, moment, stalled.after(1, getattr(run_folders, moment)))
    with pytest.raises(StorageError, match="taken over"):
        folder.take_up(fresh=False)
    stalled.require_run_of_successor()


def test_stalled_run_writes_no_failure_beside_the_run_of_its_successor(
    stalled: Stalled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_folders, "make_folder", stalled.after(1, make_folder))
    with pytest.raises((StorageError, OSError)):
        record_failure(CELL, stalled.held.paths, "crashed", "late", stalled.held.claim.require)
    stalled.require_run_of_successor()
    assert not stalled.held.paths.failed.exists()


def test_stalled_run_fails_no_run_after_another_has_taken_over(stalled: Stalled) -> None:
    """Its folder was made again in the meantime, as a worker that lives on may do."""
    folder = work_folder(stalled)
    stalled.stall()
    stalled.working.mkdir()
    with pytest.raises(StorageError, match="taken over"):
        folder.fail("crashed", "late")
    assert not stalled.held.paths.failed.exists()
    failed().model_copy(update={"kind": "plugin"}).write(stalled.working / "manifest.json")
    with pytest.raises(StorageError, match="taken over"):
        folder.settled()
    assert not stalled.held.paths.failed.exists()
    stalled.require_run_of_successor()
