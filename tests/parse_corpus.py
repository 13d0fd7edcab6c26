"""Parses inputs that once broke a parser, within limits on time and memory, and prints what went wrong with each.

python -m tests.parse_corpus FOLDER FILE...

The limits count the memory of this process, which is that of the parsers alone. The process of the suite holds what
hundreds of tests left to the allocator, which then keeps what a parser frees.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path

import pytest

from benchmarker import BenchmarkerError
from tests.fuzz import PARSERS
from tests.test_hostile_studies import limits


def problem(path: Path, folder: Path) -> str:
    """Return why a parser does not cope with a file, or an empty text."""
    try:
        with (
            pytest.MonkeyPatch.context() as patch,
            limits(),
            contextlib.suppress(BenchmarkerError),
        ):
            patch.setattr("benchmarker.data.hdf5._SECONDS", 1)
            PARSERS[path.parent.name].parse(path.read_bytes(), folder)
    # Broad on purpose: each file is tried, whatever another one does.
    except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001
        return f"{type(error).__name__}: {error}"
    return ""


if __name__ == "__main__":
    sys.stdout.write(json.dumps({name: problem(Path(name), Path(sys.argv[1])) for name in sys.argv[2:]}))
