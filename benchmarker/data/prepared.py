"""Prepares a dataset once and opens it memory-mapped ever after.

A prepared folder holds ``images.f32`` (little-endian float32, C order), ``targets.npy`` and ``prepared.json``. Its name
is the digest of the dataset, its options, the preparation and the loader's signature; the digest of its *contents* is
what cells are keyed by, so moving or touching a file changes no cell.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
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
    SkippedImage,
)
from benchmarker.contracts.plugins import Dataset
from benchmarker.contracts.settings import Options, Preparation
from benchmarker.contracts.tasks import Classification, Task, task_from_json
from benchmarker.data.cache import produce
from benchmarker.data.preparation import prepare_image
from benchmarker.digests import canonical_json, digest_arrays, digest_json
from benchmarker.discovery import resolve
from benchmarker.disk import require_free
from benchmarker.errors import BenchmarkerError, DataError, PluginError, StorageError, UnreadableImageError

# Raise when the same input would be prepared into other numbers.
VERSION = 1
_IMAGES_FILE = "images.f32"

Progress = Callable[[str, int, int | None], None]


def prepare(
    dataset: Dataset,
    options: Options | None,
    preparation: Preparation,
    context: DatasetContext,
    progress: Progress = lambda _description, _done, _total: None,
    *,
    root: Path | None = None,
) -> tuple[LabelledImages, Path]:
    """Return the prepared images of a dataset, and the folder that they are in.

    Parameters
    ----------
    dataset, options, preparation
        What to prepare, and how.
    context : DatasetContext
        Where the loader finds its files.
    progress : callable
        Called with a description, how many images are done, and how many there are, if known.
    root : Path, optional
        Folder to prepare the images in instead of the cache.

    Raises
    ------
    DataError
        If the dataset cannot be read, or no image can be used.
    PluginError
        If the loader fails, or returns something else than it should.
    """
    contents = _load(dataset, options, context)
    key = {
        "version": VERSION,
        "dataset": dataset.name,
        "options": options.model_dump(mode="json") if options else None,
        "preparation": preparation.model_dump(mode="json"),
        "signature": contents.signature,
    }

    def write(folder: Path) -> None:
        _write(folder, dataset, contents, preparation, progress)

    folder = produce("prepared", key, write, root=root)
    return open_prepared(folder), folder


@contextmanager
def _blaming(dataset: Dataset) -> Iterator[None]:
    """Name the dataset whose loader fails in a way that nobody foresaw."""
    try:
        yield
    except (BenchmarkerError, OSError):  # a full disk is nobody's fault
        raise
    except Exception as error:
        raise PluginError(
            f"reading the dataset {dataset.name!r} ({dataset.loader}) failed: {type(error).__name__}: {error}"
        ) from error


def _load(dataset: Dataset, options: Options | None, context: DatasetContext) -> DatasetContents:
    with _blaming(dataset):
        contents = resolve(dataset.loader)(options, context)
    if not isinstance(contents, DatasetContents):
        raise PluginError(f"{dataset.loader} must return DatasetContents. Received: {type(contents).__name__}")
    try:
        canonical_json(contents.signature)
    except (TypeError, ValueError) as error:
        raise PluginError(f"{dataset.loader}: its signature cannot be written as JSON: {error}") from error
    return contents


@dataclass(slots=True)
class _Columns:
    shapes: list[tuple[int, ...]] = field(default_factory=list)
    targets: list[Any] = field(default_factory=list)
    source_ids: list[str] = field(default_factory=list)
    parts: list[str | None] = field(default_factory=list)
    attributes: list[dict[str, float | None]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)


def _records(dataset: Dataset, contents: DatasetContents) -> Iterator[ImageRecord | SkippedImage]:
    with _blaming(dataset):
        for record in contents.records():
            if not isinstance(record, ImageRecord | SkippedImage):
                raise PluginError(
                    f"the records of {dataset.loader} must be ImageRecord or SkippedImage. Received: {record!r:.100}"
                )
            yield record


def _write(
    folder: Path, dataset: Dataset, contents: DatasetContents, preparation: Preparation, progress: Progress
) -> None:
    columns = _prepare_records(folder, dataset, contents, preparation, progress)
    if not columns.targets:
        raise DataError(_nothing_left(dataset.name, columns.skipped))
    _keep_one_shape(folder, columns)
    targets = np.array(columns.targets, dtype=np.int64 if isinstance(contents.task, Classification) else np.float64)
    np.save(folder / "targets.npy", targets)
    description = _description(contents, columns)
    images: NDArray[Any] = _map_images(folder, len(targets), columns.shapes[0])
    facts = {key: value for key, value in description.items() if key not in {"shape", "skipped"}}
    described = {"digest": digest_json([digest_arrays({"images": images, "targets": targets}), facts]), **description}
    (folder / "prepared.json").write_text(json.dumps(described), encoding="utf-8")


def _prepare_records(
    folder: Path, dataset: Dataset, contents: DatasetContents, preparation: Preparation, progress: Progress
) -> _Columns:
    """Prepare image by image into one file; return what belongs to those that could be used, and who was skipped."""
    columns = _Columns()
    with (folder / _IMAGES_FILE).open("wb") as stream:
        for done, record in enumerate(_records(dataset, contents)):
            progress(f"preparing {dataset.name}", done, contents.count)
            if isinstance(record, SkippedImage):
                columns.skipped.append((record.name, record.reason))
                continue
            try:
                _append(record, contents.task, preparation, columns, stream)
            except UnreadableImageError as error:
                columns.skipped.append((record.source_id, error.reason))
                continue
            if len(columns.shapes) == 1 and contents.count is not None:
                # The first image tells how large all are; hours later the disk would.
                require_free(folder, contents.count * stream.tell(), f"{contents.count:,} prepared images")
    return columns


def _description(contents: DatasetContents, columns: _Columns) -> dict[str, Any]:
    """Return what is written beside images and targets."""
    attributes = sorted({key for row in columns.attributes for key in row})
    return {
        "task": contents.task.to_json(),
        "shape": list(columns.shapes[0]),
        "source_ids": columns.source_ids,
        "parts": columns.parts,
        "attributes": {
            attribute: {
                "unit": contents.attribute_units.get(attribute, ""),
                "values": [row.get(attribute) for row in columns.attributes],
            }
            for attribute in attributes
        },
        "skipped": columns.skipped,
    }


def _append(record: ImageRecord, task: Task, preparation: Preparation, columns: _Columns, stream: IO[bytes]) -> None:
    image = prepare_image(record.image, preparation)
    columns.targets.append(_checked_target(record, task))
    columns.shapes.append(image.shape)
    stream.write(np.ascontiguousarray(image, dtype="<f4").data)
    columns.source_ids.append(record.source_id)
    columns.parts.append(record.part)
    # JSON has no NaN: what is unknown is null there, and NaN again when it is opened.
    known = {name: float(value) for name, value in record.attributes.items()}
    columns.attributes.append({name: value if math.isfinite(value) else None for name, value in known.items()})


def _keep_one_shape(folder: Path, columns: _Columns) -> None:
    """Skip images whose shape is not the most frequent one, the first of several."""
    counts = Counter(columns.shapes)
    if len(counts) == 1:
        return
    expected = max(counts, key=lambda shape: (counts[shape], -columns.shapes.index(shape)))
    kept = [k for k, shape in enumerate(columns.shapes) if shape == expected]
    everything, selected = folder / _IMAGES_FILE, folder / "selected.f32"
    with everything.open("rb") as source, selected.open("wb") as target:
        for k, shape in enumerate(columns.shapes):
            pixels = source.read(4 * math.prod(shape))
            if shape == expected:
                target.write(pixels)
                continue
            given, wanted = (" x ".join(map(str, each)) for each in (shape, expected))
            columns.skipped.append(
                (columns.source_ids[k], f"its shape is {given}, not {wanted} as that of most images")
            )
    selected.replace(everything)
    for name in ("shapes", "targets", "source_ids", "parts", "attributes"):
        setattr(columns, name, [getattr(columns, name)[k] for k in kept])


def _checked_target(record: ImageRecord, task: Task) -> int | list[float]:
    if isinstance(task, Classification):
        if not isinstance(record.target, int | np.integer) or not 0 <= record.target < task.n_outputs:
            raise PluginError(
                f"the target of {record.source_id!r} must be a class index from 0 to {task.n_outputs - 1}. "
                f"Received: {record.target!r}"
            )
        return int(record.target)
    values = [float(value) for value in np.atleast_1d(np.asarray(record.target, dtype=np.float64))]
    if len(values) != task.n_outputs or not np.isfinite(values).all():
        raise UnreadableImageError(f"its target is {values}, not {task.n_outputs} finite number(s)")
    return values


def _nothing_left(name: str, skipped: list[tuple[str, str]]) -> str:
    shown = "\n".join(f"  {image}: {reason}" for image, reason in skipped[:50])
    more = f"\n  ... and {len(skipped) - 50} more" if len(skipped) > 50 else ""
    return f"no image of {name!r} can be used; {len(skipped)} were skipped:\n{shown}{more}"


def _map_images(folder: Path, n: int, shape: tuple[int, ...]) -> np.memmap[Any, np.dtype[np.float32]]:
    return np.memmap(folder / _IMAGES_FILE, dtype="<f4", mode="r", shape=(n, *shape))


def open_prepared(folder: Path) -> LabelledImages:
    """Open a folder that `prepare` wrote; images stay on disk until they are used.

    Raises
    ------
    StorageError
        If it is damaged.
    """
    try:
        return _open(folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"{folder}: these prepared images are damaged ({error}); remove the folder and run the same command again"
        ) from error


def _open(folder: Path) -> LabelledImages:
    described = json.loads((folder / "prepared.json").read_text(encoding="utf-8"))
    targets = np.load(folder / "targets.npy", mmap_mode="r")
    return LabelledImages(
        task=task_from_json(described["task"]),
        images=_map_images(folder, len(targets), tuple(described["shape"])),
        targets=targets,
        source_ids=tuple(described["source_ids"]),
        parts=tuple(described["parts"]),
        attributes={
            name: Attribute(values=np.array(column["values"], dtype=np.float64), unit=column["unit"])
            for name, column in described["attributes"].items()
        },
        skipped=tuple(SkippedImage(name=name, reason=reason) for name, reason in described["skipped"]),
        digest=described["digest"],
    )
