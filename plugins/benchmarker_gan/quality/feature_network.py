"""Features of images: the last hidden layer of a small network that is trained on the real training part only.

No weights are downloaded. The usual ones were learned from everyday photographs. This network learns the task of the
data set: the class, or the targets of a regression. If all targets are equal, as for a generator of one class, it
learns the physical statistics of the images instead. It does not learn to predict the rotation of an image, a common
task for photographs without labels (Gidaris et al. 2018, arXiv:1803.07728), because galaxies have no upright
orientation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarker import layer_seeds
from benchmarker_gan.quality import image_statistics

if TYPE_CHECKING:
    import keras

    from benchmarker import Stream, TrainingSet

N_FEATURES = 64
"""Number of features per image."""

STEPS = 400
"""Gradient steps, the same number for small and large training sets."""

BATCH = 32
"""Images per step, and images that are described at a time."""

_LEARNING_RATE = 2e-3
_LARGEST_MAP = 32
_PHYSICAL = "physical statistics"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureNetworkScore:
    """What a feature network learned, and its score on held-out images.

    Parameters
    ----------
    pretext : str
        Task of the network: classification, regression or physical statistics.
    features, steps : int
        Number of features, and of gradient steps.
    n : int
        Number of held-out images.
    score_name : str
        ``accuracy``, or ``r_squared`` averaged over the targets.
    score : float or None
        Score on held-out images; None if no target varies among them.
    chance : float
        Score of always predicting the most common class, or 0 for R squared.
    """

    pretext: str
    features: int
    steps: int
    n: int
    score_name: str
    score: float | None
    chance: float


class FeatureNetwork:
    """A network that describes images by `N_FEATURES` numbers, each scaled by its spread over the training part.

    Three strided convolutions, means and maxima of their maps, and one dense layer. Features of a network that learned
    nothing describe little, so its score should be above chance.

    Parameters
    ----------
    training_set : TrainingSet
        Real training images, which are read in batches.
    stream : Stream
        Random numbers for initial weights, order and orientations.
    steps : int, optional
        Gradient steps; `STEPS` by default.
    """

    def __init__(self, training_set: TrainingSet, stream: Stream, steps: int | None = None) -> None:
        self.pretext, targets, n_outputs = _pretext_task(training_set)
        self._centre = targets.mean(axis=0)
        self._scale = np.where(targets.std(axis=0) > 0, targets.std(axis=0), 1.0)
        self.steps = STEPS if steps is None else steps
        self._network, self._describer = _build(training_set.image_shape, n_outputs, self.classifies, stream)
        self._train(training_set, targets, stream)
        self._mean, self._spread = self._feature_moments(training_set)

    @property
    def classifies(self) -> bool:
        """Whether the outputs are probabilities of classes."""
        return self.pretext == "classification"

    def __call__(self, images: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return features and outputs of the network.

        Parameters
        ----------
        images : ndarray of shape (n, height, width, channels), float32
            Prepared images.

        Returns
        -------
        features : ndarray of shape (n, `N_FEATURES`), float64
            Features in standard deviations of the training part.
        outputs : ndarray of shape (n, n_outputs), float64
            Probabilities of the classes, or standardised targets.
        """
        features, outputs = self._describe(images)
        return (features - self._mean) / self._spread, outputs

    def score(
        self, held_out: TrainingSet, indices: NDArray[np.int64], outputs: NDArray[np.float64]
    ) -> FeatureNetworkScore:
        """Return the score of the network on images that it was not trained on.

        Parameters
        ----------
        held_out : TrainingSet
            Real images that are not in the training part.
        indices : ndarray of shape (n,), int64
            Indices of the images to use.
        outputs : ndarray of shape (n, n_outputs), float64
            Outputs of the network for these images.
        """
        common: dict[str, Any] = {
            "pretext": self.pretext,
            "features": N_FEATURES,
            "steps": self.steps,
            "n": len(indices),
        }
        if self.classifies:
            labels = np.asarray(held_out.targets)[indices].astype(np.int64)
            accuracy = float((outputs.argmax(axis=1) == labels).mean())
            chance = float(np.bincount(labels).max() / len(labels))
            return FeatureNetworkScore(**common, score_name="accuracy", score=accuracy, chance=chance)
        truth = (_pretext_task(held_out, self.pretext)[1][indices] - self._centre) / self._scale
        residual = np.square(truth - outputs).sum(axis=0)
        total = np.square(truth - truth.mean(axis=0)).sum(axis=0)
        varied = total > 0
        score = float((1 - residual[varied] / total[varied]).mean()) if varied.any() else None
        return FeatureNetworkScore(**common, score_name="r_squared", score=score, chance=0.0)

    def _train(self, training_set: TrainingSet, targets: NDArray[np.float64], stream: Stream) -> None:
        rng = stream.child("order").generator()
        size = min(BATCH, len(training_set))
        square = training_set.image_shape[0] == training_set.image_shape[1]
        order = np.zeros(0, dtype=np.int64)
        for _ in range(self.steps):
            if len(order) < size:
                order = np.concatenate([order, rng.permutation(len(training_set)).astype(np.int64)])
            chosen, order = order[:size], order[size:]
            images = _oriented(training_set.batch(chosen), rng.integers(0, 8 if square else 4, size), square=square)
            self._network.train_on_batch(images, self._encoded(targets[chosen]))

    def _feature_moments(self, training_set: TrainingSet) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and spread of each feature over the training part."""
        sums, squares = np.zeros(N_FEATURES), np.zeros(N_FEATURES)
        for batch in _batches(training_set):
            features, _ = self._describe(batch)
            sums += features.sum(axis=0)
            squares += np.square(features).sum(axis=0)
        mean = sums / len(training_set)
        spread = np.sqrt(np.maximum(squares / len(training_set) - mean**2, 0))
        # Without a lower limit, a feature that is almost constant over the training part would dominate all distances.
        return mean, np.maximum(spread, max(1e-3 * float(spread.max()), 1e-12))

    def _encoded(self, targets: NDArray[np.float64]) -> NDArray[Any]:
        if self.classifies:
            return targets[:, 0].astype(np.int64)
        return np.asarray((targets - self._centre) / self._scale, dtype=np.float32)

    def _describe(self, images: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        found: tuple[list[NDArray[Any]], list[NDArray[Any]]] = ([], [])
        for start in range(0, len(images), BATCH):
            part = images[start : start + BATCH]
            for kept, values in zip(found, self._describer.predict_on_batch(_padded(part)), strict=True):
                kept.append(np.asarray(values)[: len(part)])
        features, outputs = (np.concatenate(kept).astype(np.float64) for kept in found)
        return features, outputs


def _pretext_task(images: TrainingSet, pretext: str | None = None) -> tuple[str, NDArray[np.float64], int]:
    """Return the name of the task, its targets of shape (n, k), and the number of outputs it needs."""
    targets = np.asarray(images.targets, dtype=np.float64).reshape(len(images), -1)
    if pretext is None:
        varied = bool(np.isfinite(targets).all() and (targets != targets[:1]).any())
        pretext = images.task.kind if varied else _PHYSICAL
    if pretext == _PHYSICAL:
        targets = np.concatenate([_physical_targets(batch) for batch in _batches(images)])
        return pretext, targets, targets.shape[1]
    return pretext, targets, images.task.n_outputs


def _physical_targets(images: NDArray[np.float32]) -> NDArray[np.float64]:
    found = image_statistics.statistics(images)
    table = np.concatenate([values.reshape(len(images), -1) for values in found.values()], axis=1)
    return np.asarray(np.nan_to_num(table))


def _build(
    shape: tuple[int, int, int], n_outputs: int, classifies: bool, stream: Stream
) -> tuple[keras.Model, keras.Model]:
    """Return the compiled network, and the same network with its features as an additional first output."""
    import keras
    from keras import initializers, layers

    seeds = layer_seeds(stream.child("weights").seed())

    def he_normal() -> Any:
        return initializers.HeNormal(seed=next(seeds))

    inputs = keras.Input(shape)
    x = inputs
    if (step := max(shape[:2]) // _LARGEST_MAP // 2) > 1:
        x = layers.AveragePooling2D(step)(x)
    for filters in (16, 32, N_FEATURES):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", activation="silu", kernel_initializer=he_normal())(x)
    # Means measure the amount of a pattern, maxima its presence.
    pooled = layers.concatenate([layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)])
    features = layers.Dense(N_FEATURES, activation="silu", kernel_initializer=he_normal())(pooled)
    outputs = layers.Dense(n_outputs, "softmax" if classifies else None, kernel_initializer=he_normal())(features)
    network, describer = keras.Model(inputs, outputs), keras.Model(inputs, [features, outputs])
    # TensorFlow cannot combine XLA with deterministic operations; JAX needs XLA.
    jit_compile = keras.config.backend() == "jax"
    network.compile(
        optimizer=keras.optimizers.AdamW(_LEARNING_RATE, weight_decay=1e-3),
        loss=keras.losses.SparseCategoricalCrossentropy() if classifies else keras.losses.MeanSquaredError(),
        jit_compile=jit_compile,
    )
    describer.compile(jit_compile=jit_compile)
    return network, describer


def _oriented(images: NDArray[np.float32], numbers: NDArray[np.int64], *, square: bool) -> NDArray[np.float32]:
    """Return each image in the orientation with the given number: below 8 for squares, below 4 for rectangles."""
    oriented = images.copy()
    for number in range(8 if square else 4):
        chosen = numbers == number
        quarters = number // 2 if square else number // 2 * 2
        rotated = np.rot90(images[chosen], quarters, axes=(1, 2))
        oriented[chosen] = rotated[:, :, ::-1] if number % 2 else rotated
    return oriented


def _batches(images: TrainingSet) -> Iterator[NDArray[np.float32]]:
    for start in range(0, len(images), BATCH):
        yield images.batch(np.arange(start, min(start + BATCH, len(images)), dtype=np.int64))


def _padded(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fill up a batch with zeros, because sums over another shape may be added in another order."""
    if len(images) == BATCH:
        return images
    return np.concatenate([images, np.zeros((BATCH - len(images), *images.shape[1:]), dtype=images.dtype)])
