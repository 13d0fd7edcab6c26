"""Worker processes: started, watched, stopped together with whatever they started, and why they ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from benchmarker import descendants
from benchmarker.claims import Claim
from benchmarker.run.forking import ForkedWorker, ForkServer
from benchmarker.run.lanes import Lane, LanePlace

# Safe path (-P): a file called keras.py in the user's folder must not be imported.
COMMAND = (sys.executable, "-P", "-m", "benchmarker.run.worker")

FORKING = sys.platform == "linux"
"""Whether workers are forked where that is possible; otherwise each imports its backend itself."""

_FAULTS = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL}
_GRACE_SECONDS = 0.5
_POLL_SECONDS = 0.02
_WAITING_SECONDS = 0.2


class StoppedError(Exception):
    """The run that a worker belongs to is being stopped; its cell is pending."""


class StartedWorker(subprocess.Popen[bytes]):
    """A worker that was started by itself, and whose descendants can be found."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], **options: Any) -> None:
        self.mark = descendants.new_mark()
        super().__init__(command, env={**env, descendants.VARIABLE: self.mark}, **options)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to its group of processes, if that is still there."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def end_descendants(self) -> None:
        """End what it started and left behind."""
        descendants.end(self.mark)


ProcessWorker = StartedWorker | ForkedWorker
Worker = ProcessWorker | Lane


class Workers:
    """The workers of one run, so that all of them can be stopped at once.

    Parameters
    ----------
    forking : bool
        Whether several workers may follow each other, so that a process which has imported their backend is kept to
        fork them. `close` ends it.
    """

    def __init__(self, *, forking: bool = False) -> None:
        self._lock = threading.Lock()
        self._running: set[Worker] = set()
        self._stopping = threading.Event()
        self._forking = forking and FORKING
        self._servers: dict[frozenset[tuple[str, str]], ForkServer] = {}

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping.is_set()

    def warm_up(self, environment: Mapping[str, str]) -> None:
        """Begin to import the backend of workers that will be started in an environment."""
        self._server(environment)

    def start(
        self,
        environment: Mapping[str, str],
        log: IO[bytes],
        changed: Mapping[str, str] | None = None,
        *,
        lane: LanePlace | None = None,
    ) -> Worker:
        """Start a worker.

        Parameters
        ----------
        environment : mapping of str to str
            Environment of the process, which other workers share.
        log : file
            Open file for what libraries print.
        changed : mapping of str to str, optional
            Variables of this worker only, which no library reads while it is imported.
        lane : LanePlace, optional
            Place in a program that trains several seeds; by default the worker has a process of its own.

        Raises
        ------
        StoppedError
            If the run is being stopped.
        """

        def start_process(file: IO[bytes]) -> ProcessWorker:
            return self._start_process(environment, file, dict(changed or {}))

        worker = start_process(log) if lane is None else lane.program.open(lane.number, log, start_process)
        with self._lock:
            if not self.stopping:
                self._running.add(worker)
                return worker
        stop([worker])
        raise StoppedError

    def _start_process(self, environment: Mapping[str, str], log: IO[bytes], own: dict[str, str]) -> ProcessWorker:
        """Start a process in an environment that others share, with some variables of its own."""
        server = self._server(environment)
        if server is not None and (forked := server.fork(own, log)) is not None:
            return forked
        # In a new session, Ctrl-C reaches this process only, which then stops the worker in order.
        return StartedWorker(
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**environment, **own},
            start_new_session=True,
        )

    def ended(self, worker: Worker) -> None:
        """Forget a worker that has ended."""
        with self._lock:
            self._running.discard(worker)

    def stop(self) -> None:
        """Stop all workers, and start no more."""
        self._stopping.set()
        with self._lock:
            running = list(self._running)
        stop(running)
        self.close()

    def close(self) -> None:
        """End the processes that are kept to fork workers."""
        with self._lock:
            servers = list(self._servers.values())
            self._servers.clear()
        for server in servers:
            server.close()

    def _server(self, environment: Mapping[str, str]) -> ForkServer | None:
        """Return the process that forks workers in an environment, or None where each is started by itself."""
        with self._lock:
            if self.stopping:
                raise StoppedError
            if not self._forking:
                return None
            key = frozenset(environment.items())
            if key not in self._servers:
                self._servers[key] = ForkServer(environment)
            return self._servers[key]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Conditions that an attempt at a job is started under.

    Parameters
    ----------
    workers : Workers
        Workers of the run that it belongs to.
    timeout : float, optional
        Seconds after which it is ended.
    device : str, optional
        GPU that it sees, as CUDA names it; all of them by default.
    claim : Claim, optional
        Claim that it works under; it is ended if that is lost.
    again : bool
        Whether another attempt follows if the machine ends this one; its folder stays as it is for that.
    lane : LanePlace, optional
        Place in a program that trains several seeds, for a cell that needs one; by default it has one for itself.
    """

    workers: Workers = field(default_factory=Workers)
    timeout: float | None = None
    device: str | None = None
    claim: Claim | None = None
    again: bool = False
    lane: LanePlace | None = None

    def require_claim(self) -> None:
        """Make sure that no other process has taken over the job.

        Raises
        ------
        LostClaimError
            If one has.
        """
        if self.claim is not None:
            self.claim.require()


class Watch(threading.Thread):
    """Ends a worker that takes too long, and what a worker that has ended leaves behind.

    A process that a plugin started may hold the worker's output open, so that reading it would never end.

    Parameters
    ----------
    worker : Worker
        Worker that was just started.
    timeout : float or None
        Seconds that it may take.
    """

    def __init__(self, worker: Worker, timeout: float | None) -> None:
        super().__init__(name=f"watch {worker.pid}", daemon=True)
        self.timed_out = False
        self._worker = worker
        self._timeout = timeout
        self._began = time.monotonic()
        self._waiting_since: float | None = None  # its clock stands still meanwhile
        self._lock = threading.Lock()

    def pause(self) -> None:
        """Stop the clock: the worker waits for another process."""
        with self._lock:
            self._waiting_since = self._waiting_since or time.monotonic()

    def proceed(self) -> None:
        """Let the clock run on."""
        with self._lock:
            if self._waiting_since is not None:
                self._began += time.monotonic() - self._waiting_since
                self._waiting_since = None

    def run(self) -> None:
        """Watch."""
        while not self.timed_out:
            try:
                self._worker.wait(self._seconds_left())
                break
            except subprocess.TimeoutExpired:
                if self._seconds_left() == 0:
                    self.timed_out = True
                    stop([self._worker])
        self._worker.signal(signal.SIGKILL)
        self._worker.end_descendants()

    def _seconds_left(self) -> float | None:
        """Return how long the worker may go on, or how long to sleep while it waits; None without a limit."""
        if self._timeout is None:
            return None
        with self._lock:
            if self._waiting_since is not None:
                return _WAITING_SECONDS
            return max(0.0, self._began + self._timeout - time.monotonic())


def stop(workers: Iterable[Worker]) -> None:
    """Stop workers and whatever they started; kill what is still alive after a moment."""
    running = list(workers)
    for worker in running:
        worker.signal(signal.SIGTERM)
    until = time.monotonic() + _GRACE_SECONDS
    while any(worker.poll() is None for worker in running) and time.monotonic() < until:
        time.sleep(_POLL_SECONDS)
    for worker in running:
        if worker.poll() is None:
            worker.signal(signal.SIGKILL)
    for worker in running:
        worker.wait()
        worker.end_descendants()


def is_fault(code: int) -> bool:
    """Whether a process was ended by what runs in it, and not by another process or the kernel."""
    return code >= 0 or -code in _FAULTS


def exit_cause(code: int, *, timeout: float | None, for_memory: bool) -> tuple[str, str]:
    """Return kind and message of the failure of a worker that ended without reporting one.

    Parameters
    ----------
    code : int
        Exit code as `subprocess.Popen` gives it: negative where a signal ended the process.
    timeout : float or None
        Time limit in seconds, where the worker was ended for exceeding it.
    for_memory : bool
        Whether the kernel killed a process of this control group meanwhile because memory ran out.
    """
    if timeout is not None:
        return "timeout", f"it took more than {timeout:g} s; --timeout allows no more"
    if code >= 0:
        return "crashed", f"its process ended with code {code}"
    known = {each.value: each.name for each in signal.Signals}
    kind = "out-of-memory" if -code == signal.SIGKILL and for_memory else "crashed"
    return kind, f"its process was ended by {known.get(-code, f'signal {-code}')}"


def count_memory_kills() -> int:
    """Return how many processes of this control group the kernel has ever killed because memory ran out."""
    return sum(_count_kills(folder) for folder in _control_groups())


def _control_groups() -> set[Path]:
    """Return where the kernel may count: this process's control group, and the root of a container."""
    root = Path("/sys/fs/cgroup")
    try:
        own = Path("/proc/self/cgroup").read_text(encoding="utf-8").partition("0::/")[2].partition("\n")[0]
    except (OSError, ValueError):
        own = ""
    return {root, root / own}


def _count_kills(folder: Path) -> int:
    try:
        counts = dict(line.split() for line in (folder / "memory.events").read_text(encoding="ascii").splitlines())
        return int(counts.get("oom_kill", "0"))
    except (OSError, ValueError):
        return 0
