"""Finds what may be freed, says what and why, and frees it when asked to.

What can never be of use again may go at any age. What somebody may still want (snapshots of a run that can go on, the
traceback of a failure, runs that left the plan, prepared data and downloads) goes when it was not used for a while.
Finished runs of the plan are never touched, and neither is a study that a run works on, nor data that it holds.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarker.data.cache import held_file, is_held
from benchmarker.errors import StorageError
from benchmarker.files import storage_error
from benchmarker.locks import is_locked
from benchmarker.maintenance.busy import alone, held_lock
from benchmarker.results.study import read_study
from benchmarker.study.layout import RUNS_FOLDER

DAY_SECONDS = 86_400
_RUN = re.compile(r"(?P<name>[0-9a-f]{16})(?P<failed>\.failed)?")
_WORKING = re.compile(r"\.(?P<name>[0-9a-f]{16})\.partial")
_REMAINS = re.compile(r"\.(?P<name>[0-9a-f]{16})(\.failed)?\.(replaced|merging|unreadable)")
_OF_STUDIES = ("unfinished run", "failed run", "superseded run", "remains")
_CACHED = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A file or folder that may be freed.

    Parameters
    ----------
    path : Path
        Where it is.
    owner : Path
        The study, or the cache.
    kind, reason : str
        What it is, and why nobody needs it.
    n_bytes : int
        That it takes on the disk.
    days : float
        Since it was used last.
    """

    path: Path
    owner: Path
    kind: str
    reason: str
    n_bytes: int
    days: float

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "path": str(self.path),
            "kind": self.kind,
            "reason": self.reason,
            "bytes": self.n_bytes,
            "days": round(self.days, 2),
        }


@dataclass(slots=True, kw_only=True)
class Inventory:
    """What may be freed, and what was left alone although it could be meant.

    Parameters
    ----------
    items : list of Item
        In the order of studies, then of the cache.
    kept : list of str
        One line for each thing that a run holds.
    """

    items: list[Item] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    @property
    def n_bytes(self) -> int:
        """What all items take."""
        return sum(item.n_bytes for item in self.items)


def look_through(studies: Iterable[Path], cache: Path | None, *, older_than: float) -> Inventory:
    """Find what may be freed.

    Parameters
    ----------
    studies : iterable of Path
        Folders of studies.
    cache : Path or None
        Folder of the cache, if it is to be looked through.
    older_than : float
        Days for which what might still be wanted must not have been used.

    Raises
    ------
    StorageError
        If a folder is no study.
    """
    found = Inventory()
    for study in studies:
        planned = read_study(study)
        if (lock := held_lock(study)) is not None:
            found.kept.append(f"{study}: a run is working on it ({lock.name} is locked)")
            continue
        status: dict[str, str] = {cell.key[:16]: cell.status for cell in planned.generators}
        # A cell whose saved weights were tested (-o) may have a training to go on with.
        status |= {cell.key[:16]: cell.status if cell.trained else "tested" for cell in planned.cells}
        found.items += _of_study(study, status, older_than)
    if cache is not None and cache.is_dir():
        for item in _of_cache(cache, older_than):
            if is_held(item.path) or _is_written(item.path):
                found.kept.append(f"{item.path}: a run is using it")
            else:
                found.items.append(item)
    return found


def free(items: Sequence[Item]) -> int:
    """Remove items, and return how many bytes that freed.

    Raises
    ------
    StorageError
        If something cannot be removed, or a run has begun to work on a study since.
    """
    freed = 0
    for owner in dict.fromkeys(item.owner for item in items):
        own = [item for item in items if item.owner == owner]
        # Whatever began in the meantime keeps what it holds.
        with alone(owner) if own[0].kind in _OF_STUDIES else contextlib.nullcontext():
            for item in own:
                if item.kind not in _OF_STUDIES and (is_held(item.path) or _is_written(item.path)):
                    continue
                _remove(item.path)
                freed += item.n_bytes
    return freed


def _remove(path: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            # Renamed first: a removal that is cut short must not leave half a folder under a good name.
            aside = path.with_name(f".{path.name.lstrip('.')}.freed")
            shutil.rmtree(aside, ignore_errors=True)
            path.rename(aside)
            shutil.rmtree(aside)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise storage_error(error, path) from error


def _of_study(study: Path, status: Mapping[str, str], older_than: float) -> Iterator[Item]:
    runs = study / RUNS_FOLDER
    for path in sorted(runs.iterdir()) if runs.is_dir() else ():
        days = _days_since(path)
        kind, reason = _judge(path, status, days, old=days >= older_than)
        if reason:
            yield Item(path=path, owner=study, kind=kind, reason=reason, n_bytes=_size(path), days=days)


def _judge(path: Path, status: Mapping[str, str], days: float, *, old: bool) -> tuple[str, str]:
    """Return what something in a study's folder of runs is, and why nobody needs it; no reason if somebody does."""
    if found := _WORKING.fullmatch(path.name):
        return "unfinished run", _why_not_resumed(status.get(found["name"]), days, old=old)
    if found := _RUN.fullmatch(path.name):
        if found["name"] not in status:
            return "superseded run", f"no cell of the plan{_unused(days)}" if old else ""
        if found["failed"]:
            finished = status[found["name"]] == "ok"
            return "failed run", "its cell has finished" if finished else f"failed{_unused(days)}" if old else ""
    if _REMAINS.fullmatch(path.name) or (path.name.startswith(".") and path.suffix in {".partial", ".freed"}):
        return "remains", "left by a command that was ended"
    return "", ""


def _why_not_resumed(status: str | None, days: float, *, old: bool) -> str:
    if status is None:
        return "no cell of the plan would go on from it"
    if status == "ok":
        return "its cell has finished"
    return f"could go on{_unused(days)}" if old else ""


def _unused(days: float) -> str:
    return f", not used for {days:.0f} day{'' if round(days) == 1 else 's'}"


def _of_cache(cache: Path, older_than: float) -> Iterator[Item]:
    for kind in sorted(folder for folder in cache.iterdir() if folder.is_dir()):
        if kind.name == "downloads":
            yield from _downloads(cache, kind, older_than)
            continue
        for path in sorted(kind.iterdir()):
            days = _days_since(path, reading_counts=True)
            if path.name.endswith(".freed") or (path.suffix == ".partial" and _CACHED.fullmatch(path.stem)):
                reason = "left by a command that was ended"
            elif _CACHED.fullmatch(path.name) and days >= older_than:
                reason = f"made again when needed{_unused(days)}"
            else:
                continue
            yield Item(path=path, owner=cache, kind=f"{kind.name} data", reason=reason, n_bytes=_size(path), days=days)


def _downloads(cache: Path, folder: Path, older_than: float) -> Iterator[Item]:
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        days = _days_since(path, reading_counts=True)
        if path.suffix == ".lock" or days < older_than:
            continue
        reason = "beginning of a download" if path.suffix == ".part" else "fetched again when needed"
        yield Item(
            path=path,
            owner=cache,
            kind="download",
            reason=f"{reason}{_unused(days)}",
            n_bytes=_size(path),
            days=days,
        )


def _is_written(path: Path) -> bool:
    """Tell whether a process writes a cached folder, or a download."""
    return is_locked(path.with_suffix(".lock")) or is_locked(path.with_name(f".{path.name}.lock"))


def _days_since(path: Path, *, reading_counts: bool = False) -> float:
    """Return the days since a file or folder was written or noted as held, or read where that counts.

    Tables read the files of a failed run, which makes no use of it.
    """
    newest = 0.0
    for one in (path, held_file(path), *(path.iterdir() if path.is_dir() else ())):
        with contextlib.suppress(OSError):
            facts = one.stat()
            newest = max(newest, facts.st_mtime, facts.st_atime if reading_counts and one.is_file() else 0.0)
    return max(0.0, time.time() - newest) / DAY_SECONDS


def _size(path: Path) -> int:
    """Return what a file, or everything in a folder, takes on the disk; links count for themselves."""
    total = 0
    stack = [path]
    while stack:
        one = stack.pop()
        try:
            if one.is_dir() and not one.is_symlink():
                stack += list(one.iterdir())
            else:
                facts = one.lstat()
                # Blocks that were never written take nothing.
                total += min(facts.st_size, 512 * facts.st_blocks) if hasattr(facts, "st_blocks") else facts.st_size
        except OSError:  # gone, or not ours to look into
            continue
    return total


def studies_below(folder: Path) -> list[Path]:
    """Return the studies in a folder, by name.

    Raises
    ------
    StorageError
        If there are none.
    """
    found = sorted(path.parent for path in folder.glob("*/plan.json"))
    if not found:
        raise StorageError(f"there are no studies in {os.fspath(folder)}/: name one, or look through --cache")
    return found
