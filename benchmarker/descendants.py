"""Finds and ends what a process started, even in sessions of its own.

A signal to a process group misses a descendant that began its own session. So a process that is started here gets a
mark in its environment, which its descendants inherit, and `end` kills every process that has the mark. That works on
Linux, where ``/proc`` shows the environments of the processes of the user; elsewhere nothing is found.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
import uuid
from pathlib import Path

VARIABLE = "BENCHMARKER_PROCESS"

_STARTING_SECONDS = 0.01
_KERNEL_THREAD = 0x00200000

_ROUNDS = 20
"""A process may start another one between being found and being killed; nothing outruns this many rounds for long."""


def new_mark() -> str:
    """Return a value of `VARIABLE` that no other process has; all are equally long."""
    return uuid.uuid4().hex


def take_mark(mark: str) -> None:
    """Give this process, which was forked from a marked one, a mark of its own.

    What ``/proc`` shows as the environment is the memory that the process was started with, so that it is overwritten.

    Parameters
    ----------
    mark : str
        Return value of `new_mark`.

    Raises
    ------
    OSError
        If the system does not let a process do that, or shows no mark.
    """
    # man 5 proc: fields 50 and 51, of which the first two end with the last closing parenthesis.
    numbers = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    begin, end = int(numbers[47]), int(numbers[48])
    prefix = f"{VARIABLE}=".encode()
    with Path("/proc/self/mem").open("r+b", buffering=0) as memory:
        memory.seek(begin)
        block = b"\0" + memory.read(end - begin)
        place = block.find(b"\0" + prefix)
        if place < 0 or block.find(b"\0", place + 1) != place + 1 + len(prefix) + len(mark):
            raise OSError("the environment that this process was started with holds no mark")
        memory.seek(begin + place + len(prefix))
        memory.write(mark.encode())
    os.environ[VARIABLE] = mark


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
        found, starting = _marked(mark)
        if not found and not starting:
            return
        for process in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        if not found:
            time.sleep(_STARTING_SECONDS)


def end_own() -> None:
    """Kill the descendants of this process that have its mark."""
    end(os.environ.get(VARIABLE, ""))


def _marked(mark: str) -> tuple[list[int], bool]:
    """Return the processes with a mark, and whether a process is starting, which may have it and not show it yet."""
    wanted = f"{VARIABLE}={mark}".encode()
    own = os.getpid()
    found, starting = [], False
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
            if not environment:
                starting = _is_starting(folder) or starting
                environment = (folder / "environ").read_bytes()  # it may have started since
        except OSError:  # it is somebody else's, or has ended
            continue
        if int(folder.name) != own and wanted in environment.split(b"\0"):
            found.append(int(folder.name))
    return found, starting


def _is_starting(folder: Path) -> bool:
    """Whether a process has left its program and not begun the next: it shows neither arguments nor environment.

    Its parent may have gone on already, so that a child which was just started can be missed.
    """
    if (folder / "cmdline").read_bytes():
        return False
    # man 5 proc: state and flags of the kernel, the first and seventh field after the name.
    fields = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return fields[0] not in {"Z", "X"} and not int(fields[6]) & _KERNEL_THREAD
