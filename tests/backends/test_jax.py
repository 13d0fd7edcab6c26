"""JAX gives the same bits on any number of cores, and after an interruption."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarker.backends import chosen, worker_environment

PROBE = Path(__file__).parent / "jax_probe.py"
THREADS = 2

needs_jax = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs the extra jax")


@pytest.fixture(scope="module")
def probes(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """A process on all cores, whose second training is interrupted, and one on a single core that continues it."""
    folder = tmp_path_factory.mktemp("snapshots")
    found = []
    for cores in ("0", "1"):
        done = subprocess.run(
            [sys.executable, str(PROBE), cores, str(THREADS), str(folder)],
            env=worker_environment("jax", THREADS),
            capture_output=True,
            check=False,
            timeout=250,
        )
        assert done.returncode == 0, done.stderr.decode()
        found.append(json.loads(done.stdout))
    return found


@pytest.mark.long
@needs_jax
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores to compare with one")
def test_jax_gives_the_same_bits_on_any_number_of_cores(probes: list[dict[str, Any]]) -> None:
    first, again = probes
    assert (first["cores"] >= 2, again["cores"]) == (True, 1)
    for name in ("head", "final", "best", "history"):
        assert again[name] == first[name]


@pytest.mark.long
@needs_jax
def test_jax_resumes_an_interrupted_training_bit_for_bit(probes: list[dict[str, Any]]) -> None:
    first, again = probes
    assert first["parted_links"] == first["links"][:-1]
    assert again["parted_links"] == first["links"]
    assert again["parted_best"] == first["best"]


@pytest.mark.long
@needs_jax
def test_jax_records_the_state_after_each_epoch(probes: list[dict[str, Any]]) -> None:
    """JAX trains on copies, which are written back at the end of an epoch, before callbacks read the variables."""
    first = probes[0]
    for name in ("weights", "random_state", "optimiser"):
        assert len({link["content"][name] for link in first["links"]}) == len(first["links"])
    # The memory of the best weights is not reused by later epochs.
    assert first["best_epoch"] < len(first["links"])
    assert first["links"][first["best_epoch"] - 1]["content"]["weights"] == first["best"]
    assert first["links"][-1]["content"]["weights"] == first["final"]
    rates = [row["learning_rate"] for row in first["history"]]
    assert rates[-1] == pytest.approx(rates[0] / 2)


@pytest.mark.long
@needs_jax
def test_jax_describes_itself(probes: list[dict[str, Any]]) -> None:
    described = probes[0]["described"]
    assert described["devices"]
    assert described["matmul_precision"] == "highest"
    assert described["x64"] is False
    assert "deterministic_ops=true" in described["xla_flags"]


@pytest.mark.long
@needs_jax
def test_jax_does_not_import_tensorflow(probes: list[dict[str, Any]]) -> None:
    assert probes[0]["tensorflow"] is False


@pytest.mark.long
@needs_jax
def test_threads_that_are_not_pinned_are_a_determinism_error(probes: list[dict[str, Any]]) -> None:
    name, message = probes[0]["configured_too_late"]
    assert name == "DeterminismError"
    assert f"{THREADS + 1} threads (it started {THREADS})" in message


def test_jax_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert chosen() == "jax"


def test_worker_environment_drops_jax_switches_of_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    monkeypatch.setenv("JAX_ENABLE_X64", "1")
    monkeypatch.setenv("JAX_DEFAULT_PRNG_IMPL", "rbg")
    for name in ("PJRT_NPROC", "NPROC"):
        monkeypatch.setenv(name, "64")
    environment = worker_environment("jax", 3)
    assert environment["PJRT_NPROC"] == "3"
    assert environment["JAX_ENABLE_X64"] == "0"
    assert "fast_math" not in environment["XLA_FLAGS"]
    assert not {"NPROC", "JAX_DEFAULT_PRNG_IMPL"} & environment.keys()


def test_worker_environment_does_not_import_jax() -> None:
    script = (
        "import sys; from benchmarker.backends import worker_environment; worker_environment('jax', 2); "
        "sys.exit(sorted({'jax', 'tensorflow', 'keras'} & sys.modules.keys()) or 0)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
