"""Disk space that a study will need."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarker.errors import StorageError
from benchmarker.study.layout import RunPaths
from benchmarker.study.plan import PlannedCell
from benchmarker.study.space import DiskSpace, Forecast, cell_space, measure, require_run_space
from tests.study.material import cell_costs, planned_cell

MEGABYTE = 1_000_000


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A disk whose free space the test sets."""
    state = SimpleNamespace(free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=state.free))
    return state


def cell(model: str, seed: int, **options: Any) -> PlannedCell:
    return planned_cell(model, options=options, seed=seed)


def test_cell_space_peaks_with_its_snapshots() -> None:
    space = cell_space(40 * MEGABYTE, 80 * MEGABYTE, test_images=1000, outputs=4)
    # Best and final weights stay; three snapshots hold network, optimiser and best weights.
    assert 80 * MEGABYTE < space.kept < 83 * MEGABYTE
    assert 480 * MEGABYTE < space.peak < 483 * MEGABYTE
    many = cell_space(100, 200, test_images=10**6, outputs=100)
    assert many.peak > many.kept > 10**6 * 100 * 20


def test_measure_adds_up_variables() -> None:
    def variable(*shape: int, dtype: str = "float32") -> SimpleNamespace:
        return SimpleNamespace(shape=shape, dtype=dtype)

    weights = [variable(3, 3, 1, 8), variable(8)]
    model = SimpleNamespace(variables=[*weights, variable(2, dtype="uint32")], trainable_variables=weights)
    expected = cell_space(4 * (72 + 8 + 2), 2 * 4 * 80, test_images=5, outputs=2)
    assert measure(model, test_images=5, outputs=2) == expected
    model.optimizer = SimpleNamespace(variables=[variable(1000, dtype="int64")])
    assert measure(model, test_images=5, outputs=2) == cell_space(328, 8000, test_images=5, outputs=2)


def test_require_run_space_counts_snapshots_that_are_there(tmp_path: Path, disk: Any) -> None:
    space = cell_space(40 * MEGABYTE, 80 * MEGABYTE, test_images=0, outputs=4)
    disk.free = 400 * MEGABYTE
    with pytest.raises(StorageError, match=r"82\.\d MB of results.*about 48\d MB, but only 400 MB are free"):
        require_run_space(tmp_path, space)
    with (tmp_path / "snapshot-000003.npz").open("wb") as stream:
        stream.truncate(320 * MEGABYTE)
    require_run_space(tmp_path, space)


def test_forecast_adds_up_what_workers_report(tmp_path: Path, disk: Any) -> None:
    disk.free = 1000 * MEGABYTE
    cells = [cell("big", seed) for seed in range(5)] + [cell("small", 1), cell("big", 1, width=2)]
    forecast = Forecast(tmp_path, cells, jobs=2)
    assert forecast.n_bytes == 0
    forecast.check()
    forecast.built(cells[0], DiskSpace(kept=10, peak=100))
    assert forecast.n_bytes == 5 * 10 + 2 * 90
    forecast.finished(cells[0])
    assert forecast.n_bytes == 4 * 10 + 2 * 90
    with pytest.raises(StorageError, match=r"5 of 6 cell\(s\) that have not finished need\(s\) about 2\.0 GB"):
        forecast.built(cells[5], DiskSpace(kept=2000 * MEGABYTE, peak=2000 * MEGABYTE))


def test_forecast_learns_from_finished_runs(tmp_path: Path, disk: Any) -> None:
    disk.free = 300 * MEGABYTE
    done, lost, waiting = cell("big", 1), cell("small", 1), cell("big", 2)
    folder = RunPaths.of(tmp_path, done.key).finished
    folder.mkdir(parents=True)
    cell_costs(10 * MEGABYTE).write(folder / "costs.json")
    forecast = Forecast(tmp_path, [waiting])
    forecast.learn_from_runs([done, lost], outputs=4, test_images=100)
    assert forecast.n_bytes == cell_space(40 * MEGABYTE, 80 * MEGABYTE, outputs=4, test_images=100).peak
    with pytest.raises(StorageError, match="1 cell"):
        forecast.check()
