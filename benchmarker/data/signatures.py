"""Says in a few words what a file or a folder holds, so that prepared images are known to be out of date."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarker.data.folders import list_folder
from benchmarker.digests import digest_file

_HASHED_BYTES = 1 << 28


def path_signature(path: Path, suffixes: tuple[str, ...] = ()) -> Any:
    """Return what a dataset's `signature` should hold about a file or a folder.

    Parameters
    ----------
    path : Path
        A file or a folder.
    suffixes : tuple of str
        Only files of a folder that end so count, for example ``(".png",)``; compared without case. All by default.

    Returns
    -------
    JSON value
        The SHA-256 of a file of up to 256 MiB, and name, size and modification time of a larger one and of every file
        of a folder. Holds no absolute path, so that a folder moved with its times keeps its signature.
    """
    if path.is_dir():
        return [_stamp(name, file) for name, file in list_folder(path, suffixes)]
    if path.stat().st_size <= _HASHED_BYTES:
        return {"sha256": digest_file(path)}
    return _stamp(path.name, path)


def _stamp(name: str, file: Path) -> list[str | int]:
    status = file.stat()
    return [name, status.st_size, status.st_mtime_ns]
