"""How devices are found and shared."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarker.errors import ConfigurationError
from benchmarker.run.policy import Policy, found_gpus, parse_gpus, slot_devices


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))


def nvidia_smi(folder: Path, script: str) -> None:
    path = folder / "nvidia-smi"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_without_gpus_nothing_changes() -> None:
    assert slot_devices(Policy(), 3) == [None, None, None]


def test_cell_sees_one_gpu_with_any_number_of_jobs(tmp_path: Path) -> None:
    nvidia_smi(tmp_path, "echo 0; echo 1")
    assert slot_devices(Policy(), 1) == ["0"]
    assert slot_devices(Policy(), 3) == ["0", "1", "0"]
    assert slot_devices(Policy(gpus=()), 2) == ["-1", "-1"]
    assert slot_devices(Policy(gpus=("7",)), 2) == ["7", "7"]


def test_driver_that_does_not_answer_counts_as_none(tmp_path: Path) -> None:
    nvidia_smi(tmp_path, "echo 'NVIDIA-SMI has failed'; exit 9")
    assert found_gpus() == ()


@pytest.mark.parametrize(
    ("value", "found"), [("2,3", ("2", "3")), ("GPU-8a, 1", ("GPU-8a", "1")), ("", ()), ("-1", ()), ("0,-1,2", ("0",))]
)
def test_what_the_user_made_visible(value: str, found: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert found_gpus() == found


def test_gpus_on_the_command_line() -> None:
    assert parse_gpus("0, 1") == ("0", "1")
    assert parse_gpus("none") == ()
    for text in ("", "0,,1", "0,0"):
        with pytest.raises(ConfigurationError, match="--gpus"):
            parse_gpus(text)
