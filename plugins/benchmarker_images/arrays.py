"""Dataset ``arrays``: images and labels as arrays of HDF5 or npz files, or as npy files of one folder.

Each array has an entry for each image::

    images   (n, height, width) or (n, height, width, channels)
    labels   (n,)  texts, or numbers with `classes`

A folder of HDF5 files, in any folders below it, is one set in several shards, as in the Multimodal Universe.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarker import (
    ConfigurationError,
    DataError,
    DatasetContents,
    DatasetContext,
    ImageRecord,
    SkippedImage,
    map_npy,
    open_hdf5,
    open_npz,
    path_signature,
)
from benchmarker_images.array_records import ArraysOptions, record, task_of

_HDF5 = (".h5", ".hdf5", ".hdf")
_MOST_UNPACKED_BYTES = 1 << 32
_MOST_BYTES = 1 << 36  # an array of images may be larger than the memory: it is read image by image


def load(options: ArraysOptions, context: DatasetContext) -> DatasetContents:
    """Find the arrays in the user's file or folder.

    Parameters
    ----------
    options : ArraysOptions
        Names of the arrays.
    context : DatasetContext
        An HDF5 file (``.h5``, ``.hdf5``), an ``.npz`` file, a folder of ``.npy`` files named after the arrays, or a
        folder of HDF5 files with the same arrays.

    Returns
    -------
    DatasetContents
        One record per image, in the order of the files and arrays, with pixels in the type and unit of the file. HDF5
        and npy files are read image by image; an npz file is unpacked in memory.

    Raises
    ------
    ConfigurationError
        If no file is given.
    DataError
        If an array is missing or has another length than the images, or labels are not those of the classes.
    """
    path = context.path
    if path is None:
        raise ConfigurationError("arrays reads your own file: give `-d FILE`, or `path: FILE` under `dataset`")
    shards = _shards(path)
    names = _names(options)
    counts = []
    for shard in shards:
        with _opened(shard, names) as arrays:
            counts.append(_length(shard, arrays))
    labels = itertools.chain.from_iterable(_labels(shard, options) for shard in shards)
    task, codes = task_of(labels, options, f"{path}: {options.labels}")

    def records() -> Iterator[ImageRecord | SkippedImage]:
        numbers = itertools.count()
        for shard, count in zip(shards, counts, strict=True):
            with _opened(shard, names) as arrays:
                for index in range(count):
                    yield record(index, next(numbers), options, arrays, codes)

    return DatasetContents(
        task=task,
        records=records,
        signature={"arrays": 1, "files": path_signature(path, (".npy", *_HDF5) if path.is_dir() else ())},
        count=sum(counts),
        attribute_units=options.attributes,
    )


def _shards(path: Path) -> list[Path]:
    """Return the HDF5 files below a folder without npy files, sorted by name; otherwise the path itself."""
    if not path.is_dir() or any(path.glob("*.npy")):
        return [path]
    return sorted(file for file in path.rglob("*") if file.suffix.lower() in _HDF5 and file.is_file()) or [path]


def _names(options: ArraysOptions) -> list[str]:
    return [options.images, *options.columns(), *([options.band_names] if options.bands else [])]


def _labels(shard: Path, options: ArraysOptions) -> Iterator[Any]:
    with _opened(shard, [options.labels]) as arrays:
        yield from arrays[options.labels][()]


@contextmanager
def _opened(path: Path, names: list[str]) -> Iterator[dict[str, Any]]:
    """Return a context with the named arrays: those of an HDF5 file and of a folder stay on disk."""
    try:
        if path.is_dir():
            found = {each.stem: each for each in sorted(path.glob("*.npy"))}
            yield _chosen(path, found, names, map_npy)
        elif path.suffix.lower() in _HDF5:
            import h5py

            with open_hdf5(path, most_bytes=_MOST_BYTES) as file:
                datasets: dict[str, Any] = {}
                file.visititems(
                    lambda name, item: datasets.update({name: item} if isinstance(item, h5py.Dataset) else {})
                )
                yield _chosen(path, datasets, names, lambda item: item)
        else:
            with open_npz(path, most_bytes=max(_MOST_UNPACKED_BYTES, path.stat().st_size)) as file:
                yield _chosen(path, {name: name for name in file}, names, lambda name: file[name])
    except (OSError, ValueError, EOFError, AttributeError) as error:
        raise DataError(
            f"{path}: cannot be read as an HDF5 file, an npz file, or a folder of npy files ({error})"
        ) from error


def _chosen(path: Path, found: Mapping[str, Any], names: list[str], read: Any) -> dict[str, Any]:
    missing = [name for name in names if name not in found]
    if missing:
        raise DataError(
            f"{path}: there is no array {', '.join(map(repr, missing))}; there are: {', '.join(found) or 'none'}. Name "
            "yours under dataset.options"
        )
    return {name: read(found[name]) for name in names}


def _length(path: Path, arrays: Mapping[str, Any]) -> int:
    lengths = {name: array.shape[0] if array.shape else None for name, array in arrays.items()}
    if len(set(lengths.values())) != 1 or None in lengths.values():
        raise DataError(
            f"{path}: all arrays need one entry for each image. Received: "
            + ", ".join(f"{name} {'a single value' if n is None else n}" for name, n in lengths.items())
        )
    return int(next(iter(arrays.values())).shape[0])
