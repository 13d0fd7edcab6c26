"""Read the files of a folder, a zip or a tar alike, without unpacking anything to disk.

Archives come from the network and are not trusted. Names that lead out of the archive, links, devices and archives that
unpack without end are refused before the first file is returned; limits apply to the bytes that really leave the
decompressor, whatever the headers say.
"""

from __future__ import annotations

import io
import re
import stat
import tarfile
import weakref
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, cast

from benchmarker.data.folders import Member, folder_members, is_wanted
from benchmarker.errors import DataError, UnsafeArchiveError

_CHUNK_BYTES = 1 << 20
_DRIVE = re.compile(r"[A-Za-z]:")
_CREATED_ON_UNIX = 3
_FETCH_AGAIN = "download it again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an archive may unpack to.

    Parameters
    ----------
    members : int
        Largest number of entries, folders included.
    member_bytes, total_bytes : int
        Largest size of one file, and of all files together, in bytes.
    held_bytes : int
        Largest size of all files of a compressed tar, which are held in memory to be sorted, in bytes.
    ratio : float
        Largest number of unpacked bytes for each byte of the archive, checked once more than ``ratio_from`` bytes are
        unpacked. FITS and HDF5 files of empty sky reach 80.
    ratio_from : int
        Unpacked size in bytes up to which the ratio is not checked.
    """

    members: int = 1_000_000
    member_bytes: int = 2 << 30
    total_bytes: int = 64 << 30
    held_bytes: int = 2 << 30
    ratio: float = 250.0
    ratio_from: int = 128 << 20


def read_members(path: Path, suffixes: tuple[str, ...] = (), *, limits: Limits | None = None) -> Iterator[Member]:
    """Yield the files of a folder, a zip or a tar (plain, gz, bz2 or xz), sorted by name.

    Parameters
    ----------
    path : Path
        A folder or an archive, recognised by its first bytes, not by its name.
    suffixes : tuple of str
        Endings of the wanted names, for example ``(".png",)``, compared without case; all files by default.
    limits : Limits, optional
        What an archive may unpack to.

    Yields
    ------
    Member
        One for each file; what macOS leaves behind (``__MACOSX``, ``.DS_Store``, ``._name``) is left out.

    Raises
    ------
    UnsafeArchiveError
        If an archive holds absolute names, ``..``, links or devices, or unpacks beyond the limits.
    DataError
        If the archive is damaged or encrypted, or the file is not an archive.

    Examples
    --------
    >>> import tempfile, zipfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "images.zip")
    ...     with zipfile.ZipFile(path, "w") as archive:
    ...         archive.writestr("FRII/3C_212.png", b"pixels")
    ...         archive.writestr("readme.txt", b"read me")
    ...     [(member.name, member.read()) for member in read_members(path, (".png",))]
    [('FRII/3C_212.png', b'pixels')]
    """
    if path.is_dir():
        return folder_members(path, suffixes)
    kind = _kind(path)
    guard = _Guard(path, suffixes, limits or Limits())
    if kind == "zip":
        return _zip_members(guard)
    if kind == "tar":
        return _tar_members(guard)
    return _compressed_tar_members(guard, kind)


def _kind(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            head = stream.read(512)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    for magic, kind in ((b"PK\3\4", "zip"), (b"PK\5\6", "zip"), (b"\x1f\x8b", "gz"), (b"BZh", "bz2")):
        if head.startswith(magic):
            return kind
    if head.startswith(b"\xfd7zXZ\0"):
        return "xz"
    if head[257:262] == b"ustar":
        return "tar"
    raise DataError(
        f"{path} is neither a folder nor an archive that can be read: expected zip, tar, tar.gz, tar.bz2 or tar.xz"
    )


class _Guard:
    """Decides what may come out of one archive."""

    def __init__(self, path: Path, suffixes: tuple[str, ...], limits: Limits) -> None:
        self.path = path
        self.limits = limits
        self._suffixes = suffixes
        self._bytes = max(1, path.stat().st_size)
        self._entries = 0
        self._names: set[str] = set()

    def admit(self, raw: str, *, regular: bool) -> str | None:
        """Return the clean name of an entry, or None if it is not wanted."""
        self._entries += 1
        if self._entries > self.limits.members:
            raise self.unsafe(raw, f"comes after {self.limits.members:,} others, the largest number allowed")
        name = raw.replace("\\", "/")
        if name.startswith("/") or _DRIVE.match(name) or "\0" in name:
            raise self.unsafe(raw, "does not have a relative name")
        if ".." in name.split("/"):
            raise self.unsafe(raw, "leads out of the archive")
        name = "/".join(part for part in name.split("/") if part not in {"", "."})
        if not regular or not name or not is_wanted(name, self._suffixes):
            return None
        if name in self._names:
            raise DataError(f"{self.path} holds {name!r} twice; unpack it yourself and give the folder instead")
        self._names.add(name)
        return name

    def check_size(self, name: str, size: int) -> None:
        """Refuse a member whose size in bytes is too large or negative."""
        if size < 0:
            raise self.unsafe(name, "announces a negative size")
        if size > self.limits.member_bytes:
            raise self.unsafe(name, f"unpacks to more than {_gibibytes(self.limits.member_bytes)}")

    def check_total(self, name: str, total: int, limit: int | None = None) -> None:
        """Refuse a total size in bytes, reached with the member `name`, that is too large."""
        if total > self.limits.ratio_from and total > self.limits.ratio * self._bytes:
            raise self.unsafe(
                name, f"brings the unpacked size to {total:,} bytes, more than {self.limits.ratio:g} times its size"
            )
        limit = self.limits.total_bytes if limit is None else limit
        if total > limit:
            raise self.unsafe(
                name,
                f"brings the unpacked size above {_gibibytes(limit)}; if you trust the archive, unpack it and give the "
                "folder",
            )

    def unsafe(self, name: str, reason: str) -> UnsafeArchiveError:
        """Return the error that refuses the archive because of one of its members."""
        return UnsafeArchiveError(f"{self.path} is refused and was not used: its member {name!r} {reason}")

    def read(self, stream: IO[bytes], name: str) -> bytes:
        """Read a member to its end, but never more than a member may hold."""
        chunks = io.BytesIO()
        while chunk := stream.read(_CHUNK_BYTES):
            chunks.write(chunk)
            self.check_size(name, chunks.tell())
        return chunks.getvalue()

    @contextmanager
    def damage(self) -> Iterator[None]:
        """Turn whatever the archive modules raise for damaged files into one kind of message."""
        import lzma
        import struct
        import zlib

        of_modules = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error)
        try:
            yield
        except (*of_modules, EOFError, LookupError, OSError, ValueError) as error:
            raise DataError(f"{self.path} is damaged or incomplete: {error}; {_FETCH_AGAIN}") from error
        except NotImplementedError as error:
            raise DataError(
                f"{self.path} is packed in an unsupported way: {error}; unpack it yourself and give the folder instead"
            ) from error


def _gibibytes(size: int) -> str:
    return f"{size / (1 << 30):.3g} GiB"


def _zip_members(guard: _Guard) -> Iterator[Member]:
    """Read a zip: its directory says where each member is, so nothing is held in memory."""
    with guard.damage():
        # Closed together with the last member that refers to it, so that members can be read at any time.
        archive = zipfile.ZipFile(guard.path)
    chosen: list[tuple[str, zipfile.ZipInfo]] = []
    total = 0
    for info in archive.infolist():
        mode = info.external_attr >> 16 if info.create_system == _CREATED_ON_UNIX else 0
        if stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
            raise guard.unsafe(info.filename, "is a link or a device")
        # Not by `is_dir`, which fails where a damaged directory holds an empty name.
        name = guard.admit(info.filename, regular=not info.filename.endswith("/"))
        if name is None:
            continue
        if info.flag_bits & 1:
            raise DataError(f"{guard.path} is encrypted; unpack it yourself and give the folder instead")
        # zipfile never returns more than the header announces, so these limits hold for the unpacked bytes, too.
        total += info.file_size
        guard.check_size(name, info.file_size)
        guard.check_total(name, total)
        chosen.append((name, info))
    for name, info in sorted(chosen, key=lambda entry: entry[0]):
        yield Member(name=name, read=partial(_read_zipped, guard, archive, info, name))


def _read_zipped(guard: _Guard, archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> bytes:
    with guard.damage(), archive.open(info) as stream:
        data = guard.read(stream, name)
    if len(data) != info.file_size:
        raise DataError(
            f"{guard.path} is damaged: {name!r} holds {len(data)} bytes instead of {info.file_size}; {_FETCH_AGAIN}"
        )
    return data


def _tar_members(guard: _Guard) -> Iterator[Member]:
    """Read a plain tar: members are found again by their offset, so nothing is held in memory."""
    with guard.damage():
        stream = guard.path.open("rb")
        archive = tarfile.open(fileobj=stream, mode="r:")  # noqa: SIM115  closed with the last member that refers to it
    weakref.finalize(archive, stream.close)
    chosen: list[tuple[str, tarfile.TarInfo]] = []
    with guard.damage():
        for entry in archive:
            name = _admit_tarred(guard, entry)
            if name is not None:
                guard.check_size(name, entry.size)
                chosen.append((name, entry))
    for name, entry in sorted(chosen, key=lambda pair: pair[0]):
        yield Member(name=name, read=partial(_read_tarred, guard, archive, entry, name))


def _admit_tarred(guard: _Guard, entry: tarfile.TarInfo) -> str | None:
    if not (entry.isreg() or entry.isdir()):
        raise guard.unsafe(entry.name, "is a link or a device")
    if entry.issparse():
        raise guard.unsafe(entry.name, "is a sparse file, which can announce any size")
    return guard.admit(entry.name, regular=entry.isreg())


def _read_tarred(guard: _Guard, archive: tarfile.TarFile, entry: tarfile.TarInfo, name: str) -> bytes:
    with guard.damage():
        stream = archive.extractfile(entry)
        data = b"" if stream is None else guard.read(stream, name)
    if len(data) != entry.size:
        raise DataError(f"{guard.path} is damaged or incomplete: {name!r} ends early; {_FETCH_AGAIN}")
    return data


def _compressed_tar_members(guard: _Guard, kind: str) -> Iterator[Member]:
    """Read a compressed tar once from start to end; seeking in it would unpack it again for every member."""
    held: dict[str, bytes] = {}
    total = 0
    with (
        guard.damage(),
        _decompressor(guard.path, kind) as raw,
        _Metered(raw, guard) as stream,
        tarfile.open(fileobj=stream, mode="r|") as archive,
    ):
        for entry in archive:
            stream.member = entry.name
            name = _admit_tarred(guard, entry)
            if name is None:
                continue
            guard.check_size(name, entry.size)
            total += entry.size
            guard.check_total(name, total, guard.limits.held_bytes)
            held[name] = _read_tarred(guard, archive, entry, name)
    for name in sorted(held):
        data = held.pop(name)
        yield Member(name=name, read=partial(bytes, data))


def _decompressor(path: Path, kind: str) -> IO[bytes]:
    import bz2
    import gzip
    import lzma

    if kind == "gz":
        return cast("IO[bytes]", gzip.open(path))
    return cast("IO[bytes]", bz2.open(path) if kind == "bz2" else lzma.open(path))


class _Metered(io.RawIOBase):
    """Counts the bytes that leave a decompressor, padding and headers included, and stops it in time."""

    def __init__(self, stream: IO[bytes], guard: _Guard) -> None:
        self._stream = stream
        self._guard = guard
        self._count = 0
        self.member = "(first)"

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        data = self._stream.read(min(size, _CHUNK_BYTES) if size >= 0 else _CHUNK_BYTES)
        self._count += len(data)
        self._guard.check_total(self.member, self._count)
        return data
