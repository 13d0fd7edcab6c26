"""Judges by this process's own clock whether the holders of claims live."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from benchmarker.claims.holders import DEFAULT_SECONDS, Holder, token_of

MISSED = 10
"""Heartbeats that a dead holder has missed."""


class Verdict(Enum):
    """What is known of a holder."""

    LIVES = "lives"
    """It has been seen to live."""

    DEAD = "dead"
    """It has ended, or has missed too many heartbeats."""

    UNKNOWN = "unknown"
    """It is on another machine, and has not been observed for long enough."""


@dataclass(slots=True, kw_only=True)
class _Sight:
    content: bytes
    looked: float
    quiet: float = 0.0
    changed: bool = False


class Watcher:
    """Remembers what the files of claims held, and for how long it has looked at them without a change.

    Time counts only while it is looked on: of a longer pause between two looks one interval counts. So an observer that
    was stopped together with a holder does not take it for dead when both go on.

    Parameters
    ----------
    clock : callable
        Returns the seconds of a clock that never goes back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.begin()

    def begin(self) -> None:
        """Have seen nothing: a forked process cannot count on a lock that its parent may have held."""
        self._lock = threading.Lock()
        self._sights: dict[Path, _Sight] = {}

    def judge(self, path: Path, content: bytes) -> Verdict:
        """Return what is known of the holder that the file of a claim names.

        Parameters
        ----------
        path : Path
            Path of the file.
        content : bytes
            What it holds now.
        """
        holder = Holder.from_bytes(content)
        if holder is not None and holder.has_ended:
            return Verdict.DEAD
        interval = DEFAULT_SECONDS if holder is None else holder.interval
        with self._lock:
            now = self._clock()
            sight = self._sights.get(path)
            if sight is None or sight.content != content:
                same = sight is not None and holder is not None and token_of(sight.content) == holder.token
                self._sights[path] = sight = _Sight(content=content, looked=now, changed=same)
            else:
                sight.quiet += min(now - sight.looked, interval)
                sight.looked = now
            if sight.quiet >= MISSED * interval:
                return Verdict.DEAD
        local = holder is not None and holder.is_local
        return Verdict.LIVES if local or sight.changed else Verdict.UNKNOWN

    def forget(self, path: Path) -> None:
        """Forget a file that is gone."""
        with self._lock:
            self._sights.pop(path, None)


watcher = Watcher()
"""What this process has seen; a claim that is tried again and again is observed by that."""


os.register_at_fork(after_in_child=watcher.begin)
