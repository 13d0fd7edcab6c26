"""One GAN for each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarker_gan.pair import Float, Pair

if TYPE_CHECKING:
    import keras
    from numpy.random import Generator  # noqa: TID251 - the type of a stream's generator


class PerClass:
    """A GAN for each class, trained side by side; a `GenerativeModel`.

    In each step every GAN learns from the images of its class in the batch, in as many places as are its share: where
    there are fewer, they are repeated in order; where there are more, the last are left out and come again in other
    epochs. So every step has one shape, and is compiled once. A GAN without an image in the batch waits.

    Parameters
    ----------
    pairs : sequence of Pair
        In the order of the classes.
    """

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self.pairs = tuple(pairs)

    @property
    def variables(self) -> Sequence[keras.Variable]:
        """Of all GANs, one after the other."""
        return [variable for pair in self.pairs for variable in pair.variables]

    @property
    def sampling_variables(self) -> Sequence[keras.Variable]:
        """Weights of all generators."""
        return [variable for pair in self.pairs for variable in pair.sampling_variables]

    @property
    def batch_size(self) -> int:
        """Images of all classes per step."""
        return sum(pair.batch_size for pair in self.pairs)

    def draw(self, rng: Generator, n: int) -> Mapping[str, Float]:
        """Return the random inputs of all GANs, the first axis being the class."""
        places = max(1, n // len(self.pairs))
        draws = [pair.draw(rng, places) for pair in self.pairs]
        return {name: np.stack([draw[name] for draw in draws]) for name in draws[0]}

    def train_step(self, images: Float, conditions: Float, draws: Mapping[str, Float]) -> Mapping[str, Any]:
        """Let every GAN take a step; return means over those that did."""
        classes = np.argmax(conditions[:, : len(self.pairs)], axis=1)
        measured = []
        for number, pair in enumerate(self.pairs):
            own = {name: values[number] for name, values in draws.items()}
            mine = np.flatnonzero(classes == number)
            if len(mine):
                places = np.resize(mine, len(own["generator_noise"]))
                measured.append(pair.train_step(images[places], conditions[places], own))
        return {name: sum(each[name] for each in measured) / len(measured) for name in measured[0]}

    def noise(self, rng: Generator, n: int) -> Float:
        """Return latent points, ndarray of shape (n, latent), float32."""
        return self.pairs[0].noise(rng, n)

    def sample(self, noise: Float, conditions: Float) -> Float:
        """Return images of the classes that are asked for, ndarray of shape (n, height, width, channels), float32."""
        classes = np.argmax(conditions[:, : len(self.pairs)], axis=1)
        images = np.empty((len(noise), *self.pairs[0].generator.output_shape[1:]), np.float32)
        for number in np.unique(classes):
            mine = classes == number
            images[mine] = self.pairs[number].sample(noise[mine], conditions[mine])
        return images
