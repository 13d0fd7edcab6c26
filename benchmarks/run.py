"""Run each benchmark in a separate process; fail if a limit is missed.

``python -m benchmarks.run [name ...]`` in the checkout; all benchmarks without names. Ratios scatter by some per cent
from process to process. A benchmark that misses a limit is therefore run twice more; the median of the three counts.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarker.backends import chosen, worker_environment
from benchmarks.load import watched
from benchmarks.measure import Figure

THREADS = 2
BENCHMARKS = (
    "startup",
    "opening",
    "rotated_images",
    "memory",
    "epoch",
    "trail",
    "jobs",
    "turnaround",
    "radio_framework",
    "gan_step",
    "gan_samples",
    "many_runs",
    "many_cells",
)
RESULTS = Path("build") / "benchmarks.json"


def measured(name: str) -> list[Figure]:
    """Return the figures of a benchmark; those of three runs if the first misses a limit."""
    figures = run(name)
    if all(figure.kept for figure in figures):
        return figures
    runs = list(zip(figures, run(name), run(name), strict=True))
    return [
        replace(
            same[0],
            ratio=statistics.median(figure.ratio for figure in same),
            runs=len(same),
            load=max((figure.load for figure in same), key=lambda load: load["others"]),
        )
        for same in runs
    ]


def run(name: str) -> list[Figure]:
    """Run one benchmark in the environment of the harness's workers, which may keep its bytecode as a user's does."""
    with watched() as load:
        figures = _run(name)
    return [replace(figure, load=load.to_json()) for figure in figures]


def _run(name: str) -> list[Figure]:
    environment = worker_environment(chosen(), THREADS)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"failed\n{done.stderr}")
    return [Figure(**figure) for figure in json.loads(done.stdout.splitlines()[-1])]


def table(figures: list[Figure]) -> Table:
    """Return the figures as a table."""
    shown = Table("benchmark", "rival", "ratio", "limit", "", "load", title="Ratios within one run")
    for figure in figures:
        verdict = "[green]kept[/]" if figure.kept else "[red]MISSED[/]"
        ratio = f"{figure.ratio:.2f}" + (f" (median of {figure.runs})" if figure.runs > 1 else "")
        load = f"{figure.load['began']:.1f} to {figure.load['ended']:.1f}" + (
            " [red]busy[/]" if figure.load["busy"] else ""
        )
        shown.add_row(figure.name, figure.rival, ratio, f"{figure.bound} {figure.limit:g}", verdict, load)
    return shown


def remarks(figures: Sequence[Figure]) -> list[str]:
    """Return what else is to say about figures: numbers beside their goal, and what was taken on a busy machine."""
    said = [figure.note for figure in figures if figure.note]
    said.append(f"load: averages of one minute when the benchmark began and ended, on {os.cpu_count()} cores")
    said += [
        f"taken while other programs used {figure.load['others']:.1f} cores, so worth little: {figure.name}"
        for figure in figures
        if figure.load["busy"]
    ]
    return said


def machine() -> dict[str, Any]:
    """Return a description of this machine."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load_1_minute": os.getloadavg()[0],
        "python": sys.version,
    }


def main() -> int:
    """Run the requested benchmarks; return the exit code."""
    parser = argparse.ArgumentParser(description="Measure speed and memory against named rivals.")
    parser.add_argument("names", nargs="*", help=f"some of {', '.join(BENCHMARKS)}; all by default")
    names = parser.parse_args().names or BENCHMARKS
    if unknown := sorted(set(names) - set(BENCHMARKS)):
        parser.error(f"unknown benchmark: {', '.join(unknown)}")
    console = Console(width=None if sys.stdout.isatty() else 160)
    here = machine()  # before anything is measured
    figures: list[Figure] = []
    for name in names:
        started = time.perf_counter()
        console.print(f"{name} ...", end=" ")
        figures += measured(name)
        console.print(f"{time.perf_counter() - started:.0f} s")
    RESULTS.parent.mkdir(exist_ok=True)
    result = {"machine": here, "figures": [figure.to_json() for figure in figures]}
    RESULTS.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    console.print(table(figures))
    for remark in remarks(figures):
        console.print(remark, markup=False)
    console.print(f"written to {RESULTS}")
    return 0 if all(figure.kept for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
