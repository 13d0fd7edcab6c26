"""Runs that are killed with SIGKILL again and again, and resume to the bits of undisturbed runs.

With those of ``test_jax.py`` there are more than twenty kills.
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarker import Stream
from tests.run.comparing import COMMAND, assert_equal_runs, assert_whole, lay_out, runs, surroundings
from tests.run.killing import IMAGES_PER_CLASS, KilledStudy

# Draws every kind of victim, each at another stage, and three different files to kill results at.
SEED = 9009
KILLS = 19
# Each start of a worker costs the import of TensorFlow: kills of data that are prepared are cheaper, and most others
# end a worker alone.
KILLS_OF_PREPARATION = 9
VICTIMS = (*9 * ("worker",), "parent", "parent first", "worker first")


def stage(run: str, times: int) -> str | None:
    """Kill each run between snapshots and in them, then in its results."""
    order = Stream("kill-stages", seed=SEED, run=run).generator().permutation(4)
    trained = ("training", "training", "snapshot", "snapshot")
    stages = [*(trained[k] for k in order), "results", "results", "results"]
    return stages[times] if times < len(stages) else None


@pytest.fixture(scope="module")
def never(tmp_path_factory: pytest.TempPathFactory, command_line: Any) -> Path:
    """The study, run once without kills."""
    folder = lay_out(tmp_path_factory.mktemp("never") / "stopped")
    done = command_line.run(*COMMAND, "--jobs", "2", cwd=folder, env=surroundings(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "study"


@pytest.mark.kill
@pytest.mark.timeout(1800)
def test_kills_change_no_bit(never: Path, tmp_path: Path, command_line: Any) -> None:
    folder = lay_out(tmp_path / "killed")
    environment = surroundings(folder)
    cache = folder / "cache"
    study = KilledStudy(folder, [*COMMAND, "--jobs", "2"], environment, stage, seed=SEED, victims=VICTIMS)
    study.interrupt_preparation(cache, 4 * IMAGES_PER_CLASS, KILLS_OF_PREPARATION)
    study.run(limit=KILLS, patience=1500)
    stages = Counter(kill.stage for kill in study.kills)
    assert len(study.kills) >= KILLS, study.kills
    assert set(stages) == {"preparation", "training", "snapshot", "results"}
    assert any(kill.inside for kill in study.kills if kill.stage == "snapshot"), study.kills
    assert {kill.run for kill in study.kills if kill.run} == set(runs(never))
    assert_equal_runs(folder / "study", never)
    assert not list(cache.rglob("*.partial"))
    assert_whole(study, folder, command_line, environment)


@pytest.mark.kill
def test_the_learning_rate_falls_while_runs_are_killed(never: Path) -> None:
    for folder in runs(never).values():
        with (folder / "history.csv").open() as stream:
            assert len({row["learning_rate"] for row in csv.DictReader(stream)}) > 1
