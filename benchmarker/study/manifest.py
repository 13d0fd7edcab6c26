"""The manifest of a run, written last, and the rename that finishes a run."""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarker.files import storage_error, write_json
from benchmarker.study.layout import MANIFEST_FILE

RESUMABLE = ("crashed", "out-of-memory", "timeout", "interrupted")
"""Kinds of failure that say nothing about the network: a run that ended so may go on from its snapshots."""

WORKING_SUFFIX = ".partial"
TESTED_SUFFIX = f".tested{WORKING_SUFFIX}"
REPLACED_SUFFIX = ".replaced"
_SNAPSHOTS = "snapshot-*"


def has_snapshots(folder: Path) -> bool:
    """Whether a run can go on from where it came to."""
    return any(folder.glob(f"{_SNAPSHOTS}.npz"))


def now() -> str:
    """Return the time in ISO 8601, UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def finish(folder: Path, final: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest and give the folder its final name; an older folder of that name goes.

    Parameters
    ----------
    folder, final : Path
        Beside each other.
    manifest : mapping
        Written last, so that a folder with one is complete.
    """
    write_json(folder / MANIFEST_FILE, manifest)
    if manifest.get("kind") not in RESUMABLE:
        for snapshot in folder.glob(_SNAPSHOTS):
            snapshot.unlink()
    for aside in folder.glob(f".*{WORKING_SUFFIX}"):  # of writers that were killed
        aside.unlink()
    replaced = final.with_name(f".{final.name}{REPLACED_SUFFIX}")
    shutil.rmtree(replaced, ignore_errors=True)
    if final.exists():
        final.rename(replaced)
    folder.rename(final)
    shutil.rmtree(replaced, ignore_errors=True)


def bring_back(replaced: Path) -> None:
    """Put a finished run back that was about to be replaced when its process was killed; its cell must be claimed.

    Parameters
    ----------
    replaced : Path
        Where `finish` put it aside.

    Raises
    ------
    StorageError
        If the folder cannot be written.
    """
    final = replaced.with_name(replaced.name[1:].removesuffix(REPLACED_SUFFIX))
    if final.exists():
        shutil.rmtree(replaced, ignore_errors=True)
        return
    try:
        replaced.rename(final)
    except OSError as error:
        raise storage_error(error, final) from error
