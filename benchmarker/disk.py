"""Disk space: how much is free, whether something fits, and sizes as people read them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from benchmarker.errors import StorageError
from benchmarker.files import storage_error

MARGIN_BYTES = 64 << 20
"""Space that stays free on every disk, for logs, events and whatever else the machine writes."""

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def nearest_existing(folder: Path) -> Path:
    """Return a folder, or the closest one above it that exists."""
    existing = folder.absolute()
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    return existing


def free_bytes(folder: Path) -> int:
    """Return how many bytes the user may still write to the disk of a folder, which need not exist yet.

    Raises
    ------
    StorageError
        If the system does not say.
    """
    existing = nearest_existing(folder)
    try:
        return shutil.disk_usage(existing).free
    except OSError as error:
        raise storage_error(error, existing) from error


def require_free(folder: Path, n_bytes: int, purpose: str) -> None:
    """Refuse to begin something that would not fit on the disk.

    Parameters
    ----------
    folder : Path
        Folder that it would be written to; need not exist yet.
    n_bytes : int
        Space that it needs, in bytes.
    purpose : str
        Subject of the message, for example ``"2,157 prepared images"``.

    Raises
    ------
    StorageError
        If less is free than `n_bytes` and `MARGIN_BYTES` together.
    """
    free = free_bytes(folder)
    if n_bytes + MARGIN_BYTES > free:
        raise StorageError(
            f"{folder}: {purpose} need(s) about {format_size(n_bytes)}, but only {format_size(free)} are free "
            f"({format_size(MARGIN_BYTES)} must stay free); `benchmarker gc` lists what can be removed, or choose "
            "another folder"
        )


def reserve(folder: Path, n_bytes: int) -> None:
    """Check that the disk of a folder really accepts a number of bytes, by allocating them for a moment.

    For libraries that do not survive a full disk: HDF5 ends the process when it cannot close a file.

    Raises
    ------
    StorageError
        If it does not.
    """
    probe = folder / ".space"
    try:
        with probe.open("wb") as stream:
            os.posix_fallocate(stream.fileno(), 0, n_bytes)
    except OSError as error:
        raise storage_error(error, folder) from error
    finally:
        probe.unlink(missing_ok=True)


def format_size(n_bytes: float) -> str:
    """Return a size as people read it, in powers of 1000.

    Examples
    --------
    >>> format_size(1_500_000_000)
    '1.5 GB'
    """
    size, step = float(n_bytes), 0
    while size >= 999.5 and step < len(_UNITS) - 1:
        size, step = size / 1000, step + 1
    unit = _UNITS[step]
    return f"{size:.1f} {unit}" if unit != "bytes" and size < 99.95 else f"{size:.0f} {unit}"
