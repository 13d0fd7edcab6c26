"""Dataset ``crumb``: 2,100 FIRST images of radio galaxies, collected from four catalogues.

CRUMB merges MiraBest, FR-DEEP, the bent and other sources of Aniyan & Thorat 2017 (AT17) and the hybrid sources of
MiraBest. Each image has one label (FRI, FRII or hybrid) and, beside it, its label in each catalogue, or -1 where the
catalogue does not list it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

from benchmarker import (
    Classification,
    DataError,
    DatasetContents,
    DatasetContext,
    ImageRecord,
    Options,
    SkippedImage,
    path_signature,
    remark,
)
from benchmarker_radio.batches import META, BatchRow, image_record, one_source_names, read_batches
from benchmarker_radio.datasets import CRUMB

CLASSES = ("FRI", "FRII", "Hybrid")
_PUBLISHED = {"FRI": "FRI", "FRII": "FRII", "HYB": "Hybrid", "HYBRID": "Hybrid"}
_POSITION = re.compile(r"(?P<ra>\d{1,3}\.\d+)_?(?P<dec>[+-]\d{1,3}\.\d+)")
_ABSENT = -1

# Class of each label of a catalogue; None for a label that says nothing about it: bent sources are FRI or FRII.
_CATALOGUES: tuple[tuple[str | None, ...], ...] = (
    ("FRI", "FRI", "FRI", "FRI", "FRI", "FRII", "FRII", "FRII", "Hybrid", "Hybrid"),
    ("FRI", "FRII"),
    ("FRI", "FRII", None),
    ("Hybrid", "Hybrid"),
)


class CrumbOptions(Options):
    """Which labels to use."""

    labels: Literal["published", "catalogues"] = "published"
    """`published`: the one label of each image; `catalogues`: the class on which all catalogues agree that give its
    source one, while sources on which they disagree are left out."""


def load(options: CrumbOptions, context: DatasetContext) -> DatasetContents:
    """Read CRUMB: FIRST images of 150 x 150 pixels, uint8, 1.8 arcsec per pixel.

    Parameters
    ----------
    options : CrumbOptions
        Which labels to use.
    context : DatasetContext
        The user's path, or the download.

    Returns
    -------
    DatasetContents
        The published training batches and test batch. Positions in the file names are the attributes ``ra`` and ``dec``
        in degrees.

    Notes
    -----
    The published label of some sources is not that of the catalogues which list them: their number is remarked on, and
    `labels: catalogues` puts it right.

    References
    ----------
    https://github.com/fmporter/CRUMB. Its parts: Porter & Scaife 2023, arXiv:2305.11108; Tang et al. 2019,
    arXiv:1903.11921; Aniyan & Thorat 2017, arXiv:1705.03413.
    """
    path = context.fetch(CRUMB)
    return DatasetContents(
        task=Classification(classes=CLASSES),
        records=lambda: _records(path, options),
        signature={"crumb": 1, "files": path_signature(path), "options": options.model_dump()},
        attribute_units={"ra": "deg", "dec": "deg"},
    )


def _records(path: Path, options: CrumbOptions) -> Iterator[ImageRecord | SkippedImage]:
    batches = read_batches(path)
    names = batches.label_names or CLASSES
    if not {name.upper() for name in names} <= set(_PUBLISHED) or len(names) != len(CLASSES):
        raise DataError(f"{path}: {META} should list FRI, FRII and Hyb. Received: {', '.join(names)}")
    stems = [PurePosixPath(row.name).stem for row in batches.rows]
    positions = [_POSITION.search(stem) for stem in stems]
    keys = [f"{found['ra']}{found['dec']}" if found else stem for found, stem in zip(positions, stems, strict=True)]
    sources = one_source_names(batches.rows, keys)
    for row, source, found in zip(batches.rows, sources, positions, strict=True):
        label = _label(row, names, options, source)
        if isinstance(label, SkippedImage):
            yield label
        else:
            attributes = {axis: float(found[axis]) for axis in ("ra", "dec")} if found else {}
            yield image_record(row, CLASSES.index(label), source, attributes)


def _label(row: BatchRow, names: Sequence[str], options: CrumbOptions, source: str) -> str | SkippedImage:
    if not 0 <= row.label < len(names):
        raise DataError(f"{row.batch}: {row.name} has the label {row.label}, but there are only {len(names)} labels")
    published = _PUBLISHED[names[row.label].upper()]
    voted = catalogue_classes(row.further_labels)
    if options.labels == "published":
        if len(voted) == 1 and published not in voted:
            remark("the published label is not that of the catalogues; `labels: catalogues` uses theirs", row.name)
        return published
    if len(voted) > 1:
        return SkippedImage(name=source, reason=f"the catalogues call it {' and '.join(sorted(voted))}")
    return next(iter(voted), published)


def catalogue_classes(labels: Sequence[int]) -> set[str]:
    """Return the classes that the catalogues give to a source.

    Parameters
    ----------
    labels : sequence of int
        Its label in MiraBest (0 to 9), FR-DEEP (0 or 1), AT17 (0, 1, or 2 for bent) and among the hybrids of MiraBest
        (0 or 1); -1 where it is not listed.

    Examples
    --------
    >>> catalogue_classes([-1, 0, 2, -1]), sorted(catalogue_classes([5, 0, -1, -1]))
    ({'FRI'}, ['FRI', 'FRII'])
    """
    found = {
        known[label]
        for label, known in zip(labels, _CATALOGUES, strict=False)
        if label != _ABSENT and label < len(known)
    }
    return {name for name in found if name is not None}
