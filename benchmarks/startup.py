"""Start of `benchmarker list`, against importing the libraries of a command line."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.measure import Figure, alternate, print_figures

RIVAL = "import pydantic, yaml, rich, click, pluggy"
REPEATS = 41


def main() -> None:
    """Measure."""

    def start(*arguments: str) -> None:
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)

    listing, importing = alternate(
        lambda: start("-m", "benchmarker", "list"),
        lambda: start("-c", RIVAL),
        REPEATS,
    )
    print_figures(
        Figure(
            name="benchmarker list / its libraries",
            rival=f'python -c "{RIVAL}"',
            ratio=listing / importing,
            bound="at most",
            limit=1.5,
            measured={"list_seconds": listing, "imports_seconds": importing},
        )
    )


if __name__ == "__main__":
    main()
