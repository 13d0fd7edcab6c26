"""Attempts that share a device, and one that must be alone there."""

from __future__ import annotations

import threading
import time

import pytest

from benchmarker.run.processes import StoppedError
from benchmarker.run.turns import Turns


def test_who_waits_to_be_alone_comes_before_who_may_share() -> None:
    turns = Turns(lambda: False)
    order: list[str] = []

    def use(name: str, *, alone: bool) -> None:
        with turns.turn("0", alone=alone):
            order.append(name)

    threads = [
        threading.Thread(target=use, args=(name,), kwargs={"alone": name == "alone"}) for name in ("alone", "late")
    ]
    with turns.turn("0", alone=False), turns.turn("0", alone=False), turns.turn("1", alone=True):
        for thread in threads:
            thread.start()
            time.sleep(0.3)  # it has begun to wait
        assert order == []
    for thread in threads:
        thread.join(10)
    assert order == ["alone", "late"]


def test_nobody_waits_when_the_run_is_stopped() -> None:
    turns = Turns(lambda: True)
    with turns.turn("0", alone=True), pytest.raises(StoppedError), turns.turn("0", alone=False):
        pass
    with turns.turn("0", alone=True):  # it has not been given away
        pass
