"""Reads the files of a folder, a zip or a tar alike, without unpacking anything to disk.

Archives come from the network and are not trusted. Names that lead out of the archive, links, devices and archives
that unpack without end are refused before the first file is handed out; limits hold for the bytes that really come out
of the decompressor, whatever the headers say.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarker.data.archive_guard import Guard, Limits
from benchmarker.data.folders import Member, folder_members
from benchmarker.data.unpacking import compressed_tar_members, tar_members, zip_members
from benchmarker.errors import DataError


def read_members(path: Path, suffixes: tuple[str, ...] = (), *, limits: Limits | None = None) -> Iterator[Member]:
    """Yield the files of a folder, a zip or a tar (plain, gz, bz2 or xz), sorted by name.

    Parameters
    ----------
    path : Path
        A folder or an archive; what it is shows from its first bytes, not from its name.
    suffixes : tuple of str
        Only files that end so, for example ``(".png",)``; compared without case. All by default.
    limits : Limits, optional
        What an archive may unpack to.

    Yields
    ------
    Member
        What macOS leaves behind (``__MACOSX``, ``.DS_Store``, ``._name``) is left out.

    Raises
    ------
    UnsafeArchiveError
        If an archive holds absolute names, ``..``, links or devices, or unpacks beyond the limits.
    DataError
        If the archive is damaged, encrypted or no archive at all.
    """
    guard = Guard(path, suffixes, limits or Limits())
    if path.is_dir():
        return folder_members(path, suffixes)
    kind = _kind(path)
    if kind == "zip":
        return zip_members(guard)
    if kind == "tar":
        return tar_members(guard)
    return compressed_tar_members(guard, kind)


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
