"""Seeds of one network in one program on JAX."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarker.backends import make_lanes, worker_environment
from benchmarker.errors import ConfigurationError

PROBE = Path(__file__).parent / "lanes_probe.py"

needs_jax = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs the extra jax")


@pytest.fixture(scope="module")
def probe() -> dict[str, Any]:
    """What became of networks in lanes, in a new process."""
    done = subprocess.run(
        [sys.executable, str(PROBE)], env=worker_environment("jax", 1), capture_output=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.long
@needs_jax
def test_a_lane_has_the_same_bits_whoever_is_in_the_others(probe: dict[str, Any]) -> None:
    """Also if another one ends earlier."""
    assert len(set(probe["together"].values())) == 3
    assert probe["together"] == probe["alone"]


@pytest.mark.long
@needs_jax
def test_numbers_that_are_no_variables_stay_those_of_the_seed(probe: dict[str, Any]) -> None:
    assert probe["projected"]["2"] == probe["projected alone"]
    assert len(set(probe["projected"].values())) == 3


@pytest.mark.long
@needs_jax
def test_a_lane_that_fails_leaves_the_others_alone(probe: dict[str, Any]) -> None:
    assert probe["failing"] == probe["together"] | {"1": "fails"}


@pytest.mark.long
@needs_jax
def test_no_lane_waits_for_a_program_that_cannot_be_compiled(probe: dict[str, Any]) -> None:
    """Whatever a network raises."""
    assert probe["ended"] == ["3", "3"]


@pytest.mark.long
@needs_jax
def test_a_lane_is_for_one_cell(probe: dict[str, Any]) -> None:
    assert len(probe["taken"]) == 3


@pytest.mark.long
@needs_jax
def test_no_lane_makes_a_step_while_they_are_paused(probe: dict[str, Any]) -> None:
    assert probe["paused"] == [1, 1, 6]


def test_other_backends_have_no_lanes() -> None:
    with pytest.raises(ConfigurationError, match="KERAS_BACKEND=jax"):
        make_lanes("tensorflow", 2)
