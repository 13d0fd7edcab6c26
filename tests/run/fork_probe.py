"""A fork server that imports no backend, and whose workers report what they find and end as their job says."""

from __future__ import annotations

import json
import os
import random  # noqa: TID251 - shows what a plugin would draw
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

from benchmarker.run import fork_server


def main() -> int:
    """Do what the line on standard input says."""
    word = sys.stdin.buffer.readline().decode().strip()
    pipe = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    environment = Path("/proc/self/environ").read_bytes().decode().split("\0")
    sys.stdout.write("for the log\n")
    facts = {
        "leads": os.getsid(0) == os.getpid(),
        "mark": next(each for each in environment if each.startswith("BENCHMARKER_PROCESS=")).partition("=")[2],
        "inherited": os.environ["BENCHMARKER_PROCESS"],
        "device": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "drawn": random.random(),
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
    }
    if word == "stray":
        facts["stray"] = subprocess.Popen(["sleep", "600"], start_new_session=True).pid
    pipe.write(json.dumps(facts) + "\n")
    pipe.flush()
    if word in {"sleep", "stray"}:
        time.sleep(600)
    if word == "raise":
        raise KeyError(word)
    return int(word)


if __name__ == "__main__":
    worker = types.ModuleType("benchmarker.run.worker")
    worker.main = main  # type: ignore[attr-defined]
    sys.modules[worker.__name__] = worker
    fork_server._IMPORTED = ()
    if os.environ.get("ANOTHER_THREAD"):
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
    sys.exit(fork_server.main())
