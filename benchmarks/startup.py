"""How much `benchmarker list` adds to importing the libraries of a command line."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.measure import Figure, alternate, hand_over

RIVAL = "import pydantic, yaml, rich, click, pluggy"
REPEATS = 21


def main() -> None:
    """Measure."""

    def ours() -> None:
        subprocess.run([sys.executable, "-m", "benchmarker", "list"], check=True, stdout=subprocess.DEVNULL)

    def theirs() -> None:
        subprocess.run([sys.executable, "-c", RIVAL], check=True, stdout=subprocess.DEVNULL)

    listing, importing = alternate(ours, theirs, REPEATS)
    figure = Figure(
        name="benchmarker list / its libraries alone",
        rival=f'python -c "{RIVAL}"',
        ratio=listing / importing,
        bound="at most",
        limit=1.5,
        measured={"list_seconds": listing, "imports_seconds": importing},
    )
    hand_over([figure])


if __name__ == "__main__":
    main()
