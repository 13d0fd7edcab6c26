"""Load pickles of numpy arrays and plain containers without running anything that they name.

A pickle is a program. This loader admits only the few names that numpy uses to write arrays and scalars, and replaces
each of them by a substitute that checks its arguments: no array is larger than the bytes that come with it, arrays hold
plain numbers, booleans or text only, and no function of numpy or of the standard library is ever called.
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
# Errors that the unpickler raises for a damaged or hostile pickle.
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
        Name of the pickle in messages.

    Returns
    -------
    object
        The content, with arrays as `numpy.ndarray`.

    Raises
    ------
    UnsafePickleError
        If the pickle names anything else, holds arrays of objects or structures, or announces more data than it holds.
        None of it has been run.
    DataError
        If the pickle is damaged.

    Examples
    --------
    >>> import pickle
    >>> import numpy as np
    >>> batch = load_plain_pickle(pickle.dumps({"labels": [0, 1], "data": np.arange(3)}))
    >>> batch["labels"], batch["data"].tolist()
    ([0, 1], [0, 1, 2])
    >>> import os
    >>> class Attack:
    ...     def __reduce__(self):
    ...         return os.system, ("rm -rf ~",)
    >>> load_plain_pickle(pickle.dumps(Attack()))
    Traceback (most recent call last):
    benchmarker.errors.UnsafePickleError: the pickle is refused and was not run: it names posix.system; ...
    """
    try:
        _inspect(data)
        return _PlainUnpickler(io.BytesIO(data), encoding="latin1").load()
    except UnsafePickleError as error:
        raise UnsafePickleError(f"{name} is refused and was not run: {error}") from error
    except _DAMAGE as error:
        raise DataError(f"{name} is damaged, or not a pickle: {error}") from error


def _inspect(data: bytes) -> None:
    """Refuse opcodes that make the unpickler reserve memory which the pickle does not fill.

    Reading the opcodes runs nothing, and also finds lengths beyond the end of the data.
    """
    stream = io.BytesIO(data)
    count = 0
    while code := stream.read(1):
        opcode = _OPCODES[code.decode("latin1")]
        if opcode.name in _REFUSED_OPCODES:
            raise UnsafePickleError(f"it refers to something outside itself ({opcode.name})")
        if opcode.name == "STRING":
            # pickletools accepts only ASCII in the text of Python 2.
            stream.readline()
        elif opcode.arg is not None:
            argument = opcode.arg.reader(stream)
            if opcode.name in {"PUT", "BINPUT", "LONG_BINPUT"} and argument > count:
                raise UnsafePickleError(f"it gives an object the number {argument} after {count} opcodes")
        count += 1
        if opcode.name == "STOP":
            break


class _Dtype:
    """Substitute for a numpy dtype: numpy's own ``__setstate__`` does not check its arguments, this one does."""

    __slots__ = ("_code", "_order")

    def __init__(self, code: object) -> None:
        if not isinstance(code, str) or not _PLAIN_TYPE.fullmatch(code):
            raise UnsafePickleError(f"arrays may only hold plain numbers, booleans and text. Received: {code!r}")
        self._code = code
        self._order = "="

    def __setstate__(self, state: object) -> None:
        # (version, byte order, sub-array, names, fields, item size, alignment, flags)
        if not isinstance(state, tuple) or len(state) != 8 or state[2:5] != (None, None, None):
            raise UnsafePickleError("arrays of structures are not admitted")
        if state[1] not in _BYTE_ORDERS:
            raise UnsafePickleError(f"{state[1]!r} is not a byte order")
        self._order = state[1]

    def resolve(self) -> np.dtype[Any]:
        dtype: np.dtype[Any] = np.dtype(self._code)
        return dtype if self._order in "|=" else dtype.newbyteorder("<" if self._order == "<" else ">")


class _Array(np.ndarray[Any, Any]):
    """An array that accepts only as many bytes as its shape announces."""

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
        raise UnsafePickleError(f"{shape!r} is not the shape of an array")
    announced = math.prod(shape) * resolved.itemsize
    if announced != len(content) or resolved.itemsize == 0:
        raise UnsafePickleError(f"an array announces {announced:,} bytes and comes with {len(content):,}")
    return resolved, bytes(content)


class _Name:
    """Substitute for `numpy.ndarray`, which is named but must not be called; has no attributes that could be set."""

    __slots__ = ()


class _Reconstruct(_Name):
    """Substitute for ``numpy.core.multiarray._reconstruct``, which creates an empty array to be filled."""

    __slots__ = ()

    def __call__(self, kind: object, shape: object, dtype: object) -> NDArray[Any]:
        if kind is not _NDARRAY or shape != (0,) or dtype not in (b"b", "b"):
            raise UnsafePickleError("an array is created in an unknown way")
        return np.ndarray.__new__(_Array, (0,), "b")


class _Scalar(_Name):
    """Substitute for ``numpy.core.multiarray.scalar``."""

    __slots__ = ()

    def __call__(self, dtype: object, raw: object = b"") -> object:
        if isinstance(dtype, _Dtype) and raw in (b"", "") and dtype.resolve().itemsize == 0:
            return dtype.resolve().type()
        resolved, content = _checked(dtype, (), raw)
        return np.frombuffer(content, resolved)[0]


class _FromBuffer(_Name):
    """Substitute for ``numpy.core.numeric._frombuffer``, which protocol 5 writes."""

    __slots__ = ()

    def __call__(self, raw: object, dtype: object, shape: Any, order: object, axes: Any = None) -> NDArray[Any]:
        resolved, content = _checked(dtype, shape, raw)
        array = np.frombuffer(content, resolved).reshape(shape, order="F" if order == "F" else "C")
        return array if axes is None else array.transpose(axes)


class _MakeDtype(_Name):
    """Substitute for ``numpy.dtype``."""

    __slots__ = ()

    def __call__(self, code: object, align: object = False, copy: object = False) -> _Dtype:
        del align, copy
        return _Dtype(code)


class _Encode(_Name):
    """Substitute for ``_codecs.encode``, with which Python 3 writes bytes so that Python 2 can read them."""

    __slots__ = ()

    def __call__(self, text: object, encoding: object = "latin1") -> bytes:
        if not isinstance(text, str) or encoding not in {"latin1", "latin-1"}:
            raise UnsafePickleError(f"text is encoded as {encoding!r}; only Latin-1 is admitted")
        return text.encode("latin1")


class _NoBytes(_Name):
    """Substitute for ``bytes()``, with which Python 3 writes empty bytes for Python 2."""

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
    """Finds the substitutes only."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise UnsafePickleError(
                f"it names {module}.{name}; only numpy arrays and plain containers are admitted"
            ) from None
