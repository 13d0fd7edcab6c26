"""Shares trained generators between studies: found in the cache, a generator is copied instead of trained again."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarker.data.cache import cache_folder, held, produce
from benchmarker.digests import digest_json
from benchmarker.errors import DataError, StorageError
from benchmarker.generation.layout import CONDITIONS_FILE, HISTORY_FILE, LOSSES_FILE, SAMPLES_FOLDER, TRAINING_FILE
from benchmarker.locks import lock
from benchmarker.trail import TRAIL_FILE

_NAME = "generators"
_FILES = (CONDITIONS_FILE, HISTORY_FILE, LOSSES_FILE, TRAIL_FILE, TRAINING_FILE)

logger = logging.getLogger(__name__)


def train_or_copy(
    key: str, fingerprint: str, code: str, folder: Path, train: Callable[[], None], *, use_cache: bool
) -> bool:
    """Fill a run folder with a trained generator.

    Parameters
    ----------
    key, fingerprint, code : str
        Digests of the generator's spec, of the environment and of the plugin's code: together they decide all bits.
    folder : Path
        Of the run.
    train : callable
        Trains it there.
    use_cache : bool
        Whether a generator that another study trained will do; an audit wants its own.

    Returns
    -------
    bool
        Whether it was trained here.
    """
    if not use_cache:
        train()
        return True
    name: dict[str, Any] = {"generator": key, "fingerprint": fingerprint, "code": code}
    place = cache_folder() / _NAME / digest_json(name)[:32]
    with _only_one(place):
        if place.is_dir():
            with held(place):
                _copy(place, folder)
            return False
        train()
        try:
            produce(_NAME, name, lambda aside: _copy(folder, aside))
        except (StorageError, DataError) as error:  # this study has what it needs
            logger.warning("the generator could not be kept for other studies: %s", error)
    return True


@contextmanager
def _only_one(place: Path) -> Iterator[None]:
    """Let one process train a generator while others wait for it, where the cache can be written."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        held_lock = lock(place.with_suffix(".training.lock"))
    except (OSError, StorageError):
        yield
        return
    with held_lock:
        yield


def _copy(source: Path, target: Path) -> None:
    """Copy what a training leaves, and nothing that is one study's own."""
    for path in [source / name for name in _FILES] + sorted(source.glob("weights_epoch_*.npz")):
        aside = target / f".{path.name}.partial"
        shutil.copyfile(path, aside)
        aside.replace(target / path.name)
    shutil.copytree(source / SAMPLES_FOLDER, target / SAMPLES_FOLDER, dirs_exist_ok=True)
