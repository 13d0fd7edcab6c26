"""Cells in the lanes of a process: set up and tested one after the other, and timed while no other one trains."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from benchmarker.run.cell_context import CellContext
from benchmarker.run.lane_host import Turn
from benchmarker.run.scoring import write_costs
from tests.run.test_cell import HALF_RIGHT, ONE_CLASS, RIGHT, _context


class Recorded:
    """Lanes that take down what they are asked for."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def expect(self, number: int) -> None:
        """Do nothing."""

    def leave(self, number: int) -> None:
        """Do nothing."""

    @contextmanager
    def training(self, number: int, model: Any) -> Iterator[None]:
        self.told.append(f"{number} trains {model}")
        yield

    @contextmanager
    def paused(self) -> Iterator[None]:
        self.told.append("paused")
        yield
        self.told.append("go on")


def test_lanes_are_set_up_and_tested_one_after_the_other() -> None:
    lanes, lock, order = Recorded(), threading.Lock(), []
    both_train, other_tests = threading.Barrier(2, timeout=60), threading.Event()

    def cell(number: int) -> None:
        with Turn(lock, lanes, number) as turn:
            with turn.training(None):
                both_train.wait()
            order.append(number)
            if len(order) == 1:  # the other one could test as well, if it had not to wait
                other_tests.wait(0.3)
                order.append(number)
            else:
                other_tests.set()

    threads = [threading.Thread(target=cell, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(order) == 3
    assert order[0] == order[1] != order[2]


def test_a_cell_that_fails_in_training_holds_up_nobody() -> None:
    lock = threading.Lock()
    with pytest.raises(ZeroDivisionError), Turn(lock, Recorded(), 0) as turn, turn.training(None):
        _ = 1 / 0
    assert not lock.locked()


def test_no_lane_trains_while_predictions_are_timed(tmp_path: Any) -> None:
    lanes = Recorded()
    context: CellContext = _context(RIGHT, HALF_RIGHT, ONE_CLASS)
    predict = context.model.predict

    def noted(*arguments: Any, **options: Any) -> Any:
        lanes.told.append("predicts")
        return predict(*arguments, **options)

    context.model.predict = noted
    context.measuring = Turn(threading.Lock(), lanes, 0).measuring
    write_costs(context, tmp_path, {})
    assert lanes.told[0] == "paused"
    assert lanes.told[-1] == "go on"
    assert set(lanes.told[1:-1]) == {"predicts"}
