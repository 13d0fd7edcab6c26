"""``.npz`` files that are written and read row by row, so that a survey need not fit in memory."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from benchmarker import DataError, open_npz

_ROWS = 256


def write_npz(
    path: Path,
    images: Iterable[NDArray[Any]],
    *,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    arrays: Mapping[str, NDArray[Any]],
) -> None:
    """Write a compressed ``.npz`` whose array ``images`` never is in memory as a whole.

    The file appears under its name only when it is complete.

    Parameters
    ----------
    path : Path
        File to write.
    images : iterable of ndarray of shape (height, width, channels)
        Images one after the other.
    shape : tuple of int
        Shape of the array ``images``: (n, height, width, channels).
    dtype : dtype
        Type in which the images are stored.
    arrays : mapping of str to ndarray
        Further arrays, written after the images.

    Raises
    ------
    ValueError
        If there are more or fewer images than the shape says.
    """
    stored = np.dtype(dtype)
    header = {"descr": np.lib.format.dtype_to_descr(stored), "fortran_order": False, "shape": shape}
    aside = path.with_name(f".{path.name}.partial")
    count = 0
    with zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
        with archive.open(_member("images"), "w", force_zip64=True) as stream:
            np.lib.format.write_array_header_1_0(stream, header)
            for image in images:
                stream.write(np.ascontiguousarray(image, dtype=stored).tobytes())
                count += 1
        for name, values in arrays.items():
            with archive.open(_member(name), "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, values, allow_pickle=False)
    if count != shape[0]:
        aside.unlink()
        raise ValueError(f"{shape[0]} images were announced. Received: {count}")
    aside.replace(path)


def _member(name: str) -> zipfile.ZipInfo:
    # A fixed time: the same arrays give the same bytes.
    info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def read_arrays(path: Path, *names: str) -> tuple[NDArray[Any], ...]:
    """Return small arrays of an ``.npz`` file.

    Raises
    ------
    DataError
        If the file cannot be read or lacks one of them.
    """
    if path.is_file() and not zipfile.is_zipfile(path):
        raise DataError(f"{path}: is not an .npz file; write it anew with the step before")
    with open_npz(path) as archive:
        if missing := [name for name in names if name not in archive]:
            raise DataError(f"{path}: {missing[0]} is missing; the arrays {', '.join(names)} were expected")
        return tuple(archive[name] for name in names)


def image_shape(path: Path) -> tuple[int, ...]:
    """Return the shape of the array ``images`` of an ``.npz`` file without reading its pixels."""
    with _images(path) as stream:
        return _header(stream)[0]


def iterate_images(path: Path) -> Iterator[NDArray[Any]]:
    """Yield the images of an ``.npz`` file one after the other, each ndarray of shape (height, width, channels).

    Raises
    ------
    DataError
        If the file cannot be read, is truncated or holds no images.
    """
    with _images(path) as stream:
        shape, dtype = _header(stream)
        row = shape[1:]
        size = int(np.prod(row)) * dtype.itemsize
        for start in range(0, shape[0], _ROWS):
            rows = min(_ROWS, shape[0] - start)
            content = stream.read(rows * size)
            if len(content) != rows * size:
                raise DataError(f"{path}: is truncated; the images end after {start} of {shape[0]}")
            yield from np.frombuffer(content, dtype=dtype).reshape(rows, *row)


def _images(path: Path) -> IO[bytes]:
    try:
        return zipfile.ZipFile(path).open("images.npy")
    except KeyError:
        raise DataError(f"{path}: holds no array 'images'") from None
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: is no .npz file that can be read: {error}") from error


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    if fortran or dtype.hasobject or len(shape) != 4:
        raise DataError(f"an array of images in C order was expected. Received: shape {shape}, type {dtype}")
    return shape, dtype
