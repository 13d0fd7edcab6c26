"""Canonical encodings and their SHA-256 digests.

Everything that is compared, cached or chained has exactly one encoding: JSON with sorted keys and no white space, and
arrays as ``name, dtype, shape, little-endian bytes in C order``. ``docs/explanation/determinism.md`` describes both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarker.siblings import imported_siblings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_CHUNK_BYTES = 1 << 22
_CODE_SUFFIXES = (*SOURCE_SUFFIXES, *EXTENSION_SUFFIXES)


def canonical_json(value: Any) -> bytes:
    """Encode a JSON value in the form that digests are computed from.

    Parameters
    ----------
    value : JSON value
        Mappings with string keys, sequences, strings, finite numbers, booleans and None.

    Returns
    -------
    bytes
        UTF-8 with sorted keys, no white space, and the shortest decimal numbers that are read back exactly.

    Raises
    ------
    ValueError
        If a number is not finite.

    Notes
    -----
    1 and 1.0 are encoded differently, as ``1`` and ``1.0``.

    Examples
    --------
    >>> canonical_json({"seed": 8901, "classes": ["FRI", "FRII"], "rate": 1e-4})
    b'{"classes":["FRI","FRII"],"rate":0.0001,"seed":8901}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest_json(value: Any) -> str:
    """Return the hexadecimal SHA-256 of the canonical JSON of ``value``.

    Examples
    --------
    >>> digest_json({"a": 1, "b": 2}) == digest_json({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(canonical_json(value)).hexdigest()


def flatten(value: Any, prefix: str = "") -> dict[str, str]:
    """Return a nested JSON value as one text for each entry.

    Parameters
    ----------
    value : JSON value
        Object with string keys; any other value gives a single entry named ``prefix``.
    prefix : str
        Path of the value, put before every name.

    Returns
    -------
    dict of str to str
        Entries by their path with dots between the keys. Texts stay as they are; everything else, lists included, is
        written as canonical JSON.

    Examples
    --------
    >>> flatten({"backend": {"name": "jax", "devices": ["CPU"]}, "threads": 2})
    {'backend.name': 'jax', 'backend.devices': '["CPU"]', 'threads': '2'}
    """
    match value:
        case dict():
            found: dict[str, str] = {}
            for name, entry in value.items():
                found.update(flatten(entry, f"{prefix}.{name}" if prefix else name))
            return found
        case str():
            return {prefix: value}
        case bool() | None:
            return {prefix: json.dumps(value)}
        case int():  # the encoder takes longer to set up than an integer takes to write
            return {prefix: str(value)}
        case _:
            return {prefix: canonical_json(value).decode()}


def digest_file(path: Path) -> str:
    """Return the hexadecimal SHA-256 of the bytes of a file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "empty")
    ...     path.touch()
    ...     digest_file(path)
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest_arrays(arrays: Mapping[str, NDArray[Any]] | Iterable[tuple[str, NDArray[Any]]]) -> str:
    """Return the hexadecimal SHA-256 of named arrays, in the given order.

    Each array contributes one line of canonical JSON, ``[name, dtype, shape]``, and then its bytes, little-endian and
    in C order. Memory-mapped arrays are read piece by piece.

    Parameters
    ----------
    arrays : mapping of str to ndarray, or iterable of pairs of str and ndarray
        The arrays, of any shape and numeric type.

    Examples
    --------
    >>> import numpy as np
    >>> little, big = np.arange(3, dtype="<f4"), np.arange(3, dtype=">f4")
    >>> digest_arrays({"flux": little}) == digest_arrays({"flux": big})
    True
    >>> digest_arrays({"flux": little}) == digest_arrays({"noise": little})
    False
    """
    state = hashlib.sha256()
    for name, array in arrays.items() if isinstance(arrays, Mapping) else arrays:
        _update(state, name, array)
    return state.hexdigest()


def _update(state: hashlib._Hash, name: str, array: NDArray[Any]) -> None:
    import numpy as np

    little: np.dtype[Any] = array.dtype.newbyteorder("<")
    state.update(canonical_json([name, little.str, list(array.shape)]) + b"\n")
    if array.size == 0:  # a view without elements has no buffer to read
        return
    rows = array.reshape(1) if array.ndim == 0 else array
    step = max(1, _CHUNK_BYTES // max(1, rows[:1].nbytes))
    for start in range(0, len(rows), step):
        state.update(np.ascontiguousarray(rows[start : start + step], dtype=little).data.cast("B"))


def digest_code(reference: str) -> str:
    """Return the SHA-256 of the code that a builder is part of: its package or its module, with what lies beside it.

    That are the modules and packages in the same folder that it imports, and that no other distribution brings. The
    same files give the same digest wherever and whenever they were installed. Code that is imported from elsewhere is
    not part of it.

    Parameters
    ----------
    reference : str
        Builder as ``"package.module:function"``, which can be imported.
    """
    names = reference.partition(":")[0].split(".")
    files: dict[str, Path] = {}
    for length in range(1, len(names) + 1):
        try:
            spec = find_spec(".".join(names[:length]))
        except ValueError:  # a module that was made in memory has no files
            continue
        if spec is None or spec.origin is None:  # a namespace, which packages of others share
            continue
        for folder in map(Path, spec.submodule_search_locations or ()):
            found = (path for path in folder.rglob("*") if path.name.endswith(_CODE_SUFFIXES) and path.is_file())
            files |= {path.relative_to(folder).as_posix(): path for path in found}
        is_package = bool(files)
        files = files or {Path(spec.origin).name: Path(spec.origin)}
        if not (is_package and length > 1):  # a package in a namespace lies beside those of others
            folder = Path(spec.origin).parent.parent if is_package else Path(spec.origin).parent
            files |= imported_siblings(files.values(), folder, names[: length - 1], names[length - 1])
        break
    return digest_json({name: digest_file(path) for name, path in files.items() if path.is_file()})
