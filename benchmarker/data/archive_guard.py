"""What must not come out of an archive that nobody can trust: where it leads to, and how much it unpacks to."""

from __future__ import annotations

import io
import re
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchmarker.data.folders import is_wanted
from benchmarker.errors import DataError, UnsafeArchiveError

CHUNK_BYTES = 1 << 20
_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an archive may unpack to.

    Parameters
    ----------
    members : int
        Entries, folders included.
    member_bytes, total_bytes : int
        Of one file and of all files together.
    held_bytes : int
        Of all files together in a compressed tar, which has to be held in memory to be sorted.
    ratio : float
        Bytes unpacked for each byte of the archive, once more than ``ratio_from`` bytes are unpacked. FITS and HDF5
        files of empty sky reach 80.
    ratio_from : int
        Smaller archives may be compressed as well as they like.
    """

    members: int = 1_000_000
    member_bytes: int = 2 << 30
    total_bytes: int = 64 << 30
    held_bytes: int = 2 << 30
    ratio: float = 250.0
    ratio_from: int = 128 << 20


class Guard:
    """Knows one archive and what must not come out of it."""

    def __init__(self, path: Path, suffixes: tuple[str, ...], limits: Limits) -> None:
        self.path = path
        self.suffixes = suffixes
        self.limits = limits
        self._bytes = max(1, path.stat().st_size)
        self._entries = 0
        self._names: set[str] = set()

    def admit(self, raw: str, *, regular: bool) -> str | None:
        """Return the clean name of an entry, or None if it is not wanted."""
        self._entries += 1
        if self._entries > self.limits.members:
            raise self.unsafe(raw, f"comes after {self.limits.members:,} others, more than an archive may hold")
        name = raw.replace("\\", "/")
        if name.startswith("/") or _DRIVE.match(name) or "\0" in name:
            raise self.unsafe(raw, "is not a relative name")
        if ".." in name.split("/"):
            raise self.unsafe(raw, "leads out of the archive")
        name = "/".join(part for part in name.split("/") if part not in {"", "."})
        if not regular or not name or not is_wanted(name, self.suffixes):
            return None
        if name in self._names:
            raise DataError(f"{self.path} holds {name!r} twice; unpack it yourself and give the folder instead")
        self._names.add(name)
        return name

    def check_size(self, name: str, size: int) -> None:
        """Refuse a member of ``size`` bytes that is too large, or says that it is less than nothing."""
        if size < 0:
            raise self.unsafe(name, "announces a negative size")
        if size > self.limits.member_bytes:
            raise self.unsafe(name, f"unpacks to more than {_gigabytes(self.limits.member_bytes)}")

    def check_total(self, name: str, total: int, limit: int | None = None) -> None:
        """Refuse when ``total`` bytes, the last of them from ``name``, are too many."""
        if total > self.limits.ratio_from and total > self.limits.ratio * self._bytes:
            raise self.unsafe(
                name, f"makes it unpack to {total:,} bytes, more than {self.limits.ratio:g} times its size"
            )
        limit = self.limits.total_bytes if limit is None else limit
        if total > limit:
            raise self.unsafe(
                name, f"makes it unpack to more than {_gigabytes(limit)}; if it is yours, unpack it and give the folder"
            )

    def unsafe(self, name: str, reason: str) -> UnsafeArchiveError:
        """Return the error that refuses the archive for one of its members."""
        return UnsafeArchiveError(f"{self.path} is refused, and nothing of it was used: its member {name!r} {reason}")

    def read(self, stream: IO[bytes], name: str) -> bytes:
        """Read a member to its end, but never more than a member may hold."""
        chunks = io.BytesIO()
        while chunk := stream.read(CHUNK_BYTES):
            chunks.write(chunk)
            self.check_size(name, chunks.tell())
        return chunks.getvalue()

    @contextmanager
    def damage(self) -> Iterator[None]:
        """Turn what the archive modules raise on damaged files into one message."""
        import lzma
        import zlib

        try:
            yield
        except (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError) as error:
            raise DataError(f"{self.path} is damaged or not complete: {error}. Fetch it again.") from error
        except NotImplementedError as error:
            raise DataError(
                f"{self.path} is packed in a way that cannot be read: {error}. Unpack it yourself and give the folder."
            ) from error


def _gigabytes(size: int) -> str:
    return f"{size / (1 << 30):.3g} GiB"
