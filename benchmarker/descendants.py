"""Finds and ends what a process started, even in sessions of its own.

A signal to a process group misses a descendant that began its own session. So a process that is started here gets a
mark in its environment, which its descendants inherit, and `end` kills every process that has the mark. That works on
Linux, where ``/proc`` shows the environments of the processes of the user; elsewhere nothing is found.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

VARIABLE = "BENCHMARKER_PROCESS"

_ROUNDS = 20
"""A process may start another one between being found and being killed; nothing outruns this many rounds for long."""


_numbers = itertools.count()


def new_mark() -> str:
    """Return a value of `VARIABLE` that no other process has."""
    return f"{os.getpid()}-{time.time_ns()}-{next(_numbers)}"


def end(mark: str) -> None:
    """Kill every process with a mark but this one.

    Parameters
    ----------
    mark : str
        Value of `VARIABLE` in their environment.
    """
    if not mark:
        return
    for _ in range(_ROUNDS):
        found = list(_marked(mark))
        if not found:
            return
        for process in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)


def end_own() -> None:
    """Kill the descendants of this process that have its mark."""
    end(os.environ.get(VARIABLE, ""))


def _marked(mark: str) -> Iterator[int]:
    wanted = f"{VARIABLE}={mark}".encode()
    own = os.getpid()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()  # empty for a process that has ended
        except OSError:  # it is somebody else's, or has ended
            continue
        if int(folder.name) != own and wanted in environment.split(b"\0"):
            yield int(folder.name)
