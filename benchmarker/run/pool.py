"""A pool of slots that run cells side by side, and return later to those that another process has claimed."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from benchmarker.run.processes import StoppedError, Workers
from benchmarker.study.plan import Planned

Work = Callable[[Planned], bool]

_INTERVAL_SECONDS = 0.3
_GRACE_SECONDS = 3.0


class Pool:
    """Runs cells and generators in as many threads as there are jobs; each waits for one worker process at a time.

    Parameters
    ----------
    planned : iterable of PlannedCell or PlannedGenerator
        What to run, in the order in which it is begun.
    work : callable
        Called with a cell. Returns True once it has ended, and False if it must wait, for another process or for a cell
        of this one. Raises StoppedError if the run is being stopped.
    on_waiting : callable
        Called with what is left once there is nothing to do but to wait. Returns whether it reported that to the user,
        and is not called again then.
    workers : Workers
        Workers that are stopped together with the pool.
    """

    def __init__(
        self,
        planned: Iterable[Planned],
        work: Work,
        on_waiting: Callable[[Sequence[Planned]], bool],
        workers: Workers,
    ) -> None:
        self._free = deque(planned)
        self._postponed: deque[tuple[Planned, float]] = deque()  # with the time of the next attempt
        self._work = work
        self._on_waiting = on_waiting
        self._workers = workers
        self._changed = threading.Condition()
        self._stopping = False
        self._reported = False
        self._serving = 0
        self._error: BaseException | None = None

    def run(self, jobs: int) -> None:
        """Run everything.

        Parameters
        ----------
        jobs : int
            Largest number of cells at once.

        Raises
        ------
        KeyboardInterrupt
            On Ctrl-C, after all workers were stopped.
        Exception
            Whatever the work of a cell raised; the others were stopped then.
        """
        slots = range(min(jobs, len(self._free)))
        threads = [threading.Thread(target=self._serve, name=f"slot {k}", daemon=True) for k in slots]
        try:
            for thread in threads:
                with self._changed:
                    self._serving += 1
                thread.start()
            self._await_end(None)
        except BaseException:
            self.stop()
            self._await_end(_GRACE_SECONDS)
            raise
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Begin nothing more, and stop the workers."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._workers.stop()

    def _await_end(self, patience: float | None) -> None:
        """Wait until all slots have ended."""
        until = math.inf if patience is None else time.monotonic() + patience
        # Not by `Thread.join`: if Ctrl-C interrupts it, it takes the thread for ended (python/cpython#90882). And not
        # without end: if the system gives the signal to another thread, it wakes nobody, and is noticed the next time.
        with self._changed:
            while self._serving and (left := until - time.monotonic()) > 0:
                self._changed.wait(min(left, _INTERVAL_SECONDS))

    def _serve(self) -> None:
        try:
            while (planned := self._next()) is not None:
                if not self._work(planned):
                    with self._changed:
                        self._postponed.append((planned, time.monotonic() + _INTERVAL_SECONDS))
        except StoppedError:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again by `run`, in the thread that asked
            with self._changed:
                self._error = self._error or error
            self.stop()
        finally:
            with self._changed:
                self._serving -= 1
                self._changed.notify_all()

    def _next(self) -> Planned | None:
        """Return what to run next, or None if nothing is left."""
        with self._changed:
            while not self._stopping:
                if self._free:
                    return self._free.popleft()
                if not self._postponed:
                    return None
                planned, when = self._postponed[0]
                if (patience := when - time.monotonic()) <= 0:
                    self._postponed.popleft()
                    return planned
                if not self._reported:
                    self._reported = self._on_waiting([each for each, _ in self._postponed])
                self._changed.wait(patience)
            return None
