"""Several cells at once, and several runs of one study; processes are real, training mostly is not."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from benchmarker.claims import try_claim_alone

if TYPE_CHECKING:
    from tests.run.conftest import QuickStudy

FOUR = ("one", "two", "three", "four")


def test_jobs_work_side_by_side(quick: QuickStudy) -> None:
    quick.script(**{name: ["epoch=1 until=go ok"] for name in FOUR})
    process = quick.start("--jobs", "4")
    quick.await_attempts(4)  # none has ended
    quick.let("go")
    done = quick.end(process)
    assert done.returncode == 0, done.stderr
    assert quick.endings == dict.fromkeys(FOUR, "ok")
    for name in FOUR:  # each keeps the number that it began with
        lines = [line for line in done.stdout.splitlines() if f"] {name}/real/8901" in line]
        assert [line.partition(": ")[2].split()[0].strip(",") for line in lines] == ["started", "epoch", "ok"]
        assert len({line.partition("]")[0] for line in lines}) == 1
    assert quick.leftovers == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopping_takes_two_seconds_whatever_the_jobs(quick: QuickStudy, number: signal.Signals, code: int) -> None:
    quick.script(**{name: ["stubborn epoch=1 sleep=60", "ok"] for name in FOUR}, five=["ok"], six=["ok"])
    process = quick.start("--jobs", "4")
    quick.await_line(process, ": epoch 1/", count=4)
    started = time.monotonic()
    process.send_signal(number)
    done = quick.end(process)
    assert time.monotonic() - started < 2
    assert done.returncode == code
    assert "run the same command again" in done.stderr
    assert "Traceback" not in done.stderr
    assert quick.endings == {}
    assert len(quick.leftovers) == 4  # with their snapshots
    assert all(name.endswith(".partial") for name in quick.leftovers)
    assert quick.run("--jobs", "4").returncode == 0


def test_two_runs_share_the_work(quick: QuickStudy) -> None:
    quick.script(**{name: ["until=go ok"] for name in FOUR})
    runs = [quick.start(), quick.start()]
    quick.await_attempts(2)  # one of each run
    quick.let("go")
    for done in [quick.end(run) for run in runs]:
        assert done.returncode == 0, done.stderr
        assert "4 of 4 cells finished" in done.stdout
    assert sorted(each["model"] for each in quick.attempts) == sorted(FOUR)
    assert quick.leftovers == []


def test_run_takes_over_from_a_killed_one(quick: QuickStudy) -> None:
    quick.script(one=["epoch=1 until=never", "ok"], two=["until=go ok"], three=["ok"], four=["ok"])
    first = quick.start()
    quick.await_attempts(1)
    second = quick.start()
    quick.await_attempts(2)
    first.kill()
    quick.end(first)
    quick.let("go")
    done = quick.end(second)
    assert done.returncode == 0, done.stdout + done.stderr
    assert quick.endings == dict.fromkeys(FOUR, "ok")
    assert "4 of 4 cells finished" in done.stdout
    tried = [each["model"] for each in quick.attempts]
    assert {name: tried.count(name) for name in FOUR} == {"one": 2, "two": 1, "three": 1, "four": 1}


def test_run_waits_for_the_cells_of_another(quick: QuickStudy) -> None:
    quick.script(one=["until=go ok"])
    first = quick.start()
    quick.await_attempts(1)
    second = quick.start("--jobs", "2")
    quick.await_line(second, "another run is working on")
    quick.let("go")
    done = quick.end(second)
    assert done.returncode == 0
    assert "finished before" in done.stdout
    assert quick.end(first).returncode == 0
    assert len(quick.attempts) == 1


def test_run_that_was_stopped_for_long_finds_its_cell_done_by_another_machine(quick: QuickStudy) -> None:
    quick.script(one=["epoch=1 until=back ok", "ok"], two=["ok"])
    first = quick.start(env={"BENCHMARKER_HEARTBEAT": "0.1", "BENCHMARKER_HOST": "first"})
    quick.await_line(first, ": epoch 1/")
    (attempt,) = quick.attempts
    for process in (first.pid, attempt["pid"]):
        os.kill(process, signal.SIGSTOP)
    second = quick.run(env={"BENCHMARKER_HEARTBEAT": "0.1", "BENCHMARKER_HOST": "second"})
    assert second.returncode == 0, second.stdout + second.stderr
    assert "2 of 2 cells finished" in second.stdout
    results = {path: path.read_bytes() for path in quick.path.glob("runs/*/*")}
    quick.let("back")
    for process in (attempt["pid"], first.pid):  # the worker finishes before its parent looks
        os.kill(process, signal.SIGCONT)
    done = quick.end(first)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "another run has taken over" in done.stdout
    assert "2 of 2 cells finished" in done.stdout
    assert {path: path.read_bytes() for path in quick.path.glob("runs/*/*")} == results
    assert sorted(each["model"] for each in quick.attempts) == ["one", "one", "two"]
    assert quick.leftovers == []


@pytest.mark.parametrize("lost", ["study/.claim", "cache/prepared/*.held"])
def test_run_that_lost_what_it_used_while_it_was_stopped_publishes_nothing(quick: QuickStudy, lost: str) -> None:
    """`merge` or `gc` may have worked on it meanwhile, although no run took over its cell."""
    quick.script(one=["epoch=1 until=back code=3", "ok"])
    cache = {"BENCHMARKER_CACHE": str(quick.folder / "cache")}
    run = quick.start(env={**cache, "BENCHMARKER_HEARTBEAT": "0.1", "BENCHMARKER_HOST": "first"})
    quick.await_line(run, ": epoch 1/")
    (attempt,) = quick.attempts
    for process in (run.pid, attempt["pid"]):
        os.kill(process, signal.SIGSTOP)
    place = next(quick.folder.glob(lost)) if "*" in lost else quick.folder / lost
    alone = try_claim_alone(place)
    assert alone is not None
    alone.release()
    quick.let("back")
    for process in (attempt["pid"], run.pid):
        os.kill(process, signal.SIGCONT)
    done = quick.end(run)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "took this one for dead" in done.stderr
    assert list(quick.path.glob("runs/*/manifest.json")) == []
    again = quick.run(env=cache)
    assert again.returncode == 0, again.stdout + again.stderr
    assert quick.endings == {"one": "ok"}
    assert quick.leftovers == []


def test_each_job_has_a_gpu(quick: QuickStudy) -> None:
    quick.script(one=["until=go ok"], two=["until=go ok"])
    process = quick.start("--jobs", "2", "--gpus", "3,5")
    quick.await_attempts(2)
    quick.let("go")
    assert quick.end(process).returncode == 0
    assert {each["gpu"] for each in quick.attempts} == {"3", "5"}
