"""Time of thirty cells that train for one epoch, against the time where each worker imports its backend itself.

The rival has fewer cells, and times are compared per cell: whatever a study costs once counts a little more for it.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from benchmarker.run import processes
from benchmarks.jobs import registry_of, run
from benchmarks.measure import Figure, print_figures, seconds

CELLS = 30
CELLS_OF_THE_RIVAL = 10
GOAL_SECONDS = 3.0


def main() -> None:
    """Measure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["BENCHMARKER_CACHE"] = str(folder / "cache")
        registries = {}
        for cells in (CELLS, CELLS_OF_THE_RIVAL):
            registries[cells] = folder / f"{cells}.yaml"
            registries[cells].write_text(registry_of(cells, epochs=1), encoding="utf-8")

        def seconds_per_cell(cells: int, study: str, jobs: int) -> float:
            return seconds(lambda: run(registries[cells], folder / study, jobs=jobs, cells=cells)) / cells

        seconds_per_cell(CELLS_OF_THE_RIVAL, "first", jobs=2)  # prepares the data
        forked = seconds_per_cell(CELLS, "forked", jobs=1)
        processes.FORKING = False
        imported = seconds_per_cell(CELLS_OF_THE_RIVAL, "imported", jobs=1)
    print_figures(
        Figure(
            name="time per cell of one epoch, forked workers / workers that import",
            rival="a study of the same network where each worker imports its backend itself",
            ratio=forked / imported,
            bound="at most",
            limit=0.65,
            measured={
                "seconds_per_cell": forked,
                "seconds_per_cell_of_the_rival": imported,
                "cells": CELLS,
                "cells_of_the_rival": CELLS_OF_THE_RIVAL,
            },
            note=f"{CELLS} cells of mcrgnet at 48 px with one epoch and one job: {forked:.2f} s per cell, "
            f"the goal is at most {GOAL_SECONDS:g} s",
        )
    )


if __name__ == "__main__":
    main()
