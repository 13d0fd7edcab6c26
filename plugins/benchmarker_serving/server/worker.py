"""Runs exported models in a process of its own: ``python -m benchmarker_serving.server.worker THREADS KEY=FILE ...``.

A frame is the length of a JSON header and of the bytes that follow it, each as an unsigned integer of 32 bits, then
both. The process ends when its standard input does.
"""

from __future__ import annotations

import math
import os
import struct
import sys
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

from benchmarker_serving.messages import Message

if TYPE_CHECKING:
    from numpy.typing import NDArray

LENGTHS = struct.Struct(">II")


class ArrayHead(Message):
    """Name, type (as NumPy writes it) and shape of an array in a frame."""

    name: str
    dtype: str
    shape: tuple[int, ...]


class Head(Message):
    """What a frame says beside its arrays.

    Parameters
    ----------
    model : str
        Name and version of the model that is asked; empty in answers.
    error : str
        Why there is no answer; empty if there is one.
    arrays : tuple of ArrayHead
        Arrays, whose bytes follow each other after the header.
    """

    model: str = ""
    error: str = ""
    arrays: tuple[ArrayHead, ...] = ()


def pack(arrays: Mapping[str, NDArray[Any]], *, model: str = "", error: str = "") -> bytes:
    """Return a frame of named arrays.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        Arrays; their bytes follow each other.
    model, error : str
        As in `Head`.
    """
    described = tuple(ArrayHead(name=name, dtype=array.dtype.str, shape=array.shape) for name, array in arrays.items())
    head = Head(model=model, error=error, arrays=described).to_bytes()
    content = b"".join(array.tobytes() for array in arrays.values())
    return LENGTHS.pack(len(head), len(content)) + head + content


def unpack(head: bytes, content: bytes) -> tuple[Head, dict[str, NDArray[Any]]]:
    """Return the header and the arrays of a frame."""
    import numpy as np

    header = Head.from_bytes(head)
    arrays: dict[str, NDArray[Any]] = {}
    start = 0
    for each in header.arrays:
        dtype = np.dtype(each.dtype)
        end = start + math.prod(each.shape) * dtype.itemsize
        arrays[each.name] = np.frombuffer(content[start:end], dtype=dtype).reshape(each.shape)
        start = end
    return header, arrays


def main(arguments: list[str]) -> int:
    """Answer frames on standard input until it ends."""
    # Whatever libraries print must not end up among the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(arguments[0])
    options.inter_op_num_threads = 1
    sessions = {}
    for argument in arguments[1:]:
        key, _, file = argument.partition("=")
        sessions[key] = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    answers.write(pack({}))
    answers.flush()
    while (frame := _read(sys.stdin.buffer)) is not None:
        header, arrays = unpack(*frame)
        try:
            answer = pack({"outputs": sessions[header.model].run(None, arrays)[0]})
        # Broad on purpose: whatever the runtime raises is the answer to this request, and the next one is served.
        except Exception as error:  # noqa: BLE001
            answer = pack({}, error=f"{type(error).__name__}: {error}"[:500])
        answers.write(answer)
        answers.flush()
    return 0


def _read(stream: IO[bytes]) -> tuple[bytes, bytes] | None:
    lengths = stream.read(LENGTHS.size)
    if len(lengths) < LENGTHS.size:
        return None
    head, content = LENGTHS.unpack(lengths)
    return stream.read(head), stream.read(content)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
