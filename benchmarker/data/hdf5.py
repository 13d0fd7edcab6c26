"""Open HDF5 files from strangers, once it is known that they hold nothing but arrays and text of a sensible size.

An HDF5 file is a small file system. A link may lead to another file, and so may the storage of a data set or the parts
of a virtual one: reading such a file copies whatever lies there into images or weights. A file of some kilobytes may
declare an image of many gigabytes, hold one compressed block that unpacks into as many, or nest groups until the
library runs out of stack; a damaged one may crash the library, or keep it busy for ever. So the whole file is examined
and read first by a process with limits on time and memory, see `benchmarker.data.hdf5_examination`.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from benchmarker.data.hdf5_examination import DAMAGED, Request
from benchmarker.errors import DataError

MOST_HDF5_BYTES = 1 << 28
"""Bytes that one array or text of a file may take in memory, unless whoever opens the file knows better."""

_SECONDS = 3
_BYTES_PER_SECOND = 4 << 20
"""A file may take three seconds of the processor, and one more for each 4 MiB; a sound one needs a tenth of that."""


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
    problem = _EXAMINER.examine(source, most_bytes)
    if problem is not None:
        raise DataError(f"{place}: {problem}")
    try:
        file = h5py.File(source, "r")
    except DAMAGED as error:
        raise DataError(f"{place}: cannot be opened as HDF5: {error}") from error
    with file:
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


class _Examiner:
    """A process that examines files, started for the first one and kept for others."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._sound: set[tuple[int, ...]] = set()

    def examine(self, source: Path | IO[bytes], most: int) -> str | None:
        """Return why a file is refused, as `hdf5_examination.examine` does; None if it is sound."""
        if not isinstance(source, Path):
            source.seek(0)
            content = source.read()
            source.seek(0)
            return self._ask(
                Request(path=None, length=len(content), most=most, seconds=_seconds(len(content))), content
            )
        try:
            status = source.stat()
        except (OSError, ValueError) as error:
            return f"cannot be opened as HDF5: {error}"
        if not stat.S_ISREG(status.st_mode):
            return "cannot be opened as HDF5: it is no file"
        identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, most)
        if identity in self._sound:
            return None
        # A file with holes may have any size, and reading holes takes time as well.
        stored = min(status.st_size, 512 * status.st_blocks)
        path = os.fspath(source.absolute())
        problem = self._ask(Request(path=path, length=0, most=most, seconds=_seconds(stored)), b"")
        if problem is None:
            self._sound.add(identity)
        return problem

    def _ask(self, request: Request, content: bytes) -> str | None:
        with self._lock:
            process = self._running()
            if process.stdin is None or process.stdout is None:
                raise DataError("no pipe to the process that examines HDF5 files could be opened")
            try:
                with contextlib.suppress(BrokenPipeError):  # the process has ended, so that there is no answer
                    process.stdin.write(json.dumps(asdict(request)).encode() + b"\n" + content)
                    process.stdin.flush()
                answer = process.stdout.readline()
            except BaseException:  # Ctrl-C in between leaves an answer that nobody asks for any more
                self.end()
                raise
            if answer.endswith(b"\n"):
                problem: str | None = json.loads(answer)
                return problem
            process.wait()
            code = process.returncode
            self.end()
        if code == -signal.SIGPROF:
            return (
                f"takes the HDF5 library more than {request.seconds} s of the processor, and is not read; it is "
                "damaged, so get it again"
            )
        return f"crashes the HDF5 library (exit code {code}), and is not read; it is damaged, so get it again"

    def _running(self) -> subprocess.Popen[bytes]:
        """Return the process, and start it if need be; a process that was forked does not share that of its parent."""
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            self._owner = os.getpid()
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "benchmarker.data.hdf5_examination"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                # NumPy would start a thread for each core, of which each reserves memory.
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            )
        return self._process

    def end(self) -> None:
        """End the process, if this process started one."""
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        process.wait()


def _seconds(length: int) -> int:
    return _SECONDS + length // _BYTES_PER_SECOND


_EXAMINER = _Examiner()
atexit.register(_EXAMINER.end)
