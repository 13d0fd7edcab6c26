"""Members of zips and tars, each under the eyes of a guard."""

from __future__ import annotations

import io
import stat
import tarfile
import weakref
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, cast

from benchmarker.data.archive_guard import CHUNK_BYTES, Guard
from benchmarker.data.folders import Member
from benchmarker.errors import DataError

_LINUX_SYSTEMS = 3


def zip_members(guard: Guard) -> Iterator[Member]:
    """Read a zip: members are found again by its directory, so nothing is held."""
    with guard.damage():
        # Closed with the last member that refers to it, so that members can be read whenever the caller likes.
        archive = zipfile.ZipFile(guard.path)
    chosen: list[tuple[str, zipfile.ZipInfo]] = []
    total = 0
    for info in archive.infolist():
        mode = info.external_attr >> 16 if info.create_system == _LINUX_SYSTEMS else 0
        if stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
            raise guard.unsafe(info.filename, "is a link or a device")
        name = guard.admit(info.filename, regular=not info.is_dir())
        if name is None:
            continue
        if info.flag_bits & 1:
            raise DataError(f"{guard.path} is encrypted; unpack it yourself and give the folder instead")
        # zipfile never hands out more than the header announces, so these hold for what is unpacked too.
        total += info.file_size
        guard.check_size(name, info.file_size)
        guard.check_total(name, total)
        chosen.append((name, info))
    for name, info in sorted(chosen, key=lambda entry: entry[0]):
        yield Member(name=name, read=partial(_read_zipped, guard, archive, info, name))


def _read_zipped(guard: Guard, archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> bytes:
    with guard.damage(), archive.open(info) as stream:
        data = guard.read(stream, name)
    if len(data) != info.file_size:
        raise DataError(f"{guard.path} is damaged: {name!r} holds {len(data)} bytes instead of {info.file_size}")
    return data


def _admit_tarred(guard: Guard, entry: tarfile.TarInfo) -> str | None:
    if not (entry.isreg() or entry.isdir()):
        raise guard.unsafe(entry.name, "is a link or a device")
    if entry.issparse():
        raise guard.unsafe(entry.name, "is a sparse file, which can announce any size")
    return guard.admit(entry.name, regular=entry.isreg())


def tar_members(guard: Guard) -> Iterator[Member]:
    """Read a plain tar: members are found again by their offset, so nothing is held."""
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


def _read_tarred(guard: Guard, archive: tarfile.TarFile, entry: tarfile.TarInfo, name: str) -> bytes:
    with guard.damage():
        stream = archive.extractfile(entry)
        data = b"" if stream is None else guard.read(stream, name)
    if len(data) != entry.size:
        raise DataError(f"{guard.path} is damaged or not complete: {name!r} ends early. Fetch it again.")
    return data


def compressed_tar_members(guard: Guard, kind: str) -> Iterator[Member]:
    """Read a compressed tar once from start to end; seeking in it would unpack it anew for every member."""
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
    """Counts what comes out of a decompressor, padding and headers included, and stops it in time."""

    def __init__(self, stream: IO[bytes], guard: Guard) -> None:
        self._stream = stream
        self._guard = guard
        self._count = 0
        self.member = "(first)"

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        data = self._stream.read(min(size, CHUNK_BYTES) if size >= 0 else CHUNK_BYTES)
        self._count += len(data)
        self._guard.check_total(self.member, self._count)
        return data
