"""Batches of images pickled in the style of CIFAR.

A batch is a mapping with ``data`` (an array or a list of square images, flattened or not, uint8), ``labels``,
``filenames`` and ``batch_label``; ``batches.meta`` lists the names of the labels in order. The pickles are read by an
unpickler that accepts only numpy arrays and plain Python values.
"""

from __future__ import annotations

import hashlib
import logging
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from benchmarker import DataError, ImageRecord, Part, SkippedImage, load_plain_pickle, read_members

if TYPE_CHECKING:
    from numpy.typing import NDArray

_log = logging.getLogger(__name__)

META = "batches.meta"
_BATCH = re.compile(r"data_batch_\d+|test_batch")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRow:
    """One image of a batch with its label."""

    batch: str
    name: str
    label: int
    pixels: NDArray[Any]
    further_labels: tuple[int, ...] = ()
    """Labels in several catalogues, which only CRUMB has."""


@dataclass(slots=True)
class Batches:
    """All batches of a set."""

    test_md5: str = ""
    """MD5 of the test batch, by which variants are told apart; empty without one."""

    rows: list[BatchRow] = field(default_factory=list)
    label_names: tuple[str, ...] | None = None


def label_name(names: Sequence[str], row: BatchRow) -> str:
    """Return the name of the label of an image.

    Raises
    ------
    DataError
        If there is no such label.
    """
    if not 0 <= row.label < len(names):
        raise DataError(f"{row.batch}: {row.name} has the label {row.label}, but there are only {len(names)} labels")
    return names[row.label]


def image_record(
    row: BatchRow, target: int, source: str, attributes: Mapping[str, float] | None = None
) -> ImageRecord | SkippedImage:
    """Return the image of a row; `SkippedImage` if its pixels are no square image."""
    side = math.isqrt(row.pixels.size)
    shapes = {(side * side,), (side, side), (side, side, 1)}
    if row.pixels.shape not in shapes or row.pixels.dtype.kind not in "biuf":
        shape = " x ".join(map(str, row.pixels.shape))
        return SkippedImage(
            name=f"{row.batch}/{row.name}", reason=f"{shape} values of {row.pixels.dtype} are not a square image"
        )
    part: Part = "test" if row.batch == "test_batch" else "train"
    return ImageRecord(
        image=row.pixels.reshape(side, side), target=target, source_id=source, part=part, attributes=attributes or {}
    )


def one_source_names(rows: Sequence[BatchRow], keys: Sequence[str]) -> list[str]:
    """Return one source name for all images that share a name or all their pixels.

    Images of one source must not be split between the training and the test part.
    """
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        while parent.setdefault(key, key) != key:
            key = parent[key]
        return key

    for row, key in zip(rows, keys, strict=True):
        root(key)
        # Blank images have equal pixels but may be different sources.
        if row.pixels.any():
            pixels = "pixels " + hashlib.sha256(row.pixels.tobytes()).hexdigest()
            first, second = sorted((root(key), root(pixels)), key=lambda name: (name.startswith("pixels "), name))
            parent[second] = first
    return [root(key) for key in keys]


def read_batches(path: Path) -> Batches:
    """Read all batches of a folder or archive.

    Raises
    ------
    DataError
        If there are none, those of two sets, or damaged ones.
    """
    batches = Batches()
    found: dict[str, str] = {}
    for member in read_members(path):
        name = PurePosixPath(member.name).name
        if ".ipynb_checkpoints/" in member.name or not (name == META or _BATCH.fullmatch(name)):
            continue
        if name in found:
            raise DataError(
                f"{path} contains more than one set of batches: {found[name]} and {member.name}; give the folder of one"
            )
        found[name] = member.name
        data = member.read()
        content = _mapping(data, f"{path}: {member.name}")
        if name == META:
            batches.label_names = _label_names(content, path)
        else:
            batches.rows += _rows(content, name, path)
        if name == "test_batch":
            batches.test_md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if not batches.rows:
        raise DataError(f"{path} contains no batches: expected files data_batch_1, ..., test_batch and {META}")
    if batches.label_names is None:
        _log.warning("%s contains no %s; assuming the published order of the labels", path, META)
    return batches


def _mapping(data: bytes, name: str) -> dict[str, Any]:
    value = load_plain_pickle(data, name)
    if not isinstance(value, dict):
        raise DataError(f"{name} should be a mapping. Received: {type(value).__name__}")
    return {_text(key): entry for key, entry in value.items()}


def _label_names(meta: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    names = meta.get("label_names", meta.get("fine_label_names"))
    if not isinstance(names, list | tuple):
        raise DataError(f"{path}: {META} should contain a list label_names. Received: {type(names).__name__}")
    return tuple(map(_text, names))


def _rows(batch: Mapping[str, Any], name: str, path: Path) -> list[BatchRow]:
    import numpy as np

    try:
        data = [np.asarray(image) for image in batch["data"]]
        labels = [int(label) for label in batch.get("labels", batch.get("fine_labels"))]
        names = [_text(filename) for filename in batch["filenames"]]
        further = [tuple(map(int, each)) for each in batch.get("complete_labels", [()] * len(data))]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: {name} should contain data, labels and filenames: {error}") from error
    if not len(data) == len(labels) == len(names) == len(further):
        raise DataError(
            f"{path}: {name} contains {len(data)} images, {len(labels)} labels and {len(names)} file names; "
            "these numbers should be equal"
        )
    return [
        BatchRow(batch=name, name=filename, label=label, pixels=pixels, further_labels=others)
        for pixels, label, filename, others in zip(data, labels, names, further, strict=True)
    ]


def _text(value: object) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(value)
