"""Preparing a dataset that the cache has no room for fails at its first image."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarker import Classification, Dataset, DatasetContents, ImageRecord, Preparation, Stream
from benchmarker.data import prepared
from benchmarker.data.context import Context
from benchmarker.disk import MARGIN_BYTES
from benchmarker.errors import StorageError

SIZE, COUNT = 16, 1000
BYTES = 4 * SIZE * SIZE * COUNT


@pytest.mark.parametrize(("free", "fits"), [(BYTES - 1, False), (BYTES, True)])
def test_what_does_not_fit_fails_at_the_first_image(
    free: int, fits: bool, isolated_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []

    def records() -> Iterator[ImageRecord]:
        for number in range(COUNT):
            read.append(number)
            image = Stream("test", number=number).generator().random((SIZE, SIZE)).astype(np.float32)
            yield ImageRecord(image=image, target=number % 2, source_id=f"J{number:04d}")

    def load(_options: object, _context: object) -> DatasetContents:
        task = Classification(classes=("compact", "FRI"))
        return DatasetContents(task=task, records=records, signature="sky", count=COUNT)

    monkeypatch.setattr(prepared, "resolve", lambda _reference: load)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=free + MARGIN_BYTES))
    sky = Dataset(name="sky", loader="sky:load", licence="CC0", citation="nobody")
    if fits:
        data, _ = prepared.prepare(sky, None, Preparation(), Context(dataset="sky"))
        assert len(data) == COUNT
        return
    with pytest.raises(StorageError, match=r"1,000 prepared images need\(s\) about 1\.0 MB"):
        prepared.prepare(sky, None, Preparation(), Context(dataset="sky"))
    assert read == [0]
    assert not list(isolated_cache.rglob("*.partial"))
