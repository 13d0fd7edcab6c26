"""A study on a real Slurm: tasks are cancelled and reach their time limit, a node loses its power, no bit changes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarker import Stream
from tests.plugins.clusters.mini_slurm import MiniSlurm, is_installed, running
from tests.run.comparing import SMALL, assert_equal_runs, lay_out, runs, surroundings

pytestmark = [
    pytest.mark.clusters,
    pytest.mark.timeout(7200),
    pytest.mark.skipif(not is_installed(), reason="needs slurm-wlm and munge, and root"),
]

# `make test-clusters-long` cancels a hundred tasks of 24 cells, and cuts the power four times.
CANCELLED = int(os.environ.get("CANCELLED", "4"))
CUTS = max(1, CANCELLED // 25)
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


def test_cancelled_tasks_and_a_lost_node_change_no_bit(cluster: MiniSlurm, tmp_path: Path, command_line: Any) -> None:
    folder = lay_out(tmp_path / "cluster", **CHANGES)
    environment = {**surroundings(folder), **cluster.environment}
    submit = ("submit", "killed.yaml", "-p", "study", "--executor", "slurm", "--mem", "1000")
    draws = Stream("cancelled-tasks", seed=8901).generator()
    done = command_line.run(*submit, cwd=folder, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    n_runs = len(json.loads((folder / "study" / "plan.json").read_text())["cells"]) + N_SEEDS
    cancelled = cuts = 0
    until = time.monotonic() + PATIENCE
    while len(runs(folder / "study")) < n_runs:
        assert time.monotonic() < until, command_line.run("status", "study", cwd=folder, env=environment).stdout
        working = [name for name, state in cluster.tasks().items() if state == "RUNNING"]
        snapshots = list((folder / "study" / "runs").glob(".*/snapshot-*"))
        if working and snapshots and cancelled < CANCELLED:
            cluster.command("scancel", str(draws.choice(working)))
            cancelled += 1
            if cancelled % (CANCELLED // CUTS) == 0:
                name = cluster.names[cuts % len(cluster.names)]
                cluster.cut_power(name)
                cluster.start_node(name)
                cuts += 1
        time.sleep(float(draws.uniform(0.5, 2.0)))
        if not cluster.tasks() and len(runs(folder / "study")) < n_runs:
            status = command_line.run("status", "study", cwd=folder, env=environment).stdout
            assert "lost" in status, status
            done = command_line.run(*submit, cwd=folder, env=environment)
            assert done.returncode == 0, done.stdout + done.stderr
    assert cancelled == CANCELLED
    assert cuts == CUTS
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
