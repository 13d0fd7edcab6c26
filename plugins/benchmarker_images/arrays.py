"""Dataset ``arrays``: images and labels as arrays of one HDF5 or npz file, or as npy files of one folder.

Each array has an entry for each image::

    images   (n, height, width) or (n, height, width, channels)
    labels   (n,)  texts, or numbers with `classes`
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, model_validator

from benchmarker import (
    Classification,
    ConfigurationError,
    DataError,
    DatasetContents,
    DatasetContext,
    ImageRecord,
    Options,
    Part,
    Regression,
    RegressionTarget,
    SkippedImage,
    Task,
    open_hdf5,
    path_signature,
)
from benchmarker_images.labels import PARTS, TargetOptions, class_codes, plain, two_classes

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HDF5 = (".h5", ".hdf5", ".hdf")
_MOST_BYTES = 1 << 36  # an array of images may be larger than the memory: it is read image by image


class ArraysOptions(Options):
    """Names of the arrays, and what they mean."""

    images: str = "images"
    """Name of the array of images."""

    labels: str = "labels"
    """Name of the array of classes; not used for a regression."""

    classes: tuple[str, ...] | None = None
    """Names of the classes: of the numbers 0, 1, ... in this order, or the texts to use, while others are left out. By
    default all texts, sorted."""

    target: TargetOptions | None = None
    """The quantity of a regression, instead of `labels`."""

    identifiers: str | None = None
    """Name of the array that identifies sources; by default each image is a source, named by its number."""

    part: str | None = None
    """Name of the array with the part of each image: train, validation (valid, val) or test."""

    attributes: dict[str, str] = Field(default_factory=dict)
    """Further quantities: the unit for each name of an array, such as `{ra: deg, dec: deg, redshift: ''}`."""

    channels_first: bool = False
    """Whether the axis of the channels comes before height and width."""

    @model_validator(mode="after")
    def _two_classes(self) -> Self:
        two_classes(self.classes)
        return self

    def names(self) -> list[str]:
        """Return the names of all arrays that are needed."""
        label = self.labels if self.target is None else self.target.name
        return [self.images, label, *(name for name in (self.identifiers, self.part) if name), *self.attributes]


def load(options: ArraysOptions, context: DatasetContext) -> DatasetContents:
    """Find the arrays in the user's file or folder.

    Parameters
    ----------
    options : ArraysOptions
        Names of the arrays.
    context : DatasetContext
        An HDF5 file (``.h5``, ``.hdf5``), an ``.npz`` file, or a folder of ``.npy`` files named after the arrays.

    Returns
    -------
    DatasetContents
        One record per image, in the order of the arrays, with pixels in the type and unit of the file. HDF5 and npy
        files are read image by image; an npz file is unpacked in memory.

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
    with _opened(path, options.names()) as arrays:
        count = _length(path, arrays)
        task, codes = _task(path, options, arrays)

    def records() -> Iterator[ImageRecord | SkippedImage]:
        with _opened(path, options.names()) as arrays:
            for index in range(count):
                yield _record(index, options, arrays, codes)

    return DatasetContents(
        task=task,
        records=records,
        signature={"arrays": 1, "files": path_signature(path, (".npy",) if path.is_dir() else ())},
        count=count,
        attribute_units=options.attributes,
    )


@contextmanager
def _opened(path: Path, names: list[str]) -> Iterator[dict[str, Any]]:
    """Return a context with the named arrays: those of an HDF5 file and of a folder stay on disk."""
    import numpy as np

    try:
        if path.is_dir():
            found = {each.stem: each for each in sorted(path.glob("*.npy"))}
            yield _chosen(path, found, names, lambda file: np.load(file, mmap_mode="r", allow_pickle=False))
        elif path.suffix.lower() in _HDF5:
            import h5py

            with open_hdf5(path, most_bytes=_MOST_BYTES) as file:
                datasets: dict[str, Any] = {}
                file.visititems(
                    lambda name, item: datasets.update({name: item} if isinstance(item, h5py.Dataset) else {})
                )
                yield _chosen(path, datasets, names, lambda item: item)
        else:
            with np.load(path, allow_pickle=False) as file:
                yield _chosen(path, {name: name for name in file.files}, names, lambda name: file[name])
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


def _task(path: Path, options: ArraysOptions, arrays: Mapping[str, Any]) -> tuple[Task, dict[Any, int]]:
    """Return the task, and the index of the class that each label means."""
    if options.target is not None:
        target = options.target
        named = RegressionTarget(name=target.name, unit=target.unit, minimum=target.minimum, maximum=target.maximum)
        return Regression(targets=(named,)), {}
    counts = Counter(plain(label) for label in arrays[options.labels][()])
    classes, codes = class_codes(counts, options.classes, f"{path}: {options.labels}")
    return Classification(classes=classes), codes


def _record(
    index: int, options: ArraysOptions, arrays: Mapping[str, Any], codes: Mapping[Any, int]
) -> ImageRecord | SkippedImage:
    import numpy as np

    name = str(index) if options.identifiers is None else str(plain(arrays[options.identifiers][index]))
    target: int | list[float]
    if options.target is None:
        label = plain(arrays[options.labels][index])
        if label not in codes:
            return SkippedImage(name=name, reason=f"the class {label} is not in `classes`")
        target = codes[label]
    else:
        target = [float(arrays[options.target.name][index])]
    part: Part | None = None
    if options.part is not None:
        written = str(plain(arrays[options.part][index])).lower()
        if written not in PARTS:
            return SkippedImage(name=name, reason=f"its part is {written!r}, not train, validation or test")
        part = PARTS[written]
    image: NDArray[Any] = np.asarray(arrays[options.images][index])
    if options.channels_first and image.ndim == 3:
        image = np.moveaxis(image, 0, -1)
    return ImageRecord(
        image=image,
        target=target,
        source_id=name,
        part=part,
        attributes={each: float(arrays[each][index]) for each in options.attributes},
    )
