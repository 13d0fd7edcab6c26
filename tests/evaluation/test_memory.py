"""Peak memory is that of the process itself."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import subprocess, sys
from benchmarker.evaluation.memory import peak_memory_bytes
before = peak_memory_bytes()
ballast = bytearray(200 * 2**20)
ballast[::4096] = b"x" * len(ballast[::4096])
during = peak_memory_bytes()
child = "from benchmarker.evaluation.memory import peak_memory_bytes; print(peak_memory_bytes())"
started = subprocess.run([sys.executable, "-c", child], stdout=subprocess.PIPE, check=True)
del ballast
print(before, during, peak_memory_bytes(), int(started.stdout))
"""
MEBIBYTE = 2**20


def test_peak_memory_is_in_bytes_never_falls_and_is_not_that_of_the_process_that_started_it() -> None:
    found = subprocess.run([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, check=True)
    before, during, later, child = map(int, found.stdout.split())
    assert 2 * MEBIBYTE < before < 100 * MEBIBYTE
    assert 190 * MEBIBYTE < during - before < 210 * MEBIBYTE
    assert later > during - MEBIBYTE  # the kernel counts pages in lots
    assert child < 100 * MEBIBYTE
