"""When a holder is taken for dead, by the clock of whoever looks."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from benchmarker.claims.holders import Holder
from benchmarker.claims.watching import MISSED, Verdict, Watcher

FILE = Path("a.claim-1")
HOLDER = Holder(token="0" * 16, host="far away", pid=1, started="1", interval=6.0)


class Clock:
    """A clock that goes as the test says."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_unchanged_holder_is_dead_after_ten_intervals_of_looking(clock: Clock) -> None:
    watcher = Watcher(clock)
    verdicts = []
    for _ in range(2 * MISSED + 2):
        verdicts.append(watcher.judge(FILE, HOLDER.to_bytes()))
        clock.now += 3.0
    assert verdicts == [Verdict.UNKNOWN] * (2 * MISSED) + [Verdict.DEAD] * 2


def test_time_in_which_nobody_looked_does_not_count(clock: Clock) -> None:
    """An observer that was stopped together with the holder must not take it for dead."""
    watcher = Watcher(clock)
    watcher.judge(FILE, HOLDER.to_bytes())
    clock.now += 100_000.0
    assert watcher.judge(FILE, HOLDER.to_bytes()) is Verdict.UNKNOWN


def test_holder_whose_heart_beats_lives_however_slow_its_clock(clock: Clock) -> None:
    watcher = Watcher(clock)
    holder = HOLDER
    watcher.judge(FILE, holder.to_bytes())
    for _ in range(5 * MISSED):
        holder = holder.next()
        clock.now += 50.0
        assert watcher.judge(FILE, holder.to_bytes()) is Verdict.LIVES


def test_another_holder_in_the_same_file_is_observed_anew(clock: Clock) -> None:
    watcher = Watcher(clock)
    for _ in range(MISSED):
        watcher.judge(FILE, HOLDER.to_bytes())
        clock.now += 6.0
    other = dataclasses.replace(HOLDER, token="1" * 16)
    assert watcher.judge(FILE, other.to_bytes()) is Verdict.UNKNOWN


def test_process_of_this_machine_is_dead_when_its_number_belongs_to_another(clock: Clock) -> None:
    here = Holder.here()
    assert Watcher(clock).judge(FILE, here.to_bytes()) is Verdict.LIVES
    earlier = dataclasses.replace(here, started="1")
    assert Watcher(clock).judge(FILE, earlier.to_bytes()) is Verdict.DEAD
    elsewhere = dataclasses.replace(earlier, host="far away")
    assert Watcher(clock).judge(FILE, elsewhere.to_bytes()) is Verdict.UNKNOWN


def test_content_has_one_length_and_is_read_as_it_was_written() -> None:
    holder = dataclasses.replace(HOLDER, after=("2" * 16,))
    later = holder
    for _ in range(1000):
        later = later.next()
    assert len(later.to_bytes()) == len(holder.to_bytes())
    assert Holder.from_bytes(later.to_bytes()) == later


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"token": 1}', b"\xff", b"1e999"])
def test_damaged_content_names_nobody(content: bytes, clock: Clock) -> None:
    assert Holder.from_bytes(content) is None
    assert Watcher(clock).judge(FILE, content) is Verdict.UNKNOWN
