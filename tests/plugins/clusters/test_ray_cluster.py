"""A study on a real Ray cluster whose nodes are removed again and again: no bit changes, and nothing is lost."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarker import RunTask, Stream, Work
from benchmarker_clusters import on_ray
from tests.run.comparing import SMALL, assert_equal_runs, lay_out, runs, surroundings

cluster_utils = pytest.importorskip("ray.cluster_utils", reason="needs the extra clusters")

pytestmark = [pytest.mark.ray, pytest.mark.timeout(3000)]

REMOVED = int(os.environ.get("REMOVED", "3"))
PATIENCE = 2400.0
OBJECTS = {"object_store_memory": 80 << 20}
CHANGES: dict[str, Any] = {
    "models": [
        SMALL | {"name": name, "epochs": 12, "learning_rate": rate} for name, rate in (("a", 1e-3), ("b", 2e-3))
    ],
    "arms": ["real", {"name": "painted", "generated": {"by": "cgan", "ratio": 0.5}}],
    "generators": [{"generator": "cgan", "epochs": 2, "options": {"batch_size": 8}}],
    "seeds": [1, 2],
}


def patiently(start: Callable[[], Any]) -> Any:
    """Start a node, again if need be: Ray gives it half a minute, which a busy machine exceeds."""
    for _ in range(4):
        with contextlib.suppress(Exception):
            return start()
    return start()


class Nodes:
    """A cluster of two nodes besides its head, which runs nothing."""

    def __init__(self) -> None:
        head = {"num_cpus": 0, "include_dashboard": False, **OBJECTS}
        self._cluster = patiently(lambda: cluster_utils.Cluster(initialize_head=True, head_node_args=head))
        self._nodes = [self._add(), self._add()]

    @property
    def address(self) -> str:
        """Address of the head."""
        return str(self._cluster.address)

    def replace(self, number: int) -> None:
        """Take a node out of the cluster as a power cut does, and add another."""
        self._cluster.remove_node(self._nodes.pop(number), allow_graceful=False)
        self._nodes.append(self._add())

    def _add(self) -> Any:
        return patiently(lambda: self._cluster.add_node(num_cpus=1, **OBJECTS))

    def shut_down(self) -> None:
        """End everything."""
        self._cluster.shutdown()


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    found = Nodes()
    yield found
    found.shut_down()


def test_task_of_a_lost_node_runs_again_elsewhere_and_its_process_ends(nodes: Nodes, tmp_path: Path) -> None:
    code = (
        "import os, pathlib, sys, time\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "path.with_name(f'{path.name}.{os.getpid()}').touch()\n"
        "until = time.monotonic() + (1 if path.exists() else 600)\n"
        "path.touch()\n"
        "while time.monotonic() < until: time.sleep(0.05)\n"
    )
    names = ("a", "b")
    cells = tuple(RunTask(keys=(name,), command=(sys.executable, "-c", code, str(tmp_path / name))) for name in names)
    started = time.monotonic()

    def remove() -> None:
        for number in (0, 0):
            while not all((tmp_path / name).exists() for name in names):
                time.sleep(0.1)
            nodes.replace(number)

    remover = threading.Thread(target=remove)
    with on_ray.connected(nodes.address) as ray:
        remover.start()
        work = Work(study=tmp_path, registry=tmp_path / "registry.yaml", folder=tmp_path, cells=cells)
        assert on_ray.run_tasks(ray, work, on_ray.Needs(cores=1)) == 0
        remover.join()
    assert time.monotonic() - started < 590
    processes = [int(path.suffix[1:]) for path in tmp_path.glob("?.*")]
    assert len(processes) >= 4  # each at least twice
    until = time.monotonic() + 60
    while any(Path(f"/proc/{process}").exists() for process in processes):
        assert time.monotonic() < until
        time.sleep(0.1)


def test_removed_nodes_change_no_bit(nodes: Nodes, tmp_path: Path, command_line: Any) -> None:
    folder = lay_out(tmp_path / "cluster", **CHANGES)
    environment = {**surroundings(folder), "BENCHMARKER_HEARTBEAT": "0.5"}
    draws = Stream("removed-nodes", seed=8901).generator()
    done = threading.Event()
    removed: list[int] = []

    def remove() -> None:
        while not done.wait(float(draws.uniform(1.0, 6.0))) and len(removed) < REMOVED:
            if list((folder / "study" / "runs").glob(".*/snapshot-*")):
                removed.append(int(draws.integers(2)))
                nodes.replace(removed[-1])

    remover = threading.Thread(target=remove)
    remover.start()
    try:
        submit = ("submit", "killed.yaml", "-p", "study", "--executor", "ray", "--address", nodes.address)
        process = command_line.start(*submit, cwd=folder, env=environment)
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        done.set()
        remover.join()
    assert process.returncode == 0, out + err
    n_runs = len(json.loads((folder / "study" / "plan.json").read_text())["cells"]) + 2
    assert f"{n_runs} finished" in out
    assert len(runs(folder / "study")) == n_runs
    assert len(removed) == REMOVED
    local = lay_out(tmp_path / "local", **CHANGES)
    alone = command_line.run("run", "killed.yaml", "-p", "study", cwd=local, env=surroundings(local))
    assert alone.returncode == 0, alone.stdout + alone.stderr
    assert_equal_runs(folder / "study", local / "study")
