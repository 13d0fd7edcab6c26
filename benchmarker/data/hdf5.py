"""Open HDF5 files from strangers, once it is known that they hold nothing but arrays and text of a sensible size.

An HDF5 file is a small file system. A link may lead to another file, and so may the storage of a data set or the parts
of a virtual one: reading such a file copies whatever lies there into images or weights. A file of some kilobytes may
declare an image of many gigabytes, hold one compressed block that unpacks into as many, or nest groups until the
library runs out of stack. So the whole file is examined first, without following any link or reading any array.
"""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from benchmarker.errors import DataError

MOST_HDF5_BYTES = 1 << 28
"""Bytes that one array or text of a file may take in memory, unless whoever opens the file knows better."""

_MOST_OBJECTS = 200_000
_MOST_CHUNKS = 100_000
_DEEPEST = 32
_DEFLATE_RATIO = 1032  # no deflated byte becomes more, see https://zlib.net/zlib_tech.html
_CHECKSUM_BYTES = 4

# What h5py and HDF5 raise for damaged files.
_DAMAGED = (OSError, LookupError, RuntimeError, ValueError, TypeError, ArithmeticError, zlib.error)


@contextmanager
def open_hdf5(source: Path | IO[bytes], *, most_bytes: int = MOST_HDF5_BYTES) -> Iterator[Any]:
    """Open an HDF5 file to read it, if it is one of plain groups and data sets that it contains itself.

    Refused are links other than those that every object has (soft, external, user-defined), external storage, virtual
    data sets, committed types, types other than numbers and text, filters other than shuffle, deflate and Fletcher-32,
    arrays or blocks that take more than `most_bytes` in memory, more than 200,000 objects, and groups more than 32
    deep.

    Parameters
    ----------
    source : Path or binary stream
        Path of the file, or a stream that can seek.
    most_bytes : int
        Largest number of bytes of an array, and of the text of a data set or an attribute.

    Yields
    ------
    h5py.File
        The open file. Objects in it are damaged where reading them raises OSError, KeyError, RuntimeError, TypeError or
        ValueError.

    Raises
    ------
    DataError
        If the file is none of HDF5, is damaged, or holds something that is refused.

    Examples
    --------
    >>> import io
    >>> import h5py
    >>> stream = io.BytesIO()
    >>> with h5py.File(stream, "w") as file:
    ...     file["image"] = [[1, 2], [3, 4]]
    >>> with open_hdf5(stream) as file:
    ...     int(file["image"][()].sum())
    10
    """
    import h5py

    place = os.fspath(source) if isinstance(source, Path) else "the HDF5 file"
    try:
        file = h5py.File(source, "r")
    except _DAMAGED as error:
        raise DataError(f"{place}: cannot be opened as HDF5: {error}") from error
    with file:
        try:
            problem = _problem(file, most_bytes)
        except _DAMAGED as error:
            raise DataError(f"{place}: is no sound HDF5 file: {error}") from error
        if problem is not None:
            raise DataError(f"{place}: {problem}, and is not read")
        yield file


def load_weights_file(model: Any, path: Path) -> None:
    """Set the weights of a Keras model to those of a file, which may come from a stranger.

    Keras neither compresses weights nor leaves any out, so that an array is never larger than its file.

    Parameters
    ----------
    model : keras.Model
        Model that is built.
    path : Path
        Path of a file that ``save_weights`` of such a model wrote; its name ends with ``.weights.h5``.

    Raises
    ------
    DataError
        If the file is missing, damaged, or refused by `open_hdf5`.
    OSError, KeyError, ValueError
        If it holds the weights of another model.
    """
    try:
        size = path.stat().st_size
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    with open_hdf5(path, most_bytes=size):
        pass
    model.load_weights(str(path))


def _problem(file: Any, most: int) -> str | None:
    """Return what is refused about a file; None where all is well."""
    from h5py import h5d, h5g

    size = file.id.get_filesize()
    for name, item in _objects(h5g.open(file.id, b"/")):
        if isinstance(item, str):
            return f"{name} {item}"
        problem = _problem_of_attributes(item, size, most)
        if problem is None and isinstance(item, h5d.DatasetID):
            problem = _problem_of_dataset(item, size, most)
        if problem is not None:
            return f"{name} {problem}"
    return None


def _objects(root: Any) -> Iterator[tuple[str, Any]]:
    """Yield the path and the open identifier of every object once, or a sentence about one that is not opened."""
    from h5py import h5g, h5o

    seen: set[int] = set()
    found = [("/", root, 0)]
    while found:
        path, item, depth = found.pop()
        yield path, item
        if not isinstance(item, h5g.GroupID):
            continue
        if depth >= _DEEPEST:
            yield path, f"lies more than {_DEEPEST} groups deep"
            return
        for name, address in _links(item):
            inner = f"{path.rstrip('/')}/{name.decode(errors='replace')}"
            if address is None:
                yield inner, "is a link to another place or file"
                return
            linked = h5o.open(item, name)
            if not _is_plain(linked):
                yield inner, "is neither a group nor a data set"
                return
            if address not in seen:
                seen.add(address)
                found.append((inner, linked, depth + 1))
            if len(seen) > _MOST_OBJECTS:
                yield path, f"brings the file to more than {_MOST_OBJECTS:,} objects"
                return


def _links(group: Any) -> list[tuple[bytes, int | None]]:
    """Return the names in a group with the address in the file of what each names; None for links to elsewhere."""
    from h5py import h5l

    found: list[tuple[bytes, int | None]] = []

    def collect(name: bytes, info: Any) -> bool | None:
        # Asked about an object itself, HDF5 also measures its headers, which never ends in some damaged files.
        found.append((name, info.u if info.type == h5l.TYPE_HARD else None))
        return True if len(found) > _MOST_OBJECTS else None  # anything but None ends the iteration

    group.links.iterate(collect, info=True)
    return found


def _is_plain(item: Any) -> bool:
    from h5py import h5d, h5g

    return isinstance(item, h5g.GroupID | h5d.DatasetID)


def _problem_of_attributes(item: Any, size: int, most: int) -> str | None:
    from h5py import h5a

    for number in range(h5a.get_num_attrs(item)):
        attribute = h5a.open(item, index=number)
        if _bytes(attribute.get_type(), attribute.get_space(), size) > most:
            return "has an attribute that may take too much memory"
    return None


def _problem_of_dataset(dataset: Any, size: int, most: int) -> str | None:
    from h5py import h5d, h5t

    kind, created = dataset.get_type(), dataset.get_create_plist()
    layout = created.get_layout()
    if created.get_external_count():
        return "keeps its values in another file"
    if layout not in {h5d.COMPACT, h5d.CONTIGUOUS, h5d.CHUNKED}:
        return "is a virtual data set, whose values are in other places"
    if kind.committed() or kind.get_class() not in {h5t.INTEGER, h5t.FLOAT, h5t.STRING, h5t.ENUM}:
        return "holds neither numbers nor text of a type of its own"
    if (needed := _bytes(kind, dataset.get_space(), size)) > most:
        return f"asks for up to {needed:,} bytes of memory, more than {most:,}"
    return _problem_of_chunks(dataset, created, size, most) if layout == h5d.CHUNKED else None


def _bytes(kind: Any, space: Any, size: int) -> int:
    """Return how much memory values take at most; each text of variable length may be nearly the whole file."""
    from h5py import h5t

    if kind.get_class() == h5t.STRING:
        varies = kind.is_variable_str()
    else:
        varies = kind.detect_class(h5t.VLEN) or kind.detect_class(h5t.STRING)
    return math.prod(space.get_simple_extent_dims() or ()) * (size if varies else int(kind.get_size()))


def _problem_of_chunks(dataset: Any, created: Any, size: int, most: int) -> str | None:
    """Return what is refused about the blocks of a data set, which the library unpacks to whatever they unpack to."""
    from h5py import h5z

    filters = [created.get_filter(number)[0] for number in range(created.get_nfilters())]
    allowed = (h5z.FILTER_SHUFFLE, h5z.FILTER_DEFLATE, h5z.FILTER_FLETCHER32)
    if filters != [known for known in allowed if known in filters]:
        return "is stored through other filters than shuffle, deflate and Fletcher-32, in this order"
    block = math.prod(created.get_chunk()) * int(dataset.get_type().get_size())
    if block > most:
        return f"is stored in blocks of {block:,} bytes, more than {most:,}"
    if dataset.get_num_chunks() > _MOST_CHUNKS:
        return f"is stored in more than {_MOST_CHUNKS:,} blocks"
    stored: list[tuple[tuple[int, ...], int]] = []
    if filters:
        dataset.chunk_iter(lambda found: stored.append((found.chunk_offset, found.size)))
    if any(length > size for _, length in stored):
        return "has a block that is larger than the file"
    for offset, length in stored:
        if length * _DEFLATE_RATIO > most and h5z.FILTER_DEFLATE in filters:
            unpacker = zlib.decompressobj()
            unpacker.decompress(dataset.read_direct_chunk(offset)[1], block + _CHECKSUM_BYTES)
            if unpacker.unconsumed_tail:
                return f"has a block that unpacks to more than its {block:,} bytes"
    return None
