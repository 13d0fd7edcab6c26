"""The parent's side of seeds in one program: one process whose lanes look like workers to those who wait for them.

Whatever is true of a worker is true of a lane: it gets one job, says what it does, and ends with an exit code. What is
done to the process, such as ending it after a time limit, is done to all of its lanes; those that it was not done for
are bystanders, whose cells go on in another process.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import select
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Protocol, Self

from benchmarker.study.protocol import LanesJob, LaneWord


class Process(Protocol):
    """A worker process, which may have been started or forked."""

    @property
    def pid(self) -> int:
        """Number of the process."""

    @property
    def stdin(self) -> IO[bytes] | None:
        """Pipe to it."""

    @property
    def stdout(self) -> IO[bytes] | None:
        """Pipe from it."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, and return the exit code."""

    def signal(self, number: signal.Signals, /) -> None:
        """Send a signal to its group of processes."""

    def end_descendants(self) -> None:
        """End what it started and left behind."""


StartProcess = Callable[[IO[bytes]], Process]
"""Starts a worker process whose standard error goes to a file."""

_CHUNK_BYTES = 65536
_PATIENCE_SECONDS = 5.0


class LaneInput:
    """Standard input of a lane: takes the one job that it gets.

    Parameters
    ----------
    write : callable
        Writes the line of the job.
    """

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write

    def write(self, line: bytes) -> None:
        """Write the job."""
        self._write(line)

    def flush(self) -> None:
        """Do nothing: a job is sent at once."""

    def close(self) -> None:
        """Do nothing: the input of the process stays open for the other lanes."""


class LaneOutput:
    """Standard output of a lane: its events, a line each, until it has ended."""

    def __init__(self) -> None:
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def put(self, line: bytes | None) -> None:
        """Add a line; None ends the output."""
        self._lines.put(line)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._lines.get, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Lane:
    """The training of one cell in a process that trains several; looks like `subprocess.Popen` to those who wait.

    Parameters
    ----------
    pid : int
        Number of the process.
    write : callable
        Writes the job to it.
    signal_process : callable
        Sends a signal to the process for this lane.
    log : file
        Where what libraries print in the process is written.

    Attributes
    ----------
    bystander : bool
        Whether the process was ended for another lane, while this one was in order.
    """

    def __init__(
        self,
        pid: int,
        write: Callable[[bytes], None],
        signal_process: Callable[[Lane, signal.Signals], None],
        log: IO[bytes],
    ) -> None:
        self.pid = pid
        self.stdin = LaneInput(write)
        self.stdout = LaneOutput()
        self.bystander = False
        self.returncode: int | None = None
        self._signal_process = signal_process
        self._log: int | None = os.dup(log.fileno())  # the parent closes its own when the cell has ended
        self._ended = threading.Event()

    def poll(self) -> int | None:
        """Return the exit code, and None while it runs."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, and return the exit code, which is negative if a signal ended the process.

        Raises
        ------
        subprocess.TimeoutExpired
            If it still runs after ``timeout`` seconds.
        """
        if not self._ended.wait(timeout) or self.returncode is None:
            raise subprocess.TimeoutExpired("lane", timeout or 0.0)
        return self.returncode

    def write_log(self, text: bytes) -> None:
        """Add what libraries print to the log, unless the lane has ended."""
        if self._log is not None:
            with contextlib.suppress(OSError):  # a full disk keeps no process from training
                os.write(self._log, text)

    def close_log(self) -> None:
        """Write nothing more into the log; without effect if it is closed."""
        if self._log is not None:
            os.close(self._log)
            self._log = None

    def end(self, code: int) -> None:
        """Take down how it ended."""
        if self.returncode is None:
            self.returncode = code
            self._ended.set()
            self.stdout.put(None)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, and so to all of its lanes, unless this one has ended."""
        if self.returncode is None:
            self._signal_process(self, number)

    def end_descendants(self) -> None:
        """Do nothing: what a lane started ends with the process."""


class _LaneProcess:
    """A process that trains several seeds, and its lanes."""

    def __init__(self, job: LanesJob, start: StartProcess) -> None:
        self._lanes: dict[int, Lane] = {}
        self._stopped_for: Lane | None = None
        self._is_closing = False
        self._idle = threading.Event()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._logging = threading.Lock()
        reading, writing = os.pipe()
        try:
            with os.fdopen(writing, "wb") as log:
                self._worker = start(log)
        except BaseException:
            os.close(reading)
            raise
        os.set_blocking(reading, False)
        self._printed = reading
        self._is_printed = False
        self._write(json.dumps(job.to_json()).encode() + b"\n")
        self._listening = self._begin(self._listen)
        self._begin(self._copy_log)
        self._begin(self._await_end)

    @property
    def is_over(self) -> bool:
        """Whether the process, and what it started, has ended."""
        return self._over.is_set()

    def open(self, number: int, log: IO[bytes]) -> Lane | None:
        """Return a new lane; None if the process takes none any more, or has had a lane of this number."""
        with self._lock:
            if self._is_closing or number in self._lanes:
                return None

            def write(line: bytes) -> None:
                self._write(b'{"lane": %d, "job": %s}\n' % (number, line.strip()))

            lane = self._lanes[number] = Lane(self._worker.pid, write, self._signal, log)
            return lane

    def has_had(self, number: int) -> bool:
        """Whether there was a lane of this number."""
        with self._lock:
            return number in self._lanes

    def close(self) -> None:
        """Take no more lanes, and let the process end after those that it has."""
        with self._lock:
            self._is_closing = True
        self._end_if_idle()

    def await_end(self) -> None:
        """Wait until all lanes, the process and what it started have ended; call `close` first."""
        self._idle.wait()
        if not self._over.wait(_PATIENCE_SECONDS):  # a plugin may have left a thread that keeps it from ending
            self._worker.signal(signal.SIGKILL)
            self._over.wait(_PATIENCE_SECONDS)

    def _end_if_idle(self) -> None:
        """Close the input of the process, which takes that for the death of its parent if a lane still trains."""
        with self._lock:
            if not self._is_closing or any(lane.returncode is None for lane in self._lanes.values()):
                return
            self._idle.set()
        if self._worker.stdin is not None:
            with self._writing, contextlib.suppress(BrokenPipeError):
                self._worker.stdin.close()

    def _begin(self, target: Callable[[], None]) -> threading.Thread:
        name = f"{target.__name__.strip('_')} {self._worker.pid}"
        thread = threading.Thread(target=target, name=name, daemon=True)
        thread.start()
        return thread

    def _write(self, line: bytes) -> None:
        if self._worker.stdin is None:
            raise TypeError("a worker is started with pipes")
        with self._writing, contextlib.suppress(BrokenPipeError):
            if not self._worker.stdin.closed:  # as it is once the process has ended
                self._worker.stdin.write(line)
                self._worker.stdin.flush()

    def _signal(self, lane: Lane, number: signal.Signals) -> None:
        """Send a signal to the process, and remember which lane it was sent for first."""
        with self._lock:
            self._stopped_for = self._stopped_for or lane
        self._worker.signal(number)

    def _listen(self) -> None:
        """Pass on what lanes say, until the process closes its output."""
        if self._worker.stdout is None:
            raise TypeError("a worker is started with pipes")
        with self._worker.stdout as lines:
            for line in lines:
                try:
                    word = LaneWord.model_validate_json(line)
                except ValueError:  # half a line of a process that was killed
                    continue
                lane = self._lanes[word.lane]
                if word.ended is None:
                    lane.stdout.put(word.line.encode())
                else:
                    self._end_lane(lane, word.ended)

    def _end_lane(self, lane: Lane, code: int) -> None:
        """Complete the log of a lane, to which other lanes add nothing from now on, and say that it has ended."""
        with self._logging:
            self._copy_printed()
            lane.close_log()
        lane.end(code)
        self._end_if_idle()

    def _copy_log(self) -> None:
        """Write what libraries print into the log of every lane."""
        waiting = select.poll()  # `select.select` takes no descriptor above 1023
        waiting.register(self._printed, select.POLLIN)
        while not self._is_printed:
            waiting.poll()
            with self._logging:
                self._copy_printed()
        with self._logging:
            os.close(self._printed)

    def _copy_printed(self) -> None:
        """Copy what was printed since the last look; called with the lock of the logs."""
        while not self._is_printed:
            try:
                text = os.read(self._printed, _CHUNK_BYTES)
            except BlockingIOError:
                return
            with self._lock:
                lanes = list(self._lanes.values())
            for lane in lanes:
                lane.write_log(text)
            self._is_printed = not text

    def _await_end(self) -> None:
        """End what the process leaves behind, and the lanes that have not said how they ended."""
        code = self._worker.wait()
        self._worker.signal(signal.SIGKILL)
        self._worker.end_descendants()
        self._listening.join(_PATIENCE_SECONDS)  # it may not have read everything
        with self._lock:
            self._is_closing = True
            lanes = [lane for lane in self._lanes.values() if lane.returncode is None]
            for lane in lanes:
                lane.bystander = self._stopped_for is not None and self._stopped_for is not lane
        self._over.set()
        for lane in lanes:
            self._end_lane(lane, code or 1)
        self._end_if_idle()


class LaneProgram:
    """A program that trains several seeds of a network, in one process after the other if the machine ends them.

    Parameters
    ----------
    job : LanesJob
        Backend and number of lanes.
    """

    def __init__(self, job: LanesJob) -> None:
        self._job = job
        self._process: _LaneProcess | None = None
        self._lock = threading.Lock()

    def open(self, number: int, log: IO[bytes], start: StartProcess) -> Lane:
        """Return a lane for a cell, in a new process if there is none that can take it.

        A cell that is tried again waits until the other lanes of the process have ended.

        Parameters
        ----------
        number : int
            Number of the lane, counted from 0.
        log : file
            Where what libraries print is written.
        start : callable
            Starts a process.
        """
        while True:
            with self._lock:
                if self._process is None or self._process.is_over:
                    self._process = _LaneProcess(self._job, start)
                process = self._process
                if (lane := process.open(number, log)) is not None:
                    return lane
            process.close()
            process.await_end()

    def has_had(self, number: int) -> bool:
        """Whether the process has, or had, a lane of this number."""
        with self._lock:
            return self._process is not None and self._process.has_had(number)

    def close(self) -> None:
        """End the process, whose lanes have ended, and wait until nothing of it is left."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.close()
            process.await_end()


@dataclass(frozen=True, slots=True)
class LanePlace:
    """The place of a cell in a program that trains several.

    Parameters
    ----------
    program : LaneProgram
        The program.
    number : int
        Number of the lane, counted from 0.
    """

    program: LaneProgram
    number: int
