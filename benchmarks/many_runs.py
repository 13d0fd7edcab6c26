"""Ten thousand finished runs: reading them, the terminal leaderboard and the HTML report, against parsing their JSON.

``python -m benchmarks.many_runs --write FOLDER`` only writes such a study.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarker.results.index import INDEX_FILE
from benchmarks.finished_runs import ARMS, NETWORKS, SEEDS, write_study
from benchmarks.measure import Figure, print_figures

COLD_SECONDS, WARM_SECONDS = 5.0, 1.0  # required on two cores
REPEATS, COLD_REPEATS = 7, 3

_RIVAL = """
import json, sys
from pathlib import Path
study = Path(sys.argv[1])
json.loads((study / "plan.json").read_bytes())
for run in sorted((study / "runs").iterdir()):
    for name in ("manifest.json", "metrics.json", "costs.json"):
        json.loads((run / name).read_bytes())
"""
_LOAD = """
import sys
from benchmarker import open_results
results = open_results(sys.argv[1])
board = results.leaderboard()
assert board.rows[0].summary(board.sort).n == len({cell.seed for cell in results.cells})
"""
_LIMITS = (
    ("loading", "cold", "cold_load", COLD_SECONDS),
    ("loading", "warm", "warm_load", WARM_SECONDS),
    ("terminal leaderboard", "cold", "cold_leaderboard", COLD_SECONDS),
    ("terminal leaderboard", "warm", "warm_leaderboard", WARM_SECONDS),
    ("HTML report", "cold", "cold_html", COLD_SECONDS),
)
_MEMORY_OF = {
    "rival": "rival",
    "cold": "cold_load",
    "warm": "warm_load",
    "leaderboard": "warm_leaderboard",
    "html": "warm_html",
}


def _timed(*arguments: str | Path) -> tuple[float, int]:
    """Run a process; return its duration in seconds, and its peak memory in bytes."""
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, *map(str, arguments)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    taken = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{arguments}: exit code {process.returncode}")
    return taken, usage.ru_maxrss * 1024  # Linux counts in kibibytes


Command = tuple[str | Path, ...]


def _best(**commands: Command) -> dict[str, tuple[float, int]]:
    """Return the shortest duration and the highest peak of each command; they run in turns."""
    turns = [{name: _timed(*command) for name, command in commands.items()} for _ in range(REPEATS)]
    return {name: _extremes([turn[name] for turn in turns]) for name in commands}


def _cold(study: Path, *arguments: str | Path) -> tuple[float, int]:
    runs = []
    for _ in range(COLD_REPEATS):
        (study / INDEX_FILE).unlink(missing_ok=True)
        runs.append(_timed(*arguments))
    return _extremes(runs)


def _extremes(runs: list[tuple[float, int]]) -> tuple[float, int]:
    return min(seconds for seconds, _ in runs), max(memory for _, memory in runs)


def measure(study: Path, out: Path, n: int) -> list[Figure]:
    """Time whole processes, since a user also waits for their imports."""
    leaderboard = ("-m", "benchmarker", "leaderboard", study)
    report = ("-m", "benchmarker", "report", study, "--format", "html", "--out", out)
    found = {
        "cold_load": _cold(study, "-c", _LOAD, study),
        "cold_leaderboard": _cold(study, *leaderboard),
        "cold_html": _cold(study, *report),
        **_best(
            rival=("-c", _RIVAL, study),
            warm_load=("-c", _LOAD, study),
            warm_leaderboard=leaderboard,
            warm_html=report,
        ),
    }
    seconds = {name: taken for name, (taken, _) in found.items()}
    return _figures(seconds, {name: peak for name, (_, peak) in found.items()}, n)


def _figures(seconds: Mapping[str, float], memory: Mapping[str, int], n: int) -> list[Figure]:
    measured = {
        **{f"{name}_seconds": taken for name, taken in seconds.items()},
        **{f"{name}_megabytes": memory[process] / 1e6 for name, process in _MEMORY_OF.items()},
    }
    figures = [
        Figure(
            name=f"{what} of {n:,} runs, {state} / {allowed:g} s",
            rival=f"the required {allowed:g} seconds on two cores",
            ratio=seconds[process] / allowed,
            bound="at most",
            limit=1.0,
            measured=measured,
        )
        for what, state, process, allowed in _LIMITS
    ]
    figures.append(
        Figure(
            name=f"terminal leaderboard of {n:,} runs, warm / parsing their JSON",
            rival="json.loads of the plan and of manifest, metrics and costs of every run",
            ratio=seconds["warm_leaderboard"] / seconds["rival"],
            bound="at most",
            limit=1.0,
            measured=measured,
        )
    )
    return figures


def main() -> None:
    """Measure, or only write a study."""
    parser = argparse.ArgumentParser(description="Read ten thousand finished runs.")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="only write such a study")
    parser.add_argument("--networks", type=int, default=NETWORKS, help="number of networks in each arm under each seed")
    arguments = parser.parse_args()
    if arguments.write is not None:
        sys.stdout.write(f"{write_study(arguments.write, networks=arguments.networks)} runs\n")
        return
    with tempfile.TemporaryDirectory() as name:
        study = Path(name) / "study"
        # In another process, since the peak memory of a child includes what its parent held when it was started.
        writer = [sys.executable, "-m", "benchmarks.many_runs", "--write", study, "--networks", arguments.networks]
        subprocess.run([*map(str, writer)], check=True, stdout=subprocess.DEVNULL)
        n = arguments.networks * ARMS * SEEDS
        time.sleep(2.1)  # recent files are not cached, since they may change again without a new time
        print_figures(*measure(study, Path(name) / "out", n))


if __name__ == "__main__":
    main()
