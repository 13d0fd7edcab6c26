"""A generator and a discriminator that are trained against each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from benchmarker import gradient_step, layer_seeds
from benchmarker_gan.augmentation import SHIFTS, TURNS, shift, turn
from benchmarker_gan.brightness import Brightness, Unit
from benchmarker_gan.objectives import Judgement, Objective

if TYPE_CHECKING:
    import keras
    from numpy.random import Generator  # noqa: TID251 - the type of a stream's generator

Float = NDArray[np.float32]

_CHUNK = 64
"""Images that are generated at a time: always as many, so that an image does not depend on how many are asked for."""


_DISCRIMINATOR_DRAWS = ("discriminator_noise", "turns", "real_shifts", "discriminator_shifts")
_GENERATOR_DRAWS = ("generator_noise", "generator_shifts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a pair is trained.

    Parameters
    ----------
    objective : Objective
        What for.
    latent : int
        Numbers of a latent point.
    distribution : {"normal", "uniform"}
        Of these numbers: standard normal, or uniform in [-1, 1].
    batch_size : int
        Images per step.
    discriminator_rate, generator_rate, beta1 : float
        Of both Adam optimisers.
    augmented : bool
        Whether real images are mirrored and turned at random before the discriminator sees them, generated ones as
        three further numbers of their latent points say, and all are shifted at random.
    average : float or None
        Decay per step of the moving average of the generator that draws samples; None draws with the last weights.
    unit, stretch : str, float
        What brightness is to the networks, see `Brightness`.
    """

    objective: Objective
    latent: int
    distribution: Literal["normal", "uniform"]
    batch_size: int
    discriminator_rate: float
    generator_rate: float
    beta1: float
    augmented: bool
    average: float | None
    unit: Unit
    stretch: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """Builders of two networks, and whether they take conditions.

    Parameters
    ----------
    generator : callable
        ``generator(seeds) -> keras.Model`` from latent points, or from latent points and conditions, to images.
    discriminator : callable
        ``discriminator(seeds) -> keras.Model`` from images, or from images and conditions, to a logit, or to a logit
        and predicted conditions.
    conditional_generator, conditional_discriminator : bool
        Whether they take conditions as their second input.
    """

    generator: Callable[[Any], keras.Model]
    discriminator: Callable[[Any], keras.Model]
    conditional_generator: bool = False
    conditional_discriminator: bool = False


class Pair:
    """A generator and a discriminator; a `GenerativeModel`.

    In each step the discriminator learns first, then the generator.

    Parameters
    ----------
    networks : Networks
        What to train.
    recipe : Recipe
        How.
    seed : int
        All initial weights and dropout masks are derived from it.

    References
    ----------
    Generated images that are turned at random, as real ones are: Birrell et al. 2022, *Structure-preserving GANs*,
    arXiv:2202.01129. Moving average of the generator: Yazici et al. 2019, *The Unusual Effectiveness of
    Averaging in GAN Training*, arXiv:1806.04498.
    """

    def __init__(self, networks: Networks, recipe: Recipe, seed: int) -> None:
        import keras

        self.networks, self.recipe = networks, recipe
        # One stream of seeds each, so that a layer more in one network leaves the other as it is.
        generator_seed, discriminator_seed = (next(seeds) for seeds in [layer_seeds(seed)] for _ in range(2))
        self.generator = networks.generator(layer_seeds(generator_seed))
        self.discriminator = networks.discriminator(layer_seeds(discriminator_seed))
        self._brightness = Brightness(recipe.unit, recipe.stretch, self.generator.output_shape[-1])
        self._optimisers = [
            keras.optimizers.Adam(rate, beta_1=recipe.beta1)
            for rate in (recipe.discriminator_rate, recipe.generator_rate)
        ]
        self.sampler, self._steps = self.generator, []
        if recipe.average is not None:
            self.sampler = networks.generator(layer_seeds(generator_seed))
            self._steps = [keras.Variable(0.0, trainable=False, name="steps")]
        frozen = [*self.generator.non_trainable_variables, *self.discriminator.non_trainable_variables]
        averaged = [*self.sampler.variables, *self._steps] if self._steps else []
        self._discriminator_step = gradient_step(
            self._discriminator_loss,
            self._optimisers[0],
            self.discriminator.trainable_variables,
            [*frozen, *self._brightness.variables],
        )
        self._generator_step = gradient_step(
            self._generator_loss, self._optimisers[1], self.generator.trainable_variables, [*frozen, *averaged]
        )

    @property
    def variables(self) -> Sequence[keras.Variable]:
        """Weights, optimisers, seed generators and the moving average."""
        own = [*self.generator.variables, *self.discriminator.variables, *self._brightness.variables]
        averaged = [*self.sampler.variables, *self._steps] if self._steps else []
        return [*own, *averaged, *(each for optimiser in self._optimisers for each in optimiser.variables)]

    @property
    def sampling_variables(self) -> Sequence[keras.Variable]:
        """Weights of the generator that draws samples, and what its brightness means."""
        return [*self.sampler.variables, *self._brightness.variables]

    @property
    def batch_size(self) -> int:
        """Images per step."""
        return self.recipe.batch_size

    def draw(self, rng: Generator, n: int) -> Mapping[str, Float]:
        """Return latent points for both networks, and numbers for the changes of three sets of images."""
        draws = {f"{name}_noise": self.noise(rng, n) for name in ("discriminator", "generator")}
        if self.recipe.augmented:
            draws["turns"] = rng.random((n, TURNS), dtype=np.float32)
            for name in ("real", "discriminator", "generator"):
                draws[f"{name}_shifts"] = rng.random((n, SHIFTS), dtype=np.float32)
        return draws

    def train_step(self, images: Float, conditions: Float, draws: Mapping[str, Float]) -> Mapping[str, Any]:
        """Let the discriminator learn, then the generator; return their losses."""
        first = [draws[name] for name in _DISCRIMINATOR_DRAWS if name in draws]
        second = [draws[name] for name in _GENERATOR_DRAWS if name in draws]
        measured = dict(self._discriminator_step(images, conditions, *first))
        return measured | dict(self._generator_step(conditions, *second))

    def noise(self, rng: Generator, n: int) -> Float:
        """Return latent points, ndarray of shape (n, latent), float32."""
        size = self.recipe.latent + (TURNS if self.recipe.augmented else 0)
        if self.recipe.distribution == "uniform":
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
            made = ops.convert_to_numpy(self._generate(self.sampler, *chunk, training=False))[: len(points)]
            images[start : start + len(points)] = self._brightness.back(made)
        return images

    def _generate(self, network: keras.Model, noise: Any, conditions: Any, *, training: bool) -> Any:
        from keras import ops

        points = noise[:, : self.recipe.latent]
        inputs = [points, conditions] if self.networks.conditional_generator else points
        images = network(inputs, training=training)
        if not self.recipe.augmented:
            return images
        return turn(images, ops.cast(noise[:, self.recipe.latent :] > 0, images.dtype))

    def _judge(self, images: Any, conditions: Any, shifts: Any = None) -> Judgement:
        if shifts is not None:
            images = shift(images, shifts)
        inputs = [images, conditions] if self.networks.conditional_discriminator else images
        outputs = self.discriminator(inputs, training=True)
        return Judgement(*outputs) if isinstance(outputs, list | tuple) else Judgement(outputs)

    def _discriminator_loss(self, images: Any, conditions: Any, noise: Any, *changes: Any) -> Any:
        from keras import ops

        turns, real_shifts, made_shifts = changes or (None, None, None)
        seen = self._brightness.learn(images)
        if turns is not None:
            seen = turn(seen, turns)
        made = ops.stop_gradient(self._generate(self.generator, noise, conditions, training=True))
        real = self._judge(seen, conditions, real_shifts)
        fake = self._judge(made, conditions, made_shifts)
        return self.recipe.objective.discriminator(real, fake, conditions)

    def _generator_loss(self, conditions: Any, noise: Any, shifts: Any = None) -> Any:
        made = self._generate(self.generator, noise, conditions, training=True)
        fake = self._judge(made, conditions, shifts)
        if self._steps:
            self._follow()
        return self.recipe.objective.generator(fake, conditions)

    def _follow(self) -> None:
        """Move the average towards the weights before this step."""
        from keras import ops

        (steps,) = self._steps
        # A short memory at first: the initial weights must not stay in the average.
        decay = ops.minimum(float(self.recipe.average or 0), (1.0 + steps.value) / (10.0 + steps.value))
        for mean, variable in zip(self.sampler.variables, self.generator.variables, strict=True):
            mean.assign(decay * mean.value + (1.0 - decay) * ops.stop_gradient(variable.value))
        steps.assign(steps.value + 1.0)
