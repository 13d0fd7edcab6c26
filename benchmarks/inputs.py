"""Images and networks to measure with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarker import Classification, LabelledImages, Stream, Training

if TYPE_CHECKING:
    import keras

SEED = 8901
TASK = Classification(classes=("compact", "FRI", "FRII", "bent"))
_SOURCES = 64


def prepared_noise(folder: Path, n: int, size: int) -> LabelledImages:
    """Write images of noise as the cache holds them, and open them memory-mapped.

    Parameters
    ----------
    folder : Path
        Folder to write to.
    n, size : int
        Number of images, and their height and width in pixels. At most 64 images differ.
    """
    noise = Stream("benchmark images", size=size).generator().random((min(n, _SOURCES), size, size, 1), np.float32)
    path = folder / f"images-{n}-{size}.f32"
    with path.open("wb") as stream:
        for start in range(0, n, _SOURCES):
            stream.write(noise[: n - start].tobytes())
    return _labelled(path, n, size)


def prepared_zeros(folder: Path, n: int, size: int) -> LabelledImages:
    """Open images of zeros memory-mapped; their file is sparse, so nothing is written to disk.

    Parameters
    ----------
    folder : Path
        Folder of the file.
    n, size : int
        Number of images, and their height and width in pixels.
    """
    path = folder / f"zeros-{n}-{size}.f32"
    with path.open("wb") as stream:
        stream.truncate(4 * n * size * size)
    return _labelled(path, n, size)


def _labelled(path: Path, n: int, size: int) -> LabelledImages:
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


def compiled_network(name: str, size: int, training: Training) -> keras.Model:
    """Return a registered architecture with its default options, built and compiled.

    Parameters
    ----------
    name : str
        Name of the architecture.
    size : int
        Height and width of its images in pixels.
    training : Training
        Settings of the training.
    """
    from benchmarker.discovery import installed, options_model
    from benchmarker.training.build import build_model
    from benchmarker.training.fit import compile_model

    architecture = installed().architecture(name)
    options = options_model(architecture)
    model = build_model(architecture, options() if options else None, (size, size, 1), TASK, seed=SEED)
    compile_model(model, TASK, training, learning_rate=1e-4)
    return model
