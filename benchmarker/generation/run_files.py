"""The run folder of a generator: names of its files, what its trail says, and copies for other studies."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from benchmarker.contracts.generation import ConditionSpace
from benchmarker.data.cache import held, produce
from benchmarker.digests import digest_json
from benchmarker.errors import DataError, StorageError
from benchmarker.files import copy_file
from benchmarker.locks import lock
from benchmarker.paths import cache_folder
from benchmarker.record import explain
from benchmarker.study.layout import HISTORY_FILE
from benchmarker.study.links import CellLink, ConditionsLink, DigestLink, GeneratorLink, read_trail
from benchmarker.study.specs import GeneratorSpec
from benchmarker.trail import TRAIL_FILE

LOSSES_FILE = "losses.csv"
TRAINING_FILE = "training.json"
CONDITIONS_FILE = "conditions.npz"
"""Targets and attributes of the training part: samples are drawn for them, also where the images are not at hand."""

SAMPLES_FOLDER = "samples"
REAL_GRID = "real.png"
ANIMATION = "animation.png"

_WEIGHTS = re.compile(r"weights_epoch_(\d{4,})\.npz")
_CACHE_NAME = "generators"
_COPIED = (CONDITIONS_FILE, HISTORY_FILE, LOSSES_FILE, TRAIL_FILE, TRAINING_FILE)

logger = logging.getLogger(__name__)


def epoch_weights_file(epoch: int) -> str:
    """Return the name of the file of a generator's weights after an epoch, counted from 1."""
    return f"weights_epoch_{epoch:04d}.npz"


def grid_file(epoch: int) -> str:
    """Return the name of the sample grid of an epoch, counted from 1."""
    return f"epoch-{epoch:04d}.png"


def saved_epochs(run: Path) -> list[int]:
    """Return the epochs whose weights a run has kept, the first one first."""
    found = (_WEIGHTS.fullmatch(path.name) for path in run.glob("weights_epoch_*.npz"))
    return sorted(int(match[1]) for match in found if match)


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorTrail:
    """What the trail of a trained generator says about it.

    Parameters
    ----------
    key : str
        Key of the generator.
    spec : GeneratorSpec
        Specification of the generator.
    conditions : ConditionSpace
        What its images are generated for.
    weights : str
        SHA-256 of its last weights.
    """

    key: str
    spec: GeneratorSpec
    conditions: ConditionSpace
    weights: str

    @classmethod
    def read(cls, run: Path) -> Self:
        """Read the trail of a generator's finished run.

        Raises
        ------
        StorageError
            If the run is not that of a generator, or cannot be read.
        """
        try:
            contents = {link.name: link.content for link in read_trail(run).links}
            cell = CellLink.model_validate(contents["cell"])
            if not isinstance(cell.spec, GeneratorSpec):
                raise StorageError(f"{run}: is not the run of a generator")
            return cls(
                key=cell.key,
                spec=cell.spec,
                conditions=ConditionsLink.model_validate(contents["conditions"]).space,
                weights=DigestLink.model_validate(contents["final weights"]).digest,
            )
        except (KeyError, ValidationError) as error:
            reason = explain(error) if isinstance(error, ValidationError) else f"it lacks {error}"
            raise StorageError(f"{run}: the trail of a generator was expected there: {reason}") from error

    @property
    def link(self) -> GeneratorLink:
        """What the trail of a cell says of the generator that its images come from."""
        return GeneratorLink(key=self.key, weights=self.weights)


def train_or_copy(
    key: str, fingerprint: str, code: str, folder: Path, train: Callable[[], None], *, use_cache: bool
) -> bool:
    """Fill a run folder with a trained generator.

    Parameters
    ----------
    key, fingerprint, code : str
        Digests of the generator's specification, of the environment and of the plugin's code: together they decide all
        bits.
    folder : Path
        Folder of the run.
    train : callable
        Trains the generator there.
    use_cache : bool
        Whether a generator that another study trained will do; an audit trains its own.

    Returns
    -------
    bool
        Whether it was trained here.
    """
    if not use_cache:
        train()
        return True
    name = {"generator": key, "fingerprint": fingerprint, "code": code}
    cached = cache_folder() / _CACHE_NAME / digest_json(name)[:32]
    with _one_process(cached):
        if cached.is_dir():
            with held(cached):
                _copy(cached, folder)
            return False
        train()
        try:
            produce(_CACHE_NAME, name, lambda aside: _copy(folder, aside))
        except (StorageError, DataError) as error:  # this study has what it needs
            logger.warning("the generator could not be kept for other studies: %s", error)
    return True


@contextmanager
def _one_process(cached: Path) -> Iterator[None]:
    """Let one process train a generator while others wait for it, where the cache can be written."""
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        held_lock = lock(cached.with_suffix(".training.lock"))
    except (OSError, StorageError):
        yield
        return
    with held_lock:
        yield


def _copy(source: Path, target: Path) -> None:
    """Copy what a training leaves, but nothing that belongs to one study only."""
    for path in [source / name for name in _COPIED] + sorted(source.glob("weights_epoch_*.npz")):
        copy_file(path, target / path.name)
    shutil.copytree(source / SAMPLES_FOLDER, target / SAMPLES_FOLDER, dirs_exist_ok=True)
