"""Loads pickles of numpy arrays and plain containers without running anything that they name.

A pickle is a program. This loader admits a few names, those that numpy arrays and scalars are written with, and
answers each with a stand-in that checks its arguments: no array is larger than the bytes that come with it, no type is
more than plain numbers, booleans or text, and no function of numpy or of the standard library is ever reached.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarker.errors import DataError, UnsafePickleError

_PLAIN_TYPE = re.compile(r"[<>|=]?(?:b1|[iu][1248]|f[248]|c8|c16|[SU]\d{1,9})")
_BYTE_ORDERS = {"<", ">", "=", "|"}
# What a damaged or hostile pickle makes the unpickler stumble over.
_DAMAGE = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    TypeError,
    ValueError,
)
_OPCODES = {opcode.code: opcode for opcode in pickletools.opcodes}
_REFUSED_OPCODES = {"EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID", "NEXT_BUFFER"}


def load_plain_pickle(data: bytes, name: str = "the pickle") -> object:
    """Load numpy arrays and scalars, and plain containers, text and numbers around them.

    Parameters
    ----------
    data : bytes
        A pickle of any protocol, written by Python 2 or 3; text of Python 2 is read as Latin-1.
    name : str
        How messages call it.

    Returns
    -------
    object
        Arrays are `numpy.ndarray`.

    Raises
    ------
    UnsafePickleError
        If it names anything else, holds arrays of objects or of structures, or announces more than it holds. Nothing
        of it was run.
    DataError
        If it is damaged.
    """
    try:
        _inspect(data)
        return _PlainUnpickler(io.BytesIO(data), encoding="latin1").load()
    except UnsafePickleError as error:
        raise UnsafePickleError(f"{name} is refused, and nothing of it was run: {error}") from error
    except _DAMAGE as error:
        raise DataError(f"{name} is damaged or not a pickle: {error}") from error


def _inspect(data: bytes) -> None:
    """Refuse what would make the unpickler reserve memory that the pickle does not fill.

    Reading the opcodes runs nothing. It also finds lengths that go beyond the end.
    """
    stream = io.BytesIO(data)
    count = 0
    while code := stream.read(1):
        opcode = _OPCODES[code.decode("latin1")]
        if opcode.name in _REFUSED_OPCODES:
            raise UnsafePickleError(f"it refers to something outside of it ({opcode.name})")
        if opcode.name == "STRING":
            # pickletools reads the text of Python 2 as ASCII alone.
            stream.readline()
        elif opcode.arg is not None:
            argument = opcode.arg.reader(stream)
            if opcode.name in {"PUT", "BINPUT", "LONG_BINPUT"} and argument > count:
                raise UnsafePickleError(f"it numbers an object {argument} where it has read {count}")
        count += 1
        if opcode.name == "STOP":
            break


class _Dtype:
    """Stands for a numpy dtype: numpy's own ``__setstate__`` believes what it is told, this one does not."""

    __slots__ = ("_code", "_order")

    def __init__(self, code: object) -> None:
        if not isinstance(code, str) or not _PLAIN_TYPE.fullmatch(code):
            raise UnsafePickleError(f"only plain numbers, booleans and text are admitted in arrays. Received: {code!r}")
        self._code = code
        self._order = "="

    def __setstate__(self, state: object) -> None:
        # (version, byte order, sub-array, names, fields, item size, alignment, flags)
        if not isinstance(state, tuple) or len(state) != 8 or state[2:5] != (None, None, None):
            raise UnsafePickleError("arrays of structures are not admitted")
        if state[1] not in _BYTE_ORDERS:
            raise UnsafePickleError(f"no such byte order: {state[1]!r}")
        self._order = state[1]

    def resolve(self) -> np.dtype[Any]:
        dtype: np.dtype[Any] = np.dtype(self._code)
        return dtype if self._order in "|=" else dtype.newbyteorder("<" if self._order == "<" else ">")


class _Array(np.ndarray[Any, Any]):
    """An array that fills itself only with bytes that are there."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        # (version, shape, dtype, Fortran order, bytes); the oldest numpy left the version out.
        if not isinstance(state, tuple) or len(state) not in {4, 5}:
            raise UnsafePickleError("an array is described in an unknown way")
        shape, dtype, fortran, raw = state[-4:]
        resolved, content = _checked(dtype, shape, raw)
        plain: Any = (1, shape, resolved, bool(fortran), content)
        super().__setstate__(plain)


def _checked(dtype: object, shape: object, raw: object) -> tuple[np.dtype[Any], bytes]:
    """Return the dtype and the bytes of an array if they belong together."""
    if not isinstance(dtype, _Dtype):
        raise UnsafePickleError("an array comes without its type")
    resolved = dtype.resolve()
    # Python 2 wrote bytes as text.
    content = raw.encode("latin1") if isinstance(raw, str) else raw
    if not isinstance(content, bytes | bytearray):
        raise UnsafePickleError("arrays of objects are not admitted")
    if not isinstance(shape, tuple) or not all(isinstance(length, int) and length >= 0 for length in shape):
        raise UnsafePickleError(f"no such shape of an array: {shape!r}")
    announced = math.prod(shape) * resolved.itemsize
    if announced != len(content) or resolved.itemsize == 0:
        raise UnsafePickleError(f"an array announces {announced:,} bytes and comes with {len(content):,}")
    return resolved, bytes(content)


class _Name:
    """Stands for `numpy.ndarray`, which is named but must not be called. Has no attributes that could be set."""

    __slots__ = ()


class _Reconstruct(_Name):
    """Stands for ``numpy.core.multiarray._reconstruct``, which makes an empty array to be filled."""

    __slots__ = ()

    def __call__(self, kind: object, shape: object, dtype: object) -> NDArray[Any]:
        if kind is not _NDARRAY or shape != (0,) or dtype not in (b"b", "b"):
            raise UnsafePickleError("an array starts in an unknown way")
        return np.ndarray.__new__(_Array, (0,), "b")


class _Scalar(_Name):
    """Stands for ``numpy.core.multiarray.scalar``."""

    __slots__ = ()

    def __call__(self, dtype: object, raw: object = b"") -> object:
        if isinstance(dtype, _Dtype) and raw in (b"", "") and dtype.resolve().itemsize == 0:
            return dtype.resolve().type()
        resolved, content = _checked(dtype, (), raw)
        return np.frombuffer(content, resolved)[0]


class _FromBuffer(_Name):
    """Stands for ``numpy.core.numeric._frombuffer``, which protocol 5 writes."""

    __slots__ = ()

    def __call__(self, raw: object, dtype: object, shape: Any, order: object, axes: Any = None) -> NDArray[Any]:
        resolved, content = _checked(dtype, shape, raw)
        array = np.frombuffer(content, resolved).reshape(shape, order="F" if order == "F" else "C")
        return array if axes is None else array.transpose(axes)


class _MakeDtype(_Name):
    """Stands for ``numpy.dtype``."""

    __slots__ = ()

    def __call__(self, code: object, align: object = False, copy: object = False) -> _Dtype:
        del align, copy
        return _Dtype(code)


class _Encode(_Name):
    """Stands for ``_codecs.encode``, with which Python 3 writes bytes so that Python 2 can read them."""

    __slots__ = ()

    def __call__(self, text: object, encoding: object = "latin1") -> bytes:
        if not isinstance(text, str) or encoding not in {"latin1", "latin-1"}:
            raise UnsafePickleError(f"text is encoded in {encoding!r}, and only Latin-1 is admitted")
        return text.encode("latin1")


class _NoBytes(_Name):
    """Stands for ``bytes()``, with which Python 3 writes empty bytes for Python 2."""

    __slots__ = ()

    def __call__(self) -> bytes:
        return b""


_NDARRAY = _Name()
_ADMITTED: Mapping[tuple[str, str], _Name] = {
    ("__builtin__", "bytes"): _NoBytes(),
    ("_codecs", "encode"): _Encode(),
    ("builtins", "bytes"): _NoBytes(),
    ("numpy", "dtype"): _MakeDtype(),
    ("numpy", "ndarray"): _NDARRAY,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Reconstruct() for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _Scalar() for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _FromBuffer() for core in ("core", "_core")},
}


class _PlainUnpickler(pickle.Unpickler):
    """Finds nothing but the stand-ins."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise UnsafePickleError(
                f"it names {module}.{name}, and only numpy arrays and plain containers are admitted"
            ) from None
