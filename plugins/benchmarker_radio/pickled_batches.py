"""Radio galaxies published as pickled batches in the style of CIFAR: FR-DEEP-F and MiraBest.

A batch is a mapping with ``data`` (an array or a list of square images, flattened or not, uint8), ``labels``,
``filenames`` and ``batch_label``; ``batches.meta`` lists the names of the labels in order. The pickles are read by an
unpickler that accepts only numpy arrays and plain Python values. The images were published clipped and scaled to
0...255, so the default preparation only scales them to [0, 1].
"""

from __future__ import annotations

import hashlib
import logging
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from benchmarker import (
    Classification,
    DataError,
    DatasetContents,
    DatasetContext,
    ImageRecord,
    Options,
    Part,
    SkippedImage,
    load_plain_pickle,
    path_signature,
    read_members,
)
from benchmarker_radio.datasets import FR_DEEP, MIRABEST

if TYPE_CHECKING:
    from numpy.typing import NDArray

_log = logging.getLogger(__name__)

FR_DEEP_CLASSES = ("FRI", "FRII")

# In the order of the published labels 0 to 9. Hundreds: 1 FRI, 2 FRII, 3 hybrid. Tens: 0 certain, 1 uncertain. Units:
# 0 standard, 1 double-double, 2 wide-angle tail, 4 head-tail.
MIRABEST_CODES = ("100", "102", "104", "110", "112", "200", "201", "210", "300", "310")

_BATCH = re.compile(r"data_batch_\d+|test_batch")
_META = "batches.meta"
_MIRABEST_NAME = re.compile(
    r"(?:(?P<code>\d{3})_)?(?P<ra>\d{3}\.\d{3})_?(?P<dec>[+-]\d{3}\.\d{3})"
    r"(?:_(?P<redshift>\d+\.\d+)_(?P<angular_size>\d+\.\d+))?"
)
_MIRABEST_UNITS = {"ra": "deg", "dec": "deg", "redshift": "", "angular_size": "arcsec"}

# MD5 of the test batch of each published variant.
_MIRABEST_VARIANTS = {
    "5e443302dbdf3c2003d68ff9ac95f08c": "MiraBest (full), 1,256 FIRST images",
    "ac7ea0d5ee8c7ab49f257c9964796953": "MiraBest F, 1,256 FIRST images processed again",
    "b3ff79c3b6c2acf9a0865f8b3d71a35d": "MiraBest N, 1,256 NVSS images",
}


class MiraBestOptions(Options):
    """Which of the ten sub-classes to use, and how to combine them."""

    classes: Literal["binary", "morphology", "all"] = "binary"
    """`binary`: FRI and FRII without hybrids; `morphology`: FRI, FRII and hybrid; `all`: the ten sub-classes."""

    confidence: Literal["all", "certain"] = "all"
    """`certain` drops the sources whose class is uncertain according to the catalogue (110, 112, 210, 310)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One image of a batch with its label."""

    batch: str
    name: str
    label: int
    pixels: NDArray[Any]


@dataclass(slots=True)
class _Batches:
    variant: str = ""
    rows: list[_Row] = field(default_factory=list)
    label_names: tuple[str, ...] | None = None


def load_fr_deep(options: None, context: DatasetContext) -> DatasetContents:
    """Read FR-DEEP-F: 600 FIRST images of 150 x 150 pixels, FRI and FRII (doi:10.1093/mnras/stz1883).

    Parameters
    ----------
    options : None
        The data set has no options.
    context : DatasetContext
        The user's path, or the download.

    Returns
    -------
    DatasetContents
        Eleven training batches and one test batch of 50 images each. One image is all zero. Another one occurs twice
        under two names, which count as one source.

    References
    ----------
    Tang, Scaife & Leahy 2019, MNRAS 488, 3358 (2019MNRAS.488.3358T).
    """
    del options
    path = context.fetch(FR_DEEP)
    return DatasetContents(
        task=Classification(classes=FR_DEEP_CLASSES),
        records=lambda: _fr_deep_records(path),
        signature={"fr-deep": 1, "files": path_signature(path)},
        count=600 if context.path is None else None,
    )


def load_mirabest(options: MiraBestOptions, context: DatasetContext) -> DatasetContents:
    """Read MiraBest: images of 150 x 150 pixels in ten sub-classes (arXiv:2305.11108).

    Every published variant is read: F and full (1,256 FIRST images each), N (the same sources in NVSS), and the earlier
    set of 792 sources, whose labels are only FRI and FRII; there the sub-classes come from the file names. The variants
    divide the same sources into other parts, so their images must not be mixed.

    Parameters
    ----------
    options : MiraBestOptions
        Which sub-classes to use.
    context : DatasetContext
        The user's path, or the download.

    Returns
    -------
    DatasetContents
        The published training batches and test batch, with the attributes ``ra`` and ``dec`` in degrees, and, except in
        the set of 792, ``redshift`` and the largest ``angular_size`` in arcsec, all from the file names.

    References
    ----------
    Porter & Scaife 2023, arXiv:2305.11108; labels of Miraghaei & Best 2017, MNRAS 466, 4346.
    """
    path = context.fetch(MIRABEST)
    class_of = mirabest_classes(options)
    classes = tuple(dict.fromkeys(class_of.values()))
    return DatasetContents(
        task=Classification(classes=classes),
        records=lambda: _mirabest_records(path, class_of, classes),
        signature={"mirabest": 2, "files": path_signature(path), "options": options.model_dump()},
        attribute_units=_MIRABEST_UNITS,
    )


def mirabest_classes(options: MiraBestOptions) -> dict[str, str]:
    """Return the class that each sub-class belongs to, in the order of the sub-classes.

    Examples
    --------
    >>> mirabest_classes(MiraBestOptions(classes="morphology", confidence="certain"))
    {'100': 'FRI', '102': 'FRI', '104': 'FRI', '200': 'FRII', '201': 'FRII', '300': 'Hybrid'}
    """
    morphology = {"1": "FRI", "2": "FRII", "3": "Hybrid"}
    chosen: dict[str, str] = {}
    for code in MIRABEST_CODES:
        if options.confidence == "certain" and code[1] != "0":
            continue
        if options.classes == "binary" and code[0] == "3":
            continue
        chosen[code] = code if options.classes == "all" else morphology[code[0]]
    return chosen


def _fr_deep_records(path: Path) -> Iterator[ImageRecord | SkippedImage]:
    batches = _read(path)
    names = batches.label_names or FR_DEEP_CLASSES
    if set(names) != set(FR_DEEP_CLASSES):
        raise DataError(f"{path}: {_META} should list the labels FRI and FRII. Received: {', '.join(names)}")
    # File names are numbered within their class, so the number alone does not identify a source.
    keys = [f"{_label_name(names, row)}/{PurePosixPath(row.name).stem}" for row in batches.rows]
    for row, source in zip(batches.rows, _sources(batches.rows, keys), strict=True):
        yield _record(row, FR_DEEP_CLASSES.index(_label_name(names, row)), source)


def _mirabest_records(
    path: Path, class_of: Mapping[str, str], classes: Sequence[str]
) -> Iterator[ImageRecord | SkippedImage]:
    batches = _read(path)
    codes = _mirabest_codes(path, batches.label_names)
    _log.info("%s: %s", path, batches.variant or f"a variant of MiraBest, {len(batches.rows):,} images")
    labelled = [(row, match, _mirabest_code(codes, row, match)) for row, match in _mirabest_matches(batches.rows)]
    chosen = [(row, match, code) for row, match, code in labelled if code in class_of]
    keys = [f"{match['ra']}{match['dec']}" if match else PurePosixPath(row.name).stem for row, match, _ in chosen]
    sources = _sources([row for row, _, _ in chosen], keys)
    for (row, match, code), source in zip(chosen, sources, strict=True):
        found = match.groupdict() if match else {}
        attributes = {name: float(found[name]) for name in _MIRABEST_UNITS if found.get(name)}
        yield _record(row, classes.index(class_of[code]), source, attributes)


def _mirabest_matches(rows: Sequence[_Row]) -> list[tuple[_Row, re.Match[str] | None]]:
    return [(row, _MIRABEST_NAME.search(PurePosixPath(row.name).name)) for row in rows]


def _mirabest_code(codes: Sequence[str], row: _Row, match: re.Match[str] | None) -> str:
    """Return the sub-class of an image; where the label is only FRI or FRII, the one in its file name."""
    code = _label_name(codes, row)
    if code in MIRABEST_CODES:
        return code
    named = match["code"] if match else None
    expected = str(FR_DEEP_CLASSES.index(code) + 1)
    if named is None:
        return f"{expected}00"
    if named not in MIRABEST_CODES or named[0] != expected:
        raise DataError(f"{row.batch}: {row.name} has the label {code}, but the sub-class {named} in its name")
    return named


def _mirabest_codes(path: Path, label_names: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the sub-class of each label, from ``batches.meta`` or else in the published order."""
    if label_names is None:
        return MIRABEST_CODES
    if set(label_names) == set(FR_DEEP_CLASSES):
        return label_names
    found = tuple(code for name in label_names for code in re.findall(r"(?<!\d)\d{3}(?!\d)", name)[:1])
    if len(found) == len(label_names) and set(found) <= set(MIRABEST_CODES):
        return found
    if len(label_names) == len(MIRABEST_CODES) and not found:
        _log.warning("%s: %s lists no sub-classes; assuming the published order", path, _META)
        return MIRABEST_CODES
    raise DataError(
        f"{path}: {_META} should list the sub-classes {', '.join(MIRABEST_CODES)}. Received: {', '.join(label_names)}"
    )


def _label_name(names: Sequence[str], row: _Row) -> str:
    if not 0 <= row.label < len(names):
        raise DataError(f"{row.batch}: {row.name} has the label {row.label}, but there are only {len(names)} labels")
    return names[row.label]


def _record(
    row: _Row, target: int, source: str, attributes: Mapping[str, float] | None = None
) -> ImageRecord | SkippedImage:
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


def _sources(rows: Sequence[_Row], keys: Sequence[str]) -> list[str]:
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


def _read(path: Path) -> _Batches:
    batches = _Batches()
    found: dict[str, str] = {}
    for member in read_members(path):
        name = PurePosixPath(member.name).name
        if ".ipynb_checkpoints/" in member.name or not (name == _META or _BATCH.fullmatch(name)):
            continue
        if name in found:
            raise DataError(
                f"{path} contains more than one set of batches: {found[name]} and {member.name}; give the folder of one"
            )
        found[name] = member.name
        data = member.read()
        content = _mapping(data, f"{path}: {member.name}")
        if name == _META:
            batches.label_names = _label_names(content, path)
        else:
            batches.rows += _rows(content, name, path)
        if name == "test_batch":
            batches.variant = _MIRABEST_VARIANTS.get(hashlib.md5(data, usedforsecurity=False).hexdigest(), "")
    if not batches.rows:
        raise DataError(f"{path} contains no batches: expected files data_batch_1, ..., test_batch and {_META}")
    if batches.label_names is None:
        _log.warning("%s contains no %s; assuming the published order of the labels", path, _META)
    return batches


def _mapping(data: bytes, name: str) -> dict[str, Any]:
    value = load_plain_pickle(data, name)
    if not isinstance(value, dict):
        raise DataError(f"{name} should be a mapping. Received: {type(value).__name__}")
    return {_text(key): entry for key, entry in value.items()}


def _label_names(meta: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    names = meta.get("label_names", meta.get("fine_label_names"))
    if not isinstance(names, list | tuple):
        raise DataError(f"{path}: {_META} should contain a list label_names. Received: {type(names).__name__}")
    return tuple(map(_text, names))


def _rows(batch: Mapping[str, Any], name: str, path: Path) -> list[_Row]:
    import numpy as np

    try:
        data = [np.asarray(image) for image in batch["data"]]
        labels = [int(label) for label in batch.get("labels", batch.get("fine_labels"))]
        names = [_text(filename) for filename in batch["filenames"]]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: {name} should contain data, labels and filenames: {error}") from error
    if not len(data) == len(labels) == len(names):
        raise DataError(
            f"{path}: {name} contains {len(data)} images, {len(labels)} labels and {len(names)} file names; "
            "these numbers should be equal"
        )
    return [
        _Row(batch=name, name=filename, label=label, pixels=pixels)
        for pixels, label, filename in zip(data, labels, names, strict=True)
    ]


def _text(value: object) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(value)
