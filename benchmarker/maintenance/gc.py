"""Lists files that may be removed, with reasons, and removes them when asked to.

Files that can never be of use again may be removed at any age. Files that may still be wanted (snapshots of a run that
can be resumed, the traceback of a failure, runs that left the plan, prepared data and downloads) may be removed once
they have not been used for a while. Finished runs of the plan are never removed, nor is anything in a study that a run
is working on, or any data that a run holds.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarker.claims import Claim, is_claim_file, is_claimed, try_claim, try_claim_alone
from benchmarker.data import cache as data_cache
from benchmarker.data import downloads
from benchmarker.data.cache import held_file, is_held
from benchmarker.errors import StorageError
from benchmarker.files import FREED_SUFFIX, discard, storage_error
from benchmarker.results.study import Study, read_study
from benchmarker.study.claims import exclusive, is_in_use
from benchmarker.study.layout import PLAN_FILE, RUNS_FOLDER

DAY_SECONDS = 86_400
_RUN = re.compile(r"(?P<name>[0-9a-f]{16})(?P<failed>\.failed)?")
_WORKING = re.compile(r"\.(?P<name>[0-9a-f]{16})(\.[0-9a-f]{16})?\.partial")
_REMAINS = re.compile(r"\.(?P<name>[0-9a-f]{16})(\.failed)?(\.[0-9a-f]{16})?\.(replaced|merging|unreadable)")
_OF_STUDIES = ("unfinished run", "failed run", "superseded run", "remains")
_CACHED = re.compile(r"[0-9a-f]{32}")
_CACHED_PARTLY = re.compile(r"[0-9a-f]{32}(\.[0-9a-f]{16})?\.partial")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A file or folder that may be removed.

    Parameters
    ----------
    path : Path
        Path of the file or folder.
    owner : Path
        Path of the study, or of the cache.
    kind, reason : str
        Kind of file, and why it is no longer needed.
    n_bytes : int
        Space that it takes on the disk, in bytes.
    days : float
        Days since it was last used.
    last_used : float
        When that was, in seconds since 1970.
    """

    path: Path
    owner: Path
    kind: str
    reason: str
    n_bytes: int
    days: float
    last_used: float

    def to_json(self) -> dict[str, Any]:
        """Return the item as JSON."""
        return {
            "path": str(self.path),
            "kind": self.kind,
            "reason": self.reason,
            "bytes": self.n_bytes,
            "days": round(self.days, 2),
        }


@dataclass(slots=True, kw_only=True)
class Inventory:
    """Files that may be removed, and files that are in use.

    Parameters
    ----------
    items : list of Item
        Items of each study in turn, then of the cache.
    kept : list of str
        One line for each study or file that is in use.
    """

    items: list[Item] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    @property
    def n_bytes(self) -> int:
        """Space that all items take, in bytes."""
        return sum(item.n_bytes for item in self.items)


def find_garbage(studies: Iterable[Path], cache: Path | None, *, older_than: float) -> Inventory:
    """List files that may be removed.

    Parameters
    ----------
    studies : iterable of Path
        Paths of the studies to search.
    cache : Path or None
        Path of the cache, if it is to be searched.
    older_than : float
        Days without use after which files that may still be wanted are listed.

    Raises
    ------
    StorageError
        If a folder is not a study.
    """
    found = Inventory()
    for study in studies:
        planned = read_study(study)
        if is_in_use(study):
            found.kept.append(f"{study}: a run is working on it")
            continue
        found.items += _of_study(study, _status(planned), older_than)
    if cache is not None and cache.is_dir():
        for item in _of_cache(cache, older_than):
            if is_held(item.path) or _is_written(item.path):
                found.kept.append(f"{item.path}: a run is using it")
            else:
                found.items.append(item)
    return found


def _status(study: Study) -> dict[str, str]:
    """Return what became of the cells and generators of a plan, by the names of their runs."""
    status: dict[str, str] = {generator.run_name: generator.status for generator in study.generators}
    # A cell whose saved weights were tested (-o) may have a training that can be resumed.
    return status | {cell.run_name: cell.status if cell.trained else "tested" for cell in study.cells}


def free(items: Sequence[Item]) -> int:
    """Remove items, and return the number of bytes that this freed.

    What was used since it was listed, or may be wanted since the plan has changed, is kept.

    Raises
    ------
    StorageError
        If something cannot be removed, a run has meanwhile begun to work on a study, or another process took this one
        for dead.
    """
    freed = 0
    for owner in dict.fromkeys(item.owner for item in items):
        own = [item for item in items if item.owner == owner]
        freed += _free_of_study(owner, own) if own[0].kind in _OF_STUDIES else sum(map(_free_of_cache, own))
    return freed


def _free_of_study(study: Path, items: Iterable[Item]) -> int:
    freed = 0
    with exclusive(study) as claim:
        status = _status(read_study(study))
        for item in items:
            judged = _judge(item.path, status, item.days, old=True)
            if judged == (item.kind, item.reason) and _last_used(item.path) == item.last_used:
                _remove(item.path, claim.require)
                freed += item.n_bytes
    return freed


def _free_of_cache(item: Item) -> int:
    with _kept_from_use(item) as confirm:
        if confirm is None or _last_used(item.path, reading_counts=True) != item.last_used:
            return 0
        _remove(item.path, confirm)
    return item.n_bytes


@contextlib.contextmanager
def _kept_from_use(item: Item) -> Iterator[Callable[[], None] | None]:
    """Keep others from using or writing something in the cache within the block.

    Yields
    ------
    callable or None
        Makes sure that this still holds; None if a process uses it or writes it.
    """
    with contextlib.ExitStack() as stack:
        claims: list[Claim] = []
        for attempt, path in ((try_claim_alone, held_file(item.path)), (try_claim, _written_under(item.path))):
            if (found := attempt(path)) is None:
                yield None
                return
            claims.append(stack.enter_context(found))

        def confirm() -> None:
            for claim in claims:
                claim.require()

        yield confirm


def _remove(path: Path, confirm: Callable[[], None]) -> None:
    """Remove a file or folder, if it is still there, unless others may use it by now."""
    try:
        if path.is_dir() and not path.is_symlink():
            discard(path, confirm=confirm, strict=True)
        else:
            confirm()
            path.unlink(missing_ok=True)
    except OSError as error:
        raise storage_error(error, path) from error


def _of_study(study: Path, status: Mapping[str, str], older_than: float) -> Iterator[Item]:
    runs = study / RUNS_FOLDER
    for path in sorted(runs.iterdir()) if runs.is_dir() else ():
        last_used = _last_used(path)
        days = _days_since(last_used)
        kind, reason = _judge(path, status, days, old=days >= older_than)
        if reason:
            yield Item(
                path=path,
                owner=study,
                kind=kind,
                reason=reason,
                n_bytes=_size(path),
                days=days,
                last_used=last_used,
            )


def _judge(path: Path, status: Mapping[str, str], days: float, *, old: bool) -> tuple[str, str]:
    """Return the kind of a file in a study's folder of runs, and why it is not needed; no reason if it may be."""
    if found := _WORKING.fullmatch(path.name):
        return "unfinished run", _why_not_resumed(status.get(found["name"]), days, old=old)
    if found := _RUN.fullmatch(path.name):
        if found["name"] not in status:
            return "superseded run", f"no cell of the plan{_unused(days)}" if old else ""
        if found["failed"]:
            finished = status[found["name"]] == "ok"
            return "failed run", "its cell has finished" if finished else f"failed{_unused(days)}" if old else ""
    if _REMAINS.fullmatch(path.name) or (path.name.startswith(".") and path.suffix in {".partial", FREED_SUFFIX}):
        return "remains", "left by a command that was interrupted"
    return "", ""


def _why_not_resumed(status: str | None, days: float, *, old: bool) -> str:
    if status is None:
        return "no cell of the plan would resume it"
    if status == "ok":
        return "its cell has finished"
    return f"could be resumed{_unused(days)}" if old else ""


def _unused(days: float) -> str:
    return f", not used for {days:.0f} day{'' if round(days) == 1 else 's'}"


def _of_cache(cache: Path, older_than: float) -> Iterator[Item]:
    for kind in sorted(folder for folder in cache.iterdir() if folder.is_dir()):
        if kind.name == "downloads":
            yield from _downloads(cache, kind, older_than)
            continue
        for path in sorted(kind.iterdir()):
            last_used = _last_used(path, reading_counts=True)
            days = _days_since(last_used)
            if path.name.endswith(FREED_SUFFIX) or _CACHED_PARTLY.fullmatch(path.name):
                reason = "left by a command that was interrupted"
            elif _CACHED.fullmatch(path.name) and days >= older_than:
                reason = f"prepared again when needed{_unused(days)}"
            else:
                continue
            yield Item(
                path=path,
                owner=cache,
                kind=f"{kind.name} data",
                reason=reason,
                n_bytes=_size(path),
                days=days,
                last_used=last_used,
            )


def _downloads(cache: Path, folder: Path, older_than: float) -> Iterator[Item]:
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        last_used = _last_used(path, reading_counts=True)
        days = _days_since(last_used)
        if is_claim_file(path) or days < older_than:
            continue
        reason = "incomplete download" if path.suffix == ".part" else "downloaded again when needed"
        yield Item(
            path=path,
            owner=cache,
            kind="download",
            reason=f"{reason}{_unused(days)}",
            n_bytes=_size(path),
            days=days,
            last_used=last_used,
        )


def _is_written(path: Path) -> bool:
    """Whether a process is writing a cached folder or a download."""
    return is_claimed(_written_under(path))


def _written_under(path: Path) -> Path:
    """Return what is claimed by whoever writes a cached folder or a download."""
    if (digest := _CACHED.match(path.name)) is not None:
        return data_cache.claim_path(path.with_name(digest[0]))
    return downloads.claim_path(path)


def _days_since(then: float) -> float:
    return max(0.0, time.time() - then) / DAY_SECONDS


def _last_used(path: Path, *, reading_counts: bool = False) -> float:
    """Return when a file or folder was last written or held, or read where that counts as a use.

    Tables read the files of failed runs, which does not count.
    """
    newest = 0.0
    for one in (path, held_file(path), *(path.iterdir() if path.is_dir() else ())):
        with contextlib.suppress(OSError):
            facts = one.stat()
            newest = max(newest, facts.st_mtime, facts.st_atime if reading_counts and one.is_file() else 0.0)
    return newest


def _size(path: Path) -> int:
    """Return the space that a file, or everything in a folder, takes on the disk; links are not followed."""
    total = 0
    stack = [path]
    while stack:
        one = stack.pop()
        try:
            if one.is_dir() and not one.is_symlink():
                stack += list(one.iterdir())
            else:
                facts = one.lstat()
                # Blocks that were never written take no space.
                total += min(facts.st_size, 512 * facts.st_blocks) if hasattr(facts, "st_blocks") else facts.st_size
        except OSError:  # removed meanwhile, or not readable
            continue
    return total


def studies_below(folder: Path) -> list[Path]:
    """Return the studies in a folder, by name.

    Raises
    ------
    StorageError
        If there are none.
    """
    found = sorted(path.parent for path in folder.glob(f"*/{PLAN_FILE}"))
    if not found:
        raise StorageError(f"there are no studies in {os.fspath(folder)}/: name one, or search the cache with --cache")
    return found
