"""Train a registry of networks and print the leaderboard: a thin front of ``benchmarker run``.

python quickstart.py -a registries/quickstart.yaml -s 8901
"""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command, or say how to install it."""
    try:
        from benchmarker.cli import quickstart  # noqa: PLC0415 - it may be missing
    except ImportError as error:
        sys.stderr.write(f"{error}: run `make install`, then use .venv/bin/python\n")
        return 1
    return quickstart()


if __name__ == "__main__":
    sys.exit(main())
