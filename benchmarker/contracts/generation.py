"""Generative models: what they are told, what they must offer, and what their quality is measured on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from benchmarker.contracts.images import TrainingSet
from benchmarker.errors import DataError

if TYPE_CHECKING:
    import keras
    import numpy as np
    from numpy.typing import NDArray

    from benchmarker.randomness import RandomGenerator, Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionSpace:
    """What an image is generated for: a class, continuous conditions, both or nothing.

    An encoded condition is a row of `size` numbers: first the class, one-hot, then each continuous condition with its
    mean taken away and divided by its standard deviation.

    Parameters
    ----------
    classes : tuple of str
        Names of the classes, as of the task; empty without.
    attributes : tuple of str
        Names of the continuous conditions: attributes of the dataset, or targets of a regression.
    units : tuple of str
        Of the continuous conditions, in the notation of `astropy.units`.
    means, deviations : tuple of float
        Of the continuous conditions in the training part, in their units.
    """

    classes: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    means: tuple[float, ...] = ()
    deviations: tuple[float, ...] = ()

    @property
    def size(self) -> int:
        """Numbers of an encoded condition."""
        return len(self.classes) + len(self.attributes)

    def encode(
        self, targets: NDArray[Any] | None, attributes: Mapping[str, NDArray[np.float64]]
    ) -> NDArray[np.float32]:
        """Return conditions as generators take them, ndarray of shape (n, size), float32.

        Parameters
        ----------
        targets : ndarray of shape (n,), int64, or None
            Indices of the classes; not looked at without classes.
        attributes : mapping of str to ndarray of shape (n,), float64
            In their units; more than these are no harm. Not looked at without continuous conditions.

        Raises
        ------
        DataError
            If a condition is missing, or not a finite number.
        """
        import numpy as np

        columns: list[NDArray[Any]] = []
        if self.classes:
            if targets is None:
                raise DataError("images of a class are generated for classes, and none are given")
            columns.append(np.eye(len(self.classes), dtype=np.float64)[np.asarray(targets, dtype=np.int64)])
        for name, mean, deviation in zip(self.attributes, self.means, self.deviations, strict=True):
            if name not in attributes:
                raise DataError(
                    f"the condition {name!r} is not among the attributes: {', '.join(attributes) or 'none'}"
                )
            values = np.asarray(attributes[name], dtype=np.float64)
            if not np.isfinite(values).all():
                unknown = int(np.count_nonzero(~np.isfinite(values)))
                raise DataError(f"the condition {name!r} is unknown for {unknown} of {len(values)} images")
            columns.append(((values - mean) / (deviation or 1.0))[:, None])
        if not columns:
            n = len(targets) if targets is not None else len(next(iter(attributes.values()), ()))
            return np.zeros((n, 0), dtype=np.float32)
        return np.concatenate(columns, axis=1).astype(np.float32)

    def class_indices(self, conditions: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the class of each encoded condition, ndarray of shape (n,), int64."""
        import numpy as np

        indices: NDArray[np.int64] = np.argmax(conditions[:, : len(self.classes)], axis=1).astype(np.int64)
        return indices

    def values(self, conditions: NDArray[np.float32], name: str) -> NDArray[np.float64]:
        """Return a continuous condition in its unit from encoded ones, ndarray of shape (n,), float64."""
        import numpy as np

        index = self.attributes.index(name)
        standardised = conditions[:, len(self.classes) + index].astype(np.float64)
        return standardised * (self.deviations[index] or 1.0) + self.means[index]


class GenerativeModel(Protocol):
    """What a generator's builder returns."""

    @property
    def variables(self) -> Sequence[keras.Variable]:
        """Everything that training changes, always in the same order.

        The weights of all networks, optimisers, seed generators and moving averages: what a snapshot holds, and what
        the trail digests.
        """

    @property
    def sampling_variables(self) -> Sequence[keras.Variable]:
        """What `sample` needs, always in the same order: kept as the generator's weights."""

    @property
    def batch_size(self) -> int:
        """Images per training step."""

    def draw(self, rng: RandomGenerator, n: int) -> Mapping[str, NDArray[Any]]:
        """Return all random inputs of one training step on ``n`` images; nothing else may be random."""

    def train_step(
        self, images: NDArray[np.float32], conditions: NDArray[np.float32], draws: Mapping[str, NDArray[Any]]
    ) -> Mapping[str, Any]:
        """Train on one batch, and return its losses as numbers or tensors.

        Parameters
        ----------
        images : ndarray of shape (n, height, width, channels), float32
            As prepared.
        conditions : ndarray of shape (n, size), float32
            Encoded by the `ConditionSpace` of the builder.
        draws : mapping of str to ndarray
            What `draw` gave.

        Returns
        -------
        mapping of str to float or tensor
            ``d_loss_real``, ``d_loss_fake`` and ``g_loss``, and whatever else the model watches, such as
            ``d_real_accuracy`` and ``d_fake_accuracy``; always the same names.
        """

    def noise(self, rng: RandomGenerator, n: int) -> NDArray[np.float32]:
        """Return latent points, ndarray of shape (n, latent), float32."""

    def sample(self, noise: NDArray[np.float32], conditions: NDArray[np.float32]) -> Any:
        """Return generated images in the units of the prepared ones, array of shape (n, height, width, channels)."""


class ConditionedSet(TrainingSet, Protocol):
    """Images with everything that they can be generated for."""

    @property
    def attributes(self) -> Mapping[str, NDArray[np.float64]]:
        """Attributes of the dataset and targets of a regression, each an ndarray of shape (n,), float64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityRequest:
    """What a generator's quality is measured on.

    Parameters
    ----------
    train : ConditionedSet
        The real images that the generator was trained on.
    held_out : ConditionedSet
        Real images that it never saw: the validation and the test part.
    conditions : ConditionSpace
        What images are generated for.
    sample : callable
        ``sample(conditions, stream)`` with encoded conditions of shape (n, size) yields the generated images in batches
        of at most `batch_size`, in the order of the conditions and in constant memory.
    stream : Stream
        Where every random number of the measurement comes from.
    batch_size : int
        Images that are rendered at a time.
    """

    train: ConditionedSet
    held_out: ConditionedSet
    conditions: ConditionSpace
    sample: Callable[[NDArray[np.float32], Stream], Iterator[NDArray[np.float32]]]
    stream: Stream
    batch_size: int
