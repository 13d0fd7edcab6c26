"""The worker's side of seeds in one program: a thread for each cell, which does its job as a worker process does.

Cells come one by one. Each has its own folder, claim, events and snapshots; only the steps of their networks are
computed together (`benchmarker.backends.jax_lanes`). The process ends when its parent closes its standard input.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import IO, Any, Self

from benchmarker.backends import Lanes, make_lanes
from benchmarker.study.protocol import LaneOrder, LanesJob, LaneWord

Do = Callable[[LaneOrder, "LanePipe", "Turn"], int]
"""Does the job of a lane and returns its exit code; the turn's ``training`` is entered with its compiled network."""


class LanePipe:
    """Standard output as one lane sees it: each line that it writes becomes a `LaneWord`.

    Parameters
    ----------
    pipe : text stream
        Standard output, which all lanes share.
    lock : Lock
        Held while a line is written.
    lane : int
        Number of the lane.
    """

    def __init__(self, pipe: IO[str], lock: threading.Lock, lane: int) -> None:
        self._pipe = pipe
        self._lock = lock
        self._lane = lane

    def write(self, line: str) -> int:
        """Write an event."""
        self._send(LaneWord(lane=self._lane, line=line))
        return len(line)

    def flush(self) -> None:
        """Do nothing: every line is sent at once."""

    def end(self, code: int) -> None:
        """Say that the lane's cell has ended."""
        self._send(LaneWord(lane=self._lane, ended=code))

    def _send(self, word: LaneWord) -> None:
        with self._lock:
            self._pipe.write(word.model_dump_json(exclude_unset=True) + "\n")
            self._pipe.flush()


class Turn:
    """One lane's turn to set up its cell, which it has until it trains, and again to test it.

    Builders of networks, and generators that draw images, may use random states of the whole process, which are seeded
    for each of them. So one lane is set up after the other. They are tested one after the other as well, since the
    times that a network needs to predict would otherwise be those of several networks at once.

    Parameters
    ----------
    lock : Lock
        Held by the lane whose turn it is.
    lanes : Lanes
        Lanes of the process.
    number : int
        Number of the lane.
    """

    def __init__(self, lock: threading.Lock, lanes: Lanes, number: int) -> None:
        self._lock = lock
        self._lanes = lanes
        self._number = number
        self._mine = False

    def __enter__(self) -> Self:
        self._await()
        return self

    def __exit__(self, *_: object) -> None:
        self._pass_on()

    def _await(self) -> None:
        self._lock.acquire()
        self._mine = True

    def _pass_on(self) -> None:
        if self._mine:
            self._mine = False
            self._lock.release()

    @contextlib.contextmanager
    def training(self, model: Any) -> Iterator[None]:
        """Pass the turn on, and compute the steps of a compiled network together with those of the other lanes.

        The block ends with the turn, unless it ends with an error.
        """
        self._pass_on()
        with self._lanes.training(self._number, model):
            yield
        self._await()

    def measuring(self) -> AbstractContextManager[None]:
        """Let no other lane train, so that times are those of this one alone."""
        return self._lanes.paused()


def serve(job: LanesJob, pipe: IO[str], do: Do) -> int:
    """Train the cells that come in on standard input, each in its lane, and return the exit code.

    Parameters
    ----------
    job : LanesJob
        Backend and number of lanes.
    pipe : text stream
        Where events go.
    do : callable
        Does the job of a lane.

    Returns
    -------
    int
        0 after all cells that came have ended, 1 if the parent died before.
    """
    lanes, writing, setting_up = make_lanes(job.backend, job.of), threading.Lock(), threading.Lock()
    threads: list[threading.Thread] = []

    def run(order: LaneOrder) -> None:
        lane_pipe = LanePipe(pipe, writing, order.lane)
        code = 1
        try:
            with Turn(setting_up, lanes, order.lane) as turn:
                code = do(order, lane_pipe, turn)
        finally:
            lanes.leave(order.lane)
            lane_pipe.end(code)

    for line in sys.stdin.buffer:
        order = LaneOrder.model_validate_json(line)
        lanes.expect(order.lane)
        threads.append(threading.Thread(target=run, args=(order,), name=f"lane {order.lane}", daemon=True))
        threads[-1].start()
    return int(any(thread.is_alive() for thread in threads))
