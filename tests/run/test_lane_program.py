"""The parent's side of seeds in one program: what is done for one lane harms no other."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psutil
import pytest

from benchmarker.run import lanes
from benchmarker.run.lanes import Lane, LaneProgram
from benchmarker.run.processes import StartedWorker
from benchmarker.study.protocol import LanesJob

# Each lane prints its job, and ends if that says so. As in a worker, the end of standard input ends the process, with
# its lanes; before that, the process takes its time, or an unreasonable time.
HOST = """
import json, os, sys, time

next(sys.stdin)
for line in sys.stdin:
    order = json.loads(line)
    print(order["job"], file=sys.stderr, flush=True)
    if order["job"].startswith("ends"):
        print(json.dumps({"lane": order["lane"], "ended": int(order["job"].split()[1])}), flush=True)
time.sleep(float(os.environ["LEAVES_AFTER"]))
os._exit(1)
"""


class Program:
    """A program whose process only plays one."""

    def __init__(self, folder: Path, *, leaves_after: float = 0.0) -> None:
        self.program = LaneProgram(LanesJob(backend="jax", of=4))
        self.workers: list[StartedWorker] = []
        self._folder = folder
        self._environment = {**os.environ, "LEAVES_AFTER": str(leaves_after)}

    def open(self, number: int, name: str = "") -> Lane:
        """Return a lane, whose log has its number or another name."""
        with self.log(name or str(number)).open("wb") as log:
            return self.program.open(number, log, self._start)

    def log(self, name: str) -> Path:
        """Return the path of a log."""
        return self._folder / f"{name}.txt"

    def _start(self, log: IO[bytes]) -> StartedWorker:
        command = (sys.executable, "-c", HOST)
        self.workers.append(
            StartedWorker(command, env=self._environment, stdin=-1, stdout=-1, stderr=log, start_new_session=True)
        )
        return self.workers[-1]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Makes programs, and leaves none of their processes behind."""
    made: list[Program] = []

    def make_one(**options: float) -> Program:
        made.append(Program(tmp_path, **options))
        return made[-1]

    yield make_one
    for program in made:
        for worker in program.workers:
            worker.signal(signal.SIGKILL)


@contextmanager
def in_background(function: Callable[[], Lane]) -> Iterator[list[Lane]]:
    """Call a function in a thread, which must have ended soon after the block; yields what will hold the result."""
    found: list[Lane] = []
    thread = threading.Thread(target=lambda: found.append(function()), daemon=True)
    thread.start()
    yield found
    thread.join(60)
    assert not thread.is_alive()


def test_a_lane_that_is_tried_again_waits_for_the_others(make: Callable[..., Program]) -> None:
    program = make()
    first, other = program.open(0), program.open(1)
    first.stdin.write(b'"ends 1"')
    assert first.wait(60) == 1
    with in_background(lambda: program.open(0, "again")) as found:
        with pytest.raises(Exception, match="timed out"):
            other.wait(0.5)
        assert not found
        other.stdin.write(b'"ends 0"')
        assert other.wait(60) == 0
    assert found[0].pid != first.pid
    assert not psutil.pid_exists(first.pid)


def test_lanes_whose_process_is_ended_for_another_one_are_bystanders(make: Callable[..., Program]) -> None:
    program = make()
    found = [program.open(number) for number in range(3)]
    found[2].stdin.write(b'"ends 0"')
    found[2].wait(60)
    found[0].signal(signal.SIGKILL)
    found[1].signal(signal.SIGKILL)  # when its own time is over, perhaps
    assert [lane.wait(60) for lane in found] == [-9, -9, 0]
    assert [lane.bystander for lane in found] == [False, True, False]


def test_lanes_whose_process_ends_otherwise_are_no_bystanders(make: Callable[..., Program]) -> None:
    program = make()
    found = [program.open(number) for number in range(2)]
    program.workers[0].signal(signal.SIGKILL)
    assert [(lane.wait(60), lane.bystander) for lane in found] == [(-9, False)] * 2


def test_the_log_of_a_lane_is_complete_when_it_ends_and_stays_as_it_is(make: Callable[..., Program]) -> None:
    program = make()
    first, other = program.open(0), program.open(1)
    for round_ in range(50):
        other.stdin.write(b'"%d %s"' % (round_, b"x" * 5000))
    first.stdin.write(b'"ends 0"')
    assert first.wait(60) == 0
    log = program.log("0").read_text()
    assert log.endswith("ends 0\n")
    assert len(log) > 250_000
    other.stdin.write(b'"ends 0 later"')
    assert other.wait(60) == 0
    assert program.log("1").read_text().endswith("later\n")
    assert program.log("0").read_text() == log


@pytest.mark.parametrize("leaves_after", [0.3, 600.0])
def test_nothing_is_left_of_a_program_that_is_closed(
    make: Callable[..., Program], monkeypatch: pytest.MonkeyPatch, leaves_after: float
) -> None:
    """Also if its process does not want to end."""
    if leaves_after > 1:
        monkeypatch.setattr(lanes, "_PATIENCE_SECONDS", 0.5)
    before = psutil.Process().num_fds()
    program = make(leaves_after=leaves_after)
    lane = program.open(0)
    lane.stdin.write(b'"ends 0"')
    assert lane.wait(60) == 0
    program.program.close()
    assert program.workers[0].poll() is not None
    until = time.monotonic() + 60
    while psutil.Process().num_fds() > before:  # threads close what they read from
        assert time.monotonic() < until
        time.sleep(0.02)
