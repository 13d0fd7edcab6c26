"""A process that was placed on a GPU computes there or ends; JAX is real, and its CUDA plugin is a stand-in."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarker.backends import worker_environment
from benchmarker.errors import GpuError

pytestmark = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs the extra jax")

QUIET = "raise RuntimeError('cuInit: no memory')"  # JAX logs it, and computes on the processor
LOUD = """
    from jax._src import xla_bridge

    def fail():
        raise RuntimeError("INTERNAL: no supported devices found for platform CUDA")

    xla_bridge.register_backend_factory("stand-in", fail, priority=500, fail_quietly=False)
"""
WORKER = """
from benchmarker.backends import configure_worker
from benchmarker.errors import GpuError
try:
    configure_worker("jax", 1, 1)
except GpuError as error:
    print(error)
"""


@pytest.fixture
def install(tmp_path: Path) -> Callable[..., str]:
    """A function that installs a CUDA plugin of JAX, given what it does, and returns the folder to import it from."""

    def install(body: str, *, in_namespace: bool = False) -> str:
        text = f"def initialize():\n    {body.strip()}\n"
        if in_namespace:
            (tmp_path / "jax_plugins").mkdir()
            (tmp_path / "jax_plugins" / "xla_cuda12.py").write_text(text)
            return str(tmp_path)
        (tmp_path / "stand_in_for_cuda.py").write_text(text)
        names = tmp_path / "stand_in_for_cuda-1.0.dist-info"
        names.mkdir()
        (names / "METADATA").write_text("Metadata-Version: 2.1\nName: stand-in-for-cuda\nVersion: 1.0\n")
        (names / "entry_points.txt").write_text("[jax_plugins]\nxla_cuda12 = stand_in_for_cuda\n")
        return str(tmp_path)

    return install


@pytest.mark.parametrize(
    ("plugin", "device", "reason"),
    [
        (QUIET, "0", "it found no GPU"),
        (LOUD, "GPU-1111-aa", "no supported devices found for platform CUDA"),
        (QUIET, "-1", None),
        (QUIET, None, None),
        (None, "0", None),
    ],
)
def test_worker_on_a_gpu_does_not_compute_on_the_processor_instead(
    install: Callable[..., str], plugin: str | None, device: str | None, reason: str | None
) -> None:
    """Unless JAX was installed for the processor, as on the machine of these tests."""
    environment = worker_environment("jax", 1)
    environment.pop("CUDA_VISIBLE_DEVICES", None)
    if plugin is not None:
        environment["PYTHONPATH"] = install(plugin)
    if device is not None:
        environment["CUDA_VISIBLE_DEVICES"] = device
    done = subprocess.run([sys.executable, "-c", WORKER], env=environment, capture_output=True, text=True, check=True)
    if reason is None:
        assert done.stdout == ""
    else:
        assert f"jax cannot use GPU {device}, where this was to be computed: " in done.stdout
        assert reason in done.stdout
        assert "--gpus none" in done.stdout


def test_plugin_in_the_namespace_of_jax_counts(install: Callable[..., str]) -> None:
    environment = worker_environment("jax", 1)
    environment |= {"PYTHONPATH": install(QUIET, in_namespace=True), "CUDA_VISIBLE_DEVICES": "0"}
    done = subprocess.run([sys.executable, "-c", WORKER], env=environment, capture_output=True, text=True, check=True)
    assert "it found no GPU" in done.stdout


def test_cell_whose_gpu_cannot_be_used_is_tried_again_and_not_trained_on_the_processor(
    install: Callable[..., str], registry: Callable[..., Path], tmp_path: Path, command_line: Any
) -> None:
    registry(seeds=[1])
    environment = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": install(QUIET)}
    done = command_line.run(
        *("run", "tiny.yaml", "-p", "study", "--jobs", "1", "--gpus", "0"), cwd=tmp_path, env=environment
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "tried again (1 of 1)" in done.stdout + done.stderr
    (manifest,) = (tmp_path / "study" / "runs").glob("*.failed/manifest.json")
    failed = json.loads(manifest.read_text())
    assert failed["kind"] == GpuError.kind == "out-of-memory"
    assert "jax cannot use GPU 0" in failed["message"]
    assert not list(manifest.parent.glob("weights*"))
