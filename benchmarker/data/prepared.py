"""Prepare a dataset once, and open it memory-mapped from then on.

A prepared folder holds ``images.f32`` (little-endian float32, C order), ``targets.npy``, ``prepared.json`` and, if
images are from FITS files, ``sky.npy``. Its name is the digest of the dataset, the code of its plugin, its options, the
preparation and the loader's signature. Cells are keyed by the digest of its *contents*, so moving or touching a file
changes no cell.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from benchmarker.contracts.images import (
    Attribute,
    DatasetContents,
    DatasetContext,
    ImageRecord,
    LabelledImages,
    Part,
    SkippedImage,
)
from benchmarker.contracts.plugins import Dataset
from benchmarker.contracts.settings import Options, Preparation
from benchmarker.contracts.sky import SkyImage
from benchmarker.contracts.tasks import Classification, Task
from benchmarker.data.cache import produce
from benchmarker.data.loading import checked_records, load
from benchmarker.data.positions import record_position
from benchmarker.data.preparation import prepare_images
from benchmarker.data.remarks import collect_remarks
from benchmarker.data.sky_columns import SkyRow, read_sky, sky_rows, write_sky
from benchmarker.data.sky_preparation import cut_from_sky
from benchmarker.digests import digest_arrays, digest_json
from benchmarker.disk import require_free
from benchmarker.errors import DataError, PluginError, StorageError, UnplacedImageError, UnreadableImageError
from benchmarker.record import Record, TaskRecord

VERSION = 2
"""Part of the name of every prepared folder; raised when the same input would be prepared into other numbers."""

_IMAGES_FILE = "images.f32"
_TARGETS_FILE = "targets.npy"
_DESCRIPTION_FILE = "prepared.json"
_LISTED_SKIPPED = 10

Progress = Callable[[str, int, int | None], None]


class _Column(Record):
    """Values of one attribute; null where they are unknown, since JSON has no NaN."""

    unit: str
    values: list[float | None]


class _Description(Record):
    """``prepared.json``. The digest comes first, so that it can be found without reading the names of all sources."""

    digest: str
    task: TaskRecord
    source_ids: list[str]
    parts: list[Part | None]
    attributes: dict[str, _Column]
    shape: tuple[int, int, int]
    skipped: list[tuple[str, str]]
    remarks: tuple[str, ...] = ()
    equal_pixels: tuple[tuple[int, ...], ...] = ()


_DIGESTED = ("task", "source_ids", "parts", "attributes")
"""Parts of a description that the digest of a dataset covers, beside pixels and targets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """Facts about one prepared image, without its pixels."""

    shape: tuple[int, ...]
    target: int | list[float]
    source_id: str
    part: Part | None
    attributes: dict[str, float | None]
    pixels: bytes
    """Digest of the prepared pixels, by which equal images are found."""

    sky: SkyRow | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _LeftOut:
    """The images that are skipped: all of them, and by class those whose class is known."""

    images: list[SkippedImage] = field(default_factory=list)
    by_class: dict[int, list[SkippedImage]] = field(default_factory=dict)
    unplaced: list[SkippedImage] = field(default_factory=list)
    """Those of them that cannot be placed on the sky, although the preparation cuts squares out of it."""

    def add(self, name: str, error: UnreadableImageError, target: object) -> None:
        image = SkippedImage(name=name, reason=error.reason)
        if isinstance(error, UnplacedImageError):
            self.unplaced.append(image)
        self.images.append(image)
        if isinstance(target, int | np.integer):
            self.by_class.setdefault(int(target), []).append(image)


def prepare(
    dataset: Dataset,
    options: Options | None,
    preparation: Preparation,
    context: DatasetContext,
    progress: Progress = lambda _description, _done, _total: None,
    *,
    root: Path | None = None,
) -> tuple[LabelledImages, Path]:
    """Return the prepared images of a dataset, and the folder that holds them.

    Parameters
    ----------
    dataset : Dataset
        The dataset.
    options : Options, optional
        Its validated options.
    preparation : Preparation
        How to prepare each image.
    context : DatasetContext
        Where the loader finds its files.
    progress : callable
        Called with a description, the number of images done, and the number of all images where it is known.
    root : Path, optional
        Folder to prepare the images in instead of the cache.

    Raises
    ------
    DataError
        If the dataset cannot be read, or none of its images can be used.
    PluginError
        If the loader fails, or returns something else than it should.
    """
    inputs = load(dataset, options, context)[1]
    key = {
        "version": VERSION,
        "dataset": dataset.name,
        "options": options.model_dump(mode="json") if options else None,
        "preparation": preparation.model_dump(mode="json"),
        **inputs,
    }

    def write(folder: Path) -> None:
        # A loader may read a table before it signs it. What is kept was therefore read between two equal signatures.
        contents, found = load(dataset, options, context)
        _write(folder, dataset, contents, preparation, progress)
        if not inputs == found == load(dataset, options, context)[1]:
            raise DataError(
                f"the files of {dataset.name!r}, or the code that reads them, were changed while they were read; "
                "run the same command again"
            )

    folder = produce("prepared", key, write, root=root)
    return open_prepared(folder), folder


def _write(
    folder: Path, dataset: Dataset, contents: DatasetContents, preparation: Preparation, progress: Progress
) -> None:
    """Fill a prepared folder."""
    with collect_remarks() as remarks:
        rows, skipped = _prepare_images(folder, dataset, contents, preparation, progress)
    _refuse_unplaced(dataset, preparation, skipped.unplaced)
    if not rows:
        raise DataError(_nothing_usable(f"no image of {dataset.name!r}", skipped.images))
    rows = _keep_one_shape(folder, rows, skipped)
    _require_every_class(dataset, contents.task, rows, skipped)
    targets = np.array([row.target for row in rows], dtype=_target_type(contents.task))
    np.save(folder / _TARGETS_FILE, targets)
    write_sky(folder, [row.sky for row in rows])
    images: NDArray[Any] = _map_images(folder, len(rows), rows[0].shape)
    description = _describe(contents, rows, skipped.images, remarks)
    digest = _digest(description, images, targets)
    content = {**description.to_json(), "digest": digest}
    (folder / _DESCRIPTION_FILE).write_text(json.dumps(content), encoding="utf-8")


def _digest(description: _Description, images: NDArray[Any], targets: NDArray[Any]) -> str:
    """Return the SHA-256 of prepared contents."""
    facts = {name: value for name, value in description.to_json().items() if name in _DIGESTED}
    return digest_json([digest_arrays({"images": images, "targets": targets}), facts])


def _prepare_images(
    folder: Path, dataset: Dataset, contents: DatasetContents, preparation: Preparation, progress: Progress
) -> tuple[list[_Row], _LeftOut]:
    """Prepare one image after the other into one file; return their facts, and the images that were skipped."""
    rows: list[_Row] = []
    skipped = _LeftOut()
    first = True
    with (folder / _IMAGES_FILE).open("wb") as stream:
        for done, record in enumerate(checked_records(dataset, contents)):
            progress(f"preparing {dataset.name}", done, contents.count)
            if isinstance(record, SkippedImage):
                skipped.images.append(record)
                continue
            try:
                rows.extend(_append(record, contents, preparation, stream))
            except UnreadableImageError as error:
                skipped.add(record.source_id, error, record.target)
                continue
            if first and rows and contents.count is not None:
                # The first image shows the size of all: better to fail now than hours later.
                images = contents.count * len(rows)
                require_free(folder, contents.count * stream.tell(), f"{images:,} prepared images")
                first = False
    return rows, skipped


def _append(record: ImageRecord, contents: DatasetContents, preparation: Preparation, stream: IO[bytes]) -> list[_Row]:
    """Prepare an image and its copies, and write their pixels; return their facts."""
    image = SkyImage(pixels=record.image, sky=record.sky)
    if preparation.sky is not None:
        position = record_position(record.attributes, contents.attribute_units, record.source_id)
        image = cut_from_sky(image, preparation.sky, position, name=record.source_id)
    images = list(prepare_images(image.pixels, preparation))  # all of them first: an image is used whole or not at all
    target = _checked_target(record, contents.task)
    values = {name: float(value) for name, value in record.attributes.items()}
    attributes = {name: value if math.isfinite(value) else None for name, value in values.items()}
    rows = []
    for prepared, sky in zip(images, sky_rows(image.sky, preparation, len(images)), strict=True):
        pixels = np.ascontiguousarray(prepared, dtype="<f4").data
        stream.write(pixels)
        rows.append(
            _Row(
                shape=prepared.shape,
                target=target,
                source_id=record.source_id,
                part=record.part,
                attributes=attributes,
                pixels=hashlib.blake2b(pixels, digest_size=16).digest(),
                sky=sky,
            )
        )
    return rows


def _checked_target(record: ImageRecord, task: Task) -> int | list[float]:
    if isinstance(task, Classification):
        if not isinstance(record.target, int | np.integer) or not 0 <= record.target < task.n_outputs:
            raise PluginError(
                f"the target of {record.source_id!r} must be a class index from 0 to {task.n_outputs - 1}. "
                f"Received: {record.target!r:.100}"
            )
        return int(record.target)
    try:
        values = np.asarray(record.target, dtype=np.float64).reshape(-1).tolist()
    except (TypeError, ValueError, OverflowError) as error:
        raise PluginError(
            f"the target of {record.source_id!r} must be {task.n_outputs} number(s). Received: {record.target!r:.100}"
        ) from error
    if len(values) != task.n_outputs or not np.isfinite(values).all():
        raise UnreadableImageError(f"its target is {values}, not {task.n_outputs} finite number(s)")
    for value, target in zip(values, task.targets, strict=True):
        if not target.minimum <= value <= target.maximum:
            raise DataError(
                f"the {target.name} of {record.source_id!r} must lie in its range, {target.minimum:g} to "
                f"{target.maximum:g} {target.unit}".rstrip()
                + f". Received: {value:g}; correct it, or widen the range"
            )
    return values


def _target_type(task: Task) -> type[np.int64 | np.float64]:
    return np.int64 if isinstance(task, Classification) else np.float64


def _keep_one_shape(folder: Path, rows: list[_Row], skipped: _LeftOut) -> list[_Row]:
    """Return the rows of the most frequent shape (the first of several), and skip all other images."""
    counts = Counter(row.shape for row in rows)
    if len(counts) == 1:
        return rows
    expected, _ = counts.most_common(1)[0]  # of equal counts, the first one met
    everything, selected = folder / _IMAGES_FILE, folder / f"selected-{_IMAGES_FILE}"
    with everything.open("rb") as source, selected.open("wb") as target:
        for row in rows:
            pixels = source.read(4 * math.prod(row.shape))
            if row.shape == expected:
                target.write(pixels)
                continue
            reason = f"its shape is {_times(row.shape)}; most images are {_times(expected)}"
            skipped.add(row.source_id, UnreadableImageError(reason), row.target)
    selected.replace(everything)
    return [row for row in rows if row.shape == expected]


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _require_every_class(dataset: Dataset, task: Task, rows: Sequence[_Row], skipped: _LeftOut) -> None:
    """Refuse a dataset one of whose classes has lost all its images: that is another study than the one asked for."""
    if not isinstance(task, Classification):
        return
    present = {row.target for row in rows}
    for target, images in sorted(skipped.by_class.items()):
        if target not in present:
            label = task.classes[target]
            raise DataError(_nothing_usable(f"no image of the class {label!r} of {dataset.name!r}", images))


def _refuse_unplaced(dataset: Dataset, preparation: Preparation, unplaced: Sequence[SkippedImage]) -> None:
    """Refuse a dataset with images that cannot be placed on the sky, unless the registry leaves them out."""
    if not unplaced or preparation.sky is None or preparation.sky.missing == "leave-out":
        return
    raise DataError(
        f"preparation.sky: {len(unplaced):,} image(s) of {dataset.name!r} cannot be placed on the sky; correct them, "
        f"choose another `centre`, or leave them out by `missing: leave-out`:\n{_named(unplaced)}"
    )


def _equal_pixels(rows: Sequence[_Row]) -> tuple[tuple[int, ...], ...]:
    """Return the indices of the images in each group with equal pixels."""
    groups: dict[bytes, list[int]] = {}
    for index, row in enumerate(rows):
        groups.setdefault(row.pixels, []).append(index)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def _counted_remarks(remarks: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    return tuple(f"{len(names):,} file(s), such as {Path(names[0]).name}: {text}" for text, names in remarks.items())


def _describe(
    contents: DatasetContents,
    rows: Sequence[_Row],
    skipped: Sequence[SkippedImage],
    remarks: Mapping[str, Sequence[str]],
) -> _Description:
    """Return the description of prepared images, still without their digest."""
    names = sorted({name for row in rows for name in row.attributes})
    height, width, channels = rows[0].shape
    return _Description(
        digest="",
        task=contents.task,
        source_ids=[row.source_id for row in rows],
        parts=[row.part for row in rows],
        attributes={
            name: _Column(
                unit=contents.attribute_units.get(name, ""), values=[row.attributes.get(name) for row in rows]
            )
            for name in names
        },
        shape=(height, width, channels),
        skipped=[(image.name, image.reason) for image in skipped],
        remarks=_counted_remarks(remarks),
        equal_pixels=_equal_pixels(rows),
    )


def _nothing_usable(what: str, skipped: Sequence[SkippedImage]) -> str:
    return f"{what} can be used; {len(skipped):,} were skipped:\n{_named(skipped)}"


def _named(skipped: Sequence[SkippedImage]) -> str:
    shown = "\n".join(f"  {image.name}: {image.reason}" for image in skipped[:_LISTED_SKIPPED])
    hidden = len(skipped) - _LISTED_SKIPPED
    return shown + (f"\n  ... and {hidden} more" if hidden > 0 else "")


def _map_images(folder: Path, n: int, shape: tuple[int, ...]) -> np.memmap[Any, np.dtype[np.float32]]:
    return np.memmap(folder / _IMAGES_FILE, dtype="<f4", mode="r", shape=(n, *shape))


def open_prepared(folder: Path) -> LabelledImages:
    """Open a folder that `prepare` wrote; the pixels stay on disk until they are used.

    Raises
    ------
    StorageError
        If the folder is damaged.
    """
    try:
        return _read(folder)[1]
    except (OSError, ValueError, EOFError) as error:
        raise _damaged(folder, error) from error


def open_measured(folder: Path) -> LabelledImages:
    """Open a folder that `prepare` wrote, with the SHA-256 of the images, targets and facts that it holds now.

    `open_prepared` takes the digest from the folder's own description. This function reads every pixel of the arrays
    that it returns, so it notices a cache that was changed or damaged after it was written.

    Raises
    ------
    StorageError
        If the folder is damaged.
    """
    try:
        described, data = _read(folder)
        return replace(data, digest=_digest(described, data.images, data.targets))
    except (OSError, ValueError, EOFError) as error:
        raise _damaged(folder, error) from error


def _damaged(folder: Path, error: Exception) -> StorageError:
    return StorageError(
        f"{folder}: these prepared images are damaged ({error}); remove the folder and run the same command again"
    )


def _read(folder: Path) -> tuple[_Description, LabelledImages]:
    described = _Description.model_validate_json((folder / _DESCRIPTION_FILE).read_bytes())
    targets = np.load(folder / _TARGETS_FILE, mmap_mode="r")
    return described, LabelledImages(
        task=described.task,
        images=_map_images(folder, len(targets), described.shape),
        targets=targets,
        source_ids=tuple(described.source_ids),
        parts=tuple(described.parts),
        attributes={
            name: Attribute(values=np.array(column.values, dtype=np.float64), unit=column.unit)
            for name, column in described.attributes.items()
        },
        skipped=tuple(SkippedImage(name=name, reason=reason) for name, reason in described.skipped),
        remarks=described.remarks,
        equal_pixels=described.equal_pixels,
        sky=read_sky(folder, len(targets)),
        digest=described.digest,
    )
