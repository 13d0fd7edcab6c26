"""Disk space that a study will need."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarker.errors import StorageError
from benchmarker.study.plan import Cell
from benchmarker.study.space import Forecast, cell_space, measure, require_cell_space

MEGABYTE = 1_000_000


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A disk whose free space the test sets."""
    state = SimpleNamespace(free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=state.free))
    return state


def cell(model: str, seed: int, **options: Any) -> Cell:
    spec = {"model": {"architecture": model, "options": options}, "seed": seed}
    key = f"{model}{seed}{options}"
    return Cell(key=key, configuration="", model=model, architecture=model, arm="real", seed=seed, line=1, spec=spec)


def test_a_cell_needs_its_snapshots_at_most() -> None:
    space = cell_space(40 * MEGABYTE, 80 * MEGABYTE, test_images=1000, outputs=4)
    # Best and final weights stay; three snapshots hold network, optimiser and best weights.
    assert 80 * MEGABYTE < space.kept < 83 * MEGABYTE
    assert 480 * MEGABYTE < space.peak < 483 * MEGABYTE
    many = cell_space(100, 200, test_images=10**6, outputs=100)
    assert many.peak > many.kept > 10**6 * 100 * 20


def test_a_network_is_measured_by_its_variables() -> None:
    def variable(*shape: int, dtype: str = "float32") -> SimpleNamespace:
        return SimpleNamespace(shape=shape, dtype=dtype)

    weights = [variable(3, 3, 1, 8), variable(8)]
    model = SimpleNamespace(variables=[*weights, variable(2, dtype="uint32")], trainable_variables=weights)
    expected = cell_space(4 * (72 + 8 + 2), 2 * 4 * 80, test_images=5, outputs=2)
    assert measure(model, test_images=5, outputs=2) == expected
    model.optimizer = SimpleNamespace(variables=[variable(1000, dtype="int64")])
    assert measure(model, test_images=5, outputs=2) == cell_space(328, 8000, test_images=5, outputs=2)


def test_training_is_refused_unless_what_is_left_to_write_fits(tmp_path: Path, disk: Any) -> None:
    space = cell_space(40 * MEGABYTE, 80 * MEGABYTE, test_images=0, outputs=4)
    disk.free = 400 * MEGABYTE
    with pytest.raises(StorageError, match=r"82\.\d MB of results.*about 48\d MB, but only 400 MB are free"):
        require_cell_space(tmp_path, space)
    require_cell_space(tmp_path, space, present=320 * MEGABYTE)


def test_a_study_is_added_up_from_what_workers_tell(tmp_path: Path, disk: Any) -> None:
    disk.free = 1000 * MEGABYTE
    cells = [cell("big", seed) for seed in range(5)] + [cell("small", 1), cell("big", 1, width=2)]
    forecast = Forecast(tmp_path, cells, jobs=2)
    assert forecast.n_bytes == 0
    forecast.check()
    forecast.built(cells[0], {"kept": 10, "peak": 100})
    assert forecast.n_bytes == 5 * 10 + 2 * 90
    forecast.finished(cells[0])
    assert forecast.n_bytes == 4 * 10 + 2 * 90
    with pytest.raises(StorageError, match=r"5 of 6 cell\(s\) that have not finished need\(s\) about 2\.0 GB"):
        forecast.built(cells[5], {"kept": 2000 * MEGABYTE, "peak": 2000 * MEGABYTE})


def test_a_study_learns_from_finished_runs(tmp_path: Path, disk: Any) -> None:
    disk.free = 300 * MEGABYTE
    done, lost, waiting = cell("big", 1), cell("small", 1), cell("big", 2)
    folder = tmp_path / "runs" / done.run_name
    folder.mkdir(parents=True)
    parameters = {"total": 10 * MEGABYTE, "trainable": 10 * MEGABYTE}
    (folder / "costs.json").write_text(json.dumps({"parameters": parameters}))
    forecast = Forecast(tmp_path, [waiting])
    forecast.learn_from_runs([done, lost], outputs=4, test_images=100)
    assert forecast.n_bytes == cell_space(40 * MEGABYTE, 80 * MEGABYTE, outputs=4, test_images=100).peak
    with pytest.raises(StorageError, match="1 cell"):
        forecast.check()
