"""Space on disks: how much is free, how it is written, and a refusal in numbers before a write that would not fit."""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarker.data.cache import storage_error
from benchmarker.errors import StorageError

# Left free on a disk: logs, events and whatever else the machine writes.
MARGIN_BYTES = 64 << 20
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def nearest_existing(folder: Path) -> Path:
    """Return a folder, or the closest one above it that exists."""
    existing = folder.absolute()
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    return existing


def free_bytes(folder: Path) -> int:
    """Return what a user may still write to the disk of a folder, which need not exist yet.

    Raises
    ------
    StorageError
        If the disk cannot be asked.
    """
    existing = nearest_existing(folder)
    try:
        return shutil.disk_usage(existing).free
    except OSError as error:
        raise storage_error(error, existing) from error


def require_free(folder: Path, n_bytes: int, purpose: str) -> None:
    """Refuse to begin what would not fit on the disk.

    Parameters
    ----------
    folder : Path
        Where it would be written.
    n_bytes : int
        What it needs, in bytes.
    purpose : str
        Names it in the message.

    Raises
    ------
    StorageError
        If less is free than is needed and a margin.
    """
    free = free_bytes(folder)
    if n_bytes + MARGIN_BYTES > free:
        raise StorageError(
            f"{folder}: {purpose} need(s) about {write_size(n_bytes)}, and {write_size(free)} are free "
            f"({write_size(MARGIN_BYTES)} stay free); `benchmarker gc` shows what can go, or choose another folder"
        )


def write_size(n_bytes: float) -> str:
    """Return a size as people read it: ``"1.5 GB"``, in powers of 1000."""
    size, step = float(n_bytes), 0
    while size >= 999.5 and step < len(_UNITS) - 1:
        size, step = size / 1000, step + 1
    unit = _UNITS[step]
    return f"{size:.1f} {unit}" if unit != "bytes" and size < 99.95 else f"{size:.0f} {unit}"
