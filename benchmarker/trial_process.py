"""The other process of a trial: it imports plugins, says whether they behaved, and ends whatever they left running."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from typing import Any

from benchmarker.containment import quiet_import
from benchmarker.discovery import register, resolve
from benchmarker.entry_points import Found, find


def main() -> None:
    """Answer a question of `benchmarker.trials` on standard output."""
    question: dict[str, Any] = json.load(sys.stdin)
    sys.path[:] = question["path"]
    wanted = [tuple(point) for point in question["points"]]
    answer = os.dup(1)
    before = set(threading.enumerate())
    for point in find():
        if (point.entry.name, point.entry.value, point.distribution) in wanted:
            # What an import raises is reported by the process that asked.
            with contextlib.suppress(BaseException):
                _import(point)
    left = sorted(thread.name for thread in set(threading.enumerate()) - before if thread.is_alive())
    problem = f"importing it leaves threads running: {', '.join(left)}" if left else ""
    os.write(answer, json.dumps({"problem": problem}).encode())
    os._exit(0)  # threads that are left cannot delay it, nor functions that run at exit


def _import(point: Found) -> None:
    with quiet_import():
        plugins = register(point.entry)
    for _, plugin in plugins:
        # The schema of a registry needs the classes of options.
        if (options := getattr(plugin, "options", None)) is not None:
            resolve(options)


if __name__ == "__main__":
    main()
