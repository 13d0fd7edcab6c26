"""A cache of what was read of a study's runs, so that ten thousand of them need not be parsed again.

The cache is never the truth. A run is taken from it only if inode, size, time of modification and time of change of its
folder, manifest, metrics and costs are what they were when the files were read; every other run is read from its
folder. What changed less than two seconds before it was read is not cached, because it could change again without its
times showing it. Deleting ``.index`` costs nothing but the time to read the runs again.

The file is an SQLite database. Runs share nearly everything but their numbers, so what they share is stored once.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import struct
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from benchmarker._version import __version__
from benchmarker.errors import StorageError
from benchmarker.files import write_bytes
from benchmarker.study.fingerprint import Fingerprint
from benchmarker.study.layout import COSTS_FILE, MANIFEST_FILE, METRICS_FILE, PLAN_FILE, RUNS_FOLDER

logger = logging.getLogger(__name__)

INDEX_FILE = ".index"
FEWEST_RUNS = 200
"""Studies with fewer runs are read as fast without a cache."""

_VERSION = (4, __version__)
_SETTLED_NS = 2_000_000_000
_STAMPED = ("", MANIFEST_FILE, METRICS_FILE, COSTS_FILE)
"""Files of a run whose changes matter, and the folder itself, which changes when anything in it is renamed."""

_COSTS = "costs"
_STAMP = struct.Struct(f"<{4 * len(_STAMPED)}q")
_INTEGER, _REAL = struct.Struct("<q"), struct.Struct("<d")
_SCHEMA = """
CREATE TABLE version (format INTEGER, benchmarker TEXT);
CREATE TABLE shared (id INTEGER PRIMARY KEY, content TEXT);
CREATE TABLE runs (name TEXT PRIMARY KEY, stamp BLOB, key TEXT, status TEXT, kind TEXT, message TEXT,
                   shared INTEGER REFERENCES shared, numbers BLOB);
"""

Status = Literal["ok", "failed", "unreadable", "pending"]


class RunSummary(NamedTuple):
    """What tables need to know about the run of a cell or generator.

    Parameters
    ----------
    status : {"ok", "failed", "unreadable", "pending"}
        ``"unreadable"`` is a run whose files are damaged.
    kind, message : str
        Kind and message of a failure; empty otherwise.
    trained : bool
        False for a run that tested saved weights (``benchmarker run -o``), and for a generator copied from the cache.
    fingerprint : Fingerprint or None
        What of the environment may have changed bits; None without a finished run.
    evaluations : mapping of str to mapping of str to float
        Metrics of each checkpoint by their flat names.
    costs : mapping of str to float
        Costs by their flat names.
    collapsed : mapping of str to str
        For each checkpoint at which the network assigns every validation image to one class, that class.
    """

    status: Status = "pending"
    kind: str = ""
    message: str = ""
    trained: bool = True
    fingerprint: Fingerprint | None = None
    evaluations: Mapping[str, Mapping[str, float]] = MappingProxyType({})
    costs: Mapping[str, float] = MappingProxyType({})
    collapsed: Mapping[str, str] = MappingProxyType({})


class PackedTable(Mapping[str, float]):
    """Named numbers of one run; the names are shared by all runs that have the same.

    Parameters
    ----------
    offsets : mapping of str to (Struct, int)
        Encoding and offset of each number.
    packed : bytes
        The numbers, eight little-endian bytes each.
    """

    __slots__ = ("_packed", "offsets")

    def __init__(self, offsets: Mapping[str, tuple[struct.Struct, int]], packed: bytes) -> None:
        self.offsets = offsets
        self._packed = packed

    def __getitem__(self, name: str) -> float:
        encoding, offset = self.offsets[name]
        value: float = encoding.unpack_from(self._packed, offset)[0]
        return value

    def get(self, key: str, default: Any = None) -> Any:
        """Return a number, or the default; tables of ten thousand runs are read by this method."""
        place = self.offsets.get(key)
        return default if place is None else place[0].unpack_from(self._packed, place[1])[0]

    def __contains__(self, name: object) -> bool:
        return name in self.offsets

    def __iter__(self) -> Iterator[str]:
        return iter(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets)

    def __repr__(self) -> str:
        return repr(dict(self))


class _Shared:
    """What many runs have in common: environment, names of their numbers, and whether they were trained.

    Parameters
    ----------
    trained, fingerprint, collapsed
        As in `RunSummary`.
    tables : iterable of (str, iterable of str, str)
        For each checkpoint, and for costs: its name, the names of its numbers, and for each number ``"q"`` if it is an
        integer and ``"d"`` if not.
    """

    def __init__(
        self,
        trained: bool,
        fingerprint: Fingerprint | None,
        collapsed: Mapping[str, str],
        tables: Iterable[tuple[str, Iterable[str], str]],
    ) -> None:
        self._trained = trained
        self._fingerprint = fingerprint
        self._collapsed = collapsed
        self._tables = tuple((table, tuple(names), types) for table, names, types in tables)
        self._offsets: dict[str, dict[str, tuple[struct.Struct, int]]] = {}
        offset = 0
        for table, names, types in self._tables:
            self._offsets[table] = {}
            for name, code in zip(names, types, strict=True):
                self._offsets[table][name] = (_INTEGER if code == "q" else _REAL, offset)
                offset += _REAL.size
        self.encoding = struct.Struct("<" + "".join(types for _, _, types in self._tables))
        self.identity = _identity(trained, fingerprint, collapsed, self._tables)

    @classmethod
    def from_json(cls, content: str) -> _Shared:
        """Read what `to_json` wrote."""
        value = json.loads(content)
        known = value.pop("fingerprint")
        return cls(fingerprint=None if known is None else Fingerprint.model_validate(known), **value)

    def to_json(self) -> str:
        """Return this object as JSON."""
        known = None if self._fingerprint is None else self._fingerprint.to_json()
        value = {
            "trained": self._trained,
            "fingerprint": known,
            "collapsed": dict(self._collapsed),
            "tables": self._tables,
        }
        return json.dumps(value)

    def summary(self, status: Status, kind: str, message: str, packed: bytes) -> RunSummary:
        """Return the summary of one of the runs."""
        tables = {table: PackedTable(offsets, packed) for table, offsets in self._offsets.items()}
        costs = tables.pop(_COSTS)
        return RunSummary(
            status=status,
            kind=kind,
            message=message,
            trained=self._trained,
            fingerprint=self._fingerprint,
            evaluations=tables,
            costs=costs,
            collapsed=self._collapsed,
        )


def _identity(
    trained: bool,
    fingerprint: Fingerprint | None,
    collapsed: Mapping[str, str],
    tables: tuple[tuple[str, tuple[str, ...], str], ...],
) -> tuple[object, ...]:
    known = "" if fingerprint is None else fingerprint.model_dump_json(exclude_unset=True)
    return trained, known, tuple(collapsed.items()), tables


class _Entry(NamedTuple):
    stamp: bytes
    key: str
    status: Status
    kind: str
    message: str
    shared: int
    numbers: bytes


class RunIndex:
    """Summaries of a study's runs by the names of their folders.

    Parameters
    ----------
    shared : iterable of _Shared
        What runs have in common.
    entries : mapping of str to _Entry
        Runs by name; each names what it shares by its position.
    """

    def __init__(self, shared: Iterable[_Shared] = (), entries: Mapping[str, _Entry] | None = None) -> None:
        self._shared = list(shared)
        self._entries = dict(entries or {})
        self._positions = {one.identity: position for position, one in enumerate(self._shared)}
        self._changed = False

    def get(self, name: str, key: str, stamp: bytes) -> RunSummary | None:
        """Return the summary of a cell's run whose files have this stamp, or None where it is not known."""
        entry = self._entries.get(name)
        if entry is None or entry.stamp != stamp or entry.key != key:
            return None
        return self._shared[entry.shared].summary(entry.status, entry.kind, entry.message, entry.numbers)

    def add(self, name: str, key: str, stamp: bytes, run: RunSummary) -> RunSummary:
        """Cache the summary of a run whose files had this stamp before they were read; return it in little memory.

        Parameters
        ----------
        name, key : str
            Name of the run's folder, and key of its cell.
        stamp : bytes
            Stamp of the files.
        run : RunSummary
            What was read.
        """
        tables = [*run.evaluations.items(), (_COSTS, run.costs)]
        position = self._position(run, tables)
        try:
            numbers = self._shared[position].encoding.pack(*(v for _, table in tables for v in table.values()))
        except struct.error:  # an integer of more than 64 bits
            return run
        if _settled(stamp):
            self._entries[name] = _Entry(stamp, key, run.status, run.kind, run.message, position, numbers)
            self._changed = True
        return self._shared[position].summary(run.status, run.kind, run.message, numbers)

    def _position(self, run: RunSummary, tables: Iterable[tuple[str, Mapping[str, float]]]) -> int:
        described = tuple(
            (table, tuple(values), "".join("q" if isinstance(value, int) else "d" for value in values.values()))
            for table, values in tables
        )
        identity = _identity(run.trained, run.fingerprint, run.collapsed, described)
        if identity not in self._positions:
            self._positions[identity] = len(self._shared)
            self._shared.append(_Shared(run.trained, run.fingerprint, run.collapsed, described))
        return self._positions[identity]

    def save(self, study: Path, present: Iterable[str]) -> None:
        """Write the runs that are present, if they are many and the cache has changed."""
        entries = [(name, self._entries[name]) for name in present if name in self._entries]
        if len(entries) < FEWEST_RUNS or not self._changed:
            return
        import sqlite3

        with sqlite3.connect(":memory:") as database:
            database.executescript(_SCHEMA)
            database.execute("INSERT INTO version VALUES (?, ?)", _VERSION)
            shared = ((number, shared.to_json()) for number, shared in enumerate(self._shared))
            database.executemany("INSERT INTO shared VALUES (?, ?)", shared)
            rows = ((name, e.stamp, e.key, e.status, e.kind, e.message, e.shared, e.numbers) for name, e in entries)
            database.executemany("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        content = database.serialize()
        database.close()
        try:
            write_bytes(study / INDEX_FILE, content)
        except StorageError as error:  # a study on a read-only disk is read without a cache
            logger.debug("no index was written: %s", error)


def load_index(study: Path) -> RunIndex:
    """Return the index of a study; an empty one where there is none, or none that can be used."""
    import sqlite3

    path = study / INDEX_FILE
    if not path.is_file():
        return RunIndex()
    try:
        # Immutable: a new index is renamed over the old one, so no lock is needed, and disks without locks will do.
        database = sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)
        try:
            return _decode(database)
        finally:
            database.close()
    except (sqlite3.Error, ValueError, KeyError, IndexError, TypeError) as error:
        logger.debug("%s: the index cannot be used: %s", path, error)
        return RunIndex()


def _decode(database: Any) -> RunIndex:
    if database.execute("SELECT * FROM version").fetchone() != _VERSION:
        raise ValueError("another version wrote it")
    shared = [_Shared.from_json(content) for (content,) in database.execute("SELECT content FROM shared ORDER BY id")]
    entries = {name: _Entry(*row) for name, *row in database.execute("SELECT * FROM runs")}
    if any(len(entry.numbers) != shared[entry.shared].encoding.size for entry in entries.values()):
        raise ValueError("numbers are missing")
    return RunIndex(shared, entries)


def stamp(folder: str) -> bytes:
    """Return what shows whether folder, manifest, metrics and costs of a run are the same; zeros for missing files."""
    found: list[int] = []
    for name in _STAMPED:
        try:
            status = os.lstat(f"{folder}/{name}")  # creating 40,000 Path objects takes longer than the calls
        except OSError:
            found += (0, 0, 0, 0)
        else:
            found += (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
    return _STAMP.pack(*found)


def _settled(stamp: bytes) -> bool:
    """Whether files changed long enough ago to show by their times if they change again."""
    times: tuple[int, ...] = _STAMP.unpack(stamp)
    return max(*times[0::4], *times[1::4]) < time.time_ns() - _SETTLED_NS


def state_of(study: Path) -> str:
    """Return a digest that changes whenever the plan or a run of a study does."""
    digest = hashlib.sha256()
    try:
        status = (study / PLAN_FILE).stat()
        digest.update(repr((status.st_mtime_ns, status.st_size, status.st_ino)).encode())
        names = sorted(entry.name for entry in os.scandir(study / RUNS_FOLDER) if entry.name[0] != ".")
    except OSError:
        names = []
    for name in names:
        digest.update(name.encode() + stamp(f"{study}/{RUNS_FOLDER}/{name}"))
    return digest.hexdigest()
