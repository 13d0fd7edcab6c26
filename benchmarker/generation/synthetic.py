"""Synthetic training sets: images of each class, drawn once, kept in the cache, and mixed with the real ones.

They are drawn in a separate process. Neither the bits of the network that is trained on them nor the memory that it is
reported to need may depend on whether it was the first to ask for them.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from benchmarker.contracts.images import Attribute, LabelledImages, TrainingSet
from benchmarker.contracts.tasks import Classification, Task
from benchmarker.data.cache import Waiting, held, produce
from benchmarker.digests import digest_code, digest_file
from benchmarker.discovery import installed
from benchmarker.errors import ConfigurationError, StorageError
from benchmarker.generation.conditions import bootstrap, class_sizes, shares
from benchmarker.generation.drawing import IMAGES_FILE, Request, StreamChoice, draw_in_process, samples_trail
from benchmarker.generation.run_files import GeneratorTrail, read_link
from benchmarker.randomness import Stream
from benchmarker.record import Json
from benchmarker.registry.generated import NO_LABEL, NOT_BALANCED
from benchmarker.study.fingerprint import Fingerprint
from benchmarker.study.links import GeneratorLink, read_trail
from benchmarker.study.specs import GeneratedSpec
from benchmarker.training.sets import PartSet

VERSION = 1
"""Raised when the same request would give other images."""

_LAYOUT = 2
"""Raised when the same images are kept in other files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """How synthetic images are added to real ones.

    Parameters
    ----------
    ratio : float, optional
        Synthetic images for each real one; each class keeps its share.
    balance : bool
        Instead of a ratio, as many as make every class as large as the largest one.
    real : bool
        Whether the real images stay.
    """

    ratio: float | None = None
    balance: bool = False
    real: bool = True

    @classmethod
    def of(cls, generated: GeneratedSpec) -> Self:
        """Return the mixture that an arm's specification asks for."""
        return cls(ratio=generated.ratio, balance=bool(generated.balance), real=generated.real is None)

    def rows(self, task: Task, targets: NDArray[Any], stream: Stream, *, fresh: bool = False) -> NDArray[np.int64]:
        """Return the rows of the training part whose conditions synthetic images have.

        Parameters
        ----------
        task : Task
            What the targets mean.
        targets : ndarray of shape (n,), int64, or (n, n_targets), float64
            Targets of the training part.
        stream : Stream
            Stream that rows are drawn from, with replacement.
        fresh : bool
            Whether images are new in every epoch; with a whole ratio all rows then come equally often.

        Raises
        ------
        ConfigurationError
            If a regression is to be balanced, or nothing would be left to train on.
        """
        counts = self.counts(task, targets)
        if fresh and self.ratio is not None and self.ratio.is_integer():
            return np.tile(np.arange(len(targets)), int(self.ratio))
        return bootstrap(task, targets, counts, stream)

    def counts(self, task: Task, targets: NDArray[Any]) -> list[int]:
        """Return how many synthetic images of each class there will be; of a regression one number.

        Raises
        ------
        ConfigurationError
            If a regression is to be balanced, or nothing would be left to train on.
        """
        sizes = class_sizes(task, targets)
        if self.balance:
            if not isinstance(task, Classification):
                raise ConfigurationError(NOT_BALANCED)
            counts = [max(sizes) - size if size else 0 for size in sizes]
        else:
            counts = shares(sizes, round((self.ratio or 0.0) * sum(sizes)))
        if not self.real and not sum(counts):
            raise ConfigurationError("an arm without real images needs synthetic ones; raise its ratio")
        return counts


class MixedSet:
    """Two training sets, one after the other.

    Parameters
    ----------
    first, second : TrainingSet
        Sets with the same task and image shape, for example real images and synthetic ones.
    """

    def __init__(self, first: TrainingSet, second: TrainingSet) -> None:
        self._first = first
        self._second = second
        self.task: Task = first.task
        self.image_shape: tuple[int, int, int] = first.image_shape
        self.targets: NDArray[Any] = np.concatenate([first.targets, second.targets])

    def __len__(self) -> int:
        return len(self._first) + len(self._second)

    def batch(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the images at ``indices``, ndarray of shape (len(indices), height, width, channels)."""
        images = np.empty((len(indices), *self.image_shape), dtype=np.float32)
        later = indices >= len(self._first)
        for part, chosen, start in ((self._first, ~later, 0), (self._second, later, len(self._first))):
            if chosen.any():
                images[chosen] = part.batch(indices[chosen] - start)
        return images


def with_generated(
    real: PartSet,
    generated: GeneratedSpec,
    run: Path,
    *,
    seed: int,
    fingerprint: Fingerprint,
    root: Path | None = None,
    waiting: Waiting = nullcontext,
) -> TrainingSet:
    """Return a training set of real and synthetic images.

    Parameters
    ----------
    real : PartSet
        Training part that the generator was trained on.
    generated : GeneratedSpec
        Generated images that the arm asks for.
    run : Path
        Folder of the generator's finished run.
    seed : int
        Seed of the cell.
    fingerprint : Fingerprint
        Fingerprint of this process: samples of another environment may have other bits.
    root : Path, optional
        Folder where the samples are kept instead of the cache; an audit draws its own.
    waiting : callable
        Returns a context in which the function waits for another process that draws the samples.

    Raises
    ------
    ConfigurationError
        If the generator makes images without conditions, which have no label.
    """
    mixture = Mixture.of(generated)
    rows = mixture.rows(real.task, real.targets, Stream("generated", seed=seed))
    if not len(rows):
        return real
    trail = GeneratorTrail.read(run)
    if not trail.spec.conditions:
        raise ConfigurationError(NO_LABEL)
    link = read_link(run, generated.epoch)
    key = {
        "version": VERSION,
        "layout": _LAYOUT,
        # Neither the other plugins of the cell nor its program touch the samples, which all its networks share.
        "fingerprint": fingerprint.own_process,
        "code": digest_code(installed().generator(trail.spec.generator.name).builder),
        **link.to_json(),
    }
    synthetic = _drawn(real, rows, run, link, key, seed=seed, root=root, waiting=waiting)
    return MixedSet(real, synthetic) if mixture.real else synthetic


def _drawn(
    real: PartSet,
    rows: NDArray[np.int64],
    run: Path,
    generator: GeneratorLink,
    key: Json,
    *,
    seed: int,
    root: Path | None,
    waiting: Waiting,
) -> PartSet:
    """Return images drawn for the targets and attributes of some rows, from the cache where they are there."""
    request = request_of(real, rows)
    noise = noise_of(seed)

    def write(folder: Path) -> None:
        draw_in_process(run, folder, request, real.image_shape, stream=noise, epoch=generator.epoch)

    key = {**key, "conditions": request.digest, "noise": [noise.purpose, noise.axes]}
    folder = produce("samples", key, write, root=root, waiting=waiting)
    with held(folder):
        found = samples_trail(generator, request, noise, _digest(folder / IMAGES_FILE))
        if read_trail(folder).to_json() != found.to_json():
            raise _damaged(folder, "they are not what their trail covers")
        return open_samples(folder / IMAGES_FILE, real.task, request, real.image_shape)


def request_of(real: PartSet, rows: NDArray[np.int64]) -> Request:
    """Return the request for images with the targets and attributes of some rows of a part."""
    attributes = {name: np.asarray(values[rows]) for name, values in sorted(real.attributes.items())}
    return Request(targets=np.asarray(real.targets[rows]), attributes=attributes)


def noise_of(seed: int) -> StreamChoice:
    """Return the stream of the latent points of a cell's synthetic images."""
    return StreamChoice(purpose="generated-noise", axes={"seed": seed})


def _digest(path: Path) -> str:
    try:
        return digest_file(path)
    except OSError as error:
        raise _damaged(path.parent, error) from error


def _damaged(folder: Path, reason: object) -> StorageError:
    return StorageError(f"{folder}: these samples are damaged ({reason}); remove the folder and run again")


def open_samples(file: Path, task: Task, request: Request, image_shape: tuple[int, int, int]) -> PartSet:
    """Return drawn images as a training set that maps their file.

    Raises
    ------
    StorageError
        If the file cannot be read, or has another size.
    """
    n = len(request.targets)
    try:
        images = np.memmap(file, dtype="<f4", mode="r", shape=(n, *image_shape))
    except (OSError, ValueError) as error:
        raise _damaged(file.parent, error) from error
    labelled = LabelledImages(
        task=task,
        images=images,
        targets=request.targets,
        source_ids=("",) * n,
        parts=(None,) * n,
        attributes={name: Attribute(values=values, unit="") for name, values in request.attributes.items()},
        skipped=(),
        digest="",
    )
    return PartSet(labelled, np.arange(n))
