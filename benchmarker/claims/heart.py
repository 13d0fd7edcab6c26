"""The claims and shares of this process, and a thread that keeps them alive."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from benchmarker.claims.holders import Holder, read, rewrite, token_of
from benchmarker.errors import StorageError


class LostClaimError(StorageError):
    """Another process has taken over what this one was working on, because it gave no sign of life."""


class Beating:
    """The file of a claim or share that this process holds.

    Parameters
    ----------
    path : Path
        Path of the file.
    holder : Holder
        What it holds at first.
    superseded : callable
        Returns whether another process has taken over, although the file is as it was.
    """

    def __init__(self, path: Path, holder: Holder, superseded: Callable[[], bool] = lambda: False) -> None:
        self.path = path
        self.holder = holder
        self._superseded = superseded
        self._lock = threading.Lock()
        self._lost = False
        self._on_loss: list[Callable[[], None]] = []
        self.due = time.monotonic() + holder.interval

    @property
    def is_own(self) -> bool:
        """Whether this process made it, and not one that it was forked from."""
        return self.holder.pid == os.getpid()

    def is_held(self) -> bool:
        """Look whether no other process has taken over; once lost, it stays lost.

        Raises
        ------
        StorageError
            If that cannot be found out.
        """
        if not self._lost and (token_of(read(self.path)) != self.holder.token or self._superseded()):
            self._lose()
        return not self._lost

    def beat(self) -> None:
        """Say that this process lives, unless the claim is lost."""
        self.due = time.monotonic() + self.holder.interval
        # A disk that does not answer now may answer the next time; until then nothing is known.
        with contextlib.suppress(StorageError, OSError):
            if self.is_held():
                self.holder = self.holder.next()
                if not rewrite(self.path, self.holder):
                    self._lose()

    def on_loss(self, call: Callable[[], None]) -> None:
        """Call a function once the claim is found to be lost; at once if it is."""
        with self._lock:
            if not self._lost:
                self._on_loss.append(call)
                return
        call()

    def _lose(self) -> None:
        with self._lock:
            if self._lost:
                return
            self._lost = True
            calls = tuple(self._on_loss)
        for call in calls:
            call()


class _Heart:
    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Hold nothing, and have no thread: so it is in a new process, and in one that was forked."""
        self._changed = threading.Condition()
        self._beating: set[Beating] = set()
        self._thread: threading.Thread | None = None

    def add(self, beating: Beating) -> None:
        with self._changed:
            self._beating.add(beating)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="claims", daemon=True)
                self._thread.start()
            self._changed.notify()

    def discard(self, beating: Beating) -> None:
        with self._changed:
            self._beating.discard(beating)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._beating:
                    self._changed.wait()
                due = min(each.due for each in self._beating)
                if (patience := due - time.monotonic()) > 0:
                    self._changed.wait(patience)
                now = time.monotonic()
                late = [each for each in self._beating if each.due <= now]
            for each in late:
                each.beat()


heart = _Heart()
"""The claims and shares of this process."""

os.register_at_fork(after_in_child=heart.begin)


class Held:
    """A claim or share that this process holds; leaving its ``with`` block releases it.

    Parameters
    ----------
    path : Path
        What is claimed or shared: the path that the names of its files begin with; also an attribute.
    beating : Beating
        Its file.
    """

    def __init__(self, path: Path, beating: Beating) -> None:
        self.path = path
        self._beating = beating
        heart.add(beating)

    @property
    def file(self) -> Path:
        """Path of the file that only this claim or share has."""
        return self._beating.path

    def is_held(self) -> bool:
        """Look whether no other process has taken over, or took this one for dead.

        Raises
        ------
        StorageError
            If that cannot be found out.
        """
        return self._beating.is_held()

    def on_loss(self, call: Callable[[], None]) -> None:
        """Call a function, in another thread, once this is found to be lost; at once if it is."""
        self._beating.on_loss(call)

    def release(self) -> None:
        """Give it up, unless it is lost or another process made it."""
        heart.discard(self._beating)
        if self._beating.is_own:
            with contextlib.suppress(StorageError, OSError):
                self._remove_files()

    def _remove_files(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
