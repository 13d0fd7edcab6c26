"""Which GPUs are found and how much of their memory is free; a script takes the place of ``nvidia-smi``."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarker.run import gpus
from benchmarker.run.gpus import Gpu, gpu_names, mps_is_running, usable_gpus

MIB = 1 << 20
H200 = "0, GPU-1111-aa, NVIDIA H200, 143156, Default, Disabled"
Script = Callable[[str], None]


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_MPS_PIPE_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(gpus, "_MPS_FOLDER", tmp_path / "mps")
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def nvidia_smi(tmp_path: Path) -> Script:
    """A function that installs a shell script as ``nvidia-smi``."""

    def install(script: str) -> None:
        path = tmp_path / "nvidia-smi"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    return install


def printed(*rows: str) -> str:
    """Return a script that prints rows if it is asked for them in the right order and form."""
    asked = "--query-gpu=index,uuid,name,memory.free,compute_mode,mig.mode.current"
    lines = "; ".join(f"echo '{row}'" for row in rows)
    return f'[ "$*" = "{asked} --format=csv,noheader,nounits" ] || exit 2; {lines}'


def test_without_nvidia_smi_there_is_no_gpu() -> None:
    assert usable_gpus(None) == ()
    assert gpu_names(None) == ()


def test_memory_is_that_of_nvidia_smi(nvidia_smi: Script) -> None:
    nvidia_smi(printed(H200, "1, GPU-2222-bb, NVIDIA H200, 60, Exclusive_Process, [N/A]"))
    first, second = usable_gpus(None)
    assert first == Gpu(name="0", free_bytes=143156 * MIB)
    assert second == Gpu(name="1", free_bytes=60 * MIB, exclusive=True)
    assert gpu_names(None) == ("0", "1")


@pytest.mark.parametrize(
    "row",
    [
        "0, GPU-1111-aa, NVIDIA GB10, [N/A], Default, [N/A]",
        "0, GPU-1111-aa, NVIDIA GB10, [Not Supported], Default, [N/A]",
        "0, GPU-1111-aa, NVIDIA A100, [Insufficient Permissions], Default, Enabled",
        "0, GPU-1111-aa, NVIDIA A100, 40000, Default, Enabled",  # CUDA sees one instance of it
    ],
)
def test_memory_may_be_unknown(row: str, nvidia_smi: Script) -> None:
    nvidia_smi(printed(row))
    assert usable_gpus(None) == (Gpu(name="0"),)


@pytest.mark.parametrize(
    "script",
    [
        "echo 'NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.'; exit 9",
        "echo 'No devices were found'; exit 6",
        "echo 'No devices were found'",
        printed("", "what?", "\x01\x02, GPU, 7", "0, GPU-1111-aa, NVIDIA H200, 1"),
        printed("0, GPU-1111-aa, NVIDIA H200, 143156, Prohibited, Disabled"),
        "kill -9 $$",
    ],
)
def test_driver_that_gives_no_usable_answer_counts_as_none(script: str, nvidia_smi: Script) -> None:
    nvidia_smi(script)
    assert usable_gpus(None) == ()
    assert gpu_names(None) == ()


def test_driver_that_hangs_counts_as_none(nvidia_smi: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "_PATIENCE_SECONDS", 0.2)
    nvidia_smi("exec /bin/sleep 60")
    assert usable_gpus(None) == ()


def test_old_driver_knows_no_divided_gpus(nvidia_smi: Script) -> None:
    nvidia_smi(
        'case "$*" in *mig*) echo \'Field "mig.mode.current" is not a valid field to query.\'; exit 2;; esac; '
        "echo '0, GPU-1111-aa, Tesla K80, 11441, Default'"
    )
    assert usable_gpus(None) == (Gpu(name="0", free_bytes=11441 * MIB),)


@pytest.mark.parametrize(
    ("value", "found"), [("2,3", ("2", "3")), ("GPU-8a, 1", ("GPU-8a", "1")), ("", ()), ("-1", ()), ("0,-1,2", ("0",))]
)
def test_what_the_user_made_visible(value: str, found: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert gpu_names(None) == found
    assert tuple(gpu.name for gpu in usable_gpus(None)) == found


def test_hidden_gpus_are_not_used(nvidia_smi: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    nvidia_smi(printed(H200, "1, GPU-2222-bb, NVIDIA H200, 60, Default, Disabled"))
    for value in ("1", "GPU-22"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
        assert usable_gpus(None) == (Gpu(name=value, free_bytes=60 * MIB),)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-7f")
    assert usable_gpus(None) == (Gpu(name="MIG-7f"),)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert usable_gpus(None) == ()
    assert usable_gpus(("0",)) == (Gpu(name="0", free_bytes=143156 * MIB),)
    assert usable_gpus(()) == ()


def test_number_of_a_gpu_is_ambiguous_among_different_ones(nvidia_smi: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    nvidia_smi(printed(H200, "1, GPU-2222-bb, NVIDIA T4, 60, Default, Disabled"))
    assert [gpu.free_bytes for gpu in usable_gpus(None)] == [60 * MIB, 60 * MIB]
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    assert [gpu.free_bytes for gpu in usable_gpus(None)] == [143156 * MIB, 60 * MIB]


def test_mps_is_found_by_its_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not mps_is_running()
    (tmp_path / "mps").mkdir()
    assert not mps_is_running()  # the daemon has ended
    (tmp_path / "mps" / "control").touch()
    assert mps_is_running()
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", str(tmp_path / "elsewhere"))
    assert not mps_is_running()
