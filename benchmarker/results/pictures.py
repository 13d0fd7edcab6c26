"""Pictures for reports: prepared images from this machine's cache, and what generators drew."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from benchmarker.contracts.images import LabelledImages
    from benchmarker.results.study import CellRecord, Study

_DESCRIPTION_START = 200  # bytes of prepared.json that hold the digest, which is written first
_NUMBER = re.compile(r"\d+")


def prepared_images(study: Study, numbers: Sequence[int]) -> NDArray[np.float32] | None:
    """Return images of a study's dataset, ndarray of shape (n, height, width, channels), or None where none are here.

    Parameters
    ----------
    study : Study
        Whose plan holds the digest of the prepared data.
    numbers : sequence of int
        Of images in the dataset.
    """
    import numpy as np

    data = find_prepared(str(study.dataset.get("digest", "")))
    if data is None or any(not 0 <= number < len(data) for number in numbers):
        return None
    return np.array(data.images[np.asarray(numbers, dtype=np.int64)], dtype=np.float32)


def find_prepared(digest: str) -> LabelledImages | None:
    """Return prepared data with a digest from this machine's cache, or None."""
    from benchmarker.data.cache import cache_folder
    from benchmarker.data.prepared import open_prepared
    from benchmarker.errors import StorageError

    if not digest:
        return None
    for described in sorted((cache_folder() / "prepared").glob("*/prepared.json")):
        try:
            with described.open("rb") as stream:
                start = stream.read(_DESCRIPTION_START)
            if f'"digest": "{digest}"'.encode() in start:
                return open_prepared(described.parent)
        except (OSError, StorageError):  # being freed, or damaged: reports do without pictures
            continue
    return None


def sample_grids(generator: CellRecord) -> tuple[Path, ...]:
    """Return the pictures in a generator's run folder, by the numbers in their names."""
    if generator.folder is None:
        return ()
    found = [path for pattern in ("*.png", "*/*.png") for path in generator.folder.glob(pattern)]
    return tuple(sorted(found, key=lambda path: ([int(n) for n in _NUMBER.findall(path.name)], path.name)))
