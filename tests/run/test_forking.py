"""Workers that a fork server starts: as separate as new processes, and watched like them."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import psutil
import pytest

from benchmarker.run import forking, processes
from benchmarker.run.forking import ForkedWorker, ForkServer

PROBE = Path(__file__).with_name("fork_probe.py")
PATIENCE = 60.0

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux only")


@pytest.fixture(autouse=True)
def probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forking, "COMMAND", (sys.executable, "-P", str(PROBE)))


@pytest.fixture
def server() -> Iterator[ForkServer]:
    server = ForkServer(dict(os.environ))
    yield server
    server.close()


@pytest.fixture
def log() -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as stream:
        yield stream


def order(worker: ForkedWorker, word: str) -> dict[str, Any]:
    """Give a worker its job, and return what it reports."""
    worker.stdin.write(f"{word}\n".encode())
    worker.stdin.flush()
    found: dict[str, Any] = json.loads(worker.stdout.readline())
    return found


def forked(server: ForkServer, log: IO[bytes], **changed: str) -> ForkedWorker:
    worker = server.fork(changed, log)
    assert worker is not None
    return worker


def test_worker_shares_nothing_that_changes_bits(server: ForkServer, log: IO[bytes]) -> None:
    first, second = forked(server, log, CUDA_VISIBLE_DEVICES="1"), forked(server, log)
    found = [order(worker, "0") for worker in (first, second)]
    assert [worker.wait(PATIENCE) for worker in (first, second)] == [0, 0]
    assert all(each["leads"] for each in found)
    assert [each["mark"] for each in found] == [first.mark, second.mark]
    assert [each["inherited"] for each in found] == [first.mark, second.mark]
    assert [each["device"] for each in found] == ["1", os.environ.get("CUDA_VISIBLE_DEVICES")]
    assert found[0]["drawn"] != found[1]["drawn"]
    assert found[0]["descriptors"] == found[1]["descriptors"]  # the second knows nothing of the first
    log.seek(0)
    assert log.read() == b"for the log\n" * 2


@pytest.mark.parametrize(("word", "code"), [("0", 0), ("3", 3), ("raise", 1)])
def test_exit_code_of_a_worker_is_known(server: ForkServer, log: IO[bytes], word: str, code: int) -> None:
    worker = forked(server, log)
    order(worker, word)
    assert worker.wait(PATIENCE) == code
    log.seek(0)
    assert (b"KeyError" in log.read()) == (word == "raise")


def test_signal_that_ends_a_worker_is_known(server: ForkServer, log: IO[bytes]) -> None:
    worker = forked(server, log)
    order(worker, "sleep")
    assert worker.poll() is None
    os.killpg(worker.pid, signal.SIGKILL)
    assert worker.wait(PATIENCE) == -signal.SIGKILL


def test_stopping_a_worker_ends_what_it_started(server: ForkServer, log: IO[bytes]) -> None:
    worker, other = forked(server, log), forked(server, log)
    stray = order(worker, "stray")["stray"]
    order(other, "sleep")
    processes.stop([worker])
    assert worker.returncode == -signal.SIGTERM
    assert not psutil.pid_exists(stray) or psutil.Process(stray).status() == psutil.STATUS_ZOMBIE
    assert other.poll() is None
    processes.stop([other])


def test_worker_outlives_a_killed_server(server: ForkServer, log: IO[bytes]) -> None:
    worker = forked(server, log)
    report = order(worker, "sleep")
    os.kill(psutil.Process(worker.pid).ppid(), signal.SIGKILL)
    assert server.fork({}, log) is None  # it must be started by itself
    assert report["leads"]
    assert psutil.Process(worker.pid).is_running()
    assert worker.poll() is None
    os.killpg(worker.pid, signal.SIGKILL)
    assert worker.wait(PATIENCE) == -signal.SIGKILL


def test_server_with_another_thread_does_not_fork(log: IO[bytes]) -> None:
    server = ForkServer({**os.environ, "ANOTHER_THREAD": "1"})
    try:
        assert server.fork({}, log) is None
    finally:
        server.close()


def test_server_ends_with_its_parent(log: IO[bytes]) -> None:
    server = ForkServer(dict(os.environ))
    worker = forked(server, log)
    order(worker, "sleep")
    parent = psutil.Process(worker.pid).parent()
    assert parent is not None
    server.close()
    until = time.monotonic() + PATIENCE
    while parent.is_running() and time.monotonic() < until:
        time.sleep(0.01)
    assert not parent.is_running()
    processes.stop([worker])


def test_workers_are_started_by_themselves_where_they_cannot_be_forked(
    monkeypatch: pytest.MonkeyPatch, log: IO[bytes]
) -> None:
    monkeypatch.setattr(processes, "COMMAND", (sys.executable, "-c", "import sys; sys.exit(7)"))
    workers = processes.Workers(forking=True)
    try:
        worker = workers.start({**os.environ, "ANOTHER_THREAD": "1"}, log)
        assert worker.wait(PATIENCE) == 7
    finally:
        workers.close()


def test_no_worker_is_forked_once_the_run_is_stopped(log: IO[bytes]) -> None:
    workers = processes.Workers(forking=True)
    workers.warm_up(dict(os.environ))
    workers.stop()
    with pytest.raises(processes.StoppedError):
        workers.start(dict(os.environ), log)
