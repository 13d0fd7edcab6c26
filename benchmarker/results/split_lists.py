"""Reads the lists of which source is in which part that a study keeps for its readers."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarker.errors import StorageError
from benchmarker.files import read_ordinary_text
from benchmarker.study.layout import SPLITS_FOLDER
from benchmarker.study.runs import FinishedManifest, read_manifest

if TYPE_CHECKING:
    from benchmarker.results.study import CellRecord

_DIGITS = 8
_PARTS = ("train", "validation", "test")


def read_split(study: Path, cell: CellRecord) -> tuple[dict[str, str], ...]:
    """Return the lines of the list for the split of a finished run; none where there is no such list.

    Parameters
    ----------
    study : Path
        Folder of the study.
    cell : CellRecord
        A run. The digest of its split in its manifest tells which list is its own.

    Returns
    -------
    tuple of dict of str to str
        ``source_id``, ``part``, ``class`` (of a classification) and ``images`` of each source.
    """
    if cell.status != "ok" or cell.folder is None:
        return ()
    try:
        manifest = read_manifest(cell.folder)
        digest = manifest.digests.get("split", "") if isinstance(manifest, FinishedManifest) else ""
        path = study / SPLITS_FOLDER / f"{cell.seed}-{digest[:_DIGITS]}.csv"
        if not digest.isalnum() or path.is_symlink() or not path.is_file():
            return ()
        rows = tuple(csv.DictReader(io.StringIO(read_ordinary_text(path), newline="")))
    except (StorageError, OSError, UnicodeDecodeError, csv.Error):  # a list for readers; runs do without it
        return ()
    return rows if all(row.get("part") in _PARTS and row.get("source_id") for row in rows) else ()


def training_shares(study: Path, cell: CellRecord, classes: Sequence[str]) -> tuple[float, ...] | None:
    """Return the share of each class among the real images of the training part of a run.

    Parameters
    ----------
    study : Path
        Folder of the study.
    cell : CellRecord
        A finished run.
    classes : sequence of str
        Classes of the task.

    Returns
    -------
    tuple of float or None
        Between 0 and 1, in the order of the classes, adding up to 1; None where the study has no list of its sources.
    """
    counts = dict.fromkeys(classes, 0)
    for row in read_split(study, cell):
        label, images = row.get("class", ""), row.get("images") or ""
        if row["part"] == "train" and label in counts and images.isascii() and images.isdigit():
            counts[label] += int(images)
    total = sum(counts.values())
    return tuple(n / total for n in counts.values()) if total else None
