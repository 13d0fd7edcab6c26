"""Augmentation ``inclination-uniform``: every bin of inclination equally full, in colour, grey and inverted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from benchmarker import ConfigurationError, Options, Stream, Task, TrainingSet
from benchmarker_inclination.batch_files import EDGES, bins_of, pick
from benchmarker_inclination.transforms import Recipe, transform_one

_BATCH = 64
_COLOURS = 3


class UniformOptions(Options):
    """Options of the expansion ``inclination-uniform``."""

    per_bin: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] | None = None
    """Colour images of every bin of 5 degrees, and as many grey ones; by default all images of the fullest bin."""

    keep_shape: bool = False
    """Scale both axes by the same factor. Otherwise, as in the original, axis ratios change by up to 1.5, and with them
    the inclination that one would measure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One image of the expanded set.

    Parameters
    ----------
    index : int
        Image that it is made of.
    channel : int, optional
        Channel that becomes a grey image; None to keep all channels.
    colour : bool
        Whether it gets the transforms of colour images.
    inverted : bool
        Whether bright and dark are exchanged after the transforms.
    round : int
        How often the image was used before in the same bin and kind; each time it is transformed anew.
    """

    index: int
    channel: int | None
    colour: bool
    inverted: bool
    round: int


def expand(training_set: TrainingSet, options: UniformOptions | None, stream: Stream) -> TrainingSet:
    """Return transformed images that fill bins of 5 degrees from 45 to 90 degrees equally.

    Half of the images are in colour and half are grey; half of the grey ones are inverted. Grey images are those of the
    set whose channels are equal; where there are none, each channel of each colour image serves as one. A set
    without colour images gives grey images only. Transforms are those of `benchmarker_inclination.transforms`: mirror
    images, rotation by any angle, scale 0.8 to 1.2, shift up to 15 %, gamma, and for colour images noise, blur and
    brightness too. Empty bins stay empty.

    Parameters
    ----------
    training_set : TrainingSet
        Images from 0 to 1, with one or three channels, of a regression whose only target is an inclination in degrees.
    options : UniformOptions, optional
        Number of images, and whether shapes are kept.
    stream : Stream
        Source of the random choices and transforms. The set is fixed: every epoch sees the same images.

    Raises
    ------
    ConfigurationError
        If the task or the images are of another kind, or `per_bin` gives fewer images than there are.
    """
    options = options or UniformOptions()
    degrees = _inclinations(training_set)
    grey = _is_grey(training_set)
    coloured = [(int(k), None) for k in np.flatnonzero(~grey)]
    channels: list[tuple[int, int | None]] = [(int(k), None) for k in np.flatnonzero(grey)]
    if not channels:
        channels = [(k, channel) for k, _ in coloured for channel in range(_COLOURS)]
    per_bin = options.per_bin or int(np.bincount(bins_of(degrees)).max())
    slots = _fill(coloured, degrees, per_bin, stream.child("colour"), colour=True)
    greys = _fill(channels, degrees, per_bin, stream.child("grey"), colour=False)
    everything = slots + greys
    if len(everything) < len(training_set):
        raise ConfigurationError(
            f"inclination-uniform would leave {len(everything)} of {len(training_set)} images; raise per_bin. "
            f"Received: {per_bin}"
        )
    order = stream.child("order").generator().permutation(len(everything))
    return UniformTrainingSet(training_set, [everything[k] for k in order], stream, keep_shape=options.keep_shape)


def _inclinations(training_set: TrainingSet) -> NDArray[np.float64]:
    task = training_set.task
    if task.kind != "regression" or task.n_outputs != 1:
        raise ConfigurationError(
            f"inclination-uniform needs a regression of one inclination. Received: a {task.kind} with "
            f"{task.n_outputs} output(s)"
        )
    degrees: NDArray[np.float64] = training_set.targets[:, 0]
    if degrees.min() < EDGES[0] or degrees.max() > EDGES[-1]:
        raise ConfigurationError(
            f"inclination-uniform needs inclinations from {EDGES[0]} to {EDGES[-1]} degrees. Received: "
            f"{degrees.min():g} to {degrees.max():g}"
        )
    return degrees


def _is_grey(training_set: TrainingSet) -> NDArray[np.bool_]:
    """Return which images have equal channels, and check the range of all pixels."""
    channels = training_set.image_shape[2]
    if channels not in {1, _COLOURS}:
        raise ConfigurationError(f"inclination-uniform needs one or three channels. Received: {channels}")
    grey = np.zeros(len(training_set), dtype=np.bool_)
    for start in range(0, len(grey), _BATCH):
        images = training_set.batch(np.arange(start, min(start + _BATCH, len(grey))))
        if images.min() < 0 or images.max() > 1:
            raise ConfigurationError(
                f"inclination-uniform needs pixels from 0 to 1. Received: {images.min():g} to {images.max():g}; "
                "set preparation.normalise to true"
            )
        grey[start : start + _BATCH] = (images == images[..., :1]).all(axis=(1, 2, 3))
    return grey


def _fill(
    pool: Sequence[tuple[int, int | None]], degrees: NDArray[np.float64], per_bin: int, stream: Stream, *, colour: bool
) -> list[Slot]:
    """Fill each bin from a pool; of grey images, invert half."""
    if not pool:
        return []
    picks = pick(degrees[[index for index, _ in pool]], per_bin, stream)
    inverted = np.zeros(len(picks), dtype=np.bool_)
    if not colour:
        inverted[stream.child("inverted").generator().permutation(len(picks))[: len(picks) // 2]] = True
    return [
        Slot(
            index=pool[each.index][0],
            channel=pool[each.index][1],
            colour=colour,
            inverted=bool(flag),
            round=each.round,
        )
        for each, flag in zip(picks, inverted, strict=True)
    ]


class UniformTrainingSet:
    """Images of a training set, picked and transformed; rendered on demand.

    Parameters
    ----------
    originals : TrainingSet
        Images before augmentation.
    slots : sequence of Slot
        What each image is made of.
    stream : Stream
        Source of the transforms: an image gets the same one whatever else is in the batch.
    keep_shape : bool
        As in `UniformOptions`.
    """

    def __init__(self, originals: TrainingSet, slots: Sequence[Slot], stream: Stream, *, keep_shape: bool) -> None:
        self._originals = originals
        self.slots = tuple(slots)
        self._indices = np.array([slot.index for slot in slots], dtype=np.int64)
        self._stream = stream.child("transform")
        self._colour = Recipe(colour=True, keep_shape=keep_shape)
        self._grey = Recipe(colour=False, keep_shape=keep_shape)

    @property
    def task(self) -> Task:
        """What the targets mean."""
        return self._originals.task

    @property
    def targets(self) -> NDArray[Any]:
        """Inclinations of the images in degrees, shape (n, 1)."""
        targets: NDArray[Any] = self._originals.targets[self._indices]
        return targets

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""
        return self._originals.image_shape

    def __len__(self) -> int:
        return len(self.slots)

    def batch(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the transformed images at ``indices``, ndarray of shape (m, height, width, channels), float32."""
        images = self._originals.batch(self._indices[indices])
        for position, k in enumerate(indices):
            images[position] = self._render(images[position], self.slots[k])
        return images

    def _render(self, image: NDArray[np.float32], slot: Slot) -> NDArray[np.float32]:
        if slot.channel is not None:
            image = np.repeat(image[..., slot.channel, None], image.shape[-1], axis=-1)
        kind = "colour" if slot.colour else f"grey {slot.channel}"
        own = self._stream.child("image", kind=kind, round=slot.round)
        recipe = self._colour if slot.colour else self._grey
        pixels = transform_one(255.0 * image.astype(np.float64), recipe, own, slot.index) / 255.0
        return (1.0 - pixels if slot.inverted else pixels).astype(np.float32)
