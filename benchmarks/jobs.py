"""Time of eight small cells with two jobs, against the time with one job; each cell uses one thread."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarker.discovery import installed
from benchmarker.registry import load_registry
from benchmarker.run import Policy, run_study
from benchmarks.measure import Figure, print_figures, seconds

CELLS = 8


def registry_of(cells: int, *, epochs: int, training: str = "threads: 1") -> str:
    """Return a registry of small cells, which use one thread each unless the settings of their training say more."""
    return f"""
dataset:
  name: synthetic-radio
  preparation: {{crop: 48}}
  split: {{train: 20, validation: 10}}
seeds: [{", ".join(map(str, range(1, cells + 1)))}]
training: {{{training}}}
models:
  - {{architecture: mcrgnet, learning_rate: 1e-3, epochs: {epochs}}}
"""


class Silence:
    """An observer that ignores every event."""

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_arguments, **_named: None


def run(registry: Path, study: Path, *, jobs: int, cells: int = CELLS) -> None:
    """Run all cells."""
    observer: Any = Silence()
    outcome = run_study(
        load_registry(registry), study, observer=observer, plugins=installed(), policy=Policy(jobs=jobs)
    )
    if outcome.ok != cells:
        raise RuntimeError(f"only {outcome.ok} of {cells} cells finished")


def main() -> None:
    """Measure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["BENCHMARKER_CACHE"] = str(folder / "cache")
        registry = folder / "eight.yaml"
        registry.write_text(registry_of(CELLS, epochs=10), encoding="utf-8")
        # Prepares the data and reads the files of libraries before anything is timed.
        run(registry, folder / "first", jobs=2)
        two = seconds(lambda: run(registry, folder / "two", jobs=2))
        one = seconds(lambda: run(registry, folder / "one", jobs=1))
    print_figures(
        Figure(
            name=f"time of {CELLS} small cells with two jobs / with one",
            rival="the same study with --jobs 1 and the same pinned threads",
            ratio=two / one,
            bound="at most",
            limit=0.65,
            measured={"two_jobs_seconds": two, "one_job_seconds": one, "cores": os.cpu_count() or 0},
        )
    )


if __name__ == "__main__":
    main()
