"""Training sets: the images of a part, enlarged by expansions; and the transforms that are applied to batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from mmap import MADV_DONTNEED, mmap
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from benchmarker.containment import PluginErrors
from benchmarker.contracts.images import LabelledImages, TrainingSet
from benchmarker.contracts.plugins import Augmentation
from benchmarker.contracts.settings import Options
from benchmarker.contracts.tasks import Classification, Task
from benchmarker.digests import digest_arrays, digest_json
from benchmarker.discovery import Plugins, resolve
from benchmarker.errors import PluginError
from benchmarker.randomness import Stream
from benchmarker.registry import validated_options
from benchmarker.study.specs import PluginChoice

_MAPPED_BYTES = 64 << 20
"""Size of the mapped pages that may stay in memory; releasing them leaves the system's cache of the file as it is."""

_DIGEST_BATCH = 64
"""Number of images in a batch of `digest_set`; part of the definition of the digest."""


class PartSet:
    """The images of one part, read from the prepared data on demand.

    Parameters
    ----------
    data : LabelledImages
        Images of all parts.
    indices : ndarray of shape (n,), int64
        Indices of the images of the part.

    Attributes
    ----------
    attributes : dict of str to ndarray of shape (n,), float64
        Attributes of the dataset and targets of a regression, in their units.
    """

    def __init__(self, data: LabelledImages, indices: NDArray[np.int64]) -> None:
        self._images = data.images
        self._indices = indices
        self.task: Task = data.task
        self.targets: NDArray[Any] = np.asarray(data.targets)[indices]
        self.attributes: dict[str, NDArray[np.float64]] = {
            name: attribute.values[indices] for name, attribute in data.attributes.items()
        }
        if not isinstance(self.task, Classification):
            self.attributes |= {t.name: self.targets[:, k] for k, t in enumerate(self.task.targets)}
        height, width, channels = data.images.shape[1:]
        self.image_shape: tuple[int, int, int] = (height, width, channels)
        base: object = data.images.base  # the mapping, if the array is memory-mapped
        self._mapping = base if isinstance(base, mmap) else None
        self._read_bytes = 0

    def __len__(self) -> int:
        return len(self._indices)

    def batch(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the images at ``indices``, ndarray of shape (len(indices), height, width, channels)."""
        images = np.asarray(self._images[self._indices[indices]])
        self._release(images.nbytes)
        return images

    def _release(self, read_bytes: int) -> None:
        """Release mapped pages now and then; otherwise a large set would gradually count as memory of this process."""
        self._read_bytes += read_bytes
        if self._mapping is not None and self._read_bytes > _MAPPED_BYTES:
            self._mapping.madvise(MADV_DONTNEED)
            self._read_bytes = 0


@runtime_checkable
class RenewedSet(Protocol):
    """A training set whose images are others in every epoch, while their number and their targets stay."""

    task: Task
    targets: NDArray[Any]
    image_shape: tuple[int, int, int]

    def __len__(self) -> int:
        """Return the number of images."""

    def of_epoch(self, epoch: int) -> TrainingSet:
        """Return the images of an epoch, counted from 0; those of the epoch before may be gone then."""

    def digest(self, epoch: int) -> str:
        """Return the SHA-256 of what is new in an epoch whose images have been asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedAugmentation:
    """An augmentation of an arm or a generator with its validated options."""

    augmentation: Augmentation
    options: Options | None

    @classmethod
    def of(cls, choice: PluginChoice, plugins: Plugins) -> Self:
        """Return the augmentation of a specification, with its code imported, so that it is that of the fingerprint."""
        augmentation = plugins.augmentation(choice.name)
        resolve(augmentation.builder)
        return cls(augmentation=augmentation, options=validated_options(augmentation, choice.options))


@dataclass(frozen=True, slots=True, kw_only=True)
class Transform:
    """A transform with the stream of its random numbers."""

    name: str
    function: Callable[[NDArray[np.float32], NDArray[np.float64], Options | None], NDArray[np.float32]]
    options: Options | None
    draws_per_image: int
    stream: Stream

    def draws(self, epoch: int, n: int) -> NDArray[np.float64]:
        """Return uniform draws for an epoch, ndarray of shape (n, draws_per_image), float64; row k is for image k."""
        return self.stream.child("epoch", epoch=epoch).generator().random((n, self.draws_per_image))

    def apply(self, images: NDArray[np.float32], draws: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the transformed images.

        Raises
        ------
        PluginError
            If the transform fails, or returns something else than finite images of the same shape.
        """
        with _failures_of(owner := f"the transform {self.name!r}"):
            changed = self.function(images, draws, self.options)
        return _checked_images(owner, changed, images.shape)


def _failures_of(owner: str) -> PluginErrors:
    return PluginErrors(owner, passing=(OSError, MemoryError))  # a full disk or memory is not the plugin's fault


def _checked_images(owner: str, images: Any, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return what an augmentation made, if it is finite float32 images of a shape."""
    is_array = isinstance(images, np.ndarray)
    received = f"{images.dtype} of shape {images.shape}" if is_array else type(images).__name__
    if received != f"float32 of shape {shape}":
        raise PluginError(f"{owner} must return float32 images of shape {shape}. Received: {received}")
    if not np.isfinite(images).all():
        raise PluginError(f"{owner} must return finite pixels. Received: NaN or infinity")
    checked: NDArray[np.float32] = images
    return checked


class ExpandedSet:
    """What an expansion returned, checked where it enters: its size, its targets, and every batch.

    Parameters
    ----------
    made : TrainingSet
        Set that the expansion returned.
    base : TrainingSet
        Set that it was given.
    name : str
        Name of the augmentation.

    Raises
    ------
    PluginError
        If the set is smaller than the one that was expanded, or has another task, shape of images or kind of targets.

    Attributes
    ----------
    owner : str
        What messages call the expansion.
    made, base : TrainingSet
        As given.
    """

    def __init__(self, made: TrainingSet, base: TrainingSet, name: str) -> None:
        self.owner = f"the expansion {name!r}"
        self.made, self.base = made, base
        with _failures_of(self.owner):
            self._length = len(made)
            self.task: Task = made.task
            self.targets: NDArray[Any] = np.asarray(made.targets)
            self.image_shape: tuple[int, int, int] = made.image_shape
            problem = self._problem(base)
        if problem:
            raise PluginError(f"{self.owner} must return a larger training set: {problem}")

    def __len__(self) -> int:
        return self._length

    def batch(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the images at ``indices``, ndarray of shape (len(indices), height, width, channels)."""
        with _failures_of(self.owner):
            images = self.made.batch(indices)
        return _checked_images(self.owner, images, (len(indices), *self.image_shape))

    def _problem(self, base: TrainingSet) -> str:
        """Return why the set breaks the contract of expansions, or an empty text."""
        if len(self) < len(base):
            return f"at least {len(base)} images were expected. Received: {len(self)}"
        if self.task != base.task:
            return f"the task {base.task} was expected. Received: {self.task!r:.200}"
        if self.image_shape != base.image_shape:
            return f"images of shape {base.image_shape} were expected. Received: {self.image_shape!r:.100}"
        expected = (len(self), *base.targets.shape[1:])
        if self.targets.shape != expected or self.targets.dtype != base.targets.dtype:
            received = f"{self.targets.dtype} of shape {self.targets.shape}"
            return f"targets of {base.targets.dtype} and shape {expected} were expected. Received: {received}"
        return self._value_problem()

    def _value_problem(self) -> str:
        """Return why targets have no meaning in the task, or an empty text."""
        if not isinstance(self.task, Classification):
            return "" if np.isfinite(self.targets).all() else "targets must be finite. Received: NaN or infinity"
        if self.targets.min() < 0 or self.targets.max() >= self.task.n_outputs:
            received = f"{self.targets.min()} to {self.targets.max()}"
            return f"class indices from 0 to {self.task.n_outputs - 1} were expected. Received: {received}"
        return ""


def expand(base: TrainingSet, applied: Sequence[AppliedAugmentation], seed: int, part: str) -> TrainingSet:
    """Apply the expansions of an arm, one after the other.

    Parameters
    ----------
    base : TrainingSet
        Real images.
    applied : sequence of AppliedAugmentation
        Augmentations of the arm or generator; transforms are ignored.
    seed : int
        Seed of the cell or generator.
    part : str
        ``"train"`` or ``"validation"``; ``"generator"`` for what a generator learns from.

    Raises
    ------
    PluginError
        If an expansion fails, or returns something else than a larger set of the same kind; see `ExpandedSet`.
    """
    expanded = base
    for stream, entry in _streams(applied, seed, part):
        name = entry.augmentation.name
        if entry.augmentation.kind == "expansion":
            build = resolve(entry.augmentation.builder)
            with _failures_of(f"the expansion {name!r}"):
                made = build(expanded, entry.options, stream)
            expanded = ExpandedSet(made, expanded, name)
    return expanded


def transforms(applied: Sequence[AppliedAugmentation], seed: int, part: str = "train") -> tuple[Transform, ...]:
    """Return the transforms of an arm, or those of a generator with the part ``"generator"``, in order."""
    return tuple(
        Transform(
            name=entry.augmentation.name,
            function=resolve(entry.augmentation.builder),
            options=entry.options,
            draws_per_image=entry.augmentation.draws_per_image,
            stream=stream,
        )
        for stream, entry in _streams(applied, seed, part)
        if entry.augmentation.kind == "transform"
    )


def _streams(applied: Sequence[AppliedAugmentation], seed: int, part: str) -> list[tuple[Stream, AppliedAugmentation]]:
    """Give each augmentation a stream that depends on its name and repetition, but not on the rest of the arm."""
    found: list[tuple[Stream, AppliedAugmentation]] = []
    seen: dict[str, int] = {}
    for entry in applied:
        name = entry.augmentation.name
        repetition = seen[name] = seen.get(name, -1) + 1
        stream = Stream("augmentation", seed=seed, name=name, repetition=repetition, part=part)
        found.append((stream, entry))
    return found


def digest_set(images: TrainingSet) -> str:
    """Return the SHA-256 of every image and target of a training set, as rendered for training.

    It covers the encoding of `benchmarker.digest_arrays` of the targets, followed by that of each batch of 64 images.
    """
    with ThreadPoolExecutor(1) as renderer:
        return digest_arrays(chain([("targets", images.targets)], _render_ahead(images, renderer)))


def _render_ahead(images: TrainingSet, renderer: Executor) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield batches of images in order, each with its name; the next one is rendered while the last one is hashed."""
    indices = np.arange(len(images))
    starts = range(0, len(images), _DIGEST_BATCH)
    batches = (renderer.submit(images.batch, indices[start : start + _DIGEST_BATCH]) for start in starts)
    ahead = next(batches, None)
    for start in starts:
        current, ahead = ahead, next(batches, None)
        if current is not None:
            yield f"images {start}", current.result()


def digest_part(part: PartSet) -> str:
    """Return the SHA-256 of the images of a part with their attributes: everything that a generator may learn from.

    It covers the canonical JSON of two digests: that of `digest_set`, and that of `benchmarker.digest_arrays` of the
    attributes in the order of their names.
    """
    return digest_json([digest_set(part), digest_arrays(dict(sorted(part.attributes.items())))])


def pixel_range(part: TrainingSet) -> tuple[float, float]:
    """Return the smallest and the largest pixel value of all images of a set."""
    indices = np.arange(len(part))
    batches = (part.batch(indices[k : k + _DIGEST_BATCH]) for k in range(0, len(part), _DIGEST_BATCH))
    extremes = [(float(batch.min()), float(batch.max())) for batch in batches]
    return min(low for low, _ in extremes), max(high for _, high in extremes)
