"""Features of images: the last hidden layer of a small network that is trained on the real training part alone.

No weights come from elsewhere: those that are usual were learnt on photographs of everyday things, and would have to be
downloaded. The network learns what the data set asks for, the class or the numbers of a regression. Where there is
nothing to tell apart, it learns the physical statistics of the images instead. It does not learn by how much an image
was turned, as is common for photographs (Gidaris et al. 2018, arXiv:1803.07728): galaxies have no upright, so the
answer is not in the image.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarker import layer_seeds

if TYPE_CHECKING:
    import keras

    from benchmarker import Stream, TrainingSet

WIDTH = 64
"""Features of an image."""

STEPS = 400
BATCH = 32
_RATE = 2e-3
_LARGEST_MAP = 32


class FeatureNetwork:
    """A network that describes images by `WIDTH` numbers, each scaled by its spread over the training part.

    Parameters
    ----------
    training_set : TrainingSet
        Real training images. Batches of them are read one after the other, never all at once.
    stream : Stream
        Initial weights, order, turns and flips come from it.
    steps : int, optional
        Gradient steps; `STEPS` by default, the same for small and large sets.
    """

    def __init__(self, training_set: TrainingSet, stream: Stream, steps: int | None = None) -> None:
        self.pretext, targets, self._outputs = _lesson(training_set)
        self._centre = targets.mean(axis=0)
        self._scale = np.where(targets.std(axis=0) > 0, targets.std(axis=0), 1.0)
        self.steps = STEPS if steps is None else steps
        self._network, self._features = _build(training_set.image_shape, self._outputs, self.classifies, stream)
        self._train(training_set, targets, stream)
        sums = [np.zeros(WIDTH), np.zeros(WIDTH)]
        for batch in _batches(training_set):
            found, _ = self._describe(batch)
            sums[0] += found.sum(axis=0)
            sums[1] += np.square(found).sum(axis=0)
        self._mean = sums[0] / len(training_set)
        spread = np.sqrt(np.maximum(sums[1] / len(training_set) - self._mean**2, 0))
        # A unit that no training image moves would otherwise count the more the less it says.
        self._spread = np.maximum(spread, max(1e-3 * float(spread.max()), 1e-12))

    @property
    def classifies(self) -> bool:
        """Whether its answers are probabilities of classes."""
        return self.pretext == "classification"

    def __call__(self, images: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what the network sees in images.

        Parameters
        ----------
        images : ndarray of shape (n, height, width, channels), float32
            As prepared.

        Returns
        -------
        features : ndarray of shape (n, `WIDTH`), float64
            In standard deviations of the training part.
        answers : ndarray of shape (n, n_outputs), float64
            Probabilities of the classes, or standardised numbers.
        """
        features, answers = self._describe(images)
        return (features - self._mean) / self._spread, answers

    def score(self, held_out: TrainingSet, indices: NDArray[np.int64], answers: NDArray[np.float64]) -> dict[str, Any]:
        """Return what the network learnt, and how well: its score on images that it never saw.

        Parameters
        ----------
        held_out : TrainingSet
            Real images that are not in the training part.
        indices : ndarray of shape (n,), int64
            Which of them.
        answers : ndarray of shape (n, n_outputs), float64
            What the network said of them.

        Returns
        -------
        dict of str to JSON value
            ``pretext`` (classification, regression or physical statistics), ``features``, ``steps``; ``score`` named
            ``score_name``: the accuracy, or the mean over targets of R^2; ``chance``: of always the commonest class, or
            0 for R^2; ``n``.
        """
        described = {"pretext": self.pretext, "features": WIDTH, "steps": self.steps, "n": len(indices)}
        if self.classifies:
            labels = np.asarray(held_out.targets)[indices].astype(np.int64)
            accuracy = float((answers.argmax(axis=1) == labels).mean())
            chance = float(np.bincount(labels).max() / len(labels))
            return {**described, "score_name": "accuracy", "score": accuracy, "chance": chance}
        truth = (_lesson(held_out, self.pretext)[1][indices] - self._centre) / self._scale
        residual, total = np.square(truth - answers).sum(axis=0), np.square(truth - truth.mean(axis=0)).sum(axis=0)
        told = total > 0
        score = float((1 - residual[told] / total[told]).mean()) if told.any() else None
        return {**described, "score_name": "r_squared", "score": score, "chance": 0.0}

    def _train(self, training_set: TrainingSet, targets: NDArray[np.float64], stream: Stream) -> None:
        rng = stream.child("order").generator()
        size = min(BATCH, len(training_set))
        square = training_set.image_shape[0] == training_set.image_shape[1]
        order = np.zeros(0, dtype=np.int64)
        for _ in range(self.steps):
            if len(order) < size:
                order = np.concatenate([order, rng.permutation(len(training_set)).astype(np.int64)])
            chosen, order = order[:size], order[size:]
            images = _turned(training_set.batch(chosen), rng.integers(0, 8 if square else 4, size), square=square)
            self._network.train_on_batch(images, self._encoded(targets[chosen]))

    def _encoded(self, targets: NDArray[np.float64]) -> NDArray[Any]:
        if self.classifies:
            return targets[:, 0].astype(np.int64)
        return np.asarray((targets - self._centre) / self._scale, dtype=np.float32)

    def _describe(self, images: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        found: tuple[list[NDArray[Any]], list[NDArray[Any]]] = ([], [])
        for start in range(0, len(images), BATCH):
            part = images[start : start + BATCH]
            for kept, values in zip(found, self._features.predict_on_batch(_padded(part)), strict=True):
                kept.append(np.asarray(values)[: len(part)])
        features, answers = (np.concatenate(kept).astype(np.float64) for kept in found)
        return features, answers


def _lesson(images: TrainingSet, pretext: str | None = None) -> tuple[str, NDArray[np.float64], int]:
    """Return what there is to learn: its kind, targets of shape (n, k) and the outputs that it needs."""
    targets = np.asarray(images.targets, dtype=np.float64).reshape(len(images), -1)
    if pretext is None:
        varied = bool(np.isfinite(targets).all() and (targets != targets[:1]).any())
        pretext = images.task.kind if varied else "physical statistics"
    if pretext == "physical statistics":
        targets = np.concatenate([_physical(batch) for batch in _batches(images)])
        return pretext, targets, targets.shape[1]
    return pretext, targets, images.task.n_outputs


def _physical(images: NDArray[np.float32]) -> NDArray[np.float64]:
    from benchmarker_gan.quality import physics

    found = physics.statistics(images)
    table = np.concatenate([values.reshape(len(images), -1) for values in found.values()], axis=1)
    return np.asarray(np.nan_to_num(table))


def _build(
    shape: tuple[int, int, int], outputs: int, classifies: bool, stream: Stream
) -> tuple[keras.Model, keras.Model]:
    """Return the network, compiled, and the same with its features as a first output."""
    import keras
    from keras import initializers, layers

    seeds = layer_seeds(stream.child("weights").seed())

    def start() -> Any:
        return initializers.HeNormal(seed=next(seeds))

    inputs = keras.Input(shape)
    maps = inputs
    if (step := max(shape[:2]) // _LARGEST_MAP // 2) > 1:
        maps = layers.AveragePooling2D(step)(maps)
    for filters in (16, 32, WIDTH):
        maps = layers.Conv2D(filters, 3, strides=2, padding="same", activation="silu", kernel_initializer=start())(maps)
    # Means tell how much of something there is, maxima whether it is there at all.
    pooled = layers.concatenate([layers.GlobalAveragePooling2D()(maps), layers.GlobalMaxPooling2D()(maps)])
    features = layers.Dense(WIDTH, activation="silu", kernel_initializer=start())(pooled)
    final = layers.Dense(outputs, "softmax" if classifies else None, kernel_initializer=start())(features)
    network = keras.Model(inputs, final)
    loss = keras.losses.SparseCategoricalCrossentropy() if classifies else keras.losses.MeanSquaredError()
    network.compile(
        optimizer=keras.optimizers.AdamW(_RATE, weight_decay=1e-3),
        loss=loss,
        # XLA and op determinism exclude each other in TensorFlow; JAX needs XLA.
        jit_compile=keras.config.backend() == "jax",
    )
    described = keras.Model(inputs, [features, final])
    described.compile(jit_compile=keras.config.backend() == "jax")
    return network, described


def _turned(images: NDArray[np.float32], draws: NDArray[np.int64], *, square: bool) -> NDArray[np.float32]:
    turned = images.copy()
    for draw in range(8 if square else 4):
        chosen = draws == draw
        quarter = draw // 2 if square else draw // 2 * 2
        rotated = np.rot90(images[chosen], quarter, axes=(1, 2))
        turned[chosen] = rotated[:, :, ::-1] if draw % 2 else rotated
    return turned


def _batches(images: TrainingSet) -> Iterator[NDArray[np.float32]]:
    for start in range(0, len(images), BATCH):
        yield images.batch(np.arange(start, min(start + BATCH, len(images)), dtype=np.int64))


def _padded(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fill a batch up, so that every batch has one shape: another shape may be summed in another order."""
    if len(images) == BATCH:
        return images
    return np.concatenate([images, np.zeros((BATCH - len(images), *images.shape[1:]), dtype=images.dtype)])
