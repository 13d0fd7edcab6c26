"""Which finished runs stand for a cell, and what a worker's events may do; nothing is trained."""

from __future__ import annotations

import errno
import io
import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from benchmarker.discovery import installed
from benchmarker.errors import ConfigurationError, StorageError
from benchmarker.registry import CellProblem, LoadedRegistry, load_registry
from benchmarker.run import CellOutcome, CellView, StudyOutcome, run_study
from benchmarker.run.launcher import _listen, run_paths
from benchmarker.run.planning import make_cells
from benchmarker.run.prepare import ReadyStudy
from benchmarker.study.plan import Cell


class Silent:
    """An observer that remembers what it is told."""

    def __init__(self) -> None:
        self.outcomes: list[CellOutcome] = []
        self.messages: list[str] = []

    def cell_finished(self, _cell: CellView, outcome: CellOutcome) -> None:
        self.outcomes.append(outcome)

    def message(self, text: str) -> None:
        self.messages.append(text)

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_, **__: None


@pytest.fixture
def cell(registry: Callable[..., Path]) -> Cell:
    plugins, loaded = installed(), load_registry(registry())
    dataset = plugins.dataset(loaded.registry.dataset.name)
    ((planned, _),) = make_cells(
        loaded.registry, plugins, dataset=dataset, data_digest="0" * 64, backend="tensorflow", lines=loaded.lines
    )
    return planned


@pytest.fixture
def run(cell: Cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[StudyOutcome, Silent]]:
    """Run a study of one cell whose worker only says that it was started."""
    ready = ReadyStudy(folder=tmp_path / "study", prepared=tmp_path, cells=[cell], problems={})
    monkeypatch.setattr("benchmarker.run.execute.get_ready", lambda *_, **__: ready)
    monkeypatch.setattr("benchmarker.run.runner.launch", lambda *_, **__: CellOutcome(status="ok", message="started"))

    def run(observer: Silent | None = None, **options: Any) -> tuple[StudyOutcome, Silent]:
        observer = observer or Silent()
        nothing = cast("LoadedRegistry", SimpleNamespace())
        return run_study(nothing, tmp_path / "study", observer=observer, plugins=installed(), **options), observer

    return run


def _finish(study: Path, cell: Cell, manifest: Mapping[str, Any] | None) -> None:
    folder = run_paths(study, cell).finished
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{" if manifest is None else json.dumps(manifest))
    (folder / "metrics.json").write_text("{}")
    (folder / "costs.json").write_text("{}")


def test_a_trained_run_is_not_repeated(run: Any, cell: Cell, tmp_path: Path) -> None:
    _finish(tmp_path / "study", cell, {"status": "ok", "trained": True})
    outcome, observer = run()
    assert outcome == StudyOutcome(ok=1, failed=0, pending=0, reused=1)
    assert observer.outcomes[0].reused


def test_force_repeats_a_trained_run(run: Any, cell: Cell, tmp_path: Path) -> None:
    _finish(tmp_path / "study", cell, {"status": "ok", "trained": True})
    outcome, observer = run(force=True)
    assert outcome.reused == 0
    assert observer.outcomes[0].message == "started"


def test_a_test_of_saved_weights_does_not_stand_for_training(run: Any, cell: Cell, tmp_path: Path) -> None:
    _finish(tmp_path / "study", cell, {"status": "ok", "trained": False})
    outcome, observer = run()
    assert outcome.reused == 0
    assert observer.outcomes[0].message == "started"


def test_a_run_that_was_about_to_be_replaced_comes_back(run: Any, cell: Cell, tmp_path: Path) -> None:
    _finish(tmp_path / "study", cell, {"status": "ok", "trained": True})
    paths = run_paths(tmp_path / "study", cell)
    # As `finish` leaves it when it is killed between its two renames.
    paths.finished.rename(paths.finished.with_name(f".{paths.finished.name}.replaced"))
    paths.working.mkdir()
    outcome, _ = run()
    assert outcome.reused == 1
    assert [path.name for path in paths.finished.parent.iterdir()] == [paths.finished.name]


def test_a_damaged_run_is_told_and_repeated(run: Any, cell: Cell, tmp_path: Path) -> None:
    _finish(tmp_path / "study", cell, None)
    outcome, observer = run()
    assert outcome.reused == 0
    assert "manifest.json: cannot be read" in observer.messages[0]
    assert "run again" in observer.messages[0]


def test_half_written_costs_are_told_and_repeated(run: Any, cell: Cell, tmp_path: Path) -> None:
    _finish(tmp_path / "study", cell, {"status": "ok", "trained": True})
    (run_paths(tmp_path / "study", cell).finished / "costs.json").write_text('{"flops": 1')
    outcome, observer = run()
    assert outcome.reused == 0
    assert "costs.json: cannot be read" in observer.messages[0]


def test_a_folder_for_weights_that_cannot_be_made_is_told_before_training(run: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    observer = Silent()
    with pytest.raises(StorageError, match="file"):
        run(observer=observer, models_folder=tmp_path / "file")
    assert not observer.outcomes


def test_cells_whose_weights_would_overwrite_each_other(
    run: Any, cell: Cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = [replace(cell, key=str(k) * 64, model=model) for k, model in enumerate(("a/b", "a_b"))]
    ready = ReadyStudy(folder=tmp_path / "study", prepared=tmp_path, cells=cells, problems={})
    monkeypatch.setattr("benchmarker.run.execute.get_ready", lambda *_, **__: ready)
    with pytest.raises(
        ConfigurationError, match="'a/b' in the arm 'real' and those of 'a_b' in the arm 'real' would both"
    ):
        run(models_folder=tmp_path / "weights")
    assert run()[0].ok == 2


def test_saved_weights_are_tested_beside_cells_that_have_none(
    run: Any, cell: Cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("trained", "diverged", "too small")
    cells = [replace(cell, key=str(k) * 64, model=model) for k, model in enumerate(names)]
    problem = CellProblem(part="model", index=2, kind="configuration", message="needs larger images")
    ready = ReadyStudy(folder=tmp_path / "study", prepared=tmp_path, cells=cells, problems={cells[2].key: problem})
    monkeypatch.setattr("benchmarker.run.execute.get_ready", lambda *_, **__: ready)
    folder = run_paths(tmp_path / "study", cells[0]).finished
    folder.mkdir(parents=True)
    for checkpoint in ("best", "final"):
        (folder / f"weights_{checkpoint}.weights.h5").touch()
    outcome, observer = run(test_only=True)
    assert (outcome.ok, outcome.failed) == (1, 2)
    assert "no saved weights to test" in observer.outcomes[1].message
    assert observer.outcomes[2].message == "needs larger images"


def test_names_in_tables_lead_to_the_same_run(cell: Cell, tmp_path: Path) -> None:
    assert run_paths(tmp_path, replace(cell, model="mine", arm="yours")) == run_paths(tmp_path, cell)


def test_weights_that_cannot_be_copied_leave_the_earlier_ones(
    run: Any, cell: Cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_source: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    _finish(tmp_path / "study", cell, {"status": "ok", "trained": True})
    models = tmp_path / "models"
    models.mkdir()
    earlier = models / "mcrgnet-real-8901-best.weights.h5"
    earlier.write_bytes(b"whole")
    monkeypatch.setattr("benchmarker.run.weights.shutil.copyfile", full)
    with pytest.raises(StorageError, match="disk is full"):
        run(models_folder=models)
    assert [path.name for path in models.iterdir()] == [earlier.name]
    assert earlier.read_bytes() == b"whole"


def _worker(output: bytes) -> subprocess.Popen[bytes]:
    return cast("subprocess.Popen[bytes]", SimpleNamespace(stdin=io.BytesIO(), stdout=io.BytesIO(output)))


def test_half_a_line_of_a_killed_worker_is_left_out() -> None:
    heard: list[Mapping[str, Any]] = []
    _listen(_worker(b'{"event": "step"}\n{"event": "epo'), {}, heard.append)
    assert heard == [{"event": "step"}]


def test_what_goes_wrong_in_an_observer_is_not_swallowed() -> None:
    def fails(_event: Mapping[str, Any]) -> None:
        raise ValueError("a broken progress bar")

    with pytest.raises(ValueError, match="a broken progress bar"):
        _listen(_worker(b'{"event": "step"}\n'), {}, fails)
