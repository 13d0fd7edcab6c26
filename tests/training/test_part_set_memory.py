"""Reading memory-mapped images does not fill the process's memory with them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarker import Classification, LabelledImages
from benchmarker.training.sets import PartSet

MEBIBYTE = 1 << 20


def resident_file_bytes() -> int:
    """Resident memory of this process that is mapped from files."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("RssFile:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the system does not say")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_pages_of_a_large_set_are_let_go(tmp_path: Path) -> None:
    n, size = 400, 512  # of one MiB each
    path = tmp_path / "images.f32"
    with path.open("wb") as stream:
        stream.truncate(n * 4 * size * size)
    data = LabelledImages(
        task=Classification(classes=("FRI", "FRII")),
        images=np.memmap(path, dtype="<f4", mode="r", shape=(n, size, size, 1)),
        targets=np.zeros(n, np.int64),
        source_ids=tuple(map(str, range(n))),
        parts=(None,) * n,
        attributes={},
        skipped=(),
        digest="",
    )
    images = PartSet(data, np.arange(n))
    before = resident_file_bytes()
    largest = 0
    for start in range(0, n, 8):
        batch = images.batch(np.arange(start, start + 8))
        assert not batch.any()
        largest = max(largest, resident_file_bytes() - before)
    assert largest < 128 * MEBIBYTE
