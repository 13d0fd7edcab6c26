"""TensorFlow gives the same bits in any process, on any number of cores, whatever ran before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarker.backends import worker_environment

PROBE = Path(__file__).parent / "determinism_probe.py"
THREADS = 2


def _start(cores: int, *seeds: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, str(PROBE), str(cores), str(THREADS), *map(str, seeds)],
        env=worker_environment("tensorflow", THREADS),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.fixture(scope="module")
def probes() -> dict[str, Any]:
    """Results of the probe on all cores and on one."""
    started = {"all": _start(0, 8901, 1826, 8901), "one": _start(1, 8901)}
    found = {}
    for name, process in started.items():
        output, errors = process.communicate(timeout=200)
        assert process.returncode == 0, errors.decode()
        found[name] = json.loads(output)
    return found


def test_same_seed_gives_the_same_bits(probes: dict[str, Any]) -> None:
    first, _, again = probes["all"]["fits"]
    assert again == first


def test_another_seed_gives_other_bits(probes: dict[str, Any]) -> None:
    first, other, _ = probes["all"]["fits"]
    assert other["initial"] != first["initial"]
    assert other["final"] != first["final"]
    assert first["final"] != first["initial"]


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores to compare with one")
def test_bits_do_not_depend_on_the_number_of_cores(probes: dict[str, Any]) -> None:
    assert probes["one"]["cores"] == 1
    assert probes["all"]["cores"] >= 2
    assert probes["one"]["fits"] == probes["all"]["fits"][:1]


def test_tensorflow_describes_itself(probes: dict[str, Any]) -> None:
    described = probes["all"]["described"]
    assert described["op_determinism"] is True
    assert described["tensor_float_32"] is False
    assert described["onednn"] == "1"
    assert described["devices"]
    assert described["version"].split(".")[0] == "2"


def test_configuring_tensorflow_too_late_is_a_determinism_error(probes: dict[str, Any]) -> None:
    name, message = probes["all"]["configured_too_late"]
    assert name == "DeterminismError"
    assert "before its threads were pinned" in message
