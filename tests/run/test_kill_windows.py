"""Workers that are killed in the narrowest windows, around the rename that finishes a run; nothing is trained."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarker.run import processes
from benchmarker.run.launcher import cell_job, launch
from benchmarker.run.processes import Conditions
from benchmarker.run.run_folders import identity
from benchmarker.study.layout import Checkpoint, RunPaths
from benchmarker.study.observer import CellOutcome
from benchmarker.study.runs import FailedManifest, FinishedManifest
from tests.study.material import cell_metrics, planned_cell, some_fingerprint

if TYPE_CHECKING:
    from tests.run.conftest import QuickStudy

CELL = planned_cell("one")
TIME = "2026-01-02T03:04:05+00:00"
MANIFESTS = {
    "ok": FinishedManifest(
        **identity(CELL), trained=True, fingerprint=some_fingerprint(), digests={}, finished=TIME
    ).to_json(),
    "failed": FailedManifest(**identity(CELL), kind="plugin", message="no", finished=TIME).to_json(),
}
# Notes what it finds, leaves a snapshot and does what the environment says.
WORKER = """
import json, os, pathlib, signal, sys
job = json.loads(sys.stdin.buffer.readline())
folder = pathlib.Path(job["paths"]["working" if job["weights"] is None else "tested"])
with open(os.environ["FOUND"], "a") as stream:
    stream.write(json.dumps(sorted(path.name for path in folder.iterdir())) + "\\n")
(folder / "snapshot-000001.npz").touch()
(folder / "metrics.json").write_text(os.environ["METRICS"])
(folder / ".trail.json.99.partial").touch()
for word in os.environ["DO"].split():
    if word in ("ok", "failed"):
        (folder / "manifest.json").write_text(json.dumps(json.loads(os.environ["MANIFESTS"])[word]))
    elif word == "rename":
        folder.rename(job["paths"]["finished"])
    elif word == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
"""


class Windows:
    """A cell whose worker does what is said."""

    def __init__(self, study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.study = study
        self._found = study / "found"
        self._monkeypatch = monkeypatch
        (study / "runs").mkdir(parents=True)
        monkeypatch.setattr(processes, "COMMAND", (sys.executable, "-c", WORKER))
        monkeypatch.setattr(
            "benchmarker.run.launcher.worker_environment",
            lambda *_: {
                "FOUND": str(self._found),
                "DO": os.environ["DO"],
                "MANIFESTS": json.dumps(MANIFESTS),
                "METRICS": json.dumps(cell_metrics().to_json()),
            },
        )

    def launch(self, words: str, *, again: bool = False, weights: dict[Checkpoint, Path] | None = None) -> CellOutcome:
        self._monkeypatch.setenv("DO", words)
        job = cell_job(self.study, CELL, prepared=self.study, generators={}, weights=weights)
        return launch(job, on_event=lambda _: None, conditions=Conditions(again=again))

    @property
    def paths(self) -> RunPaths:
        return RunPaths.of(self.study, CELL.key)

    @property
    def found(self) -> list[list[str]]:
        """What each attempt found in its folder."""
        return [json.loads(line) for line in self._found.read_text().splitlines()]


@pytest.fixture
def windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Windows:
    return Windows(tmp_path / "study", monkeypatch)


def test_worker_killed_after_the_rename_is_done(windows: Windows) -> None:
    assert windows.launch("ok rename kill").status == "ok"
    assert windows.paths.finished.is_dir()
    assert not windows.paths.working.exists()


@pytest.mark.parametrize("again", [True, False])
def test_worker_killed_after_the_manifest_lacks_only_the_rename(windows: Windows, again: bool) -> None:
    assert windows.launch("ok kill", again=again).status == "ok"
    assert len(windows.found) == 1
    assert {path.name for path in windows.paths.finished.iterdir()} == {"log.txt", "manifest.json", "metrics.json"}
    assert not windows.paths.working.exists()


def test_failure_of_the_network_is_not_a_crash(windows: Windows) -> None:
    outcome = windows.launch("failed kill", again=True)
    assert (outcome.kind, outcome.retriable) == ("plugin", False)
    assert windows.paths.failed.is_dir()


def test_cell_is_pending_between_two_attempts(windows: Windows) -> None:
    outcome = windows.launch("kill", again=True)
    assert (outcome.kind, outcome.retriable) == ("crashed", True)
    # Whoever is killed now leaves the cell to the next run.
    assert not windows.paths.failed.exists()
    assert windows.launch("ok rename").status == "ok"
    assert "snapshot-000001.npz" in windows.found[1]
    assert windows.launch("kill").kind == "crashed"
    assert windows.paths.failed.is_dir()


@pytest.mark.parametrize("moved", [True, False])
def test_resuming_a_crashed_cell_survives_a_kill(windows: Windows, moved: bool) -> None:
    assert windows.launch("kill").kind == "crashed"
    if moved:  # and killed before the old manifest was removed
        windows.paths.failed.rename(windows.paths.working)
    assert windows.launch("ok rename").status == "ok"
    assert "snapshot-000001.npz" in windows.found[1]
    assert "manifest.json" not in windows.found[1]
    assert not windows.paths.failed.exists()


def test_run_does_not_notice_a_kill_after_the_manifest(quick: QuickStudy) -> None:
    quick.script(one=["ok killed"])
    done = quick.run("--retries", "0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert quick.endings == {"one": "ok"}
    assert len(quick.attempts) == 1


@pytest.mark.parametrize("again", [True, False], ids=["interrupted", "crashed"])
@pytest.mark.parametrize("words", ["ok rename", "ok kill", "failed kill", "kill"])
def test_test_of_saved_weights_keeps_an_interrupted_training(windows: Windows, words: str, again: bool) -> None:
    windows.launch("kill", again=again)
    assert windows.paths.failed.exists() is not again
    windows.launch(words, weights={"best": Path("somebody's")})
    assert windows.found[-1] == ["log.txt"]
    windows.launch("ok rename")
    assert "snapshot-000001.npz" in windows.found[-1]
    assert [path.name for path in windows.paths.finished.parent.iterdir() if "tested" in path.name] == []
