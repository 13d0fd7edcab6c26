"""Dataset ``parquet``: images or embeddings in Parquet files, with their labels in further columns.

A cell of the column of images may be

- the content of a PNG, JPEG, TIFF, FITS or npy file, alone or in a structure with the field ``bytes`` (Hugging Face);
- lists of numbers: (height, width), (height, width, channels), or a vector, which becomes an image of one row;
- bands with the fields ``band`` and ``flux``: a list of structures or a structure of lists (Multimodal Universe).

Files whose names begin with train, validation (valid, val) or test are the parts of the published split.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, PositiveInt

from benchmarker import (
    ConfigurationError,
    DataError,
    DatasetContents,
    DatasetContext,
    ImageRecord,
    Member,
    Part,
    SkippedImage,
    UnreadableImageError,
    path_signature,
    read_image,
)
from benchmarker_images.array_records import ArraysOptions, chosen_bands, record, task_of
from benchmarker_images.labels import PARTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SUFFIXES = (".parquet", ".pq")
_ROWS = 32  # rows that are in memory at a time
_SHOWN = 30
_MAGIC = {b"SIMPLE": ".fits", b"\x93NUMPY": ".npy"}
_FLUX, _BAND, _BYTES = "flux", "band", "bytes"


class ParquetOptions(ArraysOptions):
    """Names of the columns, and what they mean."""

    images: str = "image"
    """Name of the column of images or embeddings."""

    labels: str = "label"
    """Name of the column of classes; not used for a regression."""

    shape: tuple[PositiveInt, ...] | None = Field(default=None, min_length=2, max_length=3)
    """Height, width and, if there is more than one, channels of images that are kept as flat lists of numbers."""


def load(options: ParquetOptions, context: DatasetContext) -> DatasetContents:
    """Find the columns in the user's file or folder.

    Parameters
    ----------
    options : ParquetOptions
        Names of the columns.
    context : DatasetContext
        A Parquet file, or a folder of such files, which may lie in folders below it.

    Returns
    -------
    DatasetContents
        One record for each row, in the order of the files' names. Images keep the type and unit of the file; bands are
        channels, and embeddings of d numbers are images of shape (1, d). Rows are read in groups, so that a set may be
        larger than the memory.

    Raises
    ------
    ConfigurationError
        If no file is given, or pyarrow is not installed.
    DataError
        If there is no Parquet file, a column is missing, or labels are not those of the classes.

    References
    ----------
    The Multimodal Universe Collaboration 2024, arXiv:2412.02527.
    """
    path = context.path
    if path is None:
        raise ConfigurationError("parquet reads your own files: give `-d FOLDER`, or `path: FOLDER` under `dataset`")
    files = _files(path)
    count = sum(_opened(file, options).metadata.num_rows for file in files)
    named = options.model_copy(update={"classes": options.classes or _class_names(files[0], options)})
    labels = itertools.chain.from_iterable(_labels(file, options) for file in files)
    task, codes = task_of(labels, named, f"{path}: {options.labels}")
    parts = _parts(files)

    # The bands are chosen where their names are known: in the column of images.
    of_rows = named.model_copy(update={"bands": None})

    def records() -> Iterator[ImageRecord | SkippedImage]:
        numbers = itertools.count()
        for file, part in zip(files, parts, strict=True):
            for batch in _opened(file, options).iter_batches(batch_size=_ROWS, columns=_columns(options)):
                arrays: dict[str, Any] = {name: batch.column(name).to_pylist() for name in options.columns()}
                arrays[options.images] = _Images(batch.column(options.images), options)
                for index in range(batch.num_rows):
                    yield record(index, next(numbers), of_rows, arrays, codes, part=part)

    return DatasetContents(
        task=task,
        records=records,
        signature={"parquet": 1, "files": path_signature(path, _SUFFIXES if path.is_dir() else ())},
        count=count,
        attribute_units=options.attributes,
    )


def _files(path: Path) -> list[Path]:
    found = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.suffix.lower() in _SUFFIXES)
    if not found:
        raise DataError(f"{path} holds no files that end in {' or '.join(_SUFFIXES)}")
    return found


def _parts(files: Sequence[Path]) -> list[Part | None]:
    """Return the part of each file, if the names of all of them begin with one."""
    words = [re.split(r"[^a-z]", file.name.lower())[0] for file in files]
    return [PARTS[word] for word in words] if set(words) <= set(PARTS) else [None] * len(files)


def _columns(options: ParquetOptions) -> list[str]:
    return list(dict.fromkeys([options.images, *options.columns()]))


def _opened(file: Path, options: ParquetOptions) -> Any:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise ConfigurationError(
            f"{file}: Parquet needs pyarrow: python -m pip install 'galaxy-benchmarker[parquet]'"
        ) from error
    try:
        opened = parquet.ParquetFile(file)
    except (ArrowException, OSError, ValueError) as error:
        raise DataError(f"{file}: cannot be read as Parquet: {error}") from error
    present = opened.schema_arrow.names
    missing = [name for name in _columns(options) if name not in present]
    if missing:
        raise DataError(
            f"{file}: there is no column {', '.join(map(repr, missing))}; there are: {', '.join(present[:_SHOWN])}. "
            "Name yours under dataset.options"
        )
    return opened


def _labels(file: Path, options: ParquetOptions) -> Iterator[Any]:
    if options.target is None:
        for batch in _opened(file, options).iter_batches(columns=[options.labels]):
            yield from batch.column(0).to_pylist()


def _class_names(file: Path, options: ParquetOptions) -> tuple[str, ...] | None:
    """Return the names that a file of Hugging Face gives to the numbers of its labels."""
    written = (_opened(file, options).schema_arrow.metadata or {}).get(b"huggingface")
    try:
        names = json.loads(written)["info"]["features"][options.labels]["names"] if written else None
    except (ValueError, LookupError, TypeError):
        return None
    return tuple(map(str, names)) if names else None


class _Images:
    """The images of some rows, each decoded when it is asked for."""

    def __init__(self, column: Any, options: ParquetOptions) -> None:
        self._column = column
        self._options = options

    def __getitem__(self, index: int) -> NDArray[Any]:
        from pyarrow import ArrowException

        try:
            return _decoded(self._column[index], self._options)
        except (ArrowException, ValueError, TypeError) as error:
            raise UnreadableImageError(f"no image: {error}") from error


def _decoded(cell: Any, options: ParquetOptions) -> NDArray[Any]:
    from pyarrow import types

    if not cell.is_valid:
        raise UnreadableImageError("the cell of its image is empty")
    kind = getattr(cell.type, "storage_type", cell.type)
    cell = getattr(cell, "value", cell) if kind is not cell.type else cell  # an extension type, such as Array2D
    if types.is_binary(kind) or types.is_large_binary(kind):
        return _picture(cell.as_py())
    if types.is_struct(kind):
        return _from_structure(cell, options)
    if types.is_list(kind) and types.is_struct(kind.value_type):
        planes = list(cell.values)
        return _bands([_array(plane[_FLUX]) for plane in planes], [plane[_BAND].as_py() for plane in planes], options)
    image = _array(cell)
    if options.shape is not None:
        return image.reshape(options.shape)
    return image[None, :] if image.ndim == 1 else image


def _from_structure(cell: Any, options: ParquetOptions) -> NDArray[Any]:
    fields = {field.name for field in cell.type}
    if _FLUX in fields:
        names = [str(name) for name in cell[_BAND].as_py()] if _BAND in fields else []
        return _bands([_array(flux) for flux in _elements(cell[_FLUX])], names, options)
    if _BYTES in fields and cell[_BYTES].is_valid:
        return _picture(cell[_BYTES].as_py())
    raise UnreadableImageError("its cell holds neither the bytes of a file nor flux")


def _elements(cell: Any) -> list[Any]:
    return [cell.values[index] for index in range(len(cell.values))]


def _picture(content: bytes) -> NDArray[Any]:
    suffix = next((suffix for magic, suffix in _MAGIC.items() if content.startswith(magic)), ".png")
    return read_image(Member(name=f"image{suffix}", read=lambda: content))


def _bands(planes: Sequence[NDArray[Any]], names: Sequence[str], options: ParquetOptions) -> NDArray[Any]:
    import numpy as np

    if not planes or len({plane.shape for plane in planes}) > 1:
        raise UnreadableImageError("its bands have different sizes, or there are none")
    image = np.stack(planes, axis=-1)
    return image if options.bands is None else chosen_bands(image, names, options.bands)


def _array(cell: Any) -> NDArray[Any]:
    """Return nested lists of numbers as an array."""
    from pyarrow import compute, types

    values = cell.values
    shape = [len(values)]
    while types.is_list(values.type) or types.is_large_list(values.type) or types.is_fixed_size_list(values.type):
        lengths = compute.list_value_length(values).unique().to_pylist()
        if len(lengths) != 1 or lengths[0] is None:
            raise UnreadableImageError("its rows have different lengths")
        shape.append(lengths[0])
        values = values.flatten()
    array: NDArray[Any] = values.to_numpy(zero_copy_only=False).reshape(shape)
    return array
