"""On JAX, too, a killed run goes on to the bits of one that never was."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from tests.run.comparing import COMMAND, assert_equal_runs, assert_whole, lay_out
from tests.run.killing import REGISTRY, KilledStudy

SEED = 8924  # draws a worker, then the parent
# Every start compiles for longer than it trains: two kills, in a snapshot and in what follows training.
STAGES = ("snapshot", "results")


@pytest.mark.kill
@pytest.mark.timeout(900)
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs the extra jax")
def test_kills_change_no_bit_on_jax(tmp_path: Path, command_line: Any) -> None:
    environment = {"BENCHMARKER_CACHE": str(tmp_path / "cache"), "KERAS_BACKEND": "jax"}
    changes = {"models": [REGISTRY["models"][0] | {"epochs": 10}]}
    undisturbed = lay_out(tmp_path / "undisturbed", **changes)
    done = command_line.run(*COMMAND, cwd=undisturbed, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = lay_out(tmp_path / "killed", **changes)
    study = KilledStudy(
        folder, COMMAND, environment, lambda _run, times: STAGES[times] if times < len(STAGES) else None, seed=SEED
    )
    study.run(limit=len(STAGES), patience=600)
    assert len(study.kills) >= 2, study.kills
    assert_equal_runs(folder / "study", undisturbed / "study")
    assert_whole(study, folder, command_line, environment)
