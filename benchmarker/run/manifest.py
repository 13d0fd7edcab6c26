"""The manifest of a run, written last, and the rename that finishes a run."""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarker.data.cache import storage_error
from benchmarker.results.layout import MANIFEST_FILE
from benchmarker.run.files import write_json

WORKING_SUFFIX = ".partial"
_REPLACED_SUFFIX = ".replaced"


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
    replaced = final.with_name(f".{final.name}{_REPLACED_SUFFIX}")
    shutil.rmtree(replaced, ignore_errors=True)
    if final.exists():
        final.rename(replaced)
    folder.rename(final)
    shutil.rmtree(replaced, ignore_errors=True)


def tidy(runs: Path) -> None:
    """Put right what a run left that was killed; nobody else may be working on the study.

    A finished run that was about to be replaced comes back, and what was being written goes.

    Parameters
    ----------
    runs : Path
        The folder of a study's runs.

    Raises
    ------
    StorageError
        If the folder cannot be written.
    """
    for replaced in sorted(runs.glob(f".*{_REPLACED_SUFFIX}")):
        final = runs / replaced.name[1:].removesuffix(_REPLACED_SUFFIX)
        if final.exists():
            shutil.rmtree(replaced, ignore_errors=True)
            continue
        try:
            replaced.rename(final)
        except OSError as error:
            raise storage_error(error, final) from error
    for working in sorted(runs.glob(f".*{WORKING_SUFFIX}")):
        shutil.rmtree(working, ignore_errors=True)
