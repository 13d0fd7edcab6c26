"""Reads the trails of runs."""

from __future__ import annotations

from pathlib import Path

from benchmarker.errors import StorageError
from benchmarker.files import read_json
from benchmarker.trail import TRAIL_FILE, Trail

_FORMAT = 1


def read_trail(folder: Path) -> Trail:
    """Read the trail of a run.

    Raises
    ------
    StorageError
        If there is none, or it is no trail of this version.
    """
    path = folder / TRAIL_FILE
    if not path.exists():
        raise StorageError(f"{path}: there is no trail; only runs that were trained by this version have one")
    try:
        content = read_json(path)
        if content["format"] != _FORMAT:
            raise StorageError(f"{path}: format {_FORMAT} was expected. Received: {content['format']!r}")
        return Trail.from_json(content["links"])
    except (KeyError, TypeError) as error:
        raise StorageError(f"{path}: is no trail ({type(error).__name__}: {error})") from error
