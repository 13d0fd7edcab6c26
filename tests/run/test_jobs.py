"""How many cells run at once, and what is said about it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarker.run import jobs
from benchmarker.run.jobs import GpuRoom, Waiting, choose_jobs, cores, free_memory, oversubscription, requested_jobs

if TYPE_CHECKING:
    from tests.run.conftest import QuickStudy

GIB = 1 << 30


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine of eight cores with 64 GiB of free memory, and no limits."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(8)), raising=False)
    monkeypatch.setattr(jobs, "_CONTROL_GROUP", tmp_path)
    monkeypatch.setattr(jobs, "_MEMORY", tmp_path / "meminfo")
    (tmp_path / "meminfo").write_text(f"MemTotal: 99999999 kB\nMemAvailable: {64 * GIB // 1024} kB\n")
    return tmp_path


@pytest.fixture
def two_cores(machine: Path) -> None:
    (machine / "cpu.max").write_text("200000 100000\n")


def chosen(*, cells: int = 100, threads: int = 1, image_bytes: int = 0, servers: int = 0) -> int:
    return choose_jobs(Waiting(cells=cells, threads=threads, image_bytes=image_bytes, servers=servers)).jobs


def reason(cells: int, threads: int = 1, **options: int) -> str:
    return choose_jobs(Waiting(cells=cells, threads=threads, **options)).reason


@pytest.mark.usefixtures("machine")
def test_each_core_gets_work() -> None:
    assert chosen() == 8
    assert chosen(threads=3) == 4
    assert chosen(threads=30) == 1


@pytest.mark.usefixtures("machine")
def test_no_more_jobs_than_cells_or_room_on_gpus() -> None:
    assert chosen(cells=3) == 3
    few = choose_jobs(Waiting(cells=9, threads=2), GpuRoom((2, 1), "small GPUs"))
    assert (few.jobs, few.reason) == (3, "3 cells at once: small GPUs; --jobs sets another number")
    assert choose_jobs(Waiting(cells=99, threads=2), GpuRoom((50, 50), "large GPUs")).jobs == 8  # a core for each


@pytest.mark.usefixtures("machine")
def test_memory_limits_jobs() -> None:
    assert chosen(image_bytes=10 * GIB) == 64 // 21
    assert chosen(image_bytes=999 * GIB) == 1
    assert "64.0 GiB of free memory, 21.0 GiB per cell" in reason(9, image_bytes=10 * GIB)


def test_processes_that_fork_workers_count_in_memory(machine: Path) -> None:
    (machine / "meminfo").write_text(f"MemAvailable: {4 * GIB // 1024} kB\n")
    assert [chosen(servers=servers) for servers in (0, 1, 2, 9)] == [4, 3, 3, 1]
    assert "0.5 GiB for the process that starts them" in reason(9, servers=1)


@pytest.mark.usefixtures("machine")
def test_number_is_always_explained() -> None:
    assert reason(1) == "1 cell at once: no other is left"
    assert reason(3) == "all 3 cells at once: cores and memory suffice; --jobs sets another number"
    assert reason(3, generators=1).startswith("all 3 cells and generators at once")
    assert reason(99) == "8 cells at once: 8 cores, 1 thread per cell; --jobs sets another number"
    assert requested_jobs(2, Waiting(cells=9)).reason == "2 cells at once, as --jobs asks"
    assert requested_jobs(9, Waiting(cells=3)).reason == "all 3 cells at once"


@pytest.mark.usefixtures("two_cores")
@pytest.mark.parametrize("cells", [2, 9])
def test_default_says_why_cells_overlap(cells: int) -> None:
    choice = choose_jobs(Waiting(cells=cells, threads=2))
    assert choice.jobs == 2
    assert "2 cores, 2 threads per cell; cells overlap because the second thread of a cell is idle" in choice.reason
    assert "overlap" not in reason(cells, threads=1)


@pytest.mark.usefixtures("two_cores")
def test_more_cells_than_keep_all_cores_busy_get_a_warning() -> None:
    assert oversubscription(2, 2) == ""  # as by default
    assert oversubscription(1, 30) == ""  # no fewer cells are possible
    warning = oversubscription(8, 2)
    assert "8 cells of 2 threads would keep 12 cores busy, but there are 2" in warning
    assert "--jobs 2 is enough" in warning
    assert oversubscription(2, 3) != ""
    assert oversubscription(2, 3, on_gpus=True) == ""
    assert "3 cells on GPUs would keep 3 cores busy" in oversubscription(3, 3, on_gpus=True)


def test_limits_of_a_container_count(machine: Path) -> None:
    (machine / "cpu.max").write_text("250000 100000\n")
    (machine / "memory.max").write_text(f"{4 * GIB}\n")
    (machine / "memory.current").write_text(f"{GIB}\n")
    assert cores() == 2
    assert free_memory() == 3 * GIB
    (machine / "cpu.max").write_text("max 100000\n")
    (machine / "memory.max").write_text("max\n")
    assert cores() == 8
    assert free_memory() == 64 * GIB


@pytest.mark.long
def test_plan_says_how_many_cells_run_at_once(quick: QuickStudy) -> None:
    quick.script(one=["ok"], two=["ok"], three=["ok"])
    planned = quick.run("--plan-only", "--jobs", "3").stdout
    assert "note: on this machine, all 3 cells at once, as --jobs asks" in planned
    assert quick.run("--jobs", "1", "--cells", "one").returncode == 0
    planned = quick.run("--plan-only", "--jobs", "1").stdout
    assert "note: on this machine, 1 cell at once, as --jobs asks" in planned
    assert "all 2 cells at once" in quick.run("--plan-only", "--jobs", "9").stdout  # one has finished
    assert "all 3 cells at once" in quick.run("--plan-only", "--jobs", "9", "--force").stdout
    done = quick.run("--jobs", "999")
    assert done.returncode == 0
    assert "all 2 cells at once" in done.stdout
    again = quick.run("--jobs", "1")
    assert "at once" not in again.stdout  # nothing is left


def test_jobs_that_slow_each_other_down_are_remarked_on(quick: QuickStudy) -> None:
    many = 2 * cores() + 1
    quick.script(**{f"model-{number}": ["ok"] for number in range(many)})
    assert "slow each other down" in quick.run("--plan-only", "--jobs", str(many)).stdout
    assert "slow each other down" not in quick.run("--plan-only", "--jobs", "1").stdout
