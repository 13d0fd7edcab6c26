"""Training of the inclination pipeline over batch files that together do not fit in memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from benchmarker_inclination import training
from benchmarker_inclination.batch_files import Pool
from benchmarker_inclination.npz import write_npz

SIZE, IMAGES = 64, 256
FILE_BYTES = IMAGES * SIZE * SIZE * 3


class _Reader:
    """A network that learns nothing, but reads every batch that it is given."""

    def __init__(self) -> None:
        self.variables: tuple[Any, ...] = ()
        self.optimizer = SimpleNamespace(variables=())
        self.seen = 0

    def fit(self, batches: Any, **_settings: Any) -> Any:
        self.seen += sum(len(batches[k][0]) for k in range(len(batches)))
        return SimpleNamespace(
            history={f"{part}{name}": [0.0] for part in ("", "val_") for name in ("loss", "mse", "mae")}
        )

    def save_weights(self, _path: Path) -> None:
        """Save nothing: there are no weights."""


def _write_files(folder: Path, count: int) -> None:
    (folder / "Uset_000_npz").mkdir(parents=True)
    labels = np.full(IMAGES, 60, np.int32)
    for number in range(1, count + 1):
        images = (np.full((SIZE, SIZE, 3), number, np.uint8) for _ in range(IMAGES))
        path = folder / "Uset_000_npz" / f"{SIZE}x{SIZE}_train_aug_{number:02d}.npz"
        write_npz(path, images, shape=(IMAGES, SIZE, SIZE, 3), dtype=np.uint8, arrays={"labels": labels})


def _peak(folder: Path, count: int) -> int:
    _write_files(folder / "augmented", count)
    (folder / "models").mkdir()
    argument = {
        "member": {"model": "model4", "number": 0},
        "schedule": {"size": SIZE, "n_batches": count, "rounds": 1, "batch_size": 64, "seed": 0},
        "folder": str(folder / "models"),
        "samples": str(folder),
        "batches": str(folder / "augmented"),
        "order": list(range(count)),
    }
    tracemalloc.start()
    try:
        training.train_in_process(argument, lambda _history: None)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_peak_memory_does_not_grow_with_the_number_of_batch_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = Pool(
        images=np.zeros((4, SIZE, SIZE, 3), np.uint8),
        labels=np.full(4, 60, np.int32),
        pgc=np.arange(4, dtype=np.int32),
        letters=np.full(4, "c", "S1"),
    )
    keras.utils.PyDataset()  # imported before memory is traced
    reader = _Reader()
    monkeypatch.setattr(training, "build", lambda *_arguments: reader)
    monkeypatch.setattr(training, "held_out_images", lambda *_arguments: pool)
    peaks = {}
    for count in (1, 8):
        reader.seen = 0
        peaks[count] = _peak(tmp_path / str(count), count)
        assert reader.seen == count * IMAGES
    # All files together are twice as large as the peak may be.
    assert peaks[8] < 1.3 * peaks[1] < 4 * FILE_BYTES
