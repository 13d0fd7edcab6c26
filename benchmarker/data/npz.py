"""Read NumPy files from strangers, once it is known that their arrays are as large as they say.

The header of an array may announce any shape, for which NumPy reserves memory before it reads, and an array in a
compressed archive may unpack to a thousand times its size.
"""

from __future__ import annotations

import io
import lzma
import math
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from benchmarker.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_NPZ_BYTES = 4 << 30
"""Bytes that the arrays of an archive may take together, unless whoever opens it knows better."""

_MOST_ARRAYS = 100_000
_DAMAGED = (
    OSError, ValueError, EOFError, LookupError, TypeError, ArithmeticError, RuntimeError, SyntaxError, struct.error,
    zipfile.BadZipFile, zlib.error, lzma.LZMAError,
)  # fmt: skip


class NpzArrays(Mapping[str, "NDArray[Any]"]):
    """The arrays of an open archive by name, each read when it is asked for."""

    def __init__(self, archive: zipfile.ZipFile, place: str) -> None:
        self._archive = archive
        self._place = place
        self._members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}

    def __getitem__(self, name: str) -> NDArray[Any]:
        info = self._members[name]
        try:
            with self._archive.open(info) as stream:
                return _read(stream, info.file_size)
        except _DAMAGED as error:
            raise DataError(f"{self._place}: the array {name!r} cannot be read: {error}") from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)


@contextmanager
def open_npz(source: Path | IO[bytes], *, most_bytes: int = MOST_NPZ_BYTES) -> Iterator[NpzArrays]:
    """Open an archive of NumPy arrays to read them, if they take no more memory together than is allowed.

    Parameters
    ----------
    source : Path or binary stream
        Path of the file, or a stream that can seek.
    most_bytes : int
        Largest number of bytes of all arrays together.

    Yields
    ------
    mapping of str to ndarray
        The arrays. One whose header does not match its size raises `DataError` when it is read.

    Raises
    ------
    DataError
        If the file is no such archive, is damaged, or its arrays are too large.

    Examples
    --------
    >>> import io
    >>> import numpy as np
    >>> stream = io.BytesIO()
    >>> np.savez(stream, redshift=[0.1, 0.2])
    >>> with open_npz(stream) as arrays:
    ...     arrays["redshift"].sum().item()
    0.30000000000000004
    """
    place = str(source) if isinstance(source, Path) else "the archive"
    try:
        archive = zipfile.ZipFile(source)
    except _DAMAGED as error:
        raise DataError(f"{place}: is no .npz file that can be read: {error}") from error
    with archive:
        members = archive.infolist()
        # No more than these bytes leave the decompressor, whatever the archive holds.
        if (total := sum(info.file_size for info in members)) > most_bytes or len(members) > _MOST_ARRAYS:
            raise DataError(
                f"{place}: its {len(members):,} arrays take {total:,} bytes, more than {most_bytes:,}, and are not read"
            )
        yield NpzArrays(archive, place)


def load_npy(content: bytes) -> NDArray[Any]:
    """Return the array of a ``.npy`` file.

    Raises
    ------
    ValueError, EOFError
        If it is no such file, holds objects, or its header does not match its size.
    """
    return _read(io.BytesIO(content), len(content))


def map_npy(path: Path) -> NDArray[Any]:
    """Return the array of a ``.npy`` file, which stays on disk and is read where it is used.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError, EOFError
        If it is no such file, holds objects, or its header does not match its size.
    """
    import numpy as np

    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        shape, fortran, dtype = _header(stream, size)
        order: Literal["F", "C"] = "F" if fortran else "C"
        if not math.prod(shape) * dtype.itemsize:
            return np.empty(shape, dtype, order)  # nothing can be mapped
        return np.memmap(stream, dtype=dtype, mode="r", offset=stream.tell(), shape=shape, order=order)


def _read(stream: IO[bytes], size: int) -> NDArray[Any]:
    import numpy as np

    shape, fortran, dtype = _header(stream, size)
    content = bytearray(math.prod(shape) * dtype.itemsize)
    if stream.readinto(content) != len(content):  # type: ignore[attr-defined]  # both kinds of streams have it
        raise EOFError("it ends early")
    return np.ndarray(shape, dtype, buffer=content, order="F" if fortran else "C")


def _header(stream: IO[bytes], size: int) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, order and type of an array, once it is known that its values follow and are no objects."""
    import numpy as np

    version = np.lib.format.read_magic(stream)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"NumPy's format {version[0]}.{version[1]} is not known here")
    try:
        shape, fortran, dtype = readers[version](stream)
    # NumPy parses the header as Python: its tokeniser, its parser and the types that are named there raise what they
    # like, from TokenError to MemoryError, and all of it means the same.
    except Exception as error:
        raise ValueError(f"its header cannot be read: {error}") from error
    if dtype.hasobject:
        raise ValueError("it holds objects, which would be a pickle")
    wanted, given = math.prod(shape) * dtype.itemsize, size - stream.tell()
    if min(shape, default=0) < 0:
        raise ValueError(f"its shape {shape} cannot be read: no length is negative")
    if wanted > given:
        raise ValueError(f"its header announces {wanted:,} bytes, but only {given:,} follow")
    return shape, fortran, dtype
