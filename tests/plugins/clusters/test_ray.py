"""What tasks of Ray are and ask for; Ray itself is a stand-in that runs them at once."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from benchmarker import BatchJob, ConfigurationError, RunTask, Work
from benchmarker.cli import main
from benchmarker.executors.submissions import SubmissionLog, new_folder
from benchmarker.executors.tasks import make_work
from benchmarker.results.study import read_study
from benchmarker_clusters import on_ray, ray_addresses
from benchmarker_clusters.coordinator import Coordinator
from benchmarker_clusters.on_ray import require_possible, size
from benchmarker_clusters.ray_tasks import Needs, RayTasks

if TYPE_CHECKING:
    from tests.conftest import StudyFiles

GIB = 1 << 30


class RayError(Exception):
    """Called as Ray's is."""


class FewNodes:
    """A cluster that runs a task when its result is asked for, and loses the tasks that it was told to lose."""

    exceptions = SimpleNamespace(RayError=RayError)

    def __init__(self, *nodes: dict[str, float], lost: tuple[str, ...] = ()) -> None:
        self._nodes = nodes
        self._lost = lost
        self.options: dict[str, Any] = {}
        self.largest = 0
        self.log: list[str] = []

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True, "Resources": node} for node in self._nodes]

    def remote(self, function: Any) -> Any:
        def options(**given: Any) -> Any:
            self.options = given
            return SimpleNamespace(remote=lambda *arguments: partial(function, *arguments))

        return SimpleNamespace(options=options)

    def wait(self, references: list[Any], timeout: float) -> tuple[list[Any], list[Any]]:
        assert timeout > 0
        self.largest = max(self.largest, len(references))
        return references[:1], references[1:]

    def get(self, reference: Any) -> Any:
        command, log, _environment = reference.args
        self.log.append(Path(log).stem)
        if command[-1] in self._lost:
            raise RayError("the node was lost\nfor ever")
        return reference()


def tasks(*words: str) -> tuple[RunTask, ...]:
    code = "import sys; print(sys.argv[1]); sys.exit(sys.argv[1] == 'bad')"
    return tuple(RunTask(keys=(word,), command=(sys.executable, "-c", code, word)) for word in words)


def work_of(folder: Path, *cells: str, generators: tuple[str, ...] = ()) -> Work:
    registry = folder / "registry.yaml"
    return Work(study=folder, registry=registry, folder=folder, generators=tasks(*generators), cells=tasks(*cells))


def test_generators_end_before_cells_begin_and_errors_are_counted(tmp_path: Path) -> None:
    ray, told = FewNodes(lost=("lost",)), list[str]()
    found = RayTasks(ray, work_of(tmp_path, "a", "bad", "lost", generators=("g",)), Needs(cores=2))
    assert set(found.left().values()) == {"queued"}
    assert found.run(told.append) == 2
    assert found.left() == {}
    assert ray.log == ["generators-1", "cells-1", "cells-2", "cells-3"]
    assert (tmp_path / "cells-2.txt").read_text() == "bad\n"
    assert told == [
        "[1/1] generators 1 ended",
        "[1/3] cells 1 ended",
        f"[2/3] cells 2 ended with an error: {tmp_path / 'cells-2.txt'}",
        "[3/3] cells 3 ended with an error: Ray: the node was lost",
    ]


def test_tasks_ask_for_their_resources_and_are_repeated_when_a_node_is_lost(tmp_path: Path) -> None:
    ray = FewNodes()
    needs = Needs(cores=2, gpus=0.5, memory=GIB, at_once=2)
    RayTasks(ray, work_of(tmp_path, "a", "b", "c"), needs).run(print)
    assert ray.options == {"num_cpus": 2, "num_gpus": 0.5, "memory": GIB, "max_retries": -1}
    assert ray.largest == 2


def test_resources_that_no_single_node_has_are_refused() -> None:
    ray = FewNodes({"CPU": 8, "memory": 4.0 * GIB}, {"CPU": 2, "GPU": 1, "memory": 64.0 * GIB})
    require_possible(ray, Needs(cores=8, memory=2 * GIB))
    with pytest.raises(ConfigurationError, match=r"8 CPU, 1 GPU, 2\.0 GiB") as caught:
        require_possible(ray, Needs(cores=8, gpus=1, memory=2 * GIB))
    assert "64.0 GiB" in str(caught.value)


@pytest.mark.parametrize(("text", "expected"), [("4G", 4 * GIB), ("2t", 2048 * GIB), ("512M", GIB // 2), ("1024", GIB)])
def test_size_of_memory_is_read_as_slurm_reads_it(text: str, expected: int) -> None:
    assert size(text) == expected


@pytest.mark.parametrize("text", ["", "G", "4GB", "-1G", "1.5G", "four"])
def test_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="--mem"):
        size(text)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (("--executor", "ray", "--partition", "gpu"), "--partition"),
        (("--executor", "ray", "--dry-run"), "--dry-run"),
        (("--executor", "slurm", "--address", "auto"), "--address"),
        (("--executor", "slurm", "--gpus", "1", "--dry-run"), "--gpus"),
    ],
)
def test_options_of_another_executor_are_refused(
    tmp_path: Path, options: tuple[str, ...], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["submit", "mine.yaml", "-p", str(tmp_path / "study"), *options]) == 2
    assert f"{name} is not an option of" in capsys.readouterr().err


def test_address_without_a_cluster_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))

    def init(*_: object, **__: object) -> None:
        raise ConnectionError("no cluster there\nand a long story")

    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(init=init))
    with pytest.raises(on_ray.RayError, match=r"^Ray: no cluster there; --address"), on_ray.connected("auto"):
        pass


@pytest.mark.parametrize("named_by", ["option", "environment", "file"])
def test_address_where_nothing_answers_is_an_error_at_once(
    named_by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray itself tries for minutes."""
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace())
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1" if named_by == "environment" else "")
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    if named_by == "file":  # of a cluster whose machine lost its power
        (tmp_path / "ray").mkdir()
        (tmp_path / "ray" / "ray_current_cluster").write_text("127.0.0.1:1\n")
    with (
        pytest.raises(on_ray.RayError, match=r"^Ray: no cluster answers at 127\.0\.0\.1:1: .*refused; --address"),
        on_ray.connected("127.0.0.1:1" if named_by == "option" else "auto"),
    ):
        pass


class Answering(socketserver.BaseRequestHandler):
    """Answers what its server is told to."""

    def handle(self) -> None:
        connection, answer = self.request, self.server.answer  # type: ignore[attr-defined]
        connection.sendall(answer)
        if answer:
            connection.recv(1 << 10)


@contextlib.contextmanager
def serving(server: socketserver.TCPServer) -> Iterator[str]:
    """Yield the address of a server that runs in a thread."""
    with server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (None, r"a web server answers \('.*as `ray start --head` prints it"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", r"a web server answers \('HTTP/1\.1 400 Bad Request'\)"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", r"another program answers \('SSH-2\.0-OpenSSH_9\.2'\)"),
        (b"", "ends them at once"),
        (b"\0\0\x06\x04", "says nothing|ends them|another program"),  # a frame that breaks off
    ],
)
def test_address_where_something_else_answers_is_an_error_that_says_what(
    answer: bytes | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray itself warns for twenty seconds."""
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace())
    if answer is None:
        server: socketserver.TCPServer = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    else:
        server = socketserver.TCPServer(("127.0.0.1", 0), Answering)
        server.answer = answer  # type: ignore[attr-defined]
    with serving(server) as address:
        words = f"^Ray: no cluster at {address}: .*({expected})"
        with pytest.raises(on_ray.RayError, match=words), on_ray.connected(address):
            pass


def test_address_where_something_is_silent_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace())
    monkeypatch.setattr(ray_addresses, "_KNOCK_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(on_ray.RayError, match=r"says nothing within 0\.1 s"), on_ray.connected(address):
            pass


@pytest.mark.parametrize("tls", [False, True])
def test_address_where_ray_may_answer_is_left_to_ray(tls: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With TLS the greeting that tells Ray from others would come after a handshake."""
    monkeypatch.setenv("RAY_USE_TLS", "1" if tls else "0")
    server = socketserver.TCPServer(("127.0.0.1", 0), Answering)
    server.answer = b"\x15\x03\x01" if tls else bytes((0, 0, 6, 4, 0, 0, 0, 0, 0))  # type: ignore[attr-defined]
    with serving(server) as address:
        assert ray_addresses.problem_at(address, hint="") is None


@pytest.mark.parametrize("address", ["", "local"])
def test_address_that_names_no_cluster_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray would start here, and end with the command that was told of a submission."""
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace())
    executor = on_ray.RayExecutor(on_ray.RayOptions(address=address))
    with pytest.raises(ConfigurationError, match="--address: auto or HOST:PORT"), executor.connected():
        pass


class Stopped(FewNodes):
    """A cluster whose tasks run until they are cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self.began, self.cancelled = threading.Event(), threading.Event()
        self.killed: list[bool] = []

    def wait(self, references: list[Any], timeout: float) -> tuple[list[Any], list[Any]]:
        self.began.set()
        self.cancelled.wait(timeout)
        return (references, []) if self.cancelled.is_set() else ([], references)

    def get(self, reference: Any) -> Any:  # noqa: ARG002
        raise RayError

    def cancel(self, reference: Any, *, force: bool) -> None:  # noqa: ARG002
        assert force
        self.cancelled.set()

    def get_actor(self, name: str, *, namespace: str) -> str:
        return f"{namespace} {name}"

    def kill(self, actor: str, *, no_restart: bool) -> None:  # noqa: ARG002
        self.killed.append(no_restart)


def test_coordinator_obeys_only_its_own_submission_and_stays_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = Stopped()
    monkeypatch.setitem(sys.modules, "ray", ray)
    work = work_of(tmp_path, "a", "b")
    found = Coordinator("name", work, Needs(cores=1))
    elsewhere = str(tmp_path / "a copy")
    assert found.left(elsewhere) == {}
    assert ray.began.wait(30)
    found.stop(elsewhere)
    assert not ray.cancelled.is_set()
    assert found.left(str(tmp_path)) == {("cells", 1): "queued", ("cells", 2): "queued"}
    found.stop(str(tmp_path))
    until = time.monotonic() + 30
    while not ray.killed:
        assert time.monotonic() < until
        time.sleep(0.01)
    assert "RayError" in (tmp_path / "tasks.txt").read_text()
    restarted = Stopped()
    monkeypatch.setitem(sys.modules, "ray", restarted)
    Coordinator("name", work, Needs(cores=1))
    while not restarted.killed:
        assert time.monotonic() < until
        time.sleep(0.01)
    assert not restarted.began.is_set()


def test_coordinator_that_cannot_write_how_tasks_ended_runs_them_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = Stopped()
    ray.cancelled.set()  # so that tasks end
    monkeypatch.setitem(sys.modules, "ray", ray)
    (tmp_path / "tasks.txt").mkdir()  # as good as a full disk
    found = Coordinator("name", work_of(tmp_path, "a", "b", generators=("g",)), Needs(cores=1))
    until = time.monotonic() + 30
    while not ray.killed:
        assert time.monotonic() < until
        time.sleep(0.01)
    assert found.left(str(tmp_path)) == {}


class Cluster(Stopped):
    """A cluster with one coordinator, which this process is connected to."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address
        self.coordinator: Any = None

    def get_runtime_context(self) -> Any:
        return SimpleNamespace(gcs_address=self._address)

    def get_actor(self, name: str, *, namespace: str) -> Any:
        if name != NAME:
            raise ValueError(f"{namespace} has none")
        methods = ("left", "stop")
        return SimpleNamespace(
            **{each: SimpleNamespace(remote=partial(getattr(self.coordinator, each))) for each in methods}
        )

    def get(self, reference: Any, timeout: float = 0.0) -> Any:  # noqa: ARG002
        return reference


NAME = "0" * 32


@pytest.mark.parametrize("kind", ["relative", "of another cluster", "another name of the cluster"])
def test_tasks_are_asked_for_where_they_were_submitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A study may be named by a relative path, and a coordinator runs in another folder."""
    monkeypatch.chdir(tmp_path)
    ray = Cluster("10.0.0.1:6379")
    monkeypatch.setattr(on_ray, "connected", lambda *_, **__: contextlib.nullcontext(ray))
    left = {("cells", 1): "running", ("cells", 2): "queued"}
    submitted = str(tmp_path / "cluster" / "1")
    ray.coordinator = SimpleNamespace(left=lambda folder: left if folder == submitted else {}, stop=lambda _: None)
    address = {"relative": "10.0.0.1", "of another cluster": "10.0.0.2", "another name of the cluster": "head"}[kind]
    name = "f" * 32 if kind == "of another cluster" else NAME
    tasks = (("a",), ("b",))
    job = BatchJob(name="cells", number=f"{address}:6379/{name}/cells", tasks=tasks, folder=Path("cluster/1"))
    executor = on_ray.RayExecutor(on_ray.RayOptions())
    if kind == "of another cluster":
        with pytest.raises(on_ray.RayError, match=r"Ray cluster 10\.0\.0\.2:6379; set RAY_ADDRESS"):
            executor.states([job])
        return
    assert executor.states([job]) == {(job.number, 1): "running", (job.number, 2): "queued"}
    assert executor.cancel([job]) == 2


def test_failed_run_is_not_submitted_again_while_its_coordinator_has_it(
    study: StudyFiles, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ray = Cluster("10.0.0.1:6379")
    monkeypatch.setattr(on_ray, "connected", lambda *_, **__: contextlib.nullcontext(ray))
    monkeypatch.setattr(on_ray, "require_possible", lambda *_: None)
    submitted: list[Work] = []
    monkeypatch.setattr(
        "benchmarker_clusters.coordinator.start", lambda _ray, _name, work, _needs: submitted.append(work)
    )
    monkeypatch.setattr("benchmarker.cli.submit_command._plan", lambda *_, **__: 0)
    cell = study.cell("first", 1)
    study.keep_registry(
        "dataset: {name: synthetic-radio}\nseeds: [1]\nmodels:\n"
        "  - {architecture: first, learning_rate: 0.001, epochs: 16}\n"
    )
    study.fail(cell, "crashed", "killed")
    folder, number = new_folder(study.folder), f"10.0.0.1:6379/{NAME}/cells"
    job = BatchJob(name="cells", number=number, tasks=((cell["key"],),), folder=folder)
    SubmissionLog(folder=folder, executor="ray")(job)
    left: dict[tuple[str, int], str] = {("cells", 1): "queued"}
    ray.coordinator = SimpleNamespace(left=lambda _: left, stop=lambda _: None)
    command = ["submit", "mine.yaml", "-p", str(study.folder), "--executor", "ray", "--retry-failed"]
    command += ["--address", "10.0.0.1:6379"]
    assert main(command) == 0
    assert "1 failed run left out" in capsys.readouterr().out
    assert submitted == []
    left.clear()
    assert main(command) == 0
    assert [task.keys for work in submitted for task in work.cells] == [(cell["key"],)]


def test_ray_that_is_not_installed_is_an_error_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigurationError, match=r"galaxy-benchmarker\[clusters\]"), on_ray.connected(None):
        pass


def test_tasks_hold_the_keys_of_their_cells(study: StudyFiles) -> None:
    keys = [study.cell("first", seed)["key"] for seed in (1, 2, 3)]
    study.keep_registry("title: mine\n")
    read = read_study(study.folder)
    work = make_work(read, read.cells, folder=new_folder(study.folder), cells_per_task=2, options=["--retry-failed"])
    assert work.generators == ()
    found = [task.command[task.command.index("--cells") + 1].split(",") for task in work.cells]
    assert [tuple(group) for group in found] == [task.keys for task in work.cells]
    assert sorted(key for group in found for key in group) == sorted(keys)
    assert [len(group) for group in found] == [2, 1]
    assert all(task.command[-1] == "--retry-failed" for task in work.cells)


@pytest.mark.parametrize("victim", ["parent", "tied process", "both"])
def test_command_ends_with_the_process_that_started_it(tmp_path: Path, victim: str) -> None:
    begun, ended, tied = tmp_path / "begun", tmp_path / "ended", tmp_path / "tied"
    script = f"trap 'touch {ended}; exit 0' TERM; echo $PPID > {tied}; touch {begun}; while :; do sleep 0.05; done"
    starter = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import subprocess, sys; subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE).wait()",
            *(sys.executable, "-P", "-m", "benchmarker_clusters.tied", "sh", "-c", script),
        ],
        env=dict(os.environ),
    )
    until = time.monotonic() + 60
    while not begun.exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    if victim != "parent":  # as Ray does with everything that a removed node has started
        os.kill(int(tied.read_text()), signal.SIGKILL)
    if victim != "tied process":
        starter.send_signal(signal.SIGKILL)
    starter.wait()
    while not ended.exists():
        assert time.monotonic() < until
        time.sleep(0.02)
