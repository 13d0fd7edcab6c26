"""Batches in an order that the harness owns.

Keras is given one sequence over *all* epochs, in which batch ``g`` is a pure function of ``g``. It may fetch ahead,
also across the end of an epoch, without ever seeing the order of the wrong epoch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from benchmarker.contracts.images import TrainingSet
from benchmarker.contracts.tasks import Classification, Task
from benchmarker.digests import digest_arrays
from benchmarker.randomness import Stream
from benchmarker.training.sets import Transform

Batch = tuple[NDArray[np.float32], ...]


def encode_targets(task: Task, targets: NDArray[Any]) -> NDArray[np.float32]:
    """Return targets as networks are trained on them.

    Parameters
    ----------
    task : Task
        What the targets mean.
    targets : ndarray of shape (n,), int64, or (n, n_targets), float64
        Class indices, or numbers in their units.

    Returns
    -------
    ndarray of shape (n, n_outputs), float32
        One-hot vectors, or numbers mapped from the range of each target to [-1, 1].
    """
    if isinstance(task, Classification):
        encoded: NDArray[np.float32] = np.eye(task.n_outputs, dtype=np.float32)[targets]
        return encoded
    low, high = _ranges(task)
    return (2 * (targets - low) / (high - low) - 1).astype(np.float32)


def decode_outputs(task: Task, outputs: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return a network's outputs as probabilities, or as numbers in the units of the task.

    Parameters
    ----------
    task : Task
        What the outputs mean.
    outputs : ndarray of shape (n, n_outputs), float32
        Of the network.
    """
    values = outputs.astype(np.float64)
    if isinstance(task, Classification):
        total = values.sum(axis=1, keepdims=True)  # one for a softmax; sigmoid outputs are normalised as the loss does
        return values / np.where(total > 0, total, 1)
    low, high = _ranges(task)
    return low + (values + 1) * (high - low) / 2


def _ranges(task: Task) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if isinstance(task, Classification):
        raise TypeError("classes have no range")
    low = np.array([target.minimum for target in task.targets])
    high = np.array([target.maximum for target in task.targets])
    return low, high


def balanced_weights(targets: NDArray[np.int64], n_classes: int) -> NDArray[np.float32]:
    """Return a weight for each image, inverse to the frequency of its class, with a mean of one.

    Parameters
    ----------
    targets : ndarray of shape (n,), int64
        Class indices.
    n_classes : int
        How many classes there are.
    """
    counts = np.bincount(targets, minlength=n_classes)
    present = np.count_nonzero(counts)
    return (len(targets) / (present * counts[targets])).astype(np.float32)


class OrderedBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """The batches of all epochs, each epoch in an order of its own.

    Parameters
    ----------
    images : TrainingSet
        What to train on.
    batch_size, epochs : int
        Images in a batch; how many epochs the sequence covers.
    order : Stream
        Its child ``epoch`` gives the permutation of an epoch.
    transforms : sequence of Transform
        Applied to each batch, in their order.
    weights : ndarray of shape (n,), float32, optional
        Weight of each image in the loss.
    first_epoch : int
        Epochs that an earlier process has done; index 0 is the first batch of the next one.
    on_batch : callable, optional
        Called with epoch and step whenever a batch is taken.
    """

    def __init__(
        self,
        images: TrainingSet,
        *,
        batch_size: int,
        epochs: int,
        order: Stream,
        transforms: Sequence[Transform] = (),
        weights: NDArray[np.float32] | None = None,
        first_epoch: int = 0,
        on_batch: Callable[[int, int], None] = lambda _epoch, _step: None,
    ) -> None:
        super().__init__()
        self._images = images
        self._targets = encode_targets(images.task, images.targets)
        self._weights = weights
        self._batch_size = batch_size
        self._epochs = epochs
        self.first_epoch = first_epoch
        self._order = order
        self._transforms = transforms
        self._on_batch = on_batch
        self._current: tuple[int, NDArray[np.int64], list[NDArray[np.float64]]] | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Gradient steps in an epoch; the last batch may be smaller."""
        return math.ceil(len(self._images) / self._batch_size)

    def __len__(self) -> int:
        return self.steps_per_epoch * (self._epochs - self.first_epoch)

    def __getitem__(self, index: int) -> Batch:
        epoch, step = divmod(index, self.steps_per_epoch)
        epoch += self.first_epoch
        order, draws = self._epoch(epoch)
        chosen = order[step * self._batch_size : (step + 1) * self._batch_size]
        images = self._images.batch(chosen)
        for transform, rows in zip(self._transforms, draws, strict=True):
            images = transform.apply(images, rows[chosen])
        self._on_batch(epoch, step)
        if self._weights is None:
            return images, self._targets[chosen]
        return images, self._targets[chosen], self._weights[chosen]

    def digests(self, epoch: int) -> dict[str, str]:
        """Return the SHA-256 of an epoch's order, and of the draws of its transforms; epochs count from 0."""
        order, draws = self._epoch(epoch)
        drawn = {f"{k} {t.name}": rows for k, (t, rows) in enumerate(zip(self._transforms, draws, strict=True))}
        return {"order": digest_arrays({"order": order}), "draws": digest_arrays(drawn)}

    def _epoch(self, epoch: int) -> tuple[NDArray[np.int64], list[NDArray[np.float64]]]:
        current = self._current  # a local name: the thread that fetches ahead may be an epoch further
        if current is None or current[0] != epoch:
            n = len(self._images)
            order = self._order.child("epoch", epoch=epoch).generator().permutation(n)
            current = self._current = (epoch, order, [transform.draws(epoch, n) for transform in self._transforms])
        return current[1], current[2]


class FixedBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Images in their own order, with or without targets, for validation and prediction.

    Parameters
    ----------
    images : TrainingSet
        What to go through.
    batch_size : int
        Images in a batch.
    targets : bool
        Whether to hand out targets too.
    """

    def __init__(self, images: TrainingSet, *, batch_size: int, targets: bool) -> None:
        super().__init__()
        self._images = images
        self._targets = encode_targets(images.task, images.targets) if targets else None
        self._batch_size = batch_size

    def __len__(self) -> int:
        return math.ceil(len(self._images) / self._batch_size)

    def __getitem__(self, index: int) -> Batch:
        start = index * self._batch_size
        chosen = np.arange(start, min(start + self._batch_size, len(self._images)))
        images = self._images.batch(chosen)
        return (images,) if self._targets is None else (images, self._targets[chosen])
