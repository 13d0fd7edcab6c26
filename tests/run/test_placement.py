"""On which GPUs cells run, how many share one, and what is said about it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import MagicMock

import pytest

from benchmarker.discovery import installed
from benchmarker.registry import load_registry
from benchmarker.run import placement, processes, run_study, runner
from benchmarker.run.gpu_memory import CONTEXT_BYTES, GpuNeed, estimated_bytes, gpu_needs, measured_bytes
from benchmarker.run.gpus import Gpu
from benchmarker.run.jobs import cores
from benchmarker.run.network_sizes import NetworkSize
from benchmarker.run.placement import Placement, find_room, place_cells, spread
from benchmarker.run.policy import Policy
from benchmarker.study.layout import COSTS_FILE, RunPaths
from tests.study.material import planned_cell

if TYPE_CHECKING:
    from benchmarker.run.prepare import PreparedStudy
    from tests.run.conftest import QuickStudy

GIB = 1 << 30
BIG = GpuNeed(network="big", n_bytes=3 * GIB, known_by="measured")
NEEDS = {"a": GpuNeed(network="small", n_bytes=GIB, known_by="estimated"), "b": BIG}


def test_room_is_that_of_the_largest_network() -> None:
    room = find_room([Gpu(name="0", free_bytes=10 * GIB), Gpu(name="1", free_bytes=GIB)], NEEDS, mps=False)
    assert room.cells == (3, 1)  # one is tried wherever
    assert "2 GPUs with at least 1.0 GiB free on each, 3.0 GiB per cell, measured for big" in room.reason
    assert find_room([Gpu(name="0", free_bytes=1000 * GIB)], NEEDS, mps=True).cells == (placement.MPS_CLIENTS,)


def test_gpu_is_not_shared_where_too_little_is_known() -> None:
    unknown = [Gpu(name="0"), Gpu(name="1", free_bytes=10 * GIB)]
    room = find_room(unknown, NEEDS, mps=False)
    assert room.cells == (1, 3)
    assert "one cell on each of 1 in exclusive mode or of unknown memory" in room.reason
    assert find_room(unknown[:1], NEEDS, mps=False).cells == (1,)
    assert find_room(unknown, {}, mps=False).cells == (1, 1)
    exclusive = [Gpu(name="0", free_bytes=10 * GIB, exclusive=True)]
    assert find_room(exclusive, NEEDS, mps=False).cells == (1,)
    assert find_room(exclusive, NEEDS, mps=True).cells == (3,)  # one process of MPS serves them all


def test_cells_fill_gpus_to_the_same_part() -> None:
    assert spread(["0", "1"], [1, 1], 3) == ("0", "1", "0")
    assert spread(["3", "5"], [4, 2], 6) == ("3", "5", "3", "3", "5", "3")
    assert spread(["7"], [1], 2) == ("7", "7")


@pytest.mark.parametrize(
    ("devices", "fewer"), [(("0", "0"), 1), (("0", "1", "0"), 2), (("0", "1") * 3, 4), (("0",) * 5, 4)]
)
def test_fewer_cells_share_a_gpu_with_the_number_that_is_advised(devices: tuple[str, ...], fewer: int) -> None:
    assert Placement(devices=devices).fewer == fewer
    assert Placement(devices=devices).is_shared("0")


def test_nothing_is_shared_without_gpus() -> None:
    for device in (None, "-1"):
        assert not Placement(devices=(device, device)).is_shared(device)
    assert not Placement(devices=("0", "1")).is_shared("0")


@pytest.mark.parametrize(("optimiser", "moments"), [("adam", 2), ("adamw", 2), ("rmsprop", 1), ("sgd", 0)])
def test_estimate_matches_hand_calculation(optimiser: str, moments: int) -> None:
    training = planned_cell().spec.training.model_copy(update={"optimiser": optimiser, "batch_size": 8})
    size = NetworkSize(network="n", total=1_000_000, trainable=900_000, activations=50_000)
    arrays = 4 * 1_000_000 + 4 * 900_000 * (1 + moments) + 4 * 4 * 8 * 50_000
    assert estimated_bytes(size, training) == GIB + 2 * arrays
    half = training.model_copy(update={"precision": "mixed_bfloat16"})
    assert estimated_bytes(size, half) == GIB + 2 * (arrays - 2 * 4 * 8 * 50_000)


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PreparedStudy:
    """A study of two networks, of which one has finished runs on a GPU; nothing is built."""
    small, big = [planned_cell("small", seed=seed) for seed in (1, 2, 3)], [planned_cell("big", seed=1)]
    costs: dict[str, Any] = {
        "parameters": {"total": 1, "trainable": 1, "convolutional": 0, "dense": 1},
        "flops": None,
        "peak_memory_bytes": 1,
        "inference_seconds": [1.0],
        "inference_images": 6,
        "inference_images_per_second": 6.0,
    }
    for cell, peak in zip(small[:2], (5, 7), strict=True):
        folder = RunPaths.of(tmp_path, cell.key).finished
        folder.mkdir(parents=True)
        (folder / COSTS_FILE).write_text(json.dumps({**costs, "peak_device_memory_bytes": peak}))
    (tmp_path / "prepared").mkdir()

    def sizes(_prepared: Path, networks: dict[str, Any]) -> dict[str, NetworkSize]:
        assert all("big" in name for name in networks)  # the other one was measured
        return {name: NetworkSize(network=name, total=9, trainable=9, activations=9) for name in networks}

    monkeypatch.setattr("benchmarker.run.gpu_memory.network_sizes", sizes)
    monkeypatch.setattr(placement, "mps_is_running", lambda: False)
    prepared = SimpleNamespace(
        folder=tmp_path, prepared=tmp_path / "prepared", cells=[*small, *big], generators={}, problems={}
    )
    return cast("PreparedStudy", prepared)


def test_measured_memory_comes_before_an_estimate(study: PreparedStudy) -> None:
    *_, small, big = study.cells
    needs = gpu_needs(study, [small, big])
    assert needs[small.key] == GpuNeed(network="small", n_bytes=measured_bytes(7), known_by="measured")
    assert measured_bytes(7) == CONTEXT_BYTES + 14
    assert (needs[big.key].network, needs[big.key].known_by) == ("big", "estimated")


def test_cells_share_a_gpu_with_room(study: PreparedStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placement, "usable_gpus", lambda _asked: (Gpu(name="4", free_bytes=80 * GIB),))
    monkeypatch.setattr("benchmarker.run.jobs.cores", lambda: 3)
    placed = place_cells(Policy(), study, study.cells)
    assert placed.devices == ("4", "4", "4")
    assert placed.alone == frozenset()
    (remark,) = placed.remarks
    assert remark.startswith("3 cells at once: 3 cores, of which a cell on a GPU keeps one busy")
    assert remark.endswith("3 cells share 1 GPU and take turns, as NVIDIA MPS is not running")
    monkeypatch.setattr(placement, "mps_is_running", lambda: True)
    assert "side by side through NVIDIA MPS" in place_cells(Policy(), study, study.cells).remarks[0]


def test_cells_of_unknown_need_are_alone_among_those_that_share(
    study: PreparedStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placement, "usable_gpus", lambda _asked: (Gpu(name="4", free_bytes=80 * GIB),))
    monkeypatch.setattr("benchmarker.run.jobs.cores", lambda: 3)
    monkeypatch.setattr("benchmarker.run.gpu_memory.network_sizes", lambda *_: {})
    placed = place_cells(Policy(), study, study.cells)
    assert placed.jobs == 3
    assert placed.alone == {study.cells[-1].key}


def test_cells_that_cannot_run_do_not_count(study: PreparedStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "problems", {cell.key: "unusable" for cell in study.cells[1:]})
    placed = place_cells(Policy(jobs=3, gpus=()), study, study.cells)
    assert placed.remarks == ("1 cell at once",)
    monkeypatch.setattr(study, "problems", {cell.key: "unusable" for cell in study.cells})
    assert place_cells(Policy(), study, study.cells) == Placement(devices=(None,))


def test_requested_number_is_taken_whatever_the_memory(study: PreparedStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarker.run.jobs.cores", lambda: 2)
    placed = place_cells(Policy(jobs=3, gpus=("1", "0")), study, study.cells)
    assert placed.devices == ("1", "0", "1")
    assert "3 cells at once, as --jobs asks; 3 cells share 2 GPUs" in placed.remarks[0]
    assert "3 cells on GPUs would keep 3 cores busy, but there are 2" in placed.remarks[1]
    assert place_cells(Policy(jobs=2, gpus=()), study, study.cells).devices == ("-1", "-1")


def stand_in(folder: Path, free: str) -> dict[str, str]:
    """Install an ``nvidia-smi`` that lists one GPU, and return the environment that finds it."""
    (folder / "bin").mkdir(exist_ok=True)
    script = folder / "bin" / "nvidia-smi"
    script.write_text(f"#!/bin/sh\necho '0, GPU-1111-aa, NVIDIA H200, {free}, Default, Disabled'\n")
    script.chmod(0o755)
    return {
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "CUDA_MPS_PIPE_DIRECTORY": str(folder / "no-mps"),
        "BENCHMARKER_CACHE": str(folder / "cache"),
    }


def planned(command_line: Any, registry: Path, folder: Path, free: str) -> str:
    done: subprocess.CompletedProcess[str] = command_line.run(
        "run", registry, "-p", folder / "study", "--plan-only", cwd=folder, env=stand_in(folder, free)
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.long
def test_plan_builds_networks_to_estimate_what_they_need(
    registry: Callable[..., Path], tmp_path: Path, command_line: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    models = [
        {"architecture": name, "learning_rate": 0.001, "epochs": 1} for name in ("mcrgnet", "convxpress", "hosenie")
    ]
    path = registry(models=models, seeds=list(range(2 * cores())))
    plan = planned(command_line, path, tmp_path, "2500")
    assert re.search(r"1 GPU with 2\.4 GiB free, 1\.\d GiB per cell, estimated for convxpress", plan), plan
    crowded = planned(command_line, path, tmp_path, "999999")
    assert f"{cores()} cells at once: {cores()} cores, of which a cell on a GPU keeps one busy" in crowded
    assert "unknown" in planned(command_line, path, tmp_path, "[N/A]")


def test_cell_without_memory_on_a_shared_gpu_is_tried_again_alone(quick: QuickStudy) -> None:
    quick.script(hungry=["until=both failed=out-of-memory", "until=fed ok"], other=["until=go ok"], later=["ok"])
    process = quick.start("--jobs", "2", "--gpus", "3")
    quick.await_attempts(2)
    quick.let("both")
    quick.await_line(process, "hungry/real/8901: out-of-memory: as told: out-of-memory; tried again (1 of 1) alone")
    time.sleep(1)  # it would have started
    assert len(quick.attempts) == 2
    quick.let("go")
    quick.await_attempts(3)
    quick.let("fed")
    done = quick.end(process)
    assert done.returncode == 0, done.stdout
    # Once the other had ended, and before a third one.
    assert [each["model"] for each in quick.attempts][2:] == ["hungry", "later"]
    assert {each["gpu"] for each in quick.attempts} == {"3"}


def test_failure_on_a_shared_gpu_says_what_to_do(quick: QuickStudy) -> None:
    quick.script(hungry=["failed=out-of-memory"], other=["ok"])
    shared = quick.run("--jobs", "2", "--gpus", "3", "--retries", "0")
    assert "it shared its GPU; --jobs 1 lets fewer cells share a GPU" in shared.stdout
    alone = quick.run("--jobs", "1", "--gpus", "3", "--retries", "0", "--retry-failed")
    assert "failed (out-of-memory)" in alone.stdout
    assert "shared" not in alone.stdout


def test_cell_of_unknown_need_runs_alone(quick: QuickStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    quick.script(unknown=["until=go ok"], known=["until=go ok"])
    monkeypatch.setattr(processes, "COMMAND", (sys.executable, "-P", Path(__file__).with_name("quick_worker.py")))
    monkeypatch.setattr(processes, "FORKING", False)
    monkeypatch.setenv("QUICK_WORKER", str(quick.folder / "quick"))

    def place(_policy: Policy, _study: PreparedStudy, left: Any, **_: bool) -> Placement:
        alone = frozenset(cell.key for cell in left if cell.model == "unknown")
        return Placement(devices=("3", "3"), alone=alone)

    monkeypatch.setattr(runner, "place_cells", place)
    loaded = load_registry(quick.folder / "quick.yaml")
    observer: Any = MagicMock()
    running = threading.Thread(
        target=run_study, args=(loaded, quick.path), kwargs={"observer": observer, "plugins": installed()}
    )
    running.start()
    quick.await_attempts(1)
    time.sleep(1)  # the other one would have started
    assert len(quick.attempts) == 1  # whichever was first
    quick.let("go")
    running.join(60)
    assert quick.endings == {"unknown": "ok", "known": "ok"}


def test_stopping_ends_a_wait_for_a_turn(quick: QuickStudy) -> None:
    quick.script(hungry=["until=both failed=out-of-memory", "ok"], other=["epoch=1 until=never"])
    process = quick.start("--jobs", "2", "--gpus", "3")
    quick.await_attempts(2)
    quick.let("both")
    quick.await_line(process, "tried again (1 of 1) alone")
    process.terminate()
    assert quick.end(process).returncode == 143
    assert len(quick.attempts) == 2
