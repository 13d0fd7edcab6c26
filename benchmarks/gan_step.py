"""Overhead of the harness for a GAN: its training step, against a hand-written TensorFlow step of the same networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarker import ConditionSpace, Stream
from benchmarker.backends import chosen, load
from benchmarker.discovery import installed, options_model, resolve
from benchmarks.inputs import SEED
from benchmarks.measure import Figure, alternate, print_figures

THREADS = 2
SIZE = 64
BATCH = 64
STEPS = 10
TURNS = 15
LIMIT = 1.05

Floats = np.ndarray[Any, np.dtype[np.float32]]


def build() -> Any:
    """Return the DCGAN of the published recipe, which does nothing that the bare loop does not do."""
    generator = installed().generator("dcgan")
    options = options_model(generator)
    if options is None:
        raise TypeError("the generator dcgan must have options")
    chosen_options = options.model_validate({"preset": "radio", "filters": 16, "batch_size": BATCH})
    return resolve(generator.builder)((SIZE, SIZE, 1), ConditionSpace(), SEED, chosen_options)


def bare_step(model: Any) -> Callable[[Floats, Floats], None]:
    """Return the usual training step of a DCGAN, with two gradient tapes, for the networks of a model."""
    optimisers = [keras.optimizers.Adam(2e-4, beta_1=0.5) for _ in range(2)]
    networks = (model.discriminator, model.generator)
    entropy = keras.losses.BinaryCrossentropy(from_logits=True)
    for optimiser, network in zip(optimisers, networks, strict=True):
        optimiser.build(network.trainable_variables)

    def learn(loss: Callable[[], Any], optimiser: Any, network: Any) -> Any:
        variables = network.trainable_weights
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([variable.value for variable in variables])
            value = loss()
        optimiser.apply(tape.gradient(value, [variable.value for variable in variables]), variables)
        return value

    @tf.function(jit_compile=False)  # type: ignore[untyped-decorator]
    def step(images: Any, noise: Any) -> Any:
        discriminator, generator = networks
        made = []

        def generator_loss() -> Any:
            made.append(generator(noise, training=True))
            fake = discriminator(made[0], training=True)
            return entropy(tf.ones_like(fake), fake)

        def discriminator_loss() -> Any:
            real, fake = (discriminator(each, training=True) for each in (images * 2.0 - 1.0, made[0]))
            return entropy(tf.ones_like(real), real) + entropy(tf.zeros_like(fake), fake)

        g_loss = learn(generator_loss, optimisers[1], generator)
        return g_loss, learn(discriminator_loss, optimisers[0], discriminator)

    def from_arrays(images: Floats, noise: Floats) -> None:
        [float(loss) for loss in step(images, noise)]

    return from_arrays


def main() -> None:
    """Measure."""
    load(chosen()).configure(THREADS, SEED)
    rng = Stream("benchmark gan").generator()
    images = rng.random((BATCH, SIZE, SIZE, 1), dtype=np.float32)
    conditions = np.zeros((BATCH, 0), np.float32)
    ours, rival = build(), build()
    bare = bare_step(rival)

    def harness_steps() -> None:
        for _ in range(STEPS):
            measured = ours.train_step(images, conditions, ours.draw(rng, BATCH))
            [float(value) for value in measured.values()]

    def bare_steps() -> None:
        for _ in range(STEPS):
            draws = rival.draw(rng, BATCH)
            bare(images, draws["generator_noise"])

    harness_seconds, bare_seconds = alternate(harness_steps, bare_steps, repeats=TURNS)
    print_figures(
        Figure(
            name=f"step of a DCGAN / bare TensorFlow loop, {SIZE} px, batches of {BATCH}",
            rival="a tf.function with two gradient tapes on the same networks, optimisers and latent points",
            ratio=harness_seconds / bare_seconds,
            bound="at most",
            limit=LIMIT,
            measured={"harness_step_seconds": harness_seconds / STEPS, "bare_step_seconds": bare_seconds / STEPS},
        )
    )


if __name__ == "__main__":
    main()
