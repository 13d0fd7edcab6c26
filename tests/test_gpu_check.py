"""The check of a GPU, run on the CPU with as little as possible."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.gpu_sharing import Sharing, differences

ROOT = Path(__file__).parents[1]


@pytest.mark.long
def test_cells_that_run_at_once_are_compared_with_one_at_once(tmp_path: Path) -> None:
    arguments = ["--cpu", "--measure", "sharing", "--cells", "2", "--at-once", "2", "--epochs", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu_check", *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "NO GPU WAS MEASURED" in done.stdout
    assert "the same bits in all predictions" in done.stdout
    found = json.loads((tmp_path / "build" / "gpu_check.json").read_text())
    assert "networks" not in found
    shared = found["sharing"]
    assert (shared["gpu"], shared["cells"], shared["at_once"], shared["differences"]) == (None, 2, 2, [])
    assert shared["ratio"] == shared["several_seconds"] / shared["one_seconds"]


@pytest.mark.long
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs the extra jax")
def test_seeds_in_one_program_are_compared_with_seeds_apart(tmp_path: Path) -> None:
    arguments = ["--cpu", "--measure", "seeds", "--seeds", "2", "--epochs", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu_check", *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "2 seeds of 1 epoch in one program" in done.stdout
    assert "NO GPU WAS MEASURED" in done.stdout
    assert "the same bits whichever seeds are beside it" in done.stdout
    found = json.loads((tmp_path / "build" / "gpu_check.json").read_text())["seeds"]
    assert (found["gpu"], found["seeds"], found["differences"]) == (None, 2, [])
    assert found["ratio"] == found["together_seconds"] / found["apart_seconds"]


def test_different_predictions_are_named() -> None:
    one = {"a/real/1": {"data": "d", "predictions_best": "p"}, "a/real/2": {"data": "d", "predictions_best": "q"}}
    assert differences(one, one) == ()
    other = {**one, "a/real/2": {"data": "d", "predictions_best": "r"}}
    assert differences(one, other) == ("a/real/2: predictions_best",)
    assert differences(one, {"a/real/1": one["a/real/1"]}) == ("a/real/2: data, predictions_best",)
    assert differences({"a/real/1": {"data": "d"}}, {"a/real/1": {"data": "d"}}) == ("a/real/1: no predictions",)


def test_differences_and_the_gpu_are_printed() -> None:
    shared = Sharing(
        gpu="0", cells=4, at_once=2, one_seconds=8.0, several_seconds=4.0, differences=("a/real/1: predictions_best",)
    )
    first, second = shared.lines()
    assert first == "4 cells, 2 at once against one at once, on GPU 0"
    assert second == "4.0 s / 8.0 s = 0.50; DIFFER: a/real/1: predictions_best"
