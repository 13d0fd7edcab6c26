"""Sets that are larger than the memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT
from tests.data.prepare_many import SIDE

FEW, MANY = 2_000, 20_000
_PIXELS = 4 * SIDE**2
"""Bytes of the pixels of one image; its name, label, attributes and digest take one to three thousand."""


def _bytes_for(kind: str, n: int, folder: Path) -> int:
    words = [sys.executable, "-m", "tests.data.prepare_many", kind, str(n), str(folder / f"{kind}-{n}")]
    done = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["arrays", "files"])
def test_preparing_ten_times_as_many_images_holds_none_of_their_pixels(kind: str, tmp_path: Path) -> None:
    few, many = (_bytes_for(kind, n, tmp_path) for n in (FEW, MANY))
    assert many - few < _PIXELS * (MANY - FEW)
