"""FIRST radio galaxies of four classes with their published split (doi:10.1016/j.dib.2023.108974).

The archive contains every image twice: in ``galaxy_data/all`` and in one of ``train``, ``valid`` and ``test``. Only the
latter are read. File names are ``RA_Dec_label_catalogue.png`` with the position in degrees.

The published pixels are clipped (values below three times the local noise are set to it) and scaled to 0...255, so that
91 to 100 per cent of each image are zero. Clipping again at mean + 3 sigma of the image would remove half of the rest,
the faint lobes and tails. The default preparation therefore only scales to [0, 1].

References
----------
Griese et al. 2023, *FIRST radio galaxy data set containing curated labels of classes FRI, FRII, compact and bent*, Data
in Brief 47, 108974 (doi:10.1016/j.dib.2023.108974).
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import IO, Annotated, Any, Literal

from pydantic import Field

from benchmarker import (
    Classification,
    DataError,
    DatasetContents,
    DatasetContext,
    ImageRecord,
    Member,
    Options,
    Part,
    SkippedImage,
    UnreadableImageError,
    open_hdf5,
    open_picture,
    path_signature,
    read_members,
)
from benchmarker_radio.datasets import (
    FIRST_RADIO_GALAXIES,
    FIRST_RADIO_GALAXIES_FOLDS,
    FIRST_RADIO_GALAXIES_FOLDS_TEST,
)

# In the order of the published labels 0 to 3.
CLASSES = ("FRI", "FRII", "Compact", "Bent")

_PARTS: Mapping[str, Part] = {"train": "train", "valid": "validation", "validation": "validation", "test": "test"}
_LABELS = {name.lower(): label for label, name in enumerate(CLASSES)}
_POSITION = re.compile(r"(?P<ra>\d+(?:\.\d+)?)_(?P<dec>-?\d+(?:\.\d+)?)(?:_|$)")
_HDF5_SUFFIXES = (".h5", ".hdf5")
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
# What h5py raises where an object of a file cannot be read, or is none that can.
_DAMAGED = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError, OSError)


class FoldOptions(Options):
    """Which of the five published folds to read."""

    fold: Annotated[int, Field(ge=0, lt=len(FIRST_RADIO_GALAXIES_FOLDS))] | Literal["all"] = 0
    """Number of the fold, 0 to 4: each source that is not tested is in the validation part of one fold. `all` reads the
    five of them for `split: {published: true, folds: 5}`."""

    # Left out of what decides a cell's key where it is not used, so that keys stay what they were before it existed.
    positions: bool = Field(default=False, exclude_if=lambda value: not value)
    """Also read the published PNG images, whose names give positions: the folds have none, but the same pixels."""


def load(options: None, context: DatasetContext) -> DatasetContents:
    """Read the published zip file, its unpacked folder, or the published HDF5 file.

    Parameters
    ----------
    options : None
        The data set has no options.
    context : DatasetContext
        The user's path, or the download.

    Returns
    -------
    DatasetContents
        2,158 images of 300 x 300 pixels, uint8, 1.8 arcsec per pixel. Those of the zip file have the attributes ``ra``
        and ``dec`` in degrees. One image, in the validation part, is all zero.

    Raises
    ------
    DataError
        If the user's file or folder has another layout.
    """
    del options
    path = context.fetch(FIRST_RADIO_GALAXIES)
    hdf5 = _is_hdf5(path)
    if not hdf5 and not path.is_file() and not _images(path):
        raise DataError(_nothing_found(path))
    return DatasetContents(
        task=Classification(classes=CLASSES),
        records=lambda: _hdf5_records(path) if hdf5 else _records(path),
        signature={"first-radio-galaxies": 1, "files": path_signature(path, (".png",))},
        count=None if hdf5 or not (path.is_dir() or zipfile.is_zipfile(path)) else len(_images(path)),
        attribute_units={} if hdf5 else {"ra": "deg", "dec": "deg"},
    )


def load_fold(options: FoldOptions, context: DatasetContext) -> DatasetContents:
    """Read one of the five published folds, and the test part that they share.

    Parameters
    ----------
    options : FoldOptions
        Number of the fold.
    context : DatasetContext
        The user's folder with the published files, or the downloads.

    Returns
    -------
    DatasetContents
        1,405 images for training, 353 for validation and 400 (100 of each class) for testing, 300 x 300 pixels, uint8,
        1.8 arcsec per pixel. With all folds, 1,758 for training, with the attribute ``fold``. A source is named after
        its group in the file, which is the same in all folds.

    Raises
    ------
    DataError
        If the user's folder lacks a fold or the test part.
    """
    pictures = [context.fetch(FIRST_RADIO_GALAXIES)] if options.positions else []
    together = options.fold == "all"
    folds = FIRST_RADIO_GALAXIES_FOLDS if options.fold == "all" else (FIRST_RADIO_GALAXIES_FOLDS[options.fold],)
    downloads = (*folds, FIRST_RADIO_GALAXIES_FOLDS_TEST)
    paths = [context.fetch(download) for download in downloads]
    for download, path in zip(downloads, paths, strict=True):
        if path.name != download.filename or not _is_hdf5(path):
            raise DataError(f"{path} holds no {download.filename}; give a folder with it and {downloads[-1].filename}")

    def records() -> Iterator[ImageRecord | SkippedImage]:
        known = {pixels: found for path in pictures for pixels, found in _positions(path).items()}
        for record in chain(_records_of_folds(paths[:-1], together=together), _hdf5_records(paths[-1], "test/")):
            if known and isinstance(record, ImageRecord):
                yield replace(record, attributes={**record.attributes, **known.get(_pixels(record.image), {})})
            else:
                yield record

    return DatasetContents(
        task=Classification(classes=CLASSES),
        records=records,
        signature={"first-radio-galaxies-folds": 1, "files": [path_signature(path) for path in (*paths, *pictures)]},
        attribute_units={**({"fold": ""} if together else {}), **({"ra": "deg", "dec": "deg"} if pictures else {})},
    )


def _records_of_folds(paths: Sequence[Path], *, together: bool) -> Iterator[ImageRecord | SkippedImage]:
    """Read one fold as it is, or the validation parts of all: together they are the sources that are not tested."""
    for fold, path in enumerate(paths):
        for record in _hdf5_records(path):
            if not together or isinstance(record, SkippedImage):
                yield record
            elif record.part == "validation":
                yield replace(record, part="train", attributes={"fold": float(fold)})


def _positions(path: Path) -> dict[bytes, Mapping[str, float]]:
    """Return the position of each published PNG image by its pixels, but for blank ones and those without a position.

    Raises
    ------
    DataError
        If there are no images.
    """
    found = {
        _pixels(record.image): record.attributes
        for record in _records(path)
        if isinstance(record, ImageRecord) and record.attributes and record.image.any()
    }
    if not found:
        raise DataError(_nothing_found(path))
    return found


def _pixels(image: Any) -> bytes:
    return hashlib.sha256(image.tobytes()).digest()


def _records(path: Path) -> Iterator[ImageRecord | SkippedImage]:
    wanted = _images(path)
    if not wanted:
        raise DataError(_nothing_found(path))
    for member in read_members(path, (".png",)):
        if member.name in wanted:
            part, label = wanted[member.name]
            yield _record(member, part, label)


def _images(path: Path) -> dict[str, tuple[Part | None, int]]:
    """Return part and label of each image to read, by its name."""
    split: dict[str, tuple[Part | None, int]] = {}
    unsplit: dict[str, tuple[Part | None, int]] = {}
    for member in read_members(path, (".png",)):
        *_, part, label, _name = "", "", *member.name.lower().split("/")
        if label not in _LABELS:
            continue
        if part in _PARTS:
            split[member.name] = (_PARTS[part], _LABELS[label])
        else:
            unsplit[member.name] = (None, _LABELS[label])
    # The folder `all` repeats the images of the parts; it is read only if there is nothing else.
    return split or unsplit


def _record(member: Member, part: Part | None, label: int) -> ImageRecord | SkippedImage:
    import numpy as np

    try:
        with open_picture(io.BytesIO(member.read()), formats=("PNG",)) as image:
            grey = image.convert("L") if image.mode in {"1", "P", "LA", "PA", "RGB", "RGBA"} else image
            pixels = np.array(grey)
    except UnreadableImageError as error:
        return SkippedImage(name=member.name, reason=str(error))
    stem = PurePosixPath(member.name).stem
    position = _POSITION.match(stem)
    return ImageRecord(
        image=pixels,
        target=label,
        source_id=f"{position['ra']}_{position['dec']}" if position else stem,
        part=part,
        attributes={axis: float(position[axis]) for axis in ("ra", "dec")} if position else {},
    )


def _nothing_found(path: Path) -> str:
    return (
        f"{path} contains no PNG images in folders train, valid and test with folders {', '.join(CLASSES)} in each; "
        f"give {FIRST_RADIO_GALAXIES.filename}, or the folder it was unpacked to"
    )


def _is_hdf5(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        if stream.read(len(_HDF5_MAGIC)) == _HDF5_MAGIC:
            return True
    return zipfile.is_zipfile(path) and any(True for _ in read_members(path, _HDF5_SUFFIXES))


def _hdf5_records(path: Path, prefix: str = "") -> Iterator[ImageRecord | SkippedImage]:
    """Read a published HDF5 file, which has a group ``data_<n>`` for each source and no positions.

    Files number their sources independently, so a prefix keeps those of two files apart.
    """
    held: Path | IO[bytes] = path
    if zipfile.is_zipfile(path):
        held = io.BytesIO(next(read_members(path, _HDF5_SUFFIXES)).read())
    with open_hdf5(held) as file:
        for name in file:
            source = f"{prefix}{name}"
            try:
                group = file[name]
                label = int(group["Label_literature"][()])
                part = _PARTS[group["Split_literature"].asstr()[()]]
                image = group["Img"][()]
            except _DAMAGED as error:
                yield SkippedImage(name=source, reason=f"Img, Label_literature or Split_literature is missing: {error}")
                continue
            if not 0 <= label < len(CLASSES):
                yield SkippedImage(name=source, reason=f"no class has the label {label}")
                continue
            yield ImageRecord(image=image, target=label, source_id=source, part=part)
