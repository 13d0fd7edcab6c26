"""Adversarial training: a generator and a discriminator that learn in turns, as one GAN or one per class."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarker import gradient_step, layer_seeds
from benchmarker_gan.objectives import DiscriminatorOutput
from benchmarker_gan.pixels import DIHEDRAL_NUMBERS, SHIFT_NUMBERS, PixelNormalisation, dihedral, shift
from benchmarker_gan.presets import Recipe

if TYPE_CHECKING:
    import keras
    from numpy.random import Generator  # noqa: TID251 - the type of a stream's generator

Float = NDArray[np.float32]

_CHUNK = 64
"""Images that are generated at a time: a fixed number, so that an image does not depend on how many are made."""

_DISCRIMINATOR_DRAWS = ("discriminator_noise", "orientations", "real_shifts", "discriminator_shifts")
_GENERATOR_DRAWS = ("generator_noise", "generator_shifts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """Builders of the two networks.

    Parameters
    ----------
    generator : callable
        ``generator(seeds) -> keras.Model`` from latent points, or from latent points and conditions, to images.
    discriminator : callable
        ``discriminator(seeds) -> keras.Model`` from images, or from images and conditions, to a logit, or to a logit
        and predicted conditions.
    conditional_generator, conditional_discriminator : bool
        Whether the network has the conditions as its second input.
    """

    generator: Callable[[Any], keras.Model]
    discriminator: Callable[[Any], keras.Model]
    conditional_generator: bool = False
    conditional_discriminator: bool = False


class Gan:
    r"""A generator and a discriminator; a `GenerativeModel`.

    In each step the discriminator learns first, then the generator, each from its own latent points. Samples come from
    a second generator whose weights are an exponential moving average of the trained ones,

    .. math:: \bar\theta \leftarrow d \bar\theta + (1 - d) \theta, \qquad
              d = \min\left(d_\mathrm{EMA}, \frac{1 + t}{10 + t}\right)

    with the number t of earlier steps. The short memory at the beginning forgets the initial weights.

    Parameters
    ----------
    networks : Networks
        Builders of the networks.
    recipe : Recipe
        Losses, optimisers and augmentation.
    seed : int
        Seed of all initial weights and dropout masks.

    References
    ----------
    Orientation of generated images: Birrell et al. 2022, *Structure-preserving GANs*, arXiv:2202.01129.
    Moving average of the generator: Yazici et al. 2019, *The Unusual Effectiveness of Averaging in GAN Training*,
    arXiv:1806.04498.
    """

    def __init__(self, networks: Networks, recipe: Recipe, seed: int) -> None:
        import keras

        self.networks, self.recipe = networks, recipe
        # Each network has its own seeds, so that another layer in one of them does not change the other.
        seeds = layer_seeds(seed)
        generator_seed, discriminator_seed = next(seeds), next(seeds)
        self.generator = networks.generator(layer_seeds(generator_seed))
        self.discriminator = networks.discriminator(layer_seeds(discriminator_seed))
        self._normalisation = PixelNormalisation(recipe.scaling, recipe.stretch, self.generator.output_shape[-1])
        self._optimisers = [
            keras.optimizers.Adam(learning_rate, beta_1=recipe.beta_1)
            for learning_rate in (recipe.discriminator_learning_rate, recipe.generator_learning_rate)
        ]
        self.sampler, self._steps = self.generator, []
        if recipe.ema_decay is not None:
            self.sampler = networks.generator(layer_seeds(generator_seed))
            self._steps = [keras.Variable(0.0, trainable=False, name="steps")]
        untrained = [*self.generator.non_trainable_variables, *self.discriminator.non_trainable_variables]
        self._discriminator_step = gradient_step(
            self._discriminator_loss,
            self._optimisers[0],
            self.discriminator.trainable_variables,
            [*untrained, *self._normalisation.variables],
        )
        self._generator_step = gradient_step(
            self._generator_loss,
            self._optimisers[1],
            self.generator.trainable_variables,
            [*untrained, *self._average_variables],
        )

    @property
    def _average_variables(self) -> list[keras.Variable]:
        return [*self.sampler.variables, *self._steps] if self._steps else []

    @property
    def variables(self) -> Sequence[keras.Variable]:
        """Weights, optimisers, seed generators and the moving average."""
        trained = [*self.generator.variables, *self.discriminator.variables, *self._normalisation.variables]
        optimised = [variable for optimiser in self._optimisers for variable in optimiser.variables]
        return [*trained, *self._average_variables, *optimised]

    @property
    def sampling_variables(self) -> Sequence[keras.Variable]:
        """Weights of the generator that draws samples, and the moments of the pixel normalisation."""
        return [*self.sampler.variables, *self._normalisation.variables]

    @property
    def batch_size(self) -> int:
        """Images per step."""
        return self.recipe.batch_size

    def draw(self, rng: Generator, n: int) -> Mapping[str, Float]:
        """Return the random inputs of one step: latent points for both networks, and numbers for the augmentation."""
        draws = {f"{name}_noise": self.noise(rng, n) for name in ("discriminator", "generator")}
        if self.recipe.augment:
            draws["orientations"] = rng.random((n, DIHEDRAL_NUMBERS), dtype=np.float32)
            for name in ("real", "discriminator", "generator"):
                draws[f"{name}_shifts"] = rng.random((n, SHIFT_NUMBERS), dtype=np.float32)
        return draws

    def train_step(self, images: Float, conditions: Float, draws: Mapping[str, Float]) -> Mapping[str, Any]:
        """Train the discriminator, then the generator, and return their losses."""
        first = [draws[name] for name in _DISCRIMINATOR_DRAWS if name in draws]
        second = [draws[name] for name in _GENERATOR_DRAWS if name in draws]
        measured = dict(self._discriminator_step(images, conditions, *first))
        return measured | dict(self._generator_step(conditions, *second))

    def noise(self, rng: Generator, n: int) -> Float:
        """Return latent points, ndarray of shape (n, latent_dim), or (n, latent_dim + 3) with augmentation, float32."""
        size = self.recipe.latent_dim + (DIHEDRAL_NUMBERS if self.recipe.augment else 0)
        if self.recipe.latent_distribution == "uniform":
            return rng.uniform(-1, 1, (n, size)).astype(np.float32)
        return rng.standard_normal((n, size), dtype=np.float32)

    def sample(self, noise: Float, conditions: Float) -> Float:
        """Return generated images, ndarray of shape (n, height, width, channels), float32, in [0, 1]."""
        from keras import ops

        images = np.empty((len(noise), *self.sampler.output_shape[1:]), np.float32)
        for start in range(0, len(noise), _CHUNK):
            points = noise[start : start + _CHUNK]
            padding = ((0, _CHUNK - len(points)), (0, 0))
            chunk = np.pad(points, padding), np.pad(conditions[start : start + _CHUNK], padding)
            values = ops.convert_to_numpy(self._generate(self.sampler, *chunk, training=False))[: len(points)]
            images[start : start + len(points)] = self._normalisation.invert(values)
        return images

    def _generate(self, network: keras.Model, noise: Any, conditions: Any, *, training: bool) -> Any:
        from keras import ops

        points = noise[:, : self.recipe.latent_dim]
        inputs = [points, conditions] if self.networks.conditional_generator else points
        images = network(inputs, training=training)
        if not self.recipe.augment:
            return images
        return dihedral(images, ops.cast(noise[:, self.recipe.latent_dim :] > 0, images.dtype))

    def _discriminate(self, images: Any, conditions: Any, shifts: Any = None) -> DiscriminatorOutput:
        if shifts is not None:
            images = shift(images, shifts)
        inputs = [images, conditions] if self.networks.conditional_discriminator else images
        outputs = self.discriminator(inputs, training=True)
        return DiscriminatorOutput(*outputs) if isinstance(outputs, list | tuple) else DiscriminatorOutput(outputs)

    def _discriminator_loss(self, images: Any, conditions: Any, noise: Any, *augmentation: Any) -> Any:
        from keras import ops

        orientations, real_shifts, fake_shifts = augmentation or (None, None, None)
        real_images = self._normalisation.normalise(images)
        if orientations is not None:
            real_images = dihedral(real_images, orientations)
        fake_images = ops.stop_gradient(self._generate(self.generator, noise, conditions, training=True))
        real = self._discriminate(real_images, conditions, real_shifts)
        fake = self._discriminate(fake_images, conditions, fake_shifts)
        return self.recipe.objective.discriminator(real, fake, conditions)

    def _generator_loss(self, conditions: Any, noise: Any, shifts: Any = None) -> Any:
        fake_images = self._generate(self.generator, noise, conditions, training=True)
        fake = self._discriminate(fake_images, conditions, shifts)
        if self._steps:
            self._update_average()
        return self.recipe.objective.generator(fake, conditions)

    def _update_average(self) -> None:
        """Move the average towards the weights before this step."""
        from keras import ops

        (steps,) = self._steps
        decay = ops.minimum(float(self.recipe.ema_decay or 0), (1.0 + steps.value) / (10.0 + steps.value))
        for mean, variable in zip(self.sampler.variables, self.generator.variables, strict=True):
            mean.assign(decay * mean.value + (1.0 - decay) * ops.stop_gradient(variable.value))
        steps.assign(steps.value + 1.0)


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
                indices = np.resize(indices, len(class_draws["generator_noise"]))
                measured.append(gan.train_step(images[indices], conditions[indices], class_draws))
        return {name: sum(each[name] for each in measured) / len(measured) for name in measured[0]}

    def noise(self, rng: Generator, n: int) -> Float:
        """Return latent points, see `Gan.noise`."""
        return self.gans[0].noise(rng, n)

    def sample(self, noise: Float, conditions: Float) -> Float:
        """Return images of the requested classes, ndarray of shape (n, height, width, channels), float32, in [0, 1]."""
        classes = np.argmax(conditions[:, : len(self.gans)], axis=1)
        images = np.empty((len(noise), *self.gans[0].generator.output_shape[1:]), np.float32)
        for number in np.unique(classes):
            chosen = classes == number
            images[chosen] = self.gans[number].sample(noise[chosen], conditions[chosen])
        return images
