"""Writes which source is in which part, for people to read: one CSV file for each seed, beside the plan.

Nothing reads these files back: a cell draws its split again from its specification, and its trail holds the digest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarker.contracts.images import LabelledImages
from benchmarker.contracts.tasks import Classification
from benchmarker.data.splits import Parts
from benchmarker.files import make_folder, write_csv
from benchmarker.study.layout import SPLITS_FOLDER

_DIGITS = 8


def write_splits(study: Path, data: LabelledImages, seeds: Sequence[int], splits: Sequence[Parts]) -> None:
    """Write the files of a study that it does not have yet.

    Each is ``splits/<seed>-<digest>.csv`` with the first digits of the digest that the trail calls ``split``, so that
    another split of the same seed gets another file. Lines are sources: ``source_id``, ``part`` (``train``,
    ``validation`` or ``test``), ``class`` for a classification, and the number of ``images``.

    Parameters
    ----------
    study : Path
        Folder of the study.
    data : LabelledImages
        The dataset.
    seeds : sequence of int
        Seeds of the cells.
    splits : sequence of Parts
        The parts under each seed.

    Raises
    ------
    StorageError
        If a file cannot be written.
    """
    folder = study / SPLITS_FOLDER
    make_folder(folder)
    header = ["source_id", "part", *(["class"] if isinstance(data.task, Classification) else []), "images"]
    for seed, parts in zip(seeds, splits, strict=True):
        path = folder / f"{seed}-{parts.digest[:_DIGITS]}.csv"
        if not path.exists():
            write_csv(path, header, _lines(data, parts))


def _lines(data: LabelledImages, parts: Parts) -> Iterator[list[str]]:
    """Yield the sources of each part in the order of its images, which is that of the draw where that is kept."""
    targets = np.asarray(data.targets)
    for name in ("train", "validation", "test"):
        images: dict[str, list[int]] = {}
        for index in getattr(parts, name).tolist():
            images.setdefault(data.source_ids[index], []).append(index)
        for source, indices in images.items():
            label = [data.task.classes[int(targets[indices[0]])]] if isinstance(data.task, Classification) else []
            yield [source, name, *label, str(len(indices))]
