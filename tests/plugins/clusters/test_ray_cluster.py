"""A study on a real Ray cluster whose nodes are removed again and again: no bit changes, and nothing is lost.

Nodes are processes that `ray start` makes. A raylet now and then ends while it starts, because another process has
taken the port that it found free ("bind: Address already in use"). Such a node is started again.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarker import RunTask, Stream, Work
from benchmarker_clusters.ray_tasks import Needs, RayTasks
from tests.run.comparing import SMALL, assert_equal_runs, lay_out, runs, surroundings, write_registry

ray = pytest.importorskip("ray", reason="needs the extra clusters")

pytestmark = [pytest.mark.ray, pytest.mark.timeout(3000)]

# `make test-ray` removes twenty nodes under each of two tests; `make test-clusters` has all but the first, with three.
REMOVED = int(os.environ.get("REMOVED", "3"))
PATIENCE = 2400.0
START_SECONDS = 120.0
OBJECTS_BYTES = 80 << 20
QUICK_TO_NOTICE = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "10000",
    "RAY_health_check_failure_threshold": "3",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # 15 by default: beside anything else, tasks then hardly run at all
}
CHANGES: dict[str, Any] = {
    "models": [SMALL | {"epochs": 40}],
    "arms": ["real", {"name": "painted", "generated": {"by": "cgan", "ratio": 0.5}}],
    "generators": [{"generator": "cgan", "epochs": 2, "options": {"batch_size": 8}}],
}


class Nodes:
    """A cluster of two nodes with one core each besides its head, which runs nothing; this process is connected to it.

    Parameters
    ----------
    folder : Path
        Folder of the output of the nodes.
    """

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
        self.address = f"127.0.0.1:{port}"
        self._output = folder / "ray.txt"
        self._head = self._start("--head", f"--port={port}", "--num-cpus=0", "--include-dashboard=false")
        self._nodes: list[subprocess.Popen[bytes]] = []
        try:
            self._connect()
            self._nodes += [self._add(), self._add()]
        except BaseException:
            self.shut_down()
            raise

    def replace(self, number: int) -> None:
        """Take a node out of the cluster as a power cut does, and add another."""
        end(self._nodes.pop(number))
        self._nodes.append(self._add())

    def replace_all(self) -> int:
        """Take all nodes out at once, add as many others, and return their number."""
        lost, self._nodes = self._nodes, []
        for node in lost:
            end(node)
        self._nodes += [self._add() for _ in lost]
        return len(lost)

    def shut_down(self) -> None:
        """End everything."""
        ray.shutdown()
        for process in (*self._nodes, self._head):
            end(process)

    def _connect(self) -> None:
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                ray.init(self.address, log_to_driver=False, logging_level=logging.ERROR)
            except (ConnectionError, ValueError, RuntimeError):
                assert time.monotonic() < until, self._output.read_text()
                time.sleep(0.5)
            else:
                return

    def _add(self) -> subprocess.Popen[bytes]:
        """Start a node, again if it ends while it starts."""
        before = {node["NodeID"] for node in ray.nodes()}
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            process = self._start("--address", self.address, "--num-cpus=1")
            while process.poll() is None and time.monotonic() < until:
                if any(node["Alive"] for node in ray.nodes() if node["NodeID"] not in before):
                    return process
                time.sleep(0.1)
            end(process)
        raise AssertionError(self._output.read_text())

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        command = (sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats")
        with self._output.open("ab") as output:
            return subprocess.Popen(
                [*command, "--object-store-memory", str(OBJECTS_BYTES), *words],
                env={**os.environ, **QUICK_TO_NOTICE},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )


def end(node: subprocess.Popen[bytes]) -> None:
    """Kill a node and everything that it has started."""
    with contextlib.suppress(psutil.NoSuchProcess):
        found = psutil.Process(node.pid)
        for process in (*found.children(recursive=True), found):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    node.wait()


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    found = Nodes(tmp_path)
    yield found
    found.shut_down()


STAND_IN = """
import os, pathlib, sys, time
path, n_steps = pathlib.Path(sys.argv[1]), int(sys.argv[2])
done = len(path.read_text().splitlines()) if path.exists() else 0
for step in range(done, n_steps):
    time.sleep(0.5)
    with path.open("a") as stream: stream.write(f"{step} {os.getpid()}\\n")
"""
N_TASKS, N_STEPS = 8, 10 + 4 * REMOVED


def test_removed_nodes_lose_no_step_and_repeat_none(nodes: Nodes, tmp_path: Path) -> None:
    """Tasks resume as cells do: they keep each step, and begin after the last one that was kept."""
    files = [tmp_path / f"task-{number}" for number in range(N_TASKS)]
    cells = tuple(
        RunTask(keys=(file.name,), command=(sys.executable, "-c", STAND_IN, str(file), str(N_STEPS))) for file in files
    )
    draws = Stream("removed-nodes", seed=1826).generator()
    done = threading.Event()
    removed: list[int] = []

    def n_steps() -> int:
        return sum(len(file.read_text().splitlines()) for file in files if file.exists())

    def remove() -> None:
        seen = 0
        while len(removed) < REMOVED and not done.wait(0.1):
            if n_steps() > seen:  # something runs
                done.wait(float(draws.uniform(0.0, 2.0)))
                removed.append(int(draws.integers(2)))
                nodes.replace(removed[-1])
                seen = n_steps()

    remover = threading.Thread(target=remove)
    remover.start()
    try:
        work = Work(study=tmp_path, registry=tmp_path / "registry.yaml", folder=tmp_path, cells=cells)
        errors = RayTasks(ray, work, Needs(cores=1)).run(print)
    finally:
        done.set()
        remover.join()
    assert errors == 0
    assert len(removed) == REMOVED
    lines = {file.name: [line.split() for line in file.read_text().splitlines()] for file in files}
    assert {name: [int(step) for step, _ in each] for name, each in lines.items()} == {
        file.name: list(range(N_STEPS)) for file in files
    }
    assert sum(len({process for _, process in each}) - 1 for each in lines.values()) > 0  # some went on elsewhere


@pytest.mark.clusters
def test_removed_nodes_change_no_bit(nodes: Nodes, tmp_path: Path, command_line: Any) -> None:
    """Cells resume on other nodes; the study gets another seed until enough nodes have been removed."""
    folder = lay_out(tmp_path / "cluster", **CHANGES, seeds=[1])
    environment = {**surroundings(folder), "BENCHMARKER_HEARTBEAT": "0.5"}
    draws = Stream("removed-nodes", seed=8901).generator()
    done = threading.Event()
    removed: list[int] = []

    def remove() -> None:
        before: set[Path] = set()
        while sum(removed) < REMOVED and not done.wait(0.2):
            found = set((folder / "study" / "runs").glob(".*/snapshot-*"))
            if found - before:  # an epoch has ended since
                done.wait(float(draws.uniform(0.0, 1.0)))
                if draws.integers(3):
                    nodes.replace(int(draws.integers(2)))
                    removed.append(1)
                else:
                    removed.append(nodes.replace_all())
                before = set((folder / "study" / "runs").glob(".*/snapshot-*"))

    submit = ("submit", "killed.yaml", "-p", "study", "--executor", "ray", "--address", nodes.address)
    environment["RAY_ADDRESS"] = nodes.address
    remover = threading.Thread(target=remove)
    remover.start()
    seeds: list[int] = []
    until = time.monotonic() + PATIENCE
    try:
        while not seeds or sum(removed) < REMOVED:
            seeds.append(len(seeds) + 1)
            write_registry(folder, **CHANGES, seeds=seeds)
            for words in (submit, ("status", "study", "--follow")):
                with command_line.start(*words, cwd=folder, env=environment) as process:
                    try:
                        out, err = process.communicate(timeout=until - time.monotonic())
                    finally:
                        process.kill()
                assert process.returncode == 0, out + err
    finally:
        done.set()
        remover.join()
    assert sum(removed) >= REMOVED
    n_runs = len(json.loads((folder / "study" / "plan.json").read_text())["cells"]) + len(seeds)
    assert len(runs(folder / "study")) == n_runs == 3 * len(seeds)
    local = lay_out(tmp_path / "local", **CHANGES, seeds=seeds)
    alone = command_line.start("run", "killed.yaml", "-p", "study", cwd=local, env=surroundings(local))
    out, err = alone.communicate(timeout=PATIENCE)
    assert alone.returncode == 0, out + err
    assert_equal_runs(folder / "study", local / "study")


CHECK = """
import pathlib, sys
from benchmarker.discovery import installed
from benchmarker.testing import check_executor
check_executor(installed().executor("ray"), pathlib.Path(sys.argv[1]), options={"address": sys.argv[2]}, patience=120)
"""


@pytest.mark.clusters
def test_executor_keeps_its_contract_on_a_cluster(nodes: Nodes, tmp_path: Path) -> None:
    """Its coordinator goes on without the process that submitted, answers another one, and ends with the last task."""
    (tmp_path / "tasks").mkdir()
    command = (sys.executable, "-c", CHECK, str(tmp_path / "tasks"), nodes.address)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ended with an error" in (tmp_path / "tasks" / "tasks.txt").read_text()


@pytest.mark.clusters
def test_interrupted_commands_leave_the_tasks_until_they_are_cancelled(
    nodes: Nodes, tmp_path: Path, command_line: Any
) -> None:
    folder = lay_out(tmp_path / "cluster", models=[SMALL | {"epochs": 100_000}], arms=["real"], seeds=[1])
    environment = {**surroundings(folder), "RAY_ADDRESS": nodes.address}
    submit = ("submit", "killed.yaml", "-p", "study", "--executor", "ray", "--address", "auto")
    assert command_line.run(*submit, cwd=folder, env=environment).returncode == 0
    follow = command_line.start("status", "study", "--follow", cwd=folder, env=environment)
    until = time.monotonic() + START_SECONDS
    while not list((folder / "study" / "runs").glob(".*/snapshot-*")):
        assert time.monotonic() < until
        time.sleep(0.2)
    follow.send_signal(signal.SIGINT)
    _, err = follow.communicate(timeout=60)
    assert follow.returncode == 130, err
    assert "The tasks go on." in err
    assert "1 running" in command_line.run("status", "study", cwd=folder, env=environment).stdout
    again = command_line.run(*submit, cwd=folder, env=environment)
    assert "nothing is left" in again.stdout, again.stdout + again.stderr
    elsewhere = {name: value for name, value in environment.items() if name != "RAY_ADDRESS"}
    told = command_line.run("status", "study", cwd=folder, env=elsewhere | {"RAY_ADDRESS": "127.0.0.1:9"})
    port = nodes.address.rpartition(":")[2]
    assert f":{port}; set RAY_ADDRESS to it if it is yours" in told.stderr
    done = command_line.run("cancel", "study", cwd=folder, env=environment)
    assert "1 task cancelled" in done.stdout, done.stdout + done.stderr
    while " lost" not in command_line.run("status", "study", cwd=folder, env=environment).stdout:
        assert time.monotonic() < until
        time.sleep(0.5)
    events = folder / "study" / "runs"
    size = {path: path.stat().st_size for path in events.glob(".*/events.jsonl")}
    time.sleep(3)
    assert size == {path: path.stat().st_size for path in events.glob(".*/events.jsonl")}
    assert size
