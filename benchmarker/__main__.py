"""``python -m benchmarker`` is the ``benchmarker`` command."""

from __future__ import annotations

import sys

from benchmarker.cli import main

if __name__ == "__main__":
    sys.exit(main())
