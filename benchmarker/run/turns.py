"""Whose turn it is on a GPU: attempts share it, unless one of them must be alone there."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarker.run.processes import StoppedError

_POLL_SECONDS = 0.2


class Turns:
    """Lets attempts use devices together, or one alone; who waits to be alone comes before who may share.

    Parameters
    ----------
    stopping : callable
        Returns whether the run is being stopped, so that nobody waits any longer.
    """

    def __init__(self, stopping: Callable[[], bool]) -> None:
        self._stopping = stopping
        self._changed = threading.Condition()
        self._sharing: Counter[str | None] = Counter()
        self._alone: set[str | None] = set()
        self._waiting: Counter[str | None] = Counter()  # to be alone

    @contextmanager
    def turn(self, device: str | None, *, alone: bool) -> Iterator[None]:
        """Return a context in which a device may be used.

        Parameters
        ----------
        device : str or None
            Name of the device.
        alone : bool
            Whether no other attempt may use it meanwhile.

        Raises
        ------
        StoppedError
            If the run is being stopped while it waits.
        """
        self._begin(device, alone=alone)
        try:
            yield
        finally:
            with self._changed:
                if alone:
                    self._alone.discard(device)
                else:
                    self._sharing[device] -= 1
                self._changed.notify_all()

    def _begin(self, device: str | None, *, alone: bool) -> None:
        with self._changed:
            self._waiting[device] += alone
            try:
                while not self._is_free(device, alone=alone):
                    if self._stopping():
                        raise StoppedError
                    self._changed.wait(_POLL_SECONDS)
            finally:
                self._waiting[device] -= alone
            if alone:
                self._alone.add(device)
            else:
                self._sharing[device] += 1

    def _is_free(self, device: str | None, *, alone: bool) -> bool:
        if device in self._alone:
            return False
        return not self._sharing[device] if alone else not self._waiting[device]
