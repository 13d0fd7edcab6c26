"""Tests what runs need of a file system: exclusive creation, renaming, and that what was written is found again.

Locks are tested, too, and how far its clock is from this machine's. Runs rely on neither: `benchmarker.claims` says how
they do without.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarker.disk import nearest_existing

_TIMES = 20
"""Files that are created to measure how long that takes."""

_CLOCK_SECONDS = 2.0
"""Offsets below this are not worth a word: file systems round times to a second or two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSystem:
    """What was seen of a file system.

    Parameters
    ----------
    kind : str
        Its type, such as ``"ext4"`` or ``"fuse.sshfs"``; "" where that is unknown.
    exclusive, rename, fsync : str
        "" if creating a file excludes others, if a rename replaces a file, and if data can be forced to the disk;
        otherwise what was seen.
    locks : str
        ``"work on this machine"``, ``"are missing"``, or ``"are granted to two at once"``.
    clock_seconds : float
        How far the times that it gives to files are ahead of this machine's clock, in seconds.
    create_ms : float
        Time to create, write and remove a small file, in milliseconds.
    """

    kind: str
    exclusive: str
    rename: str
    fsync: str
    locks: str
    clock_seconds: float
    create_ms: float

    @property
    def problems(self) -> list[str]:
        """What keeps runs from using it, in words."""
        return [
            f"{what}: {seen}"
            for what, seen in (
                ("creating a file does not exclude others", self.exclusive),
                ("renaming does not replace a file", self.rename),
            )
            if seen
        ]

    @property
    def summary(self) -> str:
        """What was seen, in one line."""
        parts = [self.kind or "unknown type", f"{self.create_ms:.2g} ms per file"]
        parts += self.problems or ["exclusive creation and renaming work"]
        if self.fsync:
            parts.append(f"data cannot be forced to the disk ({self.fsync}), so a power cut may lose the last epoch")
        parts.append(f"locks {self.locks}" + ("" if self.locks == _LOCKS_WORK else ", which does not matter"))
        if abs(self.clock_seconds) >= _CLOCK_SECONDS:
            side = "ahead of" if self.clock_seconds > 0 else "behind"
            parts.append(f"its clock is {abs(self.clock_seconds):.0f} s {side} this machine's, which does not matter")
        return "; ".join(parts)

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        return {**asdict(self), "clock_seconds": round(self.clock_seconds, 3), "create_ms": round(self.create_ms, 3)}


_LOCKS_WORK = "work on this machine"


def probe(folder: Path) -> FileSystem | None:
    """Test the file system of a folder, in a temporary folder there; None if nothing can be written.

    Parameters
    ----------
    folder : Path
        Path of the folder, which need not exist: the nearest one above it that does is tested.
    """
    existing = nearest_existing(folder)
    try:
        place = Path(tempfile.mkdtemp(prefix=".doctor-", dir=existing))
    except OSError:
        return None
    try:
        create_ms, clock = _time(place)
        return FileSystem(
            kind=_kind(existing),
            exclusive=_seen(_exclusive, place),
            rename=_seen(_rename, place),
            fsync=_seen(_fsync, place),
            locks=_locks(place),
            clock_seconds=clock,
            create_ms=create_ms,
        )
    except OSError:
        return None
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _seen(test: Callable[[Path], str], place: Path) -> str:
    try:
        return test(place)
    except OSError as error:
        return error.strerror or str(error)


def _exclusive(place: Path) -> str:
    path = place / "exclusive"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    os.close(os.open(path, flags, 0o600))
    try:
        os.close(os.open(path, flags, 0o600))
    except FileExistsError:
        return ""
    return "a file that exists was created again"


def _rename(place: Path) -> str:
    old, new = place / "old", place / "new"
    old.write_bytes(b"old")
    new.write_bytes(b"new")
    new.replace(old)
    if new.exists() or old.read_bytes() != b"new":
        return "the old content was found after the rename"
    (place / "folder").mkdir()
    (place / "folder" / "file").write_bytes(b"content")
    (place / "folder").rename(place / "renamed")
    return "" if (place / "renamed" / "file").read_bytes() == b"content" else "a renamed folder lost its content"


def _fsync(place: Path) -> str:
    for path, flags in ((place / "synced", os.O_WRONLY | os.O_CREAT), (place, os.O_RDONLY)):
        descriptor = os.open(path, flags, 0o600)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if path != place or error.errno != errno.EINVAL:  # some cannot force the names in a folder
                raise
        finally:
            os.close(descriptor)
    return ""


def _locks(place: Path) -> str:
    path = place / "locked"
    path.touch()
    with path.open() as first, path.open() as second:
        try:
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return "are missing"
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return _LOCKS_WORK
    return "are granted to two at once"


def _time(place: Path) -> tuple[float, float]:
    """Return the milliseconds to create, write and remove a file, and the seconds that its times are ahead."""
    path = place / "timed"
    began = time.perf_counter()
    for _ in range(_TIMES):
        path.write_bytes(b"content")
        path.unlink()
    took = 1000 * (time.perf_counter() - began) / _TIMES
    before = time.time()
    path.write_bytes(b"content")
    after = time.time()
    with contextlib.suppress(FileNotFoundError):
        modified = path.stat().st_mtime
        return took, modified - min(max(modified, before), after)
    return took, 0.0


def _kind(folder: Path) -> str:
    """Return the type of the file system that holds a folder."""
    best, kind = "", ""
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    place = folder.resolve()
    for line in lines:
        _, mount, found, *_ = line.split(" ")
        mount = mount.encode().decode("unicode_escape", errors="replace")
        if len(mount) >= len(best) and place.is_relative_to(mount):
            best, kind = mount, found
    return kind
