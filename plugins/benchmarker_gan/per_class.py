"""One GAN per class, trained side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarker import Batches
from benchmarker_gan.adversarial import Gan

if TYPE_CHECKING:
    import keras
    from numpy.random import Generator  # noqa: TID251 - the type of a stream's generator

Float = NDArray[np.float32]


class GanPerClass:
    """One GAN per class, trained side by side; a `GenerativeModel`.

    In each step every GAN learns from the images of its class in the batch, always from the same number of them, so
    that a step has one shape and is compiled once. Too few images are repeated in order; of too many, the last are left
    out, and occur in other epochs. A GAN without an image in the batch does not learn in this step.

    Parameters
    ----------
    gans : sequence of Gan
        GANs in the order of the classes.
    """

    def __init__(self, gans: Sequence[Gan]) -> None:
        self.gans = tuple(gans)

    @property
    def variables(self) -> Sequence[keras.Variable]:
        """Variables of all GANs, in the order of the classes."""
        return [variable for gan in self.gans for variable in gan.variables]

    @property
    def sampling_variables(self) -> Sequence[keras.Variable]:
        """Sampling variables of all GANs, in the order of the classes."""
        return [variable for gan in self.gans for variable in gan.sampling_variables]

    @property
    def batch_size(self) -> int:
        """Images of all classes per step."""
        return sum(gan.batch_size for gan in self.gans)

    @property
    def batches(self) -> Batches:
        """Order of the images of each GAN."""
        return self.gans[0].batches

    def set_pixel_range(self, minimum: float, maximum: float) -> None:
        """Set the range of all GANs: that of the whole training part."""
        for gan in self.gans:
            gan.set_pixel_range(minimum, maximum)

    def draw(self, rng: Generator, n: int) -> Mapping[str, Float]:
        """Return the random inputs of all GANs; the first axis is the class."""
        images_per_class = max(1, n // len(self.gans))
        draws = [gan.draw(rng, images_per_class) for gan in self.gans]
        return {name: np.stack([draw[name] for draw in draws]) for name in draws[0]}

    def train_step(self, images: Float, conditions: Float, draws: Mapping[str, Float]) -> Mapping[str, Any]:
        """Train every GAN that has images in the batch, and return the means of their losses."""
        classes = np.argmax(conditions[:, : len(self.gans)], axis=1)
        measured = []
        for number, gan in enumerate(self.gans):
            class_draws = {name: values[number] for name, values in draws.items()}
            indices = np.flatnonzero(classes == number)
            if len(indices):
                indices = np.resize(indices, max(1, len(images) // len(self.gans)))
                measured.append(gan.train_step(images[indices], conditions[indices], class_draws))
        return {name: sum(each[name] for each in measured) / len(measured) for name in measured[0]}

    def discriminator_accuracy(self, images: Float, conditions: Float, noise: Float) -> Mapping[str, float]:
        """Return the means over all images of what `Gan.discriminator_accuracy` returns for those of a class."""
        classes = np.argmax(conditions[:, : len(self.gans)], axis=1)
        sums: dict[str, float] = {}
        for number in np.unique(classes):
            chosen = classes == number
            judged = self.gans[number].discriminator_accuracy(images[chosen], conditions[chosen], noise[chosen])
            for name, value in judged.items():
                sums[name] = sums.get(name, 0.0) + value * int(chosen.sum()) / len(images)
        return sums

    def noise(self, rng: Generator, n: int) -> Float:
        """Return latent points, see `Gan.noise`."""
        return self.gans[0].noise(rng, n)

    def sample(self, noise: Float, conditions: Float) -> Float:
        """Return images of the requested classes, ndarray of shape (n, height, width, channels), float32."""
        classes = np.argmax(conditions[:, : len(self.gans)], axis=1)
        images = np.empty((len(noise), *self.gans[0].generator.output_shape[1:]), np.float32)
        for number in np.unique(classes):
            chosen = classes == number
            images[chosen] = self.gans[number].sample(noise[chosen], conditions[chosen])
        return images

    @property
    def latent_distribution(self) -> str:
        """Distribution of latent points, that of each GAN."""
        return self.gans[0].latent_distribution

    def tensors(self, noise: Any, conditions: Any) -> Any:
        """Return what `sample` does as tensors; every GAN draws, and the images of the requested class are taken."""
        from keras import ops

        images = self.gans[0].tensors(noise, conditions, name="sampler_0")
        for number, gan in enumerate(self.gans[1:], start=1):
            chosen = ops.reshape(conditions[:, number] > 0.5, (-1, 1, 1, 1))
            images = ops.where(chosen, gan.tensors(noise, conditions, name=f"sampler_{number}"), images)
        return images
