"""The parent's side of seeds in one program: one process whose lanes look like workers to those who wait for them.

Whatever is true of a worker is true of a lane: it gets one job, says what it does, and ends with an exit code. What is
done to the process, such as ending it after a time limit, is done to all of its lanes; those whose cells had not ended
are tried again like other cells whose worker was killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
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
    process : Process
        The process.
    write : callable
        Writes the job to it.
    log : file
        Where what libraries print in the process is written.
    """

    def __init__(self, process: Process, write: Callable[[bytes], None], log: IO[bytes]) -> None:
        self.pid = process.pid
        self.stdin = LaneInput(write)
        self.stdout = LaneOutput()
        self.log = os.dup(log.fileno())  # the parent closes its own when the cell has ended
        self.returncode: int | None = None
        self._process = process
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

    def end(self, code: int) -> None:
        """Take down how it ended."""
        if self.returncode is None:
            self.returncode = code
            self._ended.set()
            self.stdout.put(None)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, and so to all of its lanes, unless this one has ended."""
        if self.returncode is None:
            self._process.signal(number)

    def end_descendants(self) -> None:
        """Do nothing: what a lane started ends with the process."""


class _LaneProcess:
    """A process that trains several seeds, and its lanes."""

    def __init__(self, job: LanesJob, start: StartProcess) -> None:
        self.is_over = False
        self._lanes: dict[int, Lane] = {}
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        reading, writing = os.pipe()
        try:
            with os.fdopen(writing, "wb") as log:
                self._worker = start(log)
        except BaseException:
            os.close(reading)
            raise
        self._write(json.dumps(job.to_json()).encode() + b"\n")
        self._listening = self._begin(self._listen)
        self._begin(self._copy_log, reading)
        self._begin(self._await_end)

    def open(self, number: int, log: IO[bytes]) -> Lane | None:
        """Return a new lane; None if the process is over or has had a lane of this number."""
        with self._lock:
            if self.is_over or number in self._lanes:
                return None

            def write(line: bytes) -> None:
                self._write(b'{"lane": %d, "job": %s}\n' % (number, line.strip()))

            lane = self._lanes[number] = Lane(self._worker, write, log)
            return lane

    def close(self) -> None:
        """Let the process end, after its lanes."""
        if self._worker.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._worker.stdin.close()

    def _begin(self, target: Callable[..., None], *arguments: object) -> threading.Thread:
        name = f"{target.__name__.strip('_')} {self._worker.pid}"
        thread = threading.Thread(target=target, args=arguments, name=name, daemon=True)
        thread.start()
        return thread

    def _write(self, line: bytes) -> None:
        if self._worker.stdin is None:
            raise TypeError("a worker is started with pipes")
        with self._writing, contextlib.suppress(BrokenPipeError):
            self._worker.stdin.write(line)
            self._worker.stdin.flush()

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
                    lane.end(word.ended)

    def _copy_log(self, reading: int) -> None:
        """Write what libraries print into the log of every lane."""
        with os.fdopen(reading, "rb", buffering=0) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                with self._lock:
                    logs = [lane.log for lane in self._lanes.values()]
                for log in logs:
                    with contextlib.suppress(OSError):  # a full disk keeps no process from training
                        os.write(log, chunk)
        with self._lock:
            self.is_over = True
            lanes = list(self._lanes.values())
        for lane in lanes:
            os.close(lane.log)

    def _await_end(self) -> None:
        """End what the process leaves behind, and the lanes that have not said how they ended."""
        code = self._worker.wait()
        self._worker.signal(signal.SIGKILL)
        self._worker.end_descendants()
        self._listening.join(_PATIENCE_SECONDS)  # it may not have read everything
        with self._lock:
            self.is_over = True
            lanes = list(self._lanes.values())
        for lane in lanes:
            lane.end(code or 1)


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

        Parameters
        ----------
        number : int
            Number of the lane, counted from 0.
        log : file
            Where what libraries print is written.
        start : callable
            Starts a process.
        """
        with self._lock:
            lane = None if self._process is None else self._process.open(number, log)
            while lane is None:
                if self._process is not None:
                    self._process.close()
                self._process = _LaneProcess(self._job, start)
                lane = self._process.open(number, log)
            return lane

    def close(self) -> None:
        """Let the process end, after its lanes."""
        with self._lock:
            if self._process is not None:
                self._process.close()
                self._process = None


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
