"""The manifest of a run, written last, and the rename that finishes a run."""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarker.results.layout import MANIFEST_FILE
from benchmarker.run.files import write_json


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
    replaced = final.with_name(f".{final.name}.replaced")
    shutil.rmtree(replaced, ignore_errors=True)
    if final.exists():
        final.rename(replaced)
    folder.rename(final)
    shutil.rmtree(replaced, ignore_errors=True)
