"""A study on a real Slurm: tasks are cancelled and reach their time limit, a node loses its power, no bit changes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarker import Stream
from tests.plugins.clusters.mini_slurm import MiniSlurm, is_installed, running
from tests.registries import tiny, write_registry
from tests.run.comparing import SMALL, assert_equal_runs, lay_out, runs, surroundings
from tests.run.comparing import write_registry as write_killed_registry

pytestmark = [
    pytest.mark.clusters,
    pytest.mark.timeout(7200),
    pytest.mark.skipif(not is_installed(), reason="needs slurm-wlm and munge, and root"),
]

# `make test-clusters-long` cancels a hundred tasks of 24 cells, requeues ten, cuts the power of four nodes, kills the
# daemons of four, and sets a time limit.
CANCELLED = int(os.environ.get("CANCELLED", "4"))
CUTS = REQUEUED = max(1, CANCELLED // 25)
KILLED = CANCELLED // 25
LIMIT = os.environ.get("LIMIT")
N_SEEDS = int(os.environ.get("SEEDS", "2"))
EPOCHS = int(os.environ.get("EPOCHS", "12"))
PATIENCE = float(os.environ.get("PATIENCE", "1200"))
CHANGES: dict[str, Any] = {
    "models": [
        SMALL | {"name": name, "epochs": EPOCHS, "learning_rate": rate} for name, rate in (("a", 1e-3), ("b", 2e-3))
    ],
    "arms": ["real", {"name": "painted", "generated": {"by": "cgan", "ratio": 0.5}}],
    "generators": [{"generator": "cgan", "epochs": 2, "options": {"batch_size": 8}}],
    "seeds": list(range(1, N_SEEDS + 1)),
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniSlurm]:
    with running(tmp_path_factory.mktemp("cluster") / "slurm", nodes=3, cores=1) as cluster:
        yield cluster


class Disturbances:
    """What happens to the tasks of a study, in a random but fixed order: most are cancelled.

    Parameters
    ----------
    cluster : MiniSlurm
        Where they run.
    """

    def __init__(self, cluster: MiniSlurm) -> None:
        self._cluster = cluster
        self._draws = Stream("cancelled-tasks", seed=8901).generator()
        kinds = {"cancelled": CANCELLED, "requeued": REQUEUED, "cut": CUTS, "killed": KILLED}
        self._waiting = [kind for kind, number in kinds.items() for _ in range(number)]
        self._draws.shuffle(self._waiting)
        self._down: list[str] = []
        self.done: dict[str, int] = dict.fromkeys(kinds, 0)

    def add(self, working: list[str]) -> None:
        """Let the next thing happen to one of the running tasks, or to the node of one."""
        if not self._waiting:
            return
        kind = self._waiting.pop()
        try:
            happened = self._disturb(kind, str(self._draws.choice(working)))
        except subprocess.CalledProcessError:  # the task has just ended
            happened = False
        if happened:
            self.done[kind] += 1
        else:
            self._waiting.insert(0, kind)

    def _disturb(self, kind: str, task: str) -> bool:
        """Return whether it could happen."""
        if kind == "cancelled":
            self._cluster.command("scancel", task)
            return True
        if kind == "requeued":
            self._cluster.command("scontrol", "requeue", task)
            return True
        node = self._cluster.command("squeue", "-h", "-j", task, "-o", "%N").strip()
        if node not in self._cluster.names or node in self._down:
            return False
        if kind == "cut":
            self._cluster.cut_power(node)
            self._cluster.start_node(node)
        else:
            self._cluster.kill_daemon(node)
            self._down.append(node)
        return True

    def mend(self) -> None:
        """Start the daemons of nodes that Slurm has lost, and whose tasks therefore run twice."""
        for name in [name for name in self._down if self._cluster.is_down(name)]:
            self._cluster.start_node(name)
            self._down.remove(name)

    def pause(self) -> float:
        """Return the seconds until the next look."""
        return float(self._draws.uniform(0.5, 2.0))


def test_cancelled_tasks_and_a_lost_node_change_no_bit(cluster: MiniSlurm, tmp_path: Path, command_line: Any) -> None:
    folder = lay_out(tmp_path / "cluster", **CHANGES)
    # A task that must wait for a minute until a lost one counts as lost would always reach a limit of two minutes.
    environment = {**surroundings(folder), **cluster.environment, "BENCHMARKER_HEARTBEAT": "1"}
    submit = ["submit", "killed.yaml", "-p", "study", "--executor", "slurm", "--mem", "1000"]
    submit += ["--time", LIMIT] if LIMIT else []
    disturbances = Disturbances(cluster)
    done = command_line.run(*submit, cwd=folder, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    n_runs = len(json.loads((folder / "study" / "plan.json").read_text())["cells"]) + N_SEEDS
    until = time.monotonic() + PATIENCE
    while len(runs(folder / "study")) < n_runs:
        assert time.monotonic() < until, command_line.run("status", "study", cwd=folder, env=environment).stdout
        working = [name for name, state in cluster.tasks().items() if state == "RUNNING"]
        snapshots = list((folder / "study" / "runs").glob(".*/snapshot-*"))
        if working and snapshots:
            disturbances.add(working)
        disturbances.mend()
        time.sleep(disturbances.pause())
        if not cluster.tasks() and len(runs(folder / "study")) < n_runs:
            status = command_line.run("status", "study", cwd=folder, env=environment).stdout
            assert "lost" in status, status
            done = command_line.run(*submit, cwd=folder, env=environment)
            assert done.returncode == 0, done.stdout + done.stderr
    assert disturbances.done == {"cancelled": CANCELLED, "requeued": REQUEUED, "cut": CUTS, "killed": KILLED}
    cluster.await_empty_queue(60)
    local = lay_out(tmp_path / "local", **CHANGES)
    process = command_line.start("run", "killed.yaml", "-p", "study", cwd=local, env=surroundings(local))
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, out + err
    assert_equal_runs(folder / "study", local / "study")
    status = command_line.run("status", "study", cwd=folder, env=environment).stdout
    assert f"{n_runs} finished" in status
    again = command_line.run(*submit, cwd=folder, env=environment)
    assert "nothing is left" in again.stdout


def test_time_limit_queues_a_task_again(cluster: MiniSlurm, tmp_path: Path, command_line: Any) -> None:
    """Slurm sends the signal a minute before the limit of one minute, so within seconds."""
    folder = lay_out(tmp_path / "limited", models=[SMALL | {"epochs": 100_000}], arms=["real"])
    environment = {**surroundings(folder), **cluster.environment}
    done = command_line.run(
        "submit", "killed.yaml", "-p", "study", "--executor", "slurm", "--time", "1", cwd=folder, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    output = folder / "study" / "cluster" / "1" / "cells-1.txt"
    until = time.monotonic() + PATIENCE
    while not output.exists() or output.read_text().count("started") + output.read_text().count("resumes") < 2:
        assert time.monotonic() < until, output.read_text() if output.exists() else cluster.tasks()
        assert cluster.tasks(), output.read_text()
        time.sleep(0.5)
    done = command_line.run("cancel", "study", cwd=folder, env=environment)
    assert "1 task cancelled" in done.stdout or "no task" in done.stdout
    cluster.await_empty_queue(60)


def test_cells_of_a_second_submission_wait_in_the_queue_for_generators_of_the_first(
    cluster: MiniSlurm, tmp_path: Path, command_line: Any
) -> None:
    folder = lay_out(tmp_path / "twice", **CHANGES | {"models": CHANGES["models"][:1]})
    environment = {**surroundings(folder), **cluster.environment}
    submit = ("submit", "killed.yaml", "-p", "study", "--executor", "slurm", "--mem", "1000")
    for models in (CHANGES["models"][:1], CHANGES["models"]):
        write_killed_registry(folder, **CHANGES | {"models": models})
        done = command_line.run(*submit, cwd=folder, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
    assert not (folder / "study" / "cluster" / "2" / "generators.sh").exists()
    second = json.loads((folder / "study" / "cluster" / "2" / "submission.json").read_text())["jobs"][0]["number"]
    plan = json.loads((folder / "study" / "plan.json").read_text())
    generators = {each["key"][:16] for each in plan["generators"]}
    waited = False
    until = time.monotonic() + PATIENCE
    while tasks := cluster.tasks():
        assert time.monotonic() < until, tasks
        trained = generators <= set(runs(folder / "study"))  # looked at after the queue: the order of events
        began = any(name.startswith(f"{second}_") and state == "RUNNING" for name, state in tasks.items())
        assert trained or not began, tasks
        waited |= not trained
        time.sleep(0.2)
    assert waited
    assert set(runs(folder / "study")) >= {each["key"][:16] for each in plan["cells"]}


def test_odd_folder_and_images_beside_the_registry(
    cluster: MiniSlurm, tmp_path: Path, fits_folder: Path, command_line: Any
) -> None:
    """Slurm reads the options in a job script in its own way, and paths in a registry start at its folder."""
    folder = tmp_path / "it's my #1 study, 5%"
    folder.mkdir()
    shutil.copytree(fits_folder, folder / "images")
    write_registry(folder / "mine.yaml", **tiny("images"))
    environment = {"BENCHMARKER_CACHE": "cache", "BENCHMARKER_HOST": "login", **cluster.environment}
    submit = ("submit", "mine.yaml", "-p", "my study", "--executor", "slurm", "--mem", "1000")
    done = command_line.run(*submit, cwd=folder, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    follow = command_line.run("status", "my study", "--follow", cwd=folder, env=environment)
    output = folder / "my study" / "cluster" / "1" / "cells-1.txt"
    assert follow.returncode == 0, follow.stdout + follow.stderr + (output.read_text() if output.exists() else "")
    assert "1 of 1 cells ok" in output.read_text()
