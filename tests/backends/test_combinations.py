"""Every network and every generator preset trains on every backend in every precision."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from benchmarker import Training
from benchmarker.backends import BACKENDS, chosen, worker_environment
from benchmarker.discovery import installed
from benchmarker.errors import ConfigurationError

PROBE = Path(__file__).parent / "combinations_probe.py"
PRECISIONS = get_args(Training.model_fields["precision"].annotation)
PRESETS = {"cgan projection", "cgan published", "dcgan colour", "dcgan radio", "dcgan small"}


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_network_and_generator_trains(backend: str, precision: str, tmp_path: Path) -> None:
    """One process for each backend and precision, because importing a backend takes longer than most steps."""
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"needs the extra {backend}")
    outcomes = tmp_path / "outcomes.json"
    done = subprocess.run(
        [sys.executable, str(PROBE), precision, str(outcomes)],
        # XLA takes longer to optimise a step than to compile it.
        env={**worker_environment(backend, 2), "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"},
        capture_output=True,
        check=False,
        timeout=1800,
    )
    assert done.returncode == 0, done.stderr.decode()[-4000:]
    found = json.loads(outcomes.read_text())
    networks = {owner.plugin.name for owner in installed().all("architecture")}
    assert found.keys() >= networks | PRESETS
    assert [f"{name}: {error}" for name, error in found.items() if error] == []


@pytest.mark.parametrize("name", ["torch", "openvino", "numpy"])
def test_backend_that_is_not_supported_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", name)
    with pytest.raises(ConfigurationError, match=f"KERAS_BACKEND.*Received: '{name}'"):
        chosen()
