"""Examine HDF5 files in a small process with limits on time and memory, because a damaged one may never end.

`benchmarker.data.hdf5` starts this module as a process and asks it about one file after another. Each file is opened,
every object in it is examined, and then every array, text and attribute is read once, as whoever uses the file will do:
some damaged files keep the HDF5 library busy for ever, or crash it, only when an array is read. A file that takes too
much time of the processor ends this process and not that of the user.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import resource
import signal
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_ALLOWED_MEMORY = resource.getrlimit(resource.RLIMIT_AS)[0]
_MOST_OBJECTS = 200_000
_MOST_CHUNKS = 100_000
_DEEPEST = 32
_DEFLATE_RATIO = 1032  # no deflated byte becomes more, see https://zlib.net/zlib_tech.html
_CHECKSUM_BYTES = 4
_BLOCK_BYTES = 32 << 20
_SPARE_BYTES = 256 << 20  # memory for the library itself, its caches, and a second copy of a block

# What h5py and HDF5 raise for damaged files.
DAMAGED = (OSError, LookupError, RuntimeError, ValueError, TypeError, AttributeError, ArithmeticError, zlib.error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What this process is asked: a line of JSON, then the content of a file that has no path.

    Parameters
    ----------
    path : str, optional
        Path of the file.
    length : int
        Number of bytes that follow, if there is no path.
    most : int
        Largest number of bytes of an array, and of the text of a data set or an attribute.
    seconds : int
        Seconds of the processor that the file may take.
    """

    path: str | None
    length: int
    most: int
    seconds: int


def examine(source: str | IO[bytes], most: int) -> str | None:
    """Return why a file is refused; None if it is sound, and everything in it was read or is known to be damaged.

    Parameters
    ----------
    source : str or binary stream
        Path or content of the file.
    most : int
        Largest number of bytes of an array, and of the text of a data set or an attribute.

    Returns
    -------
    str or None
        A sentence without its subject and its full stop, such as ``"/image keeps its values in another file, and is not
        read"``.
    """
    import h5py

    try:
        file = h5py.File(source, "r")
    except DAMAGED as error:
        return f"cannot be opened as HDF5: {error}"
    try:
        with file:
            problem = _problem(file, most)
            if problem is not None:
                return f"{problem}, and is not read"
            _read_everything(file)
    except DAMAGED as error:
        return f"is no sound HDF5 file: {error}"
    except MemoryError:
        return "takes too much memory to read"
    return None


def _read_everything(file: Any) -> None:
    """Read all values, in blocks; errors are left to whoever uses the file, and may do without that object."""
    import h5py
    from h5py import h5d, h5g

    for _, item in _objects(h5g.open(file.id, b"/")):
        opened = h5py.Dataset(item) if isinstance(item, h5d.DatasetID) else h5py.Group(item)
        for name in opened.attrs:
            with contextlib.suppress(*DAMAGED):
                opened.attrs[name]
        if isinstance(opened, h5py.Dataset):
            with contextlib.suppress(*DAMAGED):
                _read_array(opened)


def _read_array(dataset: Any) -> None:
    if not dataset.shape or not dataset.size:
        dataset[()]
        return
    rows = max(1, _BLOCK_BYTES // (dataset.size // dataset.shape[0] * max(1, dataset.dtype.itemsize)))
    if dataset.chunks:
        rows = -(-rows // dataset.chunks[0]) * dataset.chunks[0]  # so that no chunk is unpacked twice
    for start in range(0, dataset.shape[0], rows):
        dataset[start : start + rows]


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


def _limit(seconds: int, most: int) -> None:
    """Let this process be ended where it uses more processor time or memory from now on."""
    # A limit in RLIMIT_CPU would count from the start of the process, and by the ticks of the kernel, which may exceed
    # what `time.process_time` says by a fifth on a busy machine: in the end, a sound file would be refused.
    signal.setitimer(signal.ITIMER_PROF, seconds)
    with contextlib.suppress(OSError):  # only Linux says how much is used
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        memory, hard = pages * resource.getpagesize() + most + _SPARE_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]
        if _ALLOWED_MEMORY == resource.RLIM_INFINITY or memory < _ALLOWED_MEMORY:
            resource.setrlimit(resource.RLIMIT_AS, (memory, hard))


def main() -> int:
    """Answer each request on standard input with a line of JSON, what `examine` returned, until there are no more."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # ends this process, even within a library
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks, which then closes the pipe
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing that a library prints may end up among the answers
    import h5py  # noqa: F401 - before memory is counted

    for line in sys.stdin.buffer:
        request = Request(**json.loads(line))
        source = request.path or io.BytesIO(sys.stdin.buffer.read(request.length))
        _limit(request.seconds, request.most)
        answer = examine(source, request.most)
        signal.setitimer(signal.ITIMER_PROF, 0)
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
