"""Failing cells: kinds, retries, time limits; the processes are real, the training is not."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.run.conftest import QuickStudy


def test_failures_of_the_machine_are_tried_again(quick: QuickStudy) -> None:
    quick.script(killed=["epoch=1 killed", "ok"], fine=["ok"])
    done = quick.run()
    assert done.returncode == 0, done.stdout
    assert quick.endings == {"killed": "ok", "fine": "ok"}
    assert "killed/real/8901: crashed: its process was ended by SIGKILL" in done.stdout
    assert "tried again (1 of 1)" in done.stdout
    assert quick.leftovers == []


def test_other_failures_are_not_tried_again(quick: QuickStudy) -> None:
    quick.script(
        plugin=["failed=plugin"],
        diverged=["failed=diverged"],
        data=["failed=data"],
        configuration=["failed=configuration"],
        code=["code=3"],
        memory=["failed=out-of-memory"],
        killed=["killed"],
    )
    done = quick.run()
    assert done.returncode == 1
    kinds = {name: name for name in ("plugin", "diverged", "data", "configuration")}
    assert quick.endings == {**kinds, "code": "crashed", "memory": "out-of-memory", "killed": "crashed"}
    tried = [each["model"] for each in quick.attempts]
    assert {name: tried.count(name) for name in quick.endings} == {
        **dict.fromkeys(quick.endings, 1),
        "memory": 2,
        "killed": 2,
    }
    assert "its process ended with code 3; the end of its output is in" in done.stdout
    assert "0 of 7 cells finished, 7 failed" in done.stdout


def test_failed_cells_are_run_again_on_request(quick: QuickStudy) -> None:
    quick.script(diverged=["failed=diverged", "ok"], fine=["ok"])
    assert quick.run().returncode == 1
    again = quick.run()
    assert again.returncode == 1
    assert "failed before (diverged): as told" in again.stdout
    assert "--retry-failed repeats them" in again.stdout
    assert "1 of 2 cells finished, 1 failed" in again.stdout
    assert len(quick.attempts) == 2
    assert quick.run("--retry-failed").returncode == 0
    assert quick.endings == {"diverged": "ok", "fine": "ok"}


def test_cell_that_a_full_disk_ended_is_run_again_by_the_same_command(quick: QuickStudy) -> None:
    quick.script(unlucky=["failed=interrupted", "ok"])
    assert quick.run().returncode == 1
    assert quick.endings == {"unlucky": "interrupted"}
    assert quick.run().returncode == 0


def test_links_in_run_folders_are_neither_written_nor_believed(quick: QuickStudy) -> None:
    quick.script(one=["ok"], other=["ok"])
    assert quick.run().returncode == 0
    outside = quick.folder / "outside.txt"
    outside.write_text("kept")
    unfinished, finished = sorted(path for path in (quick.path / "runs").iterdir() if path.is_dir())
    (unfinished / "manifest.json").unlink()
    unfinished = unfinished.rename(unfinished.with_name(f".{unfinished.name}.partial"))
    for name in ("log.txt", "events.jsonl"):
        (unfinished / name).unlink(missing_ok=True)
        (unfinished / name).symlink_to(outside)
    (finished / "history.csv").unlink(missing_ok=True)
    (finished / "history.csv").symlink_to(outside)
    done = quick.run()
    assert done.returncode == 0, done.stderr
    assert "history.csv is a symbolic link" in done.stdout
    assert quick.endings == {"one": "ok", "other": "ok"}
    assert outside.read_text() == "kept"
    assert not [path for path in quick.path.rglob("*") if path.is_symlink()]


def test_fail_fast_leaves_the_rest_pending(quick: QuickStudy) -> None:
    quick.script(bad=["until=go failed=plugin"], slow=["epoch=1 until=never"], later=["ok"], latest=["ok"])
    process = quick.start("--fail-fast", "--jobs", "2")
    quick.await_line(process, "slow/real/8901: epoch 1/")
    quick.let("go")
    done = quick.end(process)
    assert done.returncode == 1
    assert quick.endings == {"bad": "plugin"}
    assert "0 of 4 cells finished, 1 failed, 3 pending" in done.stdout
    (working,) = quick.leftovers
    assert working.endswith(".partial")


def test_cell_that_takes_too_long_times_out(quick: QuickStudy) -> None:
    quick.script(slow=["stubborn epoch=1 child sleep=600", "ok"])
    done = quick.run("--timeout", "3", "--retries", "0")
    assert done.returncode == 1
    assert quick.endings == {"slow": "timeout"}
    assert "it took more than 3 s" in done.stdout
    # It can go on from its snapshot.
    assert list(quick.path.glob("runs/*.failed/snapshot-*"))
    assert quick.run("--retry-failed").returncode == 0
    assert quick.endings == {"slow": "ok"}


def test_waiting_for_another_study_is_not_the_time_of_a_cell(quick: QuickStudy) -> None:
    quick.script(patient=["waits sleep=4 waits=over ok"], slow=["waits waits=over sleep=600"])
    done = quick.run("--timeout", "3", "--retries", "0", "--jobs", "2")
    assert quick.endings == {"patient": "ok", "slow": "timeout"}
    assert "waits for the generator" in done.stdout


def test_killed_worker_with_living_children_does_not_hang(quick: QuickStudy) -> None:
    quick.script(mother=["child killed"])
    assert quick.run("--retries", "0").returncode == 1  # the child would live for ten minutes
    assert quick.endings == {"mother": "crashed"}


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
@pytest.mark.parametrize(
    ("script", "options"), [("stray ok", ()), ("stray killed", ()), ("stray stubborn sleep=600", ("--timeout", "3"))]
)
def test_descendants_in_their_own_session_are_ended(quick: QuickStudy, script: str, options: tuple[str, ...]) -> None:
    quick.script(mother=[script])
    quick.run("--retries", "0", *options)
    process = int((quick.folder / "quick" / "stray").read_text())
    with pytest.raises(ProcessLookupError):
        _await_end(process)


@pytest.mark.parametrize("value", ["-1", "0"])
def test_time_limit_must_be_positive(quick: QuickStudy, value: str) -> None:
    quick.script(fine=["ok"])
    assert quick.run("--timeout", value).returncode == 2


def _await_end(process: int) -> None:
    """Raise ProcessLookupError once a process has ended and was waited for; give up after some seconds."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        os.kill(process, 0)
        # Nobody may wait for the orphans of a container.
        if Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z":
            raise ProcessLookupError
        time.sleep(0.05)
