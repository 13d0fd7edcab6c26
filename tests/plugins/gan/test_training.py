"""Training of GANs on both backends: all variables change, bits are reproducible, samples are independent."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarker.backends import worker_environment

PROBE = Path(__file__).parent / "gan_probe.py"
SIDES = {"cgan": [18, 18, 3], "published": [16, 16, 1], "dcgan": [8, 8, 1], "radio": [16, 16, 1]}

# JAX compiles slowly, so one model has to suffice; it has every layer and every loss that is not plain Keras.
MODELS = {"tensorflow": tuple(SIDES), "jax": ("cgan",)}

needs_jax = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs the extra jax")


@pytest.fixture(scope="module", params=["tensorflow", pytest.param("jax", marks=[needs_jax, pytest.mark.long])])
def probe(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The outcome of each model in a fresh process."""
    done = subprocess.run(
        [sys.executable, str(PROBE), *MODELS[request.param]],
        # XLA takes longer to optimise the steps than to compile them; bits are reproducible either way.
        env={**worker_environment(request.param, 2), "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"},
        capture_output=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_training_changes_every_variable(probe: dict[str, Any]) -> None:
    """Weights, statistics, moments, seeds of dropout and averages change; learning rates and pixel ranges do not."""
    for name, found in probe.items():
        constant = [path for path in found["unchanged"] if "learning_rate" not in path and path != "range"]
        # While all images are within the margin of the hinge loss, the gradients of its bias cancel.
        resting = 3 if name == "cgan" and all("bias" in path for path in constant) else 0
        assert len(constant) in {0, resting}, constant


def test_training_reports_the_common_losses(probe: dict[str, Any]) -> None:
    watched = {"d_loss_real", "d_loss_fake", "g_loss", "d_real_accuracy", "d_fake_accuracy"}
    for found in probe.values():
        first, second = found["measured"]
        assert watched <= set(first) == set(second)
        assert all(0 <= step[key] <= 1 for step in (first, second) for key in ("d_real_accuracy", "d_fake_accuracy"))
        assert first != second


def test_samples_are_finite_and_in_range(probe: dict[str, Any]) -> None:
    for name, found in probe.items():
        assert found["shape"] == [8, *SIDES[name]]
        assert found["finite"]
        assert found["range"][0] < found["range"][1]
        assert name == "published" or (found["range"][0] >= 0 and found["range"][1] <= 1)


def test_sample_does_not_depend_on_the_other_samples(probe: dict[str, Any]) -> None:
    assert all(found["independent"] for found in probe.values())


def test_repeated_training_gives_equal_bits(probe: dict[str, Any]) -> None:
    assert all(found["digest"] == found["again"] for found in probe.values())
