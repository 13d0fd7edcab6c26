"""A cache of what was read of a study's runs, so that ten thousand of them need not be parsed again.

It is never the truth. A run is taken from it only if inode, size, time of modification and time of change of its
manifest, metrics and costs are still what they were when they were read; everything else is read from the run's folder.
A file that was changed less than two seconds before it was read is not trusted the next time, since it may change again
without its times telling. Deleting ``.index`` costs nothing but the time to read the runs again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
import time
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarker._version import __version__
from benchmarker.study.layout import COSTS_FILE, MANIFEST_FILE, METRICS_FILE, PLAN_FILE, RUNS_FOLDER

logger = logging.getLogger(__name__)

INDEX_FILE = ".index"
FEWEST_RUNS = 200
"""Studies with fewer runs are read as fast without a cache."""

_FORMAT = 2
_SETTLED_NS = 2_000_000_000
_EXACT = 2**53
_FILES = (MANIFEST_FILE, METRICS_FILE, COSTS_FILE)

Stamp = tuple[int, ...]


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


NOTHING = Numbers({}, memoryview(array("d")), b"", 0)


def stamp(folder: str) -> Stamp:
    """Return what tells whether a run's manifest, metrics and costs are still the same; zeros for those not there."""
    found: list[int] = []
    for name in _FILES:
        try:
            status = os.stat(f"{folder}/{name}")  # noqa: PTH116 - a Path for each of 30,000 files costs more than asking
        except OSError:
            found += (0, 0, 0, 0)
        else:
            found += (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
    return tuple(found)


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
        digest.update(repr((name, stamp(f"{study}/{RUNS_FOLDER}/{name}"))).encode())
    return digest.hexdigest()


# Not frozen: what is made ten thousand times a second has no time for the checks.
@dataclass(slots=True, kw_only=True)
class Noted:
    """What a run's files say, as far as tables need it.

    Parameters
    ----------
    key : str
        Of the cell, as the manifest has it.
    status, kind, message : str
        As in `CellRecord`.
    known : mapping
        Entries of the manifest: the fingerprint, and whether it was trained.
    scored : mapping
        Entries of the metrics: the primary metric.
    collapsed : mapping of str to str
        For each checkpoint that calls every validation image the same class, that class.
    evaluations : mapping of str to mapping of str to float
        For each checkpoint, each metric and its value.
    costs : mapping of str to float
        Costs as a flat table.
    """

    key: str
    status: str
    kind: str = ""
    message: str = ""
    known: Mapping[str, Any] = field(default_factory=dict)
    scored: Mapping[str, Any] = field(default_factory=dict)
    collapsed: Mapping[str, str] = field(default_factory=dict)
    evaluations: Mapping[str, Numbers] = field(default_factory=dict)
    costs: Numbers = field(default_factory=lambda: NOTHING)

    @property
    def tables(self) -> tuple[Numbers, ...]:
        """All numbers: those of each checkpoint, and costs."""
        return (*self.evaluations.values(), self.costs)


class RunIndex:
    """What is known of a study's runs by the names of their folders."""

    def __init__(self, runs: Mapping[str, tuple[Stamp, Noted]] | None = None) -> None:
        self._runs = dict(runs or {})
        self._changed = False

    def get(self, name: str, now: Stamp) -> Noted | None:
        """Return what is known of a run whose files have this stamp, or None."""
        entry = self._runs.get(name)
        return entry[1] if entry is not None and entry[0] == now else None

    def add(self, name: str, before: Stamp, noted: Noted) -> None:
        """Note what was read of a run whose files had this stamp before, unless they changed a moment ago."""
        newest = max(*before[0::4], *before[1::4])
        if newest < time.time_ns() - _SETTLED_NS and _exact(noted):
            self._runs[name] = (before, noted)
            self._changed = True

    def save(self, study: Path, present: Iterable[str]) -> None:
        """Write what is known of the runs that there are, if that is worth it and has changed."""
        runs = {name: self._runs[name] for name in present if name in self._runs}
        if len(runs) < FEWEST_RUNS or not self._changed:
            return
        aside = study / f"{INDEX_FILE}.{os.getpid()}.partial"
        try:
            aside.write_bytes(_encode(runs))
            aside.replace(study / INDEX_FILE)
        except OSError as error:  # a study that cannot be written is read without a cache
            logger.debug("%s: no index is kept: %s", study, error)
            aside.unlink(missing_ok=True)


def load_index(study: Path) -> RunIndex:
    """Return what an earlier reading of a study noted; an empty index where there is none that can be used."""
    try:
        return RunIndex(_decode((study / INDEX_FILE).read_bytes()))
    except FileNotFoundError:
        return RunIndex()
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        logger.debug("%s: the index cannot be used: %s", study, error)
        return RunIndex()


def _exact(noted: Noted) -> bool:
    """Whether all numbers survive being stored as float64."""
    return all(abs(value) < _EXACT for table in noted.tables for value in table.raw[0])


class _Pool:
    """Gives equal values the same number; they must not change or go while it is used."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._at: dict[str, int] = {}
        self._known: dict[int, int] = {}

    def number(self, value: Mapping[str, Any]) -> int:
        # Runs share most of these, so that few are written out to be compared.
        number = self._known.get(id(value))
        if number is None:
            number = self._known[id(value)] = self._at.setdefault(json.dumps(value), len(self.values))
            if number == len(self.values):
                self.values.append(value)
        return number


def _encode(runs: Mapping[str, tuple[Stamp, Noted]]) -> bytes:
    pool, names = _Pool(), _Pool()
    stamps, values, whole = array("q"), array("d"), bytearray()
    entries = []
    for name, (before, noted) in runs.items():
        tables = []
        for table in noted.tables:
            tables += [names.number(table.names), len(values)]
            numbers, integers = table.raw
            values.frombytes(numbers.tobytes())
            whole += integers
        stamps.extend(before)
        described = [pool.number(value) for value in (noted.known, noted.scored, noted.collapsed)]
        entries.append(
            [name, noted.key, noted.status, noted.kind, noted.message, *described, list(noted.evaluations), tables]
        )
    header = {"pool": pool.values, "names": names.values, "runs": entries, "values": len(values)}
    written = json.dumps(header, separators=(",", ":")).encode()
    body = b"".join((written, stamps.tobytes(), values.tobytes(), bytes(whole)))
    return b"\n".join((_first_line(len(written), body), body))


def _first_line(length: int, body: bytes | memoryview) -> bytes:
    named = {"format": _FORMAT, "benchmarker": __version__, "byteorder": sys.byteorder}
    return json.dumps({**named, "header": length, "crc32": zlib.crc32(body)}).encode()


def _decode(content: bytes) -> dict[str, tuple[Stamp, Noted]]:
    end = content.index(b"\n")
    body = memoryview(content)[end + 1 :]
    length = json.loads(content[:end])["header"]
    if content[:end] != _first_line(length, body):
        raise ValueError("it is damaged, or was written by another version or machine")
    header = json.loads(bytes(body[:length]))
    n, count = len(header["runs"]), header["values"]
    width = 4 * len(_FILES)
    middle = length + 8 * width * n
    stamps = body[length:middle].cast("q").tolist()
    values = body[middle : middle + 8 * count].cast("d")
    whole = body[middle + 8 * count :]
    pool = header["pool"]
    places = [{name: place for place, name in enumerate(names)} for names in header["names"]]
    runs = {}
    for number, (name, key, status, kind, message, known, scored, collapsed, checkpoints, tables) in enumerate(
        header["runs"]
    ):
        found = [Numbers(places[tables[k]], values, whole, tables[k + 1]) for k in range(0, len(tables), 2)]
        runs[name] = (
            tuple(stamps[width * number : width * (number + 1)]),
            Noted(
                key=key,
                status=status,
                kind=kind,
                message=message,
                known=pool[known],
                scored=pool[scored],
                collapsed=pool[collapsed],
                evaluations=dict(zip(checkpoints, found, strict=False)),
                costs=found[-1],
            ),
        )
    return runs
