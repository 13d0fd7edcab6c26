"""Mappings that are read when they are looked into, so that ten thousand runs fit in memory and in a second."""

from __future__ import annotations

import contextlib
import gc
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from benchmarker.errors import StorageError

V = TypeVar("V")


class JsonFile(Mapping[str, Any]):
    """A JSON object in a file; what is already known of it is told without reading.

    Parameters
    ----------
    path : str
        The file, which held such an object when the run was read.
    known : mapping
        Some of its entries.
    """

    __slots__ = ("_content", "_known", "_path")

    def __init__(self, path: str, known: Mapping[str, Any]) -> None:
        self._path = path
        self._known = known
        self._content: dict[str, Any] | None = None

    def __getitem__(self, name: str) -> Any:
        if name in self._known:
            return self._known[name]
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._path!r})"

    def _read(self) -> dict[str, Any]:
        if self._content is None:
            try:
                value = json.loads(Path(self._path).read_bytes())
            except (OSError, ValueError) as error:
                raise StorageError(f"{self._path}: changed while it was read: {error}") from error
            if not isinstance(value, dict):
                raise StorageError(f"{self._path}: changed while it was read: it is no object any more")
            self._content = value
        return self._content


class Numbers(Mapping[str, float]):
    """Named numbers in a table that many runs share.

    Parameters
    ----------
    at : mapping of str to int
        Where each name stands, from ``start``.
    values : memoryview
        Of float64.
    whole : memoryview or bytes
        Of one byte each: whether a number was written without a decimal point.
    start : int
        Of the first one.
    """

    __slots__ = ("_at", "_start", "_values", "_whole")

    def __init__(
        self, at: Mapping[str, int], values: memoryview[float], whole: memoryview[int] | bytes, start: int
    ) -> None:
        self._at = at
        self._values = values
        self._whole = whole
        self._start = start

    @property
    def names(self) -> Mapping[str, int]:
        """The names, shared by tables that have the same."""
        return self._at

    @property
    def raw(self) -> tuple[memoryview[float], memoryview[int] | bytes]:
        """The numbers, and for each whether it was written without a decimal point."""
        end = self._start + len(self._at)
        return self._values[self._start : end], self._whole[self._start : end]

    def __getitem__(self, name: str) -> float:
        place = self._start + self._at[name]
        value: float = self._values[place]
        return int(value) if self._whole[place] else value

    def __contains__(self, name: object) -> bool:
        return name in self._at

    def __iter__(self) -> Iterator[str]:
        return iter(self._at)

    def __len__(self) -> int:
        return len(self._at)

    def __repr__(self) -> str:
        return repr(dict(self))


def all_names(tables: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return a mapping that has the names of all tables, in the order in which they come; its values mean nothing."""
    merged: Mapping[str, Any] = {}
    for table in tables:
        names = table.names if isinstance(table, Numbers) else table
        if not merged:
            merged = names
        elif names is not merged and names.keys() != merged.keys():
            merged = {**merged, **names}
    return merged


@contextlib.contextmanager
def uncollected(*, stays: bool = False) -> Iterator[None]:
    """Keep Python from searching a growing heap for garbage again and again, where everything that is read stays.

    Parameters
    ----------
    stays : bool
        What has been read is never searched: it holds no cycles, and goes when nobody needs it.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if stays:
            gc.freeze()
        if enabled:
            gc.enable()


class Computed(Mapping[str, V]):
    """Values that are computed when they are first looked up.

    Parameters
    ----------
    names : mapping of str to anything
        The names that there are, in order.
    compute : callable
        Returns the value of a name.
    """

    __slots__ = ("_compute", "_found", "_names")

    def __init__(self, names: Mapping[str, Any], compute: Callable[[str], V]) -> None:
        self._names = names
        self._compute = compute
        self._found: dict[str, V] = {}

    def __getitem__(self, name: str) -> V:
        if name not in self._found:
            if name not in self._names:
                raise KeyError(name)
            self._found[name] = self._compute(name)
        return self._found[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return repr(dict(self))
