"""Gradient steps on both backends."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarker.backends import worker_environment

PROBE = Path(__file__).parent / "step_probe.py"

needs_jax = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs the extra jax")


@pytest.fixture(scope="module", params=["tensorflow", pytest.param("jax", marks=[needs_jax, pytest.mark.long])])
def probe(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Results of two trainings in a new process, with the name of its backend."""
    done = subprocess.run(
        [sys.executable, str(PROBE)],
        env=worker_environment(request.param, 2),
        capture_output=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    return {"backend": request.param, **found}


def test_gradient_step_equals_the_plain_optimiser(probe: dict[str, Any]) -> None:
    """Also if a variable that the loss only reads has changed since the step was compiled, and for a smaller batch."""
    assert probe["plain"]["off"] < 1e-5
    assert probe["plain"]["scale"] == 0.5  # read, never trained


def test_gradient_step_changes_weights_optimiser_and_state(probe: dict[str, Any]) -> None:
    assert [path for path in probe["first"]["unchanged"] if "learning_rate" not in path] == []


def test_gradient_steps_are_reproducible(probe: dict[str, Any]) -> None:
    assert probe["first"]["digest"] == probe["again"]["digest"]


def test_gradient_step_refuses_unlisted_state_on_jax(probe: dict[str, Any]) -> None:
    """TensorFlow changes it in place; JAX would compute with a copy and lose the change."""
    assert ("must be in the `state`" in probe["unlisted"]) is (probe["backend"] == "jax")
