"""The run folder of a generator: names of its files, what its trail says, and copies for other studies."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from benchmarker.claims import Claim, claim
from benchmarker.contracts.generation import ConditionSpace
from benchmarker.data.cache import Waiting, held, produce
from benchmarker.data.npz import open_npz
from benchmarker.digests import digest_arrays, digest_json
from benchmarker.errors import DataError, StorageError
from benchmarker.files import copy_file, copy_folder, discard, open_ordinary
from benchmarker.paths import cache_folder
from benchmarker.record import Json, explain
from benchmarker.registry.models import Watch
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
FIXED = "fixed-"
"""Beginning of the names of grids at one fixed condition."""

STATE_FOLDER = "state"
"""Folder of everything that training had changed after some epochs, where it is kept."""

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


def step_grid_file(step: int) -> str:
    """Return the name of the sample grid after a gradient step, counted from 1 through all epochs."""
    return f"step-{step:06d}.png"


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

    def link_of(self, epoch: int | None, weights: Callable[[], str]) -> GeneratorLink:
        """Return the link of images that the weights of an epoch draw.

        Parameters
        ----------
        epoch : int or None
            Epoch; None for the last one.
        weights : callable
            Returns the SHA-256 of its weights; called for another epoch than the last one, which the trail covers.
        """
        if epoch is None or epoch == self.spec.generator.epochs:
            return self.link
        return GeneratorLink(key=self.key, weights=weights(), epoch=epoch)


def require_intact(run: Path, key: str) -> None:
    """Compare the run of a generator with its trail, before anything is made of it.

    Parameters
    ----------
    run : Path
        Folder of the run, of a study or of the cache.
    key : str
        Key that the generator must have.

    Raises
    ------
    StorageError
        If the trail is broken or that of another generator, or the last weights are not those that it covers.
    """
    chain = read_trail(run)
    if (broken := chain.broken_link()) is not None:
        raise StorageError(f"{run}: its trail was changed at {broken!r}; run its study again with --force")
    trail = GeneratorTrail.read(run)
    if trail.key != key or trail.spec.key != key:
        raise StorageError(f"{run}: holds another generator than the plan says; run its study again with --force")
    file = run / epoch_weights_file(trail.spec.generator.epochs)
    if weights_digest(file) != trail.weights:
        raise StorageError(f"{file}: holds weights that its trail does not cover; run its study again with --force")


def weights_digest(file: Path) -> str:
    """Return the SHA-256 of a generator's weights, as its trail holds it.

    Raises
    ------
    StorageError
        If the file cannot be read.
    """
    try:
        with open_ordinary(file) as stream, open_npz(stream, most_bytes=file.stat().st_size) as arrays:
            return digest_arrays((str(k), arrays[name]) for k, name in enumerate(sorted(arrays)))
    except (OSError, DataError) as error:
        raise StorageError(f"{file}: the weights cannot be read: {error}") from error


def read_link(run: Path, epoch: int | None) -> GeneratorLink:
    """Return what the trail of a cell says of the generator in a run folder, whose weights of an epoch draw its images.

    Raises
    ------
    StorageError
        If the run is not that of a generator, or the weights of the epoch cannot be read.
    """
    return GeneratorTrail.read(run).link_of(epoch, lambda: weights_digest(run / epoch_weights_file(epoch or 0)))


def train_or_copy(
    key: str,
    fingerprint: str,
    code: str,
    folder: Path,
    train: Callable[[], None],
    *,
    use_cache: bool,
    watch: Watch | None = None,
    waiting: Waiting = nullcontext,
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
    watch : Watch, optional
        How its training is watched: a copy must have the pictures and weights that are asked for.
    waiting : callable
        Returns a context in which the function waits for another process that trains the generator.

    Returns
    -------
    bool
        Whether it was trained here.
    """
    if not use_cache:
        train()
        return True
    name: Json = {"generator": key, "fingerprint": fingerprint, "code": code}
    name |= {} if watch is None else {"watch": watch.model_dump(mode="json")}
    cached = cache_folder() / _CACHE_NAME / digest_json(name)[:32]
    with _one_process(cached, waiting) as training:
        if _copied(cached, folder, key, training):
            return False
        train()
        try:
            produce(_CACHE_NAME, name, lambda aside: _copy(folder, aside))
        except (StorageError, DataError) as error:  # this study has what it needs
            logger.warning("the generator could not be kept for other studies: %s", error)
    return True


def _copied(cached: Path, folder: Path, key: str, training: Claim | None) -> bool:
    """Copy a generator from the cache, where there is one that is what its trail covers; remove any other.

    Another one is there by now if this process has lost the claim to train it.
    """
    with held(cached) as use:
        if not cached.is_dir():
            return False
        try:
            require_intact(cached, key)
        except StorageError as error:
            logger.warning("the cached generator cannot be used, and is trained anew: %s", error)
            if training is not None:
                training.uses = () if use is None else (use,)
                with suppress(OSError, StorageError):
                    discard(cached, confirm=training.require)
            return False
        _copy(cached, folder)
    require_intact(folder, key)  # the cache may have changed meanwhile
    return True


@contextmanager
def _one_process(cached: Path, waiting: Waiting) -> Iterator[Claim | None]:
    """Let one process train a generator while others wait for it, where the cache can be written."""
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        training = claim(cached.with_suffix(".training.claim"), waiting=waiting)
    except (OSError, StorageError):
        yield None
        return
    with training:
        yield training


def _copy(source: Path, target: Path) -> None:
    """Copy what a training leaves, but nothing that belongs to one study only."""
    for path in [source / name for name in _COPIED] + sorted(source.glob("weights_epoch_*.npz")):
        copy_file(path, target / path.name)
    for name in (SAMPLES_FOLDER, STATE_FOLDER):
        if (source / name).is_dir():
            copy_folder(source / name, target / name, replace=True)
