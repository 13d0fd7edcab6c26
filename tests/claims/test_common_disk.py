"""Two machines share a study on a disk whose locks hold on one machine only, and are killed again and again."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from benchmarker import Stream
from benchmarker.claims import try_claim
from benchmarker.claims.holders import create
from tests.claims.common_disk import is_available, mounted
from tests.run.comparing import SMALL, assert_equal_runs, lay_out, runs, surroundings
from tests.run.conftest import QuickStudy
from tests.run.killing import leftovers

pytestmark = [
    pytest.mark.clusters,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(not is_available(), reason="needs sshfs, openssh-sftp-server, FUSE, and root"),
]

KILLS = int(os.environ.get("KILLS", "6"))
PATIENCE = 1200.0
CHANGES: dict[str, Any] = {
    "models": [
        SMALL | {"name": name, "epochs": 12, "learning_rate": rate} for name, rate in (("a", 1e-3), ("b", 2e-3))
    ],
    "arms": ["real", {"name": "painted", "generated": {"by": "cgan", "ratio": 0.5}}],
    "generators": [{"generator": "cgan", "epochs": 2, "options": {"batch_size": 8}}],
    "seeds": [1, 2],
}


class Machine:
    """A machine that runs the study on its mount of the common disk."""

    def __init__(self, name: str, mount: Path, environment: dict[str, str]) -> None:
        self.name = name
        self.log = mount.parent / f"{name}.txt"
        self._mount = mount
        self._environment = {
            **os.environ,
            **environment,
            "BENCHMARKER_HOST": name,
            "BENCHMARKER_HEARTBEAT": "0.5",
            "BENCHMARKER_CACHE": str(mount / "cache"),
            "NO_COLOR": "1",
        }
        self.start()

    def start(self) -> None:
        """Start the run."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "benchmarker", "run", "killed.yaml", "-p", "study", "--jobs", "1"],
                cwd=self._mount,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def cut_power(self) -> None:
        """Kill the run; its workers end with it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    folder = tmp_path / "disk"
    folder.mkdir()
    with mounted(folder, "first", "second") as (first, second):
        yield first, second


def test_claims_exclude_where_locks_do_not(disk: tuple[Path, Path]) -> None:
    first, second = disk
    with (first / "locked").open("w") as one, (second / "locked").open("w") as other:
        fcntl.flock(one, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)  # both have it
    held = try_claim(first / "a.claim")
    assert held is not None
    with held:
        assert try_claim(second / "a.claim") is None
    again = try_claim(second / "a.claim")
    assert again is not None
    again.release()


def test_one_of_two_machines_creates_a_file_at_the_same_moment(disk: tuple[Path, Path]) -> None:
    """The other one is told "failure" by the protocol, which must not end its run."""
    at_once = threading.Barrier(2)

    def made(mount: Path) -> list[bool]:
        found = []
        for number in range(100):
            at_once.wait(60)
            found.append(create(mount / f"{number}.claim-1", mount.name.encode()))
        return found

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(made, disk)
    assert [one != other for one, other in zip(first, second, strict=True)] == [True] * 100


def test_cells_pass_between_machines_that_die_or_stop(
    disk: tuple[Path, Path], tmp_path: Path, registry: Callable[..., Path]
) -> None:
    """Of twelve cells that train nothing, one dies with its machine, and one is stopped with it for long."""
    quick = QuickStudy(disk[0].parent / "shared", registry)
    names = [f"n{number}" for number in range(12)]
    quick.script(**{name: ["epoch=1 until=go ok", "ok"] for name in names[:2]}, **{name: ["ok"] for name in names[2:]})
    (quick.folder / "quick.yaml").write_bytes((tmp_path / "quick.yaml").read_bytes())
    cache = {"BENCHMARKER_CACHE": str(tmp_path / "cache"), "BENCHMARKER_HEARTBEAT": "0.2"}

    def start(number: int, host: str) -> subprocess.Popen[str]:
        quick.folder = disk[number]
        return quick.start(env={**cache, "BENCHMARKER_HOST": host})

    dies = start(0, "dies")
    quick.await_attempts(1)
    stops = start(1, "stops")
    quick.await_attempts(2)
    processes = [dies.pid, stops.pid, *(each["pid"] for each in quick.attempts)]
    dies.kill()
    quick.end(dies)
    for process in (stops.pid, quick.attempts[1]["pid"]):
        os.kill(process, signal.SIGSTOP)
    done = quick.end(start(0, "goes on"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "12 of 12 cells finished" in done.stdout
    results = {path: path.read_bytes() for path in quick.path.glob("runs/*/*")}
    quick.let("go")
    for process in (quick.attempts[1]["pid"], stops.pid):
        os.kill(process, signal.SIGCONT)
    back = quick.end(stops)
    assert back.returncode == 0, back.stdout + back.stderr
    assert "another run has taken over" in back.stdout
    assert {path: path.read_bytes() for path in quick.path.glob("runs/*/*")} == results
    assert sorted(each["model"] for each in quick.attempts) == sorted([*names, *names[:2]])
    assert quick.leftovers == []
    assert not any(Path(f"/proc/{process}").exists() for process in processes)


def test_two_machines_train_each_cell_once_however_often_they_die(
    disk: tuple[Path, Path], tmp_path: Path, command_line: Any
) -> None:
    local = lay_out(tmp_path / "local", **CHANGES)
    shared = disk[0].parent / "shared"
    (shared / "killed.yaml").write_bytes((local / "killed.yaml").read_bytes())
    environment = surroundings(local)
    machines = [Machine(mount.name, mount, environment) for mount in disk]
    draws = Stream("machines-that-die", seed=8901).generator()
    kills = 0
    until = time.monotonic() + PATIENCE
    try:
        while any(machine.process.poll() is None for machine in machines):
            assert time.monotonic() < until, machines[0].log.read_text()[-3000:]
            time.sleep(float(draws.uniform(0.5, 3.0)))
            victim = machines[int(draws.integers(2))]
            if kills < KILLS and victim.process.poll() is None and list(shared.glob("study/runs/.*/snapshot-*")):
                victim.cut_power()
                kills += 1
                time.sleep(float(draws.choice([0.0, 8.0])))  # back at once, or after it was declared dead
                victim.start()
        for machine in machines:
            assert machine.process.returncode == 0, machine.log.read_text()[-3000:]
    finally:
        for machine in machines:
            machine.cut_power()
    assert kills >= KILLS // 2  # a fast machine ends before all of them
    done = command_line.run("run", "killed.yaml", "-p", "study", cwd=local, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_equal_runs(shared / "study", local / "study")
    assert leftovers(shared / "study") == []
    ended = Counter(name for machine in machines for name in re.findall(r"\] (\S+/\d+): ok", machine.log.read_text()))
    assert set(ended.values()) == {1}, ended  # nothing was trained twice
    assert len(ended) >= len(runs(local / "study")) - KILLS  # a run may die before it says so
    for path in shared.glob("study/runs/*/events.jsonl"):
        events = [json.loads(line) for line in path.read_text().splitlines()]
        epochs = [event["epoch"] for event in events if event.get("event") == "epoch"]
        assert Counter(epochs).most_common(1)[0][1] <= 1 + KILLS
        assert sum(event.get("event") == "finished" for event in events) == 1
