"""The load beside the figures of benchmarks: work of others makes a machine busy, that of the benchmark does not."""

from __future__ import annotations

import subprocess
import sys
import time

from benchmarks import load
from benchmarks.load import watched
from benchmarks.measure import Figure
from benchmarks.run import remarks, table

WORK = "import time\nuntil = time.process_time() + 0.5\nwhile time.process_time() < until: pass"


def test_own_work_does_not_count_and_that_of_others_does() -> None:
    """Other tests may run at the same time, so the two are compared; the figure is an average over the block."""
    seconds = {}
    for whose in ("own", "others"):
        began = time.perf_counter()
        with watched() as seen:
            process = subprocess.Popen([sys.executable, "-c", WORK])
            if whose == "others":  # not waited for within the block, as if another program had started it
                deadline = time.monotonic() + 60
                while process.pid and _used(process.pid) < 0.45 and time.monotonic() < deadline:
                    time.sleep(0.01)
            else:
                process.wait()
        seconds[whose] = seen.others * (time.perf_counter() - began)
        process.wait()
    assert seconds["others"] - seconds["own"] > 0.2
    assert seen.cores >= 1


def _used(pid: int) -> float:
    import psutil

    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def test_figures_say_what_was_measured_on_a_busy_machine() -> None:
    def figure(name: str, others: float, note: str = "") -> Figure:
        seen = load.Load(cores=2, began=0.5, ended=1.5, others=others)
        return Figure(name=name, rival="r", ratio=1.0, bound="at most", limit=2.0, note=note, load=seen.to_json())

    figures = [figure("calm", 0.1, "2.00 s per cell, the goal is at most 3 s"), figure("disturbed", 0.9)]
    said = "\n".join(remarks(figures))
    assert "2.00 s per cell, the goal is at most 3 s" in said
    assert "other programs used 0.9 cores, so worth little: disturbed" in said
    assert "calm" not in said
    loads = list(table(figures).columns[-1].cells)
    assert loads == ["0.5 to 1.5", "0.5 to 1.5 [red]busy[/]"]
