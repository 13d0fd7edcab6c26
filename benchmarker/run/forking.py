"""Asks a fork server for workers, and finds out how they end."""

from __future__ import annotations

import contextlib
import os
import queue
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import IO

from benchmarker import descendants
from benchmarker.record import Record

COMMAND = (sys.executable, "-P", "-m", "benchmarker.run.fork_server")

MAXIMUM_BYTES = 65536
STANDARD_STREAMS = 3


class ForkRequest(Record):
    """Fork a worker; its descriptors come with the message."""

    mark: str
    """Mark of the worker, by which its descendants are found."""

    environment: dict[str, str]
    """Environment variables that differ from the server's."""


class ForkAnswer(Record):
    """What a fork server says: whether it can fork at all, or that a worker has begun or ended."""

    ready: bool | None = None
    """Whether workers can be forked."""

    started: int | None = None
    """Number of the process of a new worker."""

    ended: int | None = None
    """Number of the process of a worker that has ended."""

    code: int = 0
    """Its exit code, which is negative if a signal ended it."""


class ForkedWorker:
    """A worker that a fork server started; looks like `subprocess.Popen` to those who wait for it.

    Parameters
    ----------
    pid : int
        Number of the process.
    mark : str
        Its mark, by which its descendants are found.
    stdin, stdout : file
        Ends of the pipes to it.
    """

    def __init__(self, pid: int, mark: str, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self.pid = pid
        self.mark = mark
        self.stdin = stdin
        self.stdout = stdout
        self.returncode: int | None = None
        self._ended = threading.Event()
        self._process: int | None = None
        with contextlib.suppress(ProcessLookupError):  # it has ended, and the server says so next
            self._process = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """Return the exit code, and None while it runs."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, and return the exit code, which is negative if a signal ended it.

        Raises
        ------
        subprocess.TimeoutExpired
            If it still runs after ``timeout`` seconds.
        """
        if not self._ended.wait(timeout) or self.returncode is None:
            raise subprocess.TimeoutExpired(COMMAND, timeout or 0.0)
        return self.returncode

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to its group of processes, if that is still there."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def end_descendants(self) -> None:
        """End what it started and left behind."""
        descendants.end(self.mark)

    def end(self, code: int) -> None:
        """Take down how it ended."""
        self.returncode = code
        if self._process is not None:
            os.close(self._process)
            self._process = None
        self._ended.set()

    def outlive(self) -> None:
        """Wait for its end without the server, which was killed: the exit code is unknown then."""
        if self._process is not None:
            waiting = select.poll()  # `select.select` takes no descriptor above 1023
            waiting.register(self._process, select.POLLIN)
            waiting.poll()
        self.end(-signal.SIGKILL)


class ForkServer:
    """A process that has imported a backend, and forks workers.

    Parameters
    ----------
    environment : mapping of str to str
        Complete environment of the server, and so of its workers.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._lock = threading.Lock()  # one request at a time
        self._usable: bool | None = None  # not known before it is ready
        self._answers: queue.SimpleQueue[ForkAnswer | ForkedWorker | None] = queue.SimpleQueue()
        self._requested: tuple[str, IO[bytes], IO[bytes]] | None = None
        self._workers: dict[int, ForkedWorker] = {}
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._server = subprocess.Popen(
                [*COMMAND, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**environment, descendants.VARIABLE: descendants.new_mark()},
                start_new_session=True,
                pass_fds=[theirs.fileno()],
            )
        threading.Thread(target=self._listen, name=f"fork server {self._server.pid}", daemon=True).start()

    def fork(self, changed: Mapping[str, str], log: IO[bytes]) -> ForkedWorker | None:
        """Fork a worker; wait first until the server has imported its backend.

        Parameters
        ----------
        changed : mapping of str to str
            Environment variables that differ from the server's.
        log : file
            Open file for what libraries print.

        Returns
        -------
        ForkedWorker or None
            None if this server cannot fork workers, so that they must be started by themselves.
        """
        with self._lock:
            if self._usable is None:
                first = self._answers.get()
                self._usable = isinstance(first, ForkAnswer) and first.ready is True
            if not self._usable:
                return None
            mark = descendants.new_mark()
            request = ForkRequest(mark=mark, environment=dict(changed))
            theirs_in, ours_in = os.pipe()
            ours_out, theirs_out = os.pipe()
            # Opened before the request, so that no failure leaves an end open.
            stdin, stdout = os.fdopen(ours_in, "wb"), os.fdopen(ours_out, "rb")
            self._requested = (mark, stdin, stdout)
            try:
                fds = [theirs_in, theirs_out, log.fileno()]
                socket.send_fds(self._control, [request.model_dump_json().encode()], fds)
                answer = self._answers.get()
            except OSError:  # the server has ended
                answer = None
            finally:
                os.close(theirs_in)
                os.close(theirs_out)
            if isinstance(answer, ForkedWorker):
                return answer
            stdin.close()
            stdout.close()
            self._usable = False
            return None

    def close(self) -> None:
        """End the server; its workers go on."""
        self._server.kill()  # it holds nothing that could be lost
        self._server.wait()

    def _listen(self) -> None:
        """Take the server's answers until it ends."""
        with contextlib.suppress(OSError):
            while message := self._control.recv(MAXIMUM_BYTES):
                self._take(ForkAnswer.model_validate_json(message))
        self._answers.put(None)
        for worker in list(self._workers.values()):
            threading.Thread(target=worker.outlive, name=f"wait {worker.pid}", daemon=True).start()
        self._workers.clear()
        with contextlib.suppress(OSError):
            self._control.close()

    def _take(self, answer: ForkAnswer) -> None:
        if answer.ended is not None:
            if (worker := self._workers.pop(answer.ended, None)) is not None:
                worker.end(answer.code)
        elif answer.started is not None and self._requested is not None:
            worker = self._workers[answer.started] = ForkedWorker(answer.started, *self._requested)
            self._answers.put(worker)
        else:
            self._answers.put(answer)
