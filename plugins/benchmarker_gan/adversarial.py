"""Adversarial training: a generator and a discriminator that learn from each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarker import Batches, gradient_step, layer_seeds
from benchmarker_gan.objectives import DiscriminatorOutput, NonSaturating, accuracy
from benchmarker_gan.pixels import DIHEDRAL_NUMBERS, SHIFT_NUMBERS, PixelNormalisation, dihedral, shift
from benchmarker_gan.presets import Recipe

if TYPE_CHECKING:
    import keras
    from numpy.random import Generator  # noqa: TID251 - the type of a stream's generator

Float = NDArray[np.float32]

_CHUNK = 64
"""Images that are generated at a time: a fixed number, so that an image does not depend on how many are made."""

_DISCRIMINATOR_DRAWS = ("orientations", "real_shifts", "discriminator_shifts")
"""Augmentation of what the discriminator learns from, in the order of the arguments of its losses."""


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

    What happens in a step depends on ``recipe.updates``:

    - ``in turn``: the discriminator learns first, then the generator, from the same latent points or each from its own;
    - ``together``: the generator makes one set of images, and both networks learn from them with the weights that they
      had before the step;
    - ``halves``: the discriminator learns from half as many real images, then from half as many generated ones, then
      the generator from a full batch of latent points.

    Without a moving average samples come from the trained generator. Otherwise they come from a second one whose
    weights are an exponential moving average of the trained ones,

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
        discriminator = self.discriminator.trainable_variables
        self._discriminator_steps = [
            gradient_step(loss, self._optimisers[0], discriminator, self._state())
            for loss in self._discriminator_losses
        ]
        self._generator_step = gradient_step(
            self._generator_loss,
            self._optimisers[1],
            self.generator.trainable_variables,
            [*self._state(), *self._average_variables],
        )

    @property
    def _discriminator_losses(self) -> Sequence[Callable[..., Any]]:
        if self.recipe.updates == "halves":
            return (self._real_half_loss, self._fake_half_loss)
        return (self._loss_on_images if self.recipe.updates == "together" else self._discriminator_loss,)

    def _state(self) -> list[keras.Variable]:
        """Return the variables that a step changes besides those that it trains."""
        untrained = [*self.generator.non_trainable_variables, *self.discriminator.non_trainable_variables]
        return [*untrained, *self._normalisation.variables]

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

    @property
    def batches(self) -> Batches:
        """Order of the images, and whether an incomplete last batch is used."""
        return self.recipe.batches

    def set_pixel_range(self, minimum: float, maximum: float) -> None:
        """Set the range of pixel values, which samples stay in unless the recipe leaves pixels as they are."""
        self._normalisation.set_range(minimum, maximum)

    def draw(self, rng: Generator, n: int) -> Mapping[str, Float]:
        """Return the random inputs of one step: latent points for both networks, and numbers for the augmentation."""
        recipe = self.recipe
        # The published radio GAN makes a full batch of images also where the last batch of real ones is smaller.
        points = recipe.batch_size if recipe.updates == "together" else n
        sizes = {"real": n, "discriminator": points, "generator": points}
        if recipe.updates == "halves":
            sizes |= {"real": max(1, n // 2), "discriminator": max(1, n // 2)}
        draws = {}
        if not recipe.shared_noise:
            draws["discriminator_noise"] = self.noise(rng, sizes["discriminator"])
        draws["generator_noise"] = self.noise(rng, sizes["generator"])
        if recipe.augment:
            draws["orientations"] = rng.random((sizes["real"], DIHEDRAL_NUMBERS), dtype=np.float32)
            for name, size in sizes.items():
                draws[f"{name}_shifts"] = rng.random((size, SHIFT_NUMBERS), dtype=np.float32)
        return draws

    def train_step(self, images: Float, conditions: Float, draws: Mapping[str, Float]) -> Mapping[str, Any]:
        """Train both networks as the recipe says, and return their losses."""
        noise = draws["generator_noise"]
        fake_noise = draws.get("discriminator_noise", noise)
        shown = [draws[name] for name in _DISCRIMINATOR_DRAWS if name in draws]
        shifts = [draws["generator_shifts"]] if self.recipe.augment else []
        if self.recipe.updates == "together":
            made_for = np.resize(conditions, (len(noise), conditions.shape[1]))
            measured = dict(self._generator_step(images, made_for, noise, *shifts))
            fake = measured.pop("images")
            return measured | dict(self._discriminator_steps[0](images, conditions, fake, *shown))
        if self.recipe.updates == "halves":
            half = len(fake_noise)
            on_real, on_fake = self._discriminator_steps
            measured = dict(on_real(images[:half], conditions[:half], *shown[:2]))
            measured |= dict(on_fake(conditions[:half], fake_noise, *shown[2:]))
        else:
            measured = dict(self._discriminator_steps[0](images, conditions, fake_noise, *shown))
        return measured | dict(self._generator_step(images, conditions, noise, *shifts))

    def discriminator_accuracy(self, images: Float, conditions: Float, noise: Float) -> Mapping[str, float]:
        """Return which fractions of real images, and of images generated from ``noise``, are classified correctly.

        The images are fresh and shown as they are: the discriminator has not learned from them in this epoch's last
        step, and neither dropout nor augmentation takes part.
        """
        from keras import ops

        real_images = self._normalisation.normalise(images, learn=False)
        fake_images = self._generate(self.generator, noise, conditions, training=False)
        real, fake = self._discriminate_both(real_images, fake_images, conditions, None, None, training=False)
        found = {"fresh_real_accuracy": accuracy(real, real=True), "fresh_fake_accuracy": accuracy(fake, real=False)}
        return {name: float(ops.convert_to_numpy(value)) for name, value in found.items()}

    def noise(self, rng: Generator, n: int) -> Float:
        """Return latent points, ndarray of shape (n, latent_dim), or (n, latent_dim + 3) with augmentation, float32."""
        size = self.recipe.latent_dim + (DIHEDRAL_NUMBERS if self.recipe.augment else 0)
        if self.recipe.latent_distribution == "uniform":
            return rng.uniform(-1, 1, (n, size)).astype(np.float32)
        return rng.standard_normal((n, size), dtype=np.float32)

    def sample(self, noise: Float, conditions: Float) -> Float:
        """Return generated images, ndarray of shape (n, height, width, channels), float32."""
        from keras import ops

        images = np.empty((len(noise), *self.sampler.output_shape[1:]), np.float32)
        for start in range(0, len(noise), _CHUNK):
            points = noise[start : start + _CHUNK]
            padding = ((0, _CHUNK - len(points)), (0, 0))
            chunk = np.pad(points, padding), np.pad(conditions[start : start + _CHUNK], padding)
            values = ops.convert_to_numpy(self._generate(self.sampler, *chunk, training=False))[: len(points)]
            images[start : start + len(points)] = self._normalisation.invert(values)
        return images

    @property
    def latent_distribution(self) -> str:
        """``"normal"`` or ``"uniform"`` in [-1, 1]."""
        return self.recipe.latent_distribution

    def tensors(self, noise: Any, conditions: Any, *, name: str = "sampler") -> Any:
        """Return what `sample` does, written with `keras.ops` alone, for exports; ``name`` tells several GANs apart."""
        import keras
        from keras import ops

        points = noise[:, : self.recipe.latent_dim]
        inputs = [points, conditions] if self.networks.conditional_generator else points
        sampler = keras.Model(self.sampler.inputs, self.sampler.outputs[0], name=name)  # the same layers and weights
        images = ops.cast(sampler(inputs, training=False), "float32")
        if self.recipe.augment:
            images = dihedral(images, ops.cast(noise[:, self.recipe.latent_dim :] > 0, images.dtype))
        return self._normalisation.invert_tensors(images)

    def _generate(self, network: keras.Model, noise: Any, conditions: Any, *, training: bool) -> Any:
        from keras import ops

        points = noise[:, : self.recipe.latent_dim]
        inputs = [points, conditions] if self.networks.conditional_generator else points
        # Losses and pixels are computed in float32, whatever the precision of the layers.
        images = ops.cast(network(_tensors(inputs), training=training), "float32")
        if not self.recipe.augment:
            return images
        return dihedral(images, ops.cast(noise[:, self.recipe.latent_dim :] > 0, images.dtype))

    def _discriminate(self, images: Any, conditions: Any, shifts: Any, *, training: bool = True) -> DiscriminatorOutput:
        from keras import ops

        if shifts is not None:
            images = shift(images, shifts)
        inputs = [images, conditions] if self.networks.conditional_discriminator else images
        outputs = self.discriminator(_tensors(inputs), training=training)
        found = outputs if isinstance(outputs, list | tuple) else [outputs]
        return DiscriminatorOutput(*(ops.cast(each, "float32") for each in found))

    def _discriminate_both(
        self, real: Any, fake: Any, conditions: Any, real_shifts: Any, fake_shifts: Any, *, training: bool = True
    ) -> tuple[DiscriminatorOutput, DiscriminatorOutput]:
        """Return the outputs for real and generated images, in one pass where the recipe joins them."""
        from keras import ops

        def one(images: Any, shifts: Any) -> DiscriminatorOutput:
            made_for = conditions if len(conditions) == len(images) else None
            return self._discriminate(images, made_for, shifts, training=training)

        if not self.recipe.joint_batch:
            return one(real, real_shifts), one(fake, fake_shifts)
        shifts = None if real_shifts is None else ops.concatenate([real_shifts, fake_shifts])
        # Joined batches are for discriminators that do not take the conditions as an input.
        both = self._discriminate(ops.concatenate([real, fake]), None, shifts, training=training)
        n = real.shape[0]
        halves = [[None if each is None else each[part] for each in both] for part in (slice(n), slice(n, None))]
        return DiscriminatorOutput(*halves[0]), DiscriminatorOutput(*halves[1])

    def _real_images(self, images: Any, orientations: Any) -> Any:
        real = self._normalisation.normalise(images)
        return real if orientations is None else dihedral(real, orientations)

    def _discriminator_loss(self, images: Any, conditions: Any, noise: Any, *augmentation: Any) -> Any:
        fake = self._generate(self.generator, noise, conditions, training=True)
        return self._loss_on_images(images, conditions, fake, *augmentation)

    def _loss_on_images(self, images: Any, conditions: Any, fake_images: Any, *augmentation: Any) -> Any:
        """Return the discriminator's loss on images that are generated already."""
        from keras import ops

        orientations, real_shifts, fake_shifts = augmentation or (None, None, None)
        real_images = self._real_images(images, orientations)
        fixed = ops.stop_gradient(fake_images)
        real, fake = self._discriminate_both(real_images, fixed, conditions, real_shifts, fake_shifts)
        return self.recipe.objective.discriminator(real, fake, conditions)

    def _real_half_loss(self, images: Any, conditions: Any, orientations: Any = None, shifts: Any = None) -> Any:
        real = self._discriminate(self._real_images(images, orientations), conditions, shifts)
        return NonSaturating().real_half(real)

    def _fake_half_loss(self, conditions: Any, noise: Any, shifts: Any = None) -> Any:
        from keras import ops

        fake_images = ops.stop_gradient(self._generate(self.generator, noise, conditions, training=True))
        return NonSaturating().fake_half(self._discriminate(fake_images, conditions, shifts))

    def _generator_loss(self, images: Any, conditions: Any, noise: Any, shifts: Any = None) -> Any:
        fake_images = self._generate(self.generator, noise, conditions, training=True)
        if self.recipe.joint_batch:
            # The discriminator's statistics depend on the real half as well.
            real_images = self._normalisation.normalise(images)
            _, fake = self._discriminate_both(real_images, fake_images, conditions, shifts, shifts)
        else:
            fake = self._discriminate(fake_images, conditions, shifts)
        if self._steps:
            self._update_average()
        loss, measured = self.recipe.objective.generator(fake, conditions)
        return loss, (dict(measured) | {"images": fake_images} if self.recipe.updates == "together" else measured)

    def _update_average(self) -> None:
        """Move the average towards the weights before this step."""
        from keras import ops

        (steps,) = self._steps
        decay = ops.minimum(float(self.recipe.ema_decay or 0), (1.0 + steps.value) / (10.0 + steps.value))
        for mean, variable in zip(self.sampler.variables, self.generator.variables, strict=True):
            mean.assign(decay * mean.value + (1.0 - decay) * ops.stop_gradient(variable.value))
        steps.assign(steps.value + 1.0)


def _tensors(inputs: Any) -> Any:
    """Return arrays as tensors; a network does not take both at once."""
    from keras import ops

    return [ops.convert_to_tensor(each) for each in inputs] if isinstance(inputs, list) else inputs
