"""Ten thousand cells: their plan, job scripts and status, and how fast finished cells are recorded.

Workers are stand-ins, which write the files of a finished run and train nothing. Everything else is real: the plan, the
claims, the run folders and their renames, and the commands that a user types.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarker.discovery import installed
from benchmarker.randomness import Stream
from benchmarker.registry import load_registry
from benchmarker.run import Policy, run_study, runner
from benchmarker.run.choosing import Chosen
from benchmarker.run.run_folders import WorkFolder, finish
from benchmarker.study.observer import CellOutcome
from benchmarker.study.plan import PlannedCell
from benchmarker.study.protocol import Job
from benchmarks.finished_runs import write_run
from benchmarks.jobs import Silence
from benchmarks.measure import Figure, print_figures

NETWORKS, ARMS, SEEDS = 20, 5, 100
CELLS = NETWORKS * ARMS * SEEDS
RECORDED, PROCESSES = 1000, 2
CELLS_PER_TASK = 10
ALLOWED_SECONDS = 5.0
RECORDED_IN_A_MINUTE = 1000


def registry_text() -> str:
    """Return a registry of all cells."""
    models = "\n".join(
        f"  - {{architecture: mcrgnet, name: network-{number:02}, learning_rate: {number + 1}e-4, epochs: 10}}"
        for number in range(NETWORKS)
    )
    arms = "\n".join(
        f"  - {{name: turns-{step}, augmentations: [{{name: rotations, options: {{step: {step}}}}}]}}"
        for step in (180, 120, 90, 60, 45)[:ARMS]
    )
    return f"""
dataset:
  name: synthetic-radio
  preparation: {{crop: 48}}
  split: {{train: 20, validation: 10}}
arms:
{arms}
seeds: [{", ".join(map(str, range(1, SEEDS + 1)))}]
training: {{threads: 1}}
models:
{models}
"""


def processor_seconds(*words: str | Path) -> float:
    """Run the command line, and return the time of the processor that it took, which a busy machine changes little."""
    before = os.times()
    command = [sys.executable, "-m", "benchmarker", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{words}: {done.stdout}{done.stderr}")
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def stand_in(job: Job, *, fresh: bool = False, **_conditions: Any) -> CellOutcome:
    """Do what `benchmarker.run.launcher.launch` does with a worker, but write results instead of training."""
    if not isinstance(job.planned, PlannedCell):
        raise TypeError(f"a cell was expected. Received: {job.planned.name}")
    folder = WorkFolder(job)
    if (settled := folder.take_up(fresh=fresh)) is not None:
        return settled
    manifest = write_run(job.folder, job.planned, 0.8, Stream("scale", cell=job.planned.key).generator())
    finish(job.folder, job.paths.finished, manifest, job.require_claim, token=job.paths.token)
    outcome = folder.ended()
    if outcome is None:
        raise RuntimeError(f"{job.planned.name} has not ended")
    return outcome


def record(registry: Path, study: Path, cells: str) -> None:
    """Bring cells to their end, and print when the first began and the last ended."""
    times: list[float] = []

    def timed(*arguments: Any, **named: Any) -> CellOutcome:
        times.append(time.time())
        outcome = stand_in(*arguments, **named)
        times.append(time.time())
        return outcome

    replaced: Callable[..., CellOutcome] = timed
    runner.launch = replaced  # type: ignore[attr-defined]
    observer: Any = Silence()
    run_study(
        load_registry(registry),
        study,
        observer=observer,
        plugins=installed(),
        policy=Policy(jobs=1),
        chosen=Chosen(cells=cells),
    )
    sys.stdout.write(json.dumps([len(times) // 2, min(times), max(times)]) + "\n")


def cells_in_a_minute(registry: Path, study: Path) -> float:
    """Return how many cells several processes record in a minute; all of them are given the same cells."""
    plan = json.loads((study / "plan.json").read_bytes())
    keys = ",".join(cell["key"] for cell in plan["cells"][:RECORDED])
    command = [sys.executable, "-m", "benchmarks.many_cells", str(registry), str(study)]
    processes = []
    for _ in range(PROCESSES):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if process.stdin is None or process.stdout is None:
            raise TypeError("a process is started with pipes")
        process.stdin.write(keys)
        process.stdin.close()
        processes.append(process)
    found: list[tuple[int, float, float]] = [
        json.loads(process.stdout.read().splitlines()[-1]) for process in processes if process.stdout is not None
    ]
    if any(process.wait() for process in processes) or sum(n for n, _, _ in found) != RECORDED:
        raise RuntimeError(f"{RECORDED} cells were to be recorded once. Received: {[n for n, _, _ in found]}")
    return 60 * RECORDED / (max(end for *_, end in found) - min(start for _, start, _ in found))


def main() -> None:
    """Measure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["BENCHMARKER_CACHE"] = str(folder / "cache")
        registry, study = folder / "many.yaml", folder / "study"
        registry.write_text(registry_text(), encoding="utf-8")
        processor_seconds("run", registry, "-p", folder / "first", "-s", "1", "--plan-only")  # prepares the data
        submit = ("submit", registry, "-p", study, "--executor", "slurm", "--dry-run")
        taken = {
            "plan": processor_seconds("run", registry, "-p", study, "--plan-only"),
            "submit": processor_seconds(*submit, "--cells-per-task", str(CELLS_PER_TASK)),
        }
        in_a_minute = cells_in_a_minute(registry, study)
        taken["status"] = processor_seconds("status", study)
        if len(list((study / "cluster" / "1").glob("cells*.sh"))) != CELLS // CELLS_PER_TASK // 1000:
            raise RuntimeError("an array job of a thousand tasks was expected")
    names = {
        "plan": "planning {} cells",
        "submit": "planning and writing the job scripts of {} cells",
        "status": "the status of {} cells",
    }
    required = {"plan": ALLOWED_SECONDS, "submit": 2 * ALLOWED_SECONDS, "status": ALLOWED_SECONDS}
    measured = {f"{each}_processor_seconds": seconds for each, seconds in taken.items()}
    print_figures(
        *(
            Figure(
                name=f"{names[each].format(f'{CELLS:,}')} / {required[each]:g} s of the processor",
                rival=f"the required {required[each]:g} seconds",
                ratio=seconds / required[each],
                bound="at most",
                limit=1.0,
                measured=measured,
            )
            for each, seconds in taken.items()
        ),
        Figure(
            name=f"finished cells recorded in a minute by {PROCESSES} processes / {RECORDED_IN_A_MINUTE:,}",
            rival=f"the required {RECORDED_IN_A_MINUTE:,} in a minute",
            ratio=in_a_minute / RECORDED_IN_A_MINUTE,
            bound="at least",
            limit=1.0,
            measured={"cells_in_a_minute": in_a_minute},
        ),
    )


if __name__ == "__main__":
    if sys.argv[1:]:
        record(Path(sys.argv[1]), Path(sys.argv[2]), sys.stdin.read())
    else:
        main()
