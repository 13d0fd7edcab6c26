"""Images to measure with."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarker import Classification, LabelledImages, Stream

TASK = Classification(classes=("compact", "FRI", "FRII", "bent"))
_SOURCES = 64


def prepared_noise(folder: Path, n: int, size: int) -> LabelledImages:
    """Write images as the cache holds them, and open them memory-mapped as it does.

    Parameters
    ----------
    folder : Path
        Where to.
    n, size : int
        How many, and their height and width in pixels. At most 64 differ.
    """
    noise = Stream("benchmark images", size=size).generator().random((min(n, _SOURCES), size, size, 1), np.float32)
    path = folder / f"images-{n}-{size}.f32"
    with path.open("wb") as stream:
        for start in range(0, n, _SOURCES):
            stream.write(noise[: n - start].tobytes())
    return LabelledImages(
        task=TASK,
        images=np.memmap(path, dtype="<f4", mode="r", shape=(n, size, size, 1)),
        targets=np.arange(n) % len(TASK.classes),
        source_ids=tuple(map(str, range(n))),
        parts=(None,) * n,
        attributes={},
        skipped=(),
        digest="",
    )
