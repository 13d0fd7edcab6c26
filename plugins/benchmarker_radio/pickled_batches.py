"""Radio galaxies published as pickled batches in the style of CIFAR: FR-DEEP-F and MiraBest.

The images were published clipped and scaled to 0...255, so the default preparation only scales them to [0, 1].
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import Field

from benchmarker import (
    Classification,
    DataError,
    DatasetContents,
    DatasetContext,
    ImageRecord,
    Options,
    SkippedImage,
    path_signature,
)
from benchmarker_radio.batches import META, BatchRow, image_record, label_name, one_source_names, read_batches
from benchmarker_radio.datasets import FR_DEEP, MIRABEST

_log = logging.getLogger(__name__)

FR_DEEP_CLASSES = ("FRI", "FRII")

# In the order of the published labels 0 to 9. Hundreds: 1 FRI, 2 FRII, 3 hybrid. Tens: 0 certain, 1 uncertain. Units:
# 0 standard, 1 double-double, 2 wide-angle tail, 4 head-tail.
MIRABEST_CODES = ("100", "102", "104", "110", "112", "200", "201", "210", "300", "310")

_MIRABEST_NAME = re.compile(
    r"(?:(?P<code>\d{3})_)?(?P<ra>\d{3}\.\d{3})_?(?P<dec>[+-]\d{3}\.\d{3})"
    r"(?:_(?P<redshift>\d+\.\d+)_(?P<angular_size>\d+\.\d+))?"
)
_MIRABEST_UNITS = {"ra": "deg", "dec": "deg", "redshift": "", "angular_size": "arcsec"}

Variant = Literal["F", "N", "full", "basic"]

# MD5 of the test batch of each published variant.
_TEST_BATCHES: Mapping[str, Variant] = {
    "ac7ea0d5ee8c7ab49f257c9964796953": "F",
    "b3ff79c3b6c2acf9a0865f8b3d71a35d": "N",
    "5e443302dbdf3c2003d68ff9ac95f08c": "full",
    "58e771ce101c4cbe8595b214d0cf02c3": "basic",
}
_DESCRIPTIONS: Mapping[Variant, str] = {
    "F": "MiraBest F, 1,256 FIRST images processed again",
    "N": "MiraBest N, 1,256 NVSS images",
    "full": "MiraBest (full), 1,256 FIRST images",
    "basic": "MiraBest basic, 792 FIRST images",
}


class MiraBestOptions(Options):
    """Which of the ten sub-classes to use, and how to combine them."""

    classes: Literal["binary", "morphology", "all"] = "binary"
    """`binary`: FRI and FRII without hybrids; `morphology`: FRI, FRII and hybrid; `all`: the ten sub-classes."""

    confidence: Literal["all", "certain"] = "all"
    """`certain` drops the sources whose class is uncertain according to the catalogue (110, 112, 210, 310)."""

    # Left out of what decides a cell's key where it is not used, so that keys stay what they were before it existed.
    variant: Variant | None = Field(default=None, exclude_if=lambda value: value is None)
    """`F`: 1,256 FIRST images; `N`: the same sources in NVSS; `full`: the sources of F in an earlier processing and
    another split; `basic`: 792 FRI and FRII sources. By default F is downloaded, and a file of yours may hold any."""


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
    path = context.fetch(MIRABEST[options.variant or "F"])
    class_of = mirabest_classes(options)
    classes = tuple(dict.fromkeys(class_of.values()))
    return DatasetContents(
        task=Classification(classes=classes),
        records=lambda: _mirabest_records(path, class_of, classes, options.variant),
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
    batches = read_batches(path)
    names = batches.label_names or FR_DEEP_CLASSES
    if set(names) != set(FR_DEEP_CLASSES):
        raise DataError(f"{path}: {META} should list the labels FRI and FRII. Received: {', '.join(names)}")
    # File names are numbered within their class, so the number alone does not identify a source.
    keys = [f"{label_name(names, row)}/{PurePosixPath(row.name).stem}" for row in batches.rows]
    for row, source in zip(batches.rows, one_source_names(batches.rows, keys), strict=True):
        yield image_record(row, FR_DEEP_CLASSES.index(label_name(names, row)), source)


def _mirabest_records(
    path: Path, class_of: Mapping[str, str], classes: Sequence[str], wanted: Variant | None
) -> Iterator[ImageRecord | SkippedImage]:
    batches = read_batches(path)
    codes = _mirabest_codes(path, batches.label_names)
    found = _TEST_BATCHES.get(batches.test_md5)
    if found and wanted and found != wanted:
        raise DataError(f"{path} holds {_DESCRIPTIONS[found]}, but the option `variant` is {wanted}")
    _log.info("%s: %s", path, _DESCRIPTIONS[found] if found else f"a set of {len(batches.rows):,} images")
    labelled = [(row, match, _mirabest_code(codes, row, match)) for row, match in _mirabest_matches(batches.rows)]
    chosen = [(row, match, code) for row, match, code in labelled if code in class_of]
    keys = [f"{match['ra']}{match['dec']}" if match else PurePosixPath(row.name).stem for row, match, _ in chosen]
    sources = one_source_names([row for row, _, _ in chosen], keys)
    for (row, match, code), source in zip(chosen, sources, strict=True):
        named = match.groupdict() if match else {}
        attributes = {name: float(named[name]) for name in _MIRABEST_UNITS if named.get(name)}
        yield image_record(row, classes.index(class_of[code]), source, attributes)


def _mirabest_matches(rows: Sequence[BatchRow]) -> list[tuple[BatchRow, re.Match[str] | None]]:
    return [(row, _MIRABEST_NAME.search(PurePosixPath(row.name).name)) for row in rows]


def _mirabest_code(codes: Sequence[str], row: BatchRow, match: re.Match[str] | None) -> str:
    """Return the sub-class of an image; where the label is only FRI or FRII, the one in its file name."""
    code = label_name(codes, row)
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
        _log.warning("%s: %s lists no sub-classes; assuming the published order", path, META)
        return MIRABEST_CODES
    raise DataError(
        f"{path}: {META} should list the sub-classes {', '.join(MIRABEST_CODES)}. Received: {', '.join(label_names)}"
    )
