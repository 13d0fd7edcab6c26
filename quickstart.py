"""Train a registry of networks and print the leaderboard, as ``benchmarker run`` does.

python quickstart.py -a registries/quickstart.yaml -s 8901
"""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command, or explain how to install it."""
    try:
        from benchmarker.cli import quickstart  # noqa: PLC0415 - it may not be installed
    except ImportError as error:
        sys.stderr.write(f"{error}: run `make install`, then use .venv/bin/python\n")
        return 1
    return quickstart()


if __name__ == "__main__":
    sys.exit(main())
