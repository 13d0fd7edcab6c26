"""Time of ten cells that train for one epoch, against the time where each worker imports its backend itself."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from benchmarker.run import processes
from benchmarks.jobs import registry_of, run
from benchmarks.measure import Figure, print_figures, seconds

CELLS = 10


def main() -> None:
    """Measure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["BENCHMARKER_CACHE"] = str(folder / "cache")
        registry = folder / "ten.yaml"
        registry.write_text(registry_of(CELLS, epochs=1), encoding="utf-8")
        run(registry, folder / "first", jobs=2, cells=CELLS)  # prepares the data
        forked = seconds(lambda: run(registry, folder / "forked", jobs=1, cells=CELLS))
        processes.FORKING = False
        imported = seconds(lambda: run(registry, folder / "imported", jobs=1, cells=CELLS))
    print_figures(
        Figure(
            name=f"time of {CELLS} cells with one epoch, forked workers / workers that import",
            rival="the same study where each worker imports its backend itself",
            ratio=forked / imported,
            bound="at most",
            limit=0.65,
            measured={"seconds_per_cell": forked / CELLS, "seconds_per_cell_of_the_rival": imported / CELLS},
        )
    )


if __name__ == "__main__":
    main()
