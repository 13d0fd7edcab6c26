"""Processes that hold claims: they do what the test says, or stop themselves at a certain point."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import weakref
from pathlib import Path

from benchmarker.claims import Claim
from benchmarker.claims.holders import Holder

HOLD = """
import sys
from pathlib import Path
from benchmarker.claims import claim, share
from benchmarker.errors import StorageError
held = (share if sys.argv[2] == "share" else claim)(Path(sys.argv[1]))
print(getattr(held, "token", "shared"), flush=True)
for line in sys.stdin:
    if line.strip() == "require":
        try:
            held.require()
            print("held", flush=True)
        except StorageError as error:
            print(type(error).__name__, flush=True)
    else:
        held.release()
        print("released", flush=True)
"""

STOP = """
import importlib, os, signal, sys
module, _, name = sys.argv[1].partition(":")
*owners, name = name.split(".")
owner = importlib.import_module(module)
for each in owners:
    owner = getattr(owner, each)
real = getattr(owner, name)
moments = [sys.argv[2]]
def stop_at(moment):
    if moment in moments:
        moments.remove(moment)
        os.kill(os.getpid(), signal.SIGSTOP)
def stopping(*arguments, **options):
    stop_at("before")
    found = real(*arguments, **options)
    stop_at("after")
    return found
setattr(owner, name, stopping)
from benchmarker.cli import main
sys.exit(main(sys.argv[3:]))
"""


def succeed(held: Claim) -> None:
    """Write what a process writes that takes over, although this one has beaten its heart just now."""
    successor = dataclasses.replace(Holder.here(), token="f" * 16, after=(held.token,))
    held.path.with_name(f"{held.path.name}-2").write_bytes(successor.to_bytes())


class HoldingProcess:
    """A process that holds a claim or a share.

    Parameters
    ----------
    path : Path
        What it claims.
    kind : str
        ``"claim"`` or ``"share"``.
    host : str
        Name of its machine; that of this process by default.
    heartbeat : float
        Seconds between its heartbeats.
    """

    def __init__(self, path: Path, kind: str = "claim", *, host: str = "", heartbeat: float = 0.05) -> None:
        environment = {**os.environ, "BENCHMARKER_HEARTBEAT": str(heartbeat)}
        environment |= {"BENCHMARKER_HOST": host} if host else {}
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(path), kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.token = self._answer()

    def ask(self, word: str) -> str:
        """Send a word, and return the answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        return self._answer()

    def signal(self, number: int) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.communicate()

    def _answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


class StoppedCommand:
    """A command that is stopped while it calls a function for the first time.

    Parameters
    ----------
    arguments : str
        The command.
    before, after : str
        The function, such as ``"pathlib:Path.rename"``: the command is stopped before it, or after it.
    host : str
        Name of its machine.
    """

    def __init__(self, *arguments: str, before: str = "", after: str = "", host: str = "another machine") -> None:
        when = "before" if before else "after"
        self._process = subprocess.Popen(
            [sys.executable, "-c", STOP, before or after, when, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "BENCHMARKER_HEARTBEAT": "0.05", "BENCHMARKER_HOST": host},
        )
        weakref.finalize(self, self._process.kill)  # of a test that fails
        found = os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        if found is None or found.si_status != signal.SIGSTOP:
            raise AssertionError(self._process.communicate())

    def proceed(self) -> tuple[int, str]:
        """Let it go on; return its exit code and what it said of errors."""
        self._process.send_signal(signal.SIGCONT)
        _, errors = self._process.communicate(timeout=60)
        return self._process.returncode, errors
