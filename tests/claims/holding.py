"""A process that claims or shares what the test says, shows the token, and does what it reads on standard input."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
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
