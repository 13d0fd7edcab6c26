"""Generative models: their conditions, the interface that they implement, and what their quality is measured on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from benchmarker.contracts.images import TrainingSet
from benchmarker.errors import DataError

if TYPE_CHECKING:
    import keras
    import numpy as np
    from numpy.typing import NDArray

    from benchmarker.randomness import RandomGenerator, Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionSpace:
    r"""The conditions that an image is generated for: a class, continuous quantities, both or nothing.

    An encoded condition is a row of `size` numbers: first the class as a one-hot vector, then each continuous condition
    standardised, :math:`(x - \mu) / \sigma`, with the mean :math:`\mu` and the standard deviation :math:`\sigma` of the
    training part; for :math:`\sigma = 0`, :math:`x - \mu`.

    Parameters
    ----------
    classes : tuple of str
        Names of the classes of the task; empty if the class is not a condition.
    attributes : tuple of str
        Names of the continuous conditions: attributes of the dataset, or targets of a regression.
    units : tuple of str
        Units of the continuous conditions, in the notation of `astropy.units`.
    means, deviations : tuple of float
        Means and standard deviations of the continuous conditions in the training part, in their units.

    Examples
    --------
    >>> import numpy as np
    >>> from benchmarker import ConditionSpace
    >>> space = ConditionSpace(
    ...     classes=("FRI", "FRII"), attributes=("redshift",), units=("",), means=(0.5,), deviations=(0.25,)
    ... )
    >>> conditions = space.encode(np.array([1]), {"redshift": np.array([1.0])})
    >>> conditions
    array([[0., 1., 2.]], dtype=float32)
    >>> space.values(conditions, "redshift")
    array([1.])
    """

    classes: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    means: tuple[float, ...] = ()
    deviations: tuple[float, ...] = ()

    @property
    def size(self) -> int:
        """Length of an encoded condition."""
        return len(self.classes) + len(self.attributes)

    def encode(
        self, targets: NDArray[Any] | None, attributes: Mapping[str, NDArray[np.float64]]
    ) -> NDArray[np.float32]:
        """Return encoded conditions, ndarray of shape (n, size), float32.

        Parameters
        ----------
        targets : ndarray of shape (n,), int64, or None
            Indices of the classes; ignored if the class is not a condition.
        attributes : mapping of str to ndarray of shape (n,), float64
            Continuous conditions by name, in their units; other names are ignored.

        Raises
        ------
        DataError
            If a condition is missing, or not a finite number.
        """
        import numpy as np

        columns: list[NDArray[Any]] = []
        if self.classes:
            if targets is None:
                raise DataError("images are generated for classes, but no classes are given")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """How the harness divides the training part into batches for a generator.

    Parameters
    ----------
    order : {"shuffled", "fixed", "drawn"}
        A new permutation of the images in each epoch; the order of the training part in all epochs; or images drawn at
        random with replacement.
    incomplete : bool
        Whether the images that are left at the end of an epoch make a smaller batch; otherwise they are left out. No
        images are left where they are drawn.
    """

    order: Literal["shuffled", "fixed", "drawn"] = "shuffled"
    incomplete: bool = False


class GenerativeModel(Protocol):
    """The interface of what a generator's builder returns.

    A model may offer more members. ``batches`` is a `Batches`, by default shuffled and complete ones.
    ``set_pixel_range(minimum, maximum)`` is called once, before training, with the range of the pixels of the training
    part; keep it in a variable of `sampling_variables`. ``discriminator_accuracy(images, conditions, noise)`` is called
    after each epoch with real images and as many latent points, and returns numbers by name for the history of the
    training; it must not change any variable.

    Two members make exports possible. ``tensors(noise, conditions)`` returns what `sample` does, written with
    `keras.ops` alone, so that it can be traced (``conditions`` is None for a generator without conditions);
    ``latent_distribution`` is ``"normal"`` or ``"uniform"`` (in [-1, 1]), the distribution of latent points.
    """

    @property
    def variables(self) -> Sequence[keras.Variable]:
        """Everything that training changes, always in the same order.

        That is, the weights of all networks, optimisers, seed generators and moving averages. A snapshot holds them,
        and the trail their digest.
        """

    @property
    def sampling_variables(self) -> Sequence[keras.Variable]:
        """The variables that `sample` needs, always in the same order; they are kept as the generator's weights."""

    @property
    def batch_size(self) -> int:
        """Images per training step."""

    def draw(self, rng: RandomGenerator, n: int) -> Mapping[str, NDArray[Any]]:
        """Return all random inputs of one training step on ``n`` images; nothing else in the step may be random."""

    def train_step(
        self, images: NDArray[np.float32], conditions: NDArray[np.float32], draws: Mapping[str, NDArray[Any]]
    ) -> Mapping[str, Any]:
        """Train on one batch, and return its losses as numbers or tensors.

        Parameters
        ----------
        images : ndarray of shape (n, height, width, channels), float32
            Prepared images.
        conditions : ndarray of shape (n, size), float32
            Conditions encoded by the `ConditionSpace` of the builder.
        draws : mapping of str to ndarray
            Random inputs that `draw` returned.

        Returns
        -------
        mapping of str to float or tensor
            ``d_loss_real``, ``d_loss_fake`` and ``g_loss``, and any other quantities that the model monitors, such as
            ``d_real_accuracy`` and ``d_fake_accuracy``; always the same names.
        """

    def noise(self, rng: RandomGenerator, n: int) -> NDArray[np.float32]:
        """Return random latent vectors, ndarray of shape (n, latent_dim), float32."""

    def sample(self, noise: NDArray[np.float32], conditions: NDArray[np.float32]) -> Any:
        """Return generated images in the unit of the prepared ones, array of shape (n, height, width, channels)."""


class ConditionedSet(TrainingSet, Protocol):
    """Images with all quantities that can be conditions."""

    @property
    def attributes(self) -> Mapping[str, NDArray[np.float64]]:
        """Attributes of the dataset and targets of a regression in their units, ndarrays of shape (n,), float64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityRequest:
    """What the quality of a generator is measured on.

    Parameters
    ----------
    train : ConditionedSet
        Real images that the generator was trained on.
    held_out : ConditionedSet
        Real images that it was not trained on: the validation and the test part.
    conditions : ConditionSpace
        Conditions that images are generated for.
    sample : callable
        ``sample(conditions, stream)`` with encoded conditions of shape (n, size) yields the generated images in batches
        of at most `batch_size`, in the order of the conditions and in constant memory.
    stream : Stream
        Source of every random number of the measurement.
    batch_size : int
        Largest number of images that are generated at a time.
    """

    train: ConditionedSet
    held_out: ConditionedSet
    conditions: ConditionSpace
    sample: Callable[[NDArray[np.float32], Stream], Iterator[NDArray[np.float32]]]
    stream: Stream
    batch_size: int
