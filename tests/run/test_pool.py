"""The pool of slots: a signal ends it, whichever thread the system gives it to."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import signal
import sys
import threading
import time

from benchmarker.run.pool import Pool
from benchmarker.run.processes import Workers

stopped = threading.Event()


class Stopped(Workers):
    def stop(self):
        stopped.set()


def work(planned):
    time.sleep(0.5)  # the main thread waits by then
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)
    stopped.wait()
    return True


try:
    Pool(["a cell"], work, lambda _left: True, Stopped()).run(1)
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_ctrl_c_ends_the_pool_although_another_thread_gets_the_signal() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=False, timeout=60, capture_output=True)
    assert done.returncode == 130, done.stderr.decode()
