"""Which existing runs are reused, and what a worker's events may do; nothing is trained."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from benchmarker.discovery import installed
from benchmarker.errors import ConfigurationError, StorageError
from benchmarker.registry import CellProblem, LoadedRegistry, load_registry
from benchmarker.run import CellOutcome, CellView, Policy, StudyOutcome, run_study
from benchmarker.run.launcher import cell_job, exchange
from benchmarker.run.planning import make_cells
from benchmarker.run.prepare import PreparedStudy
from benchmarker.run.run_folders import identity
from benchmarker.study.layout import RunPaths
from benchmarker.study.plan import PlannedCell
from benchmarker.study.protocol import Event, StepDone
from benchmarker.study.runs import FailedManifest, FinishedManifest
from tests.study.material import cell_costs, cell_metrics, some_fingerprint


class Silent:
    """An observer that keeps outcomes and messages."""

    def __init__(self) -> None:
        self.outcomes: list[CellOutcome] = []
        self.messages: list[str] = []

    def cell_finished(self, _cell: CellView, outcome: CellOutcome) -> None:
        self.outcomes.append(outcome)

    def message(self, text: str) -> None:
        self.messages.append(text)

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_, **__: None


def returning(prepared: PreparedStudy) -> Callable[..., PreparedStudy]:
    """Return a function that stands in for `prepare_study`."""

    def prepare(*_: Any, open_folder: Callable[[], None], **__: Any) -> PreparedStudy:
        open_folder()
        return prepared

    return prepare


@pytest.fixture
def cell(registry: Callable[..., Path]) -> PlannedCell:
    plugins, loaded = installed(), load_registry(registry())
    dataset = plugins.dataset(loaded.registry.dataset.name)
    ((planned, _),) = make_cells(
        loaded.registry, plugins, dataset=dataset, data_digest="0" * 64, backend="tensorflow", lines=loaded.lines
    )
    return planned


@pytest.fixture
def run(
    cell: PlannedCell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[StudyOutcome, Silent]]:
    """Run a study of one cell whose worker only says that it was started."""
    prepared = PreparedStudy(folder=tmp_path / "study", prepared=tmp_path, cells=[cell], problems={})
    monkeypatch.setattr("benchmarker.run.entry_points.prepare_study", returning(prepared))
    monkeypatch.setattr("benchmarker.run.runner.launch", lambda *_, **__: CellOutcome(status="ok", message="started"))

    def run(observer: Silent | None = None, **options: Any) -> tuple[StudyOutcome, Silent]:
        observer = observer or Silent()
        nothing = cast("LoadedRegistry", SimpleNamespace())
        given: dict[str, Any] = {"observer": observer, "plugins": installed(), "policy": Policy(jobs=1), **options}
        return run_study(nothing, tmp_path / "study", **given), observer

    return run


def _finish(study: Path, cell: PlannedCell, *, trained: bool = True) -> Path:
    folder = RunPaths.of(study, cell.key).finished
    folder.mkdir(parents=True)
    FinishedManifest(
        **identity(cell),
        trained=trained,
        fingerprint=some_fingerprint(),
        digests={},
        finished="2026-01-02T03:04:05+00:00",
    ).write(folder / "manifest.json")
    cell_metrics().write(folder / "metrics.json")
    cell_costs().write(folder / "costs.json")
    return folder


def test_trained_run_is_not_repeated(run: Any, cell: PlannedCell, tmp_path: Path) -> None:
    _finish(tmp_path / "study", cell)
    outcome, observer = run()
    assert outcome == StudyOutcome(ok=1, failed=0, pending=0, reused=1)
    assert observer.outcomes[0].reused


def test_force_repeats_a_trained_run(run: Any, cell: PlannedCell, tmp_path: Path) -> None:
    _finish(tmp_path / "study", cell)
    outcome, observer = run(force=True)
    assert outcome.reused == 0
    assert observer.outcomes[0].message == "started"


def test_test_of_saved_weights_does_not_replace_training(run: Any, cell: PlannedCell, tmp_path: Path) -> None:
    _finish(tmp_path / "study", cell, trained=False)
    outcome, observer = run()
    assert outcome.reused == 0
    assert observer.outcomes[0].message == "started"


@pytest.mark.parametrize("owner", [f".{'e' * 16}", ""])
def test_run_that_was_about_to_be_replaced_is_restored(run: Any, cell: PlannedCell, tmp_path: Path, owner: str) -> None:
    """Earlier versions did not name the owner of what lies aside."""
    _finish(tmp_path / "study", cell)
    paths = RunPaths.of(tmp_path / "study", cell.key)
    # As `finish` leaves it when it is killed between its two renames.
    paths.finished.rename(paths.finished.with_name(f".{paths.finished.name}{owner}.replaced"))
    paths.working.mkdir()
    outcome, _ = run()
    assert outcome.reused == 1
    assert [path.name for path in paths.finished.parent.iterdir()] == [paths.finished.name]


@pytest.mark.parametrize("newest", ["d", "e", ""])
def test_newest_run_is_restored_that_was_about_to_be_replaced(
    run: Any, cell: PlannedCell, tmp_path: Path, newest: str
) -> None:
    paths = RunPaths.of(tmp_path / "study", cell.key)
    for number, letter in enumerate(sorted(["d", "e", ""], key=newest.__eq__)):
        folder = _finish(tmp_path / "study", cell)
        (folder / "number").write_text(str(number))
        os.utime(folder / "manifest.json", (number, number))
        owner = f".{letter * 16}" if letter else ""
        folder.rename(folder.with_name(f".{folder.name}{owner}.replaced"))
    outcome, _ = run()
    assert outcome.reused == 1
    assert (paths.finished / "number").read_text() == "2"
    assert [path.name for path in paths.finished.parent.iterdir()] == [paths.finished.name]


@pytest.mark.parametrize("name", ["manifest.json", "metrics.json", "costs.json"])
@pytest.mark.parametrize("content", ["{", "{}", "[]"])
def test_damaged_run_is_reported_and_repeated(
    run: Any, cell: PlannedCell, tmp_path: Path, name: str, content: str
) -> None:
    (_finish(tmp_path / "study", cell) / name).write_text(content)
    outcome, observer = run()
    assert outcome.reused == 0
    assert f"{name}: cannot be read" in observer.messages[0]
    assert "run again" in observer.messages[0]


def test_failure_of_an_existing_run_is_reported_once(run: Any, cell: PlannedCell, tmp_path: Path) -> None:
    failed = RunPaths.of(tmp_path / "study", cell.key).failed
    failed.mkdir(parents=True)
    FailedManifest(
        **identity(cell), kind="diverged", message="the loss is NaN", finished="2026-01-02T03:04:05+00:00"
    ).write(failed / "manifest.json")
    outcome, observer = run()
    assert (outcome.failed, outcome.failed_before) == (1, 1)
    assert observer.outcomes[0].message == "the loss is NaN"


def test_folder_for_weights_that_cannot_be_made_is_reported_before_training(run: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    observer = Silent()
    with pytest.raises(StorageError, match="file"):
        run(observer=observer, models_folder=tmp_path / "file")
    assert not observer.outcomes


def test_cells_whose_weights_would_overwrite_each_other_are_refused(
    run: Any, cell: PlannedCell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = [cell.model_copy(update={"key": str(k) * 64, "model": model}) for k, model in enumerate(("a/b", "a_b"))]
    prepared = PreparedStudy(folder=tmp_path / "study", prepared=tmp_path, cells=cells, problems={})
    monkeypatch.setattr("benchmarker.run.entry_points.prepare_study", returning(prepared))
    with pytest.raises(
        ConfigurationError, match="'a/b' in the arm 'real' and those of 'a_b' in the arm 'real' would both"
    ):
        run(models_folder=tmp_path / "weights")
    assert run()[0].ok == 2


def test_names_that_the_folder_for_weights_cannot_hold_are_refused(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.pathconf", lambda *_: 20)
    observer = Silent()
    with pytest.raises(ConfigurationError, match=r"names in .*weights may have 20 bytes"):
        run(observer=observer, models_folder=tmp_path / "weights")
    assert not observer.outcomes
    assert not (tmp_path / "weights").exists()


def test_saved_weights_are_tested_beside_cells_that_have_none(
    run: Any, cell: PlannedCell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("trained", "diverged", "too small")
    cells = [cell.model_copy(update={"key": str(k) * 64, "model": model}) for k, model in enumerate(names)]
    problem = CellProblem(part="model", index=2, kind="configuration", message="needs larger images")
    prepared = PreparedStudy(
        folder=tmp_path / "study", prepared=tmp_path, cells=cells, problems={cells[2].key: problem}
    )
    monkeypatch.setattr("benchmarker.run.entry_points.prepare_study", returning(prepared))
    folder = RunPaths.of(tmp_path / "study", cells[0].key).finished
    folder.mkdir(parents=True)
    for checkpoint in ("best", "final"):
        (folder / f"weights_{checkpoint}.weights.h5").touch()
    outcome, observer = run(test_only=True)
    assert (outcome.ok, outcome.failed) == (1, 2)
    assert "no saved weights to test" in observer.outcomes[1].message
    assert observer.outcomes[2].message == "needs larger images"


def test_weights_that_cannot_be_copied_leave_the_old_ones(
    run: Any, cell: PlannedCell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_source: Any, target: Any) -> None:
        target.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    folder = _finish(tmp_path / "study", cell)
    (folder / "weights_best.weights.h5").write_bytes(b"new weights")
    models = tmp_path / "models"
    models.mkdir()
    old = models / "mcrgnet-real-8901-best.weights.h5"
    old.write_bytes(b"whole")
    monkeypatch.setattr("shutil.copyfileobj", full)
    with pytest.raises(StorageError, match="disk is full"):
        run(models_folder=models)
    assert [path.name for path in models.iterdir()] == [old.name]
    assert old.read_bytes() == b"whole"


def _worker(output: bytes) -> subprocess.Popen[bytes]:
    return cast("subprocess.Popen[bytes]", SimpleNamespace(stdin=io.BytesIO(), stdout=io.BytesIO(output)))


def test_half_a_line_of_a_killed_worker_is_ignored(cell: PlannedCell, tmp_path: Path) -> None:
    events: list[Event] = []
    step = StepDone(epoch=1, done=2, total=3)
    output = json.dumps(step.to_json()).encode() + b'\n{"event": "epo'
    exchange(_worker(output), cell_job(tmp_path, cell, prepared=tmp_path, generators={}), events.append)
    assert events == [step]


def test_error_of_an_observer_is_not_swallowed(cell: PlannedCell, tmp_path: Path) -> None:
    def fails(_event: Event) -> None:
        raise ValueError("a broken progress bar")

    worker = _worker(b'{"event": "finished"}\n')
    with pytest.raises(ValueError, match="a broken progress bar"):
        exchange(worker, cell_job(tmp_path, cell, prepared=tmp_path, generators={}), fails)
