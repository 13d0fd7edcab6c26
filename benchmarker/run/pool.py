"""A pool of slots that run cells side by side, and come back to those that another run has claimed."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from benchmarker.run.processes import StoppedError, Workers
from benchmarker.study.plan import Cell

Work = Callable[[Cell, int], bool]

_INTERVAL_SECONDS = 0.3
_LAST_WORDS_SECONDS = 3.0


class Pool:
    """Runs cells in as many threads as there are jobs; each waits for one worker process at a time.

    Parameters
    ----------
    cells : iterable of Cell
        In the order in which they are begun.
    work : callable
        Called with a cell and the number of a slot; returns whether the cell is settled, or False where another run
        works on it, or on what it needs. Raises StoppedError where the run is being stopped.
    waiting : callable
        Called with the cells that are left once there is nothing to do but to wait; returns whether it told the user,
        and is then not called again.
    workers : Workers
        Stopped when the pool is.
    """

    def __init__(
        self, cells: Iterable[Cell], work: Work, waiting: Callable[[Sequence[Cell]], bool], workers: Workers
    ) -> None:
        self._free = deque(cells)
        self._elsewhere: deque[tuple[Cell, float]] = deque()  # with the time at which to ask again
        self._work = work
        self._waiting = waiting
        self._workers = workers
        self._changed = threading.Condition()
        self._stopping = False
        self._told = False
        self._serving = 0
        self._error: BaseException | None = None

    def run(self, jobs: int) -> None:
        """Run all cells.

        Parameters
        ----------
        jobs : int
            At most this many at once.

        Raises
        ------
        KeyboardInterrupt
            On Ctrl-C, after all workers were stopped.
        Exception
            That a cell's work raised; the others were stopped then.
        """
        slots = range(min(jobs, len(self._free)))
        threads = [threading.Thread(target=self._serve, args=(k,), name=f"slot {k}", daemon=True) for k in slots]
        try:
            for thread in threads:
                with self._changed:
                    self._serving += 1
                thread.start()
            self._await_end(None)
        except BaseException:
            self.stop()
            self._await_end(_LAST_WORDS_SECONDS)
            raise
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Begin no more cells, and stop those at work."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._workers.stop()

    def _await_end(self, patience: float | None) -> None:
        """Wait until no slot serves any more."""
        # Not by `Thread.join`: one that Ctrl-C interrupts takes the thread for ended (python/cpython#90882).
        with self._changed:
            self._changed.wait_for(lambda: self._serving == 0, patience)

    def _serve(self, slot: int) -> None:
        try:
            while (cell := self._next()) is not None:
                if not self._work(cell, slot):
                    with self._changed:
                        self._elsewhere.append((cell, time.monotonic() + _INTERVAL_SECONDS))
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

    def _next(self) -> Cell | None:
        """Return what to do next; None where there is nothing left to do."""
        with self._changed:
            while not self._stopping:
                if self._free:
                    return self._free.popleft()
                if not self._elsewhere:
                    return None
                cell, when = self._elsewhere[0]
                if (patience := when - time.monotonic()) <= 0:
                    self._elsewhere.popleft()
                    return cell
                if not self._told:
                    self._told = self._waiting([each for each, _ in self._elsewhere])
                self._changed.wait(patience)
            return None
