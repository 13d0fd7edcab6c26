"""How many cells run at once where the user does not say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarker.run import jobs
from benchmarker.run.jobs import choose_jobs, cores, free_memory

GIB = 1 << 30


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine of eight cores with 64 GiB of free memory, and no limits."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(8)), raising=False)
    monkeypatch.setattr(jobs, "_CONTROL_GROUP", tmp_path)
    monkeypatch.setattr(jobs, "_MEMORY", tmp_path / "meminfo")
    (tmp_path / "meminfo").write_text(f"MemTotal: 99999999 kB\nMemAvailable: {64 * GIB // 1024} kB\n")
    return tmp_path


def chosen(*, cells: int = 100, threads: int = 1, devices: int = 0, image_bytes: int = 0) -> int:
    return choose_jobs(cells=cells, threads=threads, devices=devices, image_bytes=image_bytes).jobs


def test_each_core_gets_work() -> None:
    assert chosen() == 8
    assert chosen(threads=3) == 4
    assert chosen(threads=30) == 1


def test_no_more_jobs_than_cells_or_gpus() -> None:
    assert chosen(cells=3) == 3
    assert choose_jobs(cells=3, threads=1, devices=0, image_bytes=0).reason == ""
    assert chosen(devices=2) == 2
    assert "2 GPUs" in choose_jobs(cells=9, threads=1, devices=2, image_bytes=0).reason


def test_memory_limits_jobs() -> None:
    assert chosen(image_bytes=10 * GIB) == 64 // 21
    assert chosen(image_bytes=999 * GIB) == 1
    assert "GiB per cell" in choose_jobs(cells=9, threads=1, devices=0, image_bytes=10 * GIB).reason


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
