"""Runs that are killed with SIGKILL again and again, and resume to the bits of undisturbed runs.

One test kills a study with one network a few times, another one a study with two networks more often; with the kills of
``test_jax.py`` there are more than twenty. They take a minute or more; ``test_failures.py`` kills single processes.
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarker import Stream
from tests.run.comparing import COMMAND, SMALL, assert_equal_runs, assert_whole, lay_out, runs, surroundings
from tests.run.killing import IMAGES_PER_CLASS, KilledStudy

SEED = 9009
# Each start of a worker costs the import of TensorFlow: kills of the preparation are cheaper, and most others end a
# worker alone.
KILLS, KILLS_OF_PREPARATION = 19, 9
VICTIMS = ("worker", "parent", "worker", "worker first", "worker", "parent first", "worker", "worker")
FEW_STAGES = ("training", "snapshot", "results")
FEW_VICTIMS = ("worker", "parent", "worker first")
FEW_KILLS_OF_PREPARATION = 3
ONE_NETWORK = {"models": [SMALL | {"epochs": 16}]}

pytestmark = [pytest.mark.kill, pytest.mark.long]


def many_stages(run: str, times: int) -> str | None:
    """Kill each run between snapshots and in them, then in its results."""
    order = Stream("kill-stages", seed=SEED, run=run).generator().permutation(4)
    trained = ("training", "training", "snapshot", "snapshot")
    stages = [*(trained[k] for k in order), "results", "results", "results"]
    return stages[times] if times < len(stages) else None


def few_stages(_run: str, times: int) -> str | None:
    """Kill a run once in each stage."""
    return FEW_STAGES[times] if times < len(FEW_STAGES) else None


def run_without_kills(folder: Path, command_line: Any, *arguments: str, **changes: Any) -> Path:
    """Run the study once without kills, and return its folder."""
    lay_out(folder, **changes)
    done = command_line.run(*COMMAND, *arguments, cwd=folder, env=surroundings(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "study"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, command_line: Any) -> Path:
    """A study with one network that was run once without kills."""
    return run_without_kills(tmp_path_factory.mktemp("never") / "stopped", command_line, **ONE_NETWORK)


def test_a_few_kills_change_no_bit(undisturbed: Path, tmp_path: Path, command_line: Any) -> None:
    folder = lay_out(tmp_path / "killed", **ONE_NETWORK)
    environment = surroundings(folder)
    study = KilledStudy(folder, COMMAND, environment, few_stages, seed=SEED, victims=FEW_VICTIMS)
    study.interrupt_preparation(folder / "cache", 4 * IMAGES_PER_CLASS, FEW_KILLS_OF_PREPARATION)
    study.run(limit=FEW_KILLS_OF_PREPARATION + len(FEW_STAGES), patience=250)
    assert [kill.stage for kill in study.kills] == [*FEW_KILLS_OF_PREPARATION * ["preparation"], *FEW_STAGES]
    assert {kill.victim for kill in study.kills} == set(FEW_VICTIMS)
    assert_equal_runs(folder / "study", undisturbed)
    assert not list((folder / "cache").rglob("*.partial"))
    assert_whole(study, folder, command_line, environment)


def test_the_learning_rate_falls_while_runs_are_killed(undisturbed: Path) -> None:
    (folder,) = runs(undisturbed).values()
    with (folder / "history.csv").open() as stream:
        assert len({row["learning_rate"] for row in csv.DictReader(stream)}) > 1


@pytest.mark.timeout(1800)
def test_many_kills_change_no_bit(tmp_path: Path, command_line: Any) -> None:
    never = run_without_kills(tmp_path / "never", command_line, "--jobs", "2")
    folder = lay_out(tmp_path / "killed")
    # Half a written snapshot is there for so short a time otherwise that a busy machine may never kill a worker then.
    environment = surroundings(folder, slow_disk=True)
    cache = folder / "cache"
    study = KilledStudy(folder, [*COMMAND, "--jobs", "2"], environment, many_stages, seed=SEED, victims=VICTIMS)
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
