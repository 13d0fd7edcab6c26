"""How much `benchmarker list` adds to importing the libraries of a command line."""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks.measure import Figure, alternate, hand_over

RIVAL = "import pydantic, yaml, rich, click, pluggy"
REPEATS = 21


def main() -> None:
    """Measure."""
    # pip compiled the libraries when it installed them; what is editable must be allowed to keep its bytecode too.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def start(*arguments: str) -> None:
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, env=environment)

    def ours() -> None:
        start("-m", "benchmarker", "list")

    def theirs() -> None:
        start("-c", RIVAL)

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
