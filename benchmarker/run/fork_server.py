"""A process that has imported a backend, and forks a worker for each job.

`benchmarker.run.forking` starts it. It imports, but computes nothing: no seed is set, no thread started and no device
touched, so that a forked worker begins as a new process does, without the seconds that imports take. It has one thread,
which makes forking safe, and refuses to fork if a library has started another.

Requests and answers are packets of JSON on a socket. A request brings the descriptors of the worker's standard input,
output and error.
"""

from __future__ import annotations

import gc
import importlib
import os
import random  # noqa: TID251 - only to reset its global state
import select
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from benchmarker import descendants
from benchmarker.run.forking import (
    MAXIMUM_BYTES,
    STANDARD_STREAMS,
    ForkAnswer,
    ForkRequest,
)

_IMPORTED: tuple[str, ...] = (
    "benchmarker.run.worker",
    "benchmarker.run.cell",
    "benchmarker.run.cell_context",
    "benchmarker.generation.job",
)

_TASKS = Path("/proc/self/task")

_MADE_FOR_FORKS = ("jemalloc_bg_thd",)
"""Threads whose library stops them before a fork and goes on without them: that of the allocator of pyarrow."""


def main() -> int:
    """Serve requests until the socket is closed, and return the exit code."""
    for module in _IMPORTED:
        importlib.import_module(module)
    descendants.take_mark(os.environ[descendants.VARIABLE])  # fails here, if at all
    os.close(os.pidfd_open(os.getpid()))  # the other side needs it
    _fork_nothing()
    gc.collect()
    gc.freeze()  # a collection in a worker would copy every page otherwise
    Server(socket.socket(fileno=int(sys.argv[1]))).serve()
    return 0


class Server:
    """Forks workers, and reports how they end.

    Parameters
    ----------
    control : socket.socket
        Connected socket that keeps the boundaries of messages.
    """

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._woken, self._wake = os.pipe()
        for end in (self._woken, self._wake):
            os.set_blocking(end, False)

    def serve(self) -> None:
        """Serve requests until the other side closes the socket."""
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        self._answer(ForkAnswer(ready=_is_single_threaded()))
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._woken, select.POLLIN)
        while True:
            woken = {descriptor for descriptor, _ in poll.poll()}
            if self._woken in woken:
                os.read(self._woken, MAXIMUM_BYTES)
                self._reap()
            if self._control.fileno() in woken and not self._take_request():
                return

    def _take_request(self) -> bool:
        """Fork a worker; return False if no request will come any more."""
        message, descriptors, _, _ = socket.recv_fds(self._control, MAXIMUM_BYTES, STANDARD_STREAMS)
        if not message:
            return False
        try:
            if not _is_single_threaded():
                self._answer(ForkAnswer(ready=False))
                return True
            self._fork(ForkRequest.model_validate_json(message), descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return True

    def _fork(self, request: ForkRequest, descriptors: Sequence[int]) -> None:
        began, begin = os.pipe()
        worker = os.fork()
        if worker == 0:
            os.close(began)
            self._become_worker(request, descriptors, begin)
        os.close(begin)
        os.read(began, 1)  # it leads its session now, so that signals to its group reach it
        os.close(began)
        self._answer(ForkAnswer(started=worker))

    def _become_worker(self, request: ForkRequest, descriptors: Sequence[int], begin: int) -> None:
        """Go on as a worker, and end the process."""
        code = 1
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for number, descriptor in enumerate(descriptors):
                os.dup2(descriptor, number)
            self._control.close()
            for descriptor in (*descriptors, self._woken, self._wake):
                os.close(descriptor)
            os.environ.update(request.environment)
            descendants.take_mark(request.mark)
            os.close(begin)
            _forget_what_was_drawn()
            code = importlib.import_module("benchmarker.run.worker").main()
        except BaseException:  # noqa: BLE001 - nothing of the server may run on in the worker
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _reap(self) -> None:
        while True:
            try:
                worker, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if worker == 0:
                return
            self._answer(ForkAnswer(ended=worker, code=os.waitstatus_to_exitcode(status)))

    def _answer(self, answer: ForkAnswer) -> None:
        self._control.send(answer.model_dump_json().encode())


def _fork_nothing() -> None:
    """Fork a process that ends at once, so that libraries which are made for it stop their threads.

    OpenBLAS stops those that it started when numpy was imported, and starts them again where they are needed.
    """
    if (process := os.fork()) == 0:
        os._exit(0)
    os.waitpid(process, 0)


def _is_single_threaded() -> bool:
    """Whether no thread runs that forking could stop while it holds a lock."""
    names = [(task / "comm").read_text(encoding="ascii", errors="replace").strip() for task in _TASKS.iterdir()]
    return len([name for name in names if name not in _MADE_FOR_FORKS]) == 1


def _forget_what_was_drawn() -> None:
    """Give each worker, as a new process has, global random states that no other has, and find modules anew.

    Nothing of the benchmarker draws from them, but a plugin may.
    """
    import numpy as np

    random.seed()
    np.random.seed()  # noqa: NPY002, TID251 - it is the global state that is reset
    importlib.invalidate_caches()


if __name__ == "__main__":
    sys.exit(main())
