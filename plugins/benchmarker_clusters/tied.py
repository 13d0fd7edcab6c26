"""Runs a command that ends with the process that started it: ``python -m benchmarker_clusters.tied COMMAND ...``.

Its standard input is a pipe that only its parent holds. When that is closed, because the parent ended or its machine
was taken out of a cluster, the command is asked to stop, and killed a little later. If this process is itself killed,
as Ray does with what a lost node has started, the kernel asks the command to stop.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1  # man 2 prctl
_GRACE_SECONDS = 20.0


def main(command: list[str]) -> int:
    """Run the command, and return its exit code."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=_asker(),  # noqa: PLW1509 - no thread has been started yet
    )
    threading.Thread(target=_end_with_parent, args=(process,), daemon=True).start()
    return process.wait()


def _asker() -> Callable[[], object] | None:
    """Return what the command calls first, so that it gets SIGTERM when this process ends; None where Linux is not."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl  # loaded here: little may be done between fork and exec
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _end_with_parent(process: subprocess.Popen[bytes]) -> None:
    while os.read(0, 1):
        pass
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
