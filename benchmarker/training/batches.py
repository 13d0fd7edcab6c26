"""Batches in an order that the harness controls.

Keras is given one sequence over *all* epochs, in which batch ``g`` is a pure function of ``g``. So it may fetch batches
ahead, even across the end of an epoch, and still trains each epoch in the right order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from benchmarker.contracts.images import TrainingSet
from benchmarker.contracts.tasks import Classification, Task
from benchmarker.digests import digest_arrays
from benchmarker.randomness import Stream
from benchmarker.training.sets import RenewedSet, Transform

Batch = tuple[NDArray[np.float32], ...]


def encode_targets(task: Task, targets: NDArray[Any]) -> NDArray[np.float32]:
    r"""Return targets in the form that networks are trained on.

    A class becomes a one-hot vector; the value :math:`y` of a regression, whose target has the range
    :math:`[a, b]`, becomes :math:`2 (y - a) / (b - a) - 1`.

    Parameters
    ----------
    task : Task
        Meaning of the targets.
    targets : ndarray of shape (n,), int64, or (n, n_targets), float64
        Class indices, or values in their units.

    Returns
    -------
    ndarray of shape (n, n_outputs), float32
        One-hot vectors, or values in [-1, 1]; values outside the range of their target lie outside [-1, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from benchmarker import Regression, RegressionTarget
    >>> task = Regression(targets=(RegressionTarget(name="inclination", unit="deg", minimum=45, maximum=90),))
    >>> encode_targets(task, np.array([[45.0], [67.5]]))
    array([[-1.],
           [ 0.]], dtype=float32)
    """
    if isinstance(task, Classification):
        encoded: NDArray[np.float32] = np.eye(task.n_outputs, dtype=np.float32)[targets]
        return encoded
    low, high = _ranges(task)
    return (2 * (targets - low) / (high - low) - 1).astype(np.float32)


def decode_outputs(task: Task, outputs: NDArray[np.float32]) -> NDArray[np.float64]:
    r"""Return the outputs of a network as probabilities, or as values in the units of the task.

    The inverse of `encode_targets` for a regression. Outputs :math:`o_c` of a classification are divided by their sum,
    :math:`p_c = o_c / \sum_k o_k`, as the cross-entropy of Keras does; that changes those of sigmoid units only.

    Parameters
    ----------
    task : Task
        Meaning of the outputs.
    outputs : ndarray of shape (n, n_outputs), float32
        Outputs of the network.

    Returns
    -------
    ndarray of shape (n, n_outputs), float64
        Probabilities, or values in the units of the task.
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
    r"""Return a weight for each image that gives every class the same weight in the loss.

    :math:`w_i = n / (K n_{c_i})` for image :math:`i` of class :math:`c_i`, with :math:`n` images in all, :math:`n_c` of
    class :math:`c`, and :math:`K` classes that occur. The mean of the weights is 1.

    Parameters
    ----------
    targets : ndarray of shape (n,), int64
        Class indices.
    n_classes : int
        Number of classes of the task.

    Returns
    -------
    ndarray of shape (n,), float32
        Weights, without unit.

    References
    ----------
    King & Zeng 2001, Political Analysis 9, 137, doi:10.1093/oxfordjournals.pan.a004868.

    Examples
    --------
    >>> import numpy as np
    >>> balanced_weights(np.array([0, 0, 0, 1]), 2).round(2)
    array([0.67, 0.67, 0.67, 2.  ], dtype=float32)
    """
    counts = np.bincount(targets, minlength=n_classes)
    present = np.count_nonzero(counts)
    return (len(targets) / (present * counts[targets])).astype(np.float32)


def copies_together(n: int, total: int) -> NDArray[np.int64]:
    """Return the images of an expanded set in the order of the radio framework's list: all copies of an image together.

    Expansions put the copies of an image ``n`` places apart. The set keeps its order where it has no whole number of
    copies.

    Parameters
    ----------
    n, total : int
        Number of images before and after expansion.

    Returns
    -------
    ndarray of shape (total,), int64
        Indices into the expanded set.

    Examples
    --------
    >>> copies_together(3, 6).tolist()
    [0, 3, 1, 4, 2, 5]
    """
    indices = np.arange(total)
    return indices if total % n else indices.reshape(-1, n).T.ravel()


class _Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches by index, which keep the exception that making one ended with.

    TensorFlow fetches them in its own thread, and turns every exception there into one of its own.
    """

    failure: Exception | None = None

    def __getitem__(self, index: int) -> Batch:
        try:
            return self.make(index)
        except Exception as error:
            self.failure = error
            raise

    def make(self, index: int) -> Batch:
        """Return a batch."""
        raise NotImplementedError


@contextmanager
def failures_of(*batches: _Batches) -> Iterator[None]:
    """Raise the exception that making a batch ended with, instead of what the backend made of it."""
    try:
        yield
    except Exception as error:
        for each in batches:
            if each.failure is not None and each.failure is not error:
                raise each.failure from None
        raise


class OrderedBatches(_Batches):
    """The batches of all epochs, with another order for each epoch.

    Parameters
    ----------
    images : TrainingSet or RenewedSet
        Images to train on.
    batch_size, epochs : int
        Number of images in a batch, and number of epochs that the sequence covers.
    order : Stream
        Stream whose child ``epoch`` gives the permutation of an epoch.
    transforms : sequence of Transform
        Transforms that are applied to each batch, in this order.
    weights : ndarray of shape (n,), float32, optional
        Weight of each image in the loss.
    first_epoch : int
        Number of epochs that an earlier process has completed; index 0 is the first batch of the next one.
    neighbours : ndarray of shape (n,), int64, optional
        Images in the order of a list whose neighbours always form the same batch, so that only the order of the batches
        changes.
    on_batch : callable, optional
        Called with epoch and step, both counted from 0, whenever a batch is made.
    """

    def __init__(
        self,
        images: TrainingSet | RenewedSet,
        *,
        batch_size: int,
        epochs: int,
        order: Stream,
        transforms: Sequence[Transform] = (),
        weights: NDArray[np.float32] | None = None,
        first_epoch: int = 0,
        neighbours: NDArray[np.int64] | None = None,
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
        self._neighbours = neighbours
        self._on_batch = on_batch
        self._current: tuple[int, list[NDArray[np.int64]], list[NDArray[np.float64]]] | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Number of gradient steps in an epoch; the last batch may be smaller."""
        return math.ceil(len(self._images) / self._batch_size)

    def __len__(self) -> int:
        return self.steps_per_epoch * (self._epochs - self.first_epoch)

    def make(self, index: int) -> Batch:
        """Return batch ``index`` of all epochs."""
        epoch, step = divmod(index, self.steps_per_epoch)
        epoch += self.first_epoch
        members, draws = self._epoch(epoch)
        chosen = members[step]
        given = self._images
        images = (given.of_epoch(epoch) if isinstance(given, RenewedSet) else given).batch(chosen)
        for transform, rows in zip(self._transforms, draws, strict=True):
            images = transform.apply(images, rows[chosen])
        self._on_batch(epoch, step)
        if self._weights is None:
            return images, self._targets[chosen]
        return images, self._targets[chosen], self._weights[chosen]

    def digests(self, epoch: int) -> dict[str, str]:
        """Return the SHA-256 of the order and of the transforms' draws of an epoch, counted from 0.

        Of images that are new in every epoch it is that of these, too.
        """
        members, draws = self._epoch(epoch)
        drawn = {f"{k} {t.name}": rows for k, (t, rows) in enumerate(zip(self._transforms, draws, strict=True))}
        found = {"order": digest_arrays({"order": np.concatenate(members)}), "draws": digest_arrays(drawn)}
        return found | ({"generated": self._images.digest(epoch)} if isinstance(self._images, RenewedSet) else {})

    def _members(self, epoch: int) -> list[NDArray[np.int64]]:
        """Return the images of each batch of an epoch."""
        generator = self._order.child("epoch", epoch=epoch).generator()
        ends = range(self._batch_size, len(self._images), self._batch_size)
        if self._neighbours is None:
            return np.split(generator.permutation(len(self._images)), ends)
        blocks = np.split(self._neighbours, ends)
        return [blocks[k] for k in generator.permutation(len(blocks))]

    def _epoch(self, epoch: int) -> tuple[list[NDArray[np.int64]], list[NDArray[np.float64]]]:
        current = self._current  # a local name, since the thread that fetches ahead may be one epoch further
        if current is None or current[0] != epoch:
            draws = [transform.draws(epoch, len(self._images)) for transform in self._transforms]
            current = self._current = (epoch, self._members(epoch), draws)
        return current[1], current[2]


class FixedBatches(_Batches):
    """Images in their original order, with or without targets, for validation and prediction.

    Parameters
    ----------
    images : TrainingSet
        The images.
    batch_size : int
        Number of images in a batch.
    targets : bool
        Whether batches hold targets, too.
    """

    def __init__(self, images: TrainingSet, *, batch_size: int, targets: bool) -> None:
        super().__init__()
        self._images = images
        self._targets = encode_targets(images.task, images.targets) if targets else None
        self._batch_size = batch_size

    def __len__(self) -> int:
        return math.ceil(len(self._images) / self._batch_size)

    def make(self, index: int) -> Batch:
        """Return batch ``index``."""
        start = index * self._batch_size
        chosen = np.arange(start, min(start + self._batch_size, len(self._images)))
        images = self._images.batch(chosen)
        return (images,) if self._targets is None else (images, self._targets[chosen])
