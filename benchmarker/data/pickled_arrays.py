"""Substitutes for the names with which numpy writes arrays and scalars into pickles.

Each checks its arguments: no array is larger than the bytes that come with it, and arrays hold plain numbers, booleans
or text. No function of numpy is called with anything that a pickle chose and this module did not check.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarker.errors import UnsafePickleError

_PLAIN_TYPE = re.compile(r"[<>|=]?(?:b1|[iu][1248]|f[248]|c8|c16|[SU]\d{1,6})")
_BYTE_ORDERS = {"<", ">", "=", "|"}
_LONGEST_EMPTY_AXIS = 1_000_000
"""Largest length of an axis of an array without elements: whoever walks along it gets to its end."""


class Dtype:
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
        """Return the type of numpy."""
        dtype: np.dtype[Any] = np.dtype(self._code)
        return dtype if self._order in "|=" else dtype.newbyteorder("<" if self._order == "<" else ">")


class Array(np.ndarray[Any, Any]):
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
    if not isinstance(dtype, Dtype):
        raise UnsafePickleError("an array comes without its type")
    resolved = dtype.resolve()
    # Python 2 wrote bytes as text.
    content = raw.encode("latin1") if isinstance(raw, str) else raw
    if not isinstance(content, bytes | bytearray):
        raise UnsafePickleError("arrays of objects are not admitted")
    if not isinstance(shape, tuple) or not all(isinstance(length, int) and length >= 0 for length in shape):
        raise UnsafePickleError(f"{shape!r} is not the shape of an array")
    if 0 in shape and max(shape) > _LONGEST_EMPTY_AXIS:
        raise UnsafePickleError(f"an array without elements has the shape {shape!r}")
    announced = math.prod(shape) * resolved.itemsize
    if announced != len(content) or resolved.itemsize == 0:
        raise UnsafePickleError(f"an array announces {announced:,} bytes and comes with {len(content):,}")
    return resolved, bytes(content)


class Name:
    """Substitute for `numpy.ndarray`, which is named but must not be called; has no attributes that could be set."""

    __slots__ = ()


class _Reconstruct(Name):
    """Substitute for ``numpy.core.multiarray._reconstruct``, which creates an empty array to be filled."""

    __slots__ = ()

    def __call__(self, kind: object, shape: object, dtype: object) -> NDArray[Any]:
        if kind is not _NDARRAY or shape != (0,) or dtype not in (b"b", "b"):
            raise UnsafePickleError("an array is created in an unknown way")
        return np.ndarray.__new__(Array, (0,), "b")


class _Scalar(Name):
    """Substitute for ``numpy.core.multiarray.scalar``."""

    __slots__ = ()

    def __call__(self, dtype: object, raw: object = b"") -> object:
        if isinstance(dtype, Dtype) and raw in (b"", "") and dtype.resolve().itemsize == 0:
            return dtype.resolve().type()
        resolved, content = _checked(dtype, (), raw)
        return np.frombuffer(content, resolved)[0]


class _FromBuffer(Name):
    """Substitute for ``numpy.core.numeric._frombuffer``, which protocol 5 writes."""

    __slots__ = ()

    def __call__(self, raw: object, dtype: object, shape: Any, order: object, axes: Any = None) -> NDArray[Any]:
        resolved, content = _checked(dtype, shape, raw)
        array = np.frombuffer(content, resolved).reshape(shape, order="F" if order == "F" else "C")
        return array if axes is None else array.transpose(axes)


class _MakeDtype(Name):
    """Substitute for ``numpy.dtype``."""

    __slots__ = ()

    def __call__(self, code: object, align: object = False, copy: object = False) -> Dtype:
        del align, copy
        return Dtype(code)


class _Encode(Name):
    """Substitute for ``_codecs.encode``, with which Python 3 writes bytes so that Python 2 can read them."""

    __slots__ = ()

    def __call__(self, text: object, encoding: object = "latin1") -> bytes:
        if not isinstance(text, str) or encoding not in {"latin1", "latin-1"}:
            raise UnsafePickleError(f"text is encoded as {encoding!r}; only Latin-1 is admitted")
        return text.encode("latin1")


class _NoBytes(Name):
    """Substitute for ``bytes()``, with which Python 3 writes empty bytes for Python 2."""

    __slots__ = ()

    def __call__(self) -> bytes:
        return b""


_NDARRAY = Name()
ADMITTED: Mapping[tuple[str, str], Name] = {
    ("__builtin__", "bytes"): _NoBytes(),
    ("_codecs", "encode"): _Encode(),
    ("builtins", "bytes"): _NoBytes(),
    ("numpy", "dtype"): _MakeDtype(),
    ("numpy", "ndarray"): _NDARRAY,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Reconstruct() for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _Scalar() for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _FromBuffer() for core in ("core", "_core")},
}
