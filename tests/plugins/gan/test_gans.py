"""Generators `dcgan` and `cgan`: options, builders, training steps and samples."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pytest
from keras.ops import convert_to_numpy as to_numpy
from pydantic import ValidationError

from benchmarker import ConditionSpace, ConfigurationError, GenerativeModel, Options, Stream
from benchmarker.discovery import installed, options_model, resolve
from benchmarker_gan import cgan, dcgan
from benchmarker_gan.adversarial import Gan
from benchmarker_gan.per_class import GanPerClass
from benchmarker_gan.presets import RECIPES, CganOptions, DcganOptions, recipe

CLASSES = ConditionSpace(classes=("COMP", "FRI", "FRII"))
UNCONDITIONAL = ConditionSpace()


def values(model: GenerativeModel) -> list[Any]:
    return [to_numpy(variable) for variable in model.variables]


def step(model: GenerativeModel, targets: list[int], size: int = 8, seed: int = 1) -> Mapping[str, Any]:
    rng = Stream("test-gan", seed=seed).generator()
    images = rng.random((len(targets), size, size, 1), dtype=np.float32)
    return model.train_step(images, CLASSES.encode(np.array(targets), {}), model.draw(rng, len(targets)))


@pytest.mark.parametrize("name", ["dcgan", "cgan"])
def test_generator_has_a_builder_and_described_options(name: str) -> None:
    generator = installed().generator(name)
    assert callable(resolve(generator.builder))
    model = options_model(generator)
    assert model is not None
    assert issubclass(model, Options)
    assert all(field.description for field in model.model_fields.values())
    assert generator.citation
    with pytest.raises(ValidationError, match="nosuch"):
        model.model_validate({"nosuch": 1})


def test_options_import_no_numerical_library() -> None:
    code = (
        "import sys, benchmarker_gan, benchmarker_gan.presets; "
        "print([m for m in ('keras', 'scipy', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_published_presets_have_the_published_training() -> None:
    radio, colour, published = (RECIPES[name] for name in ("radio", "colour", "published"))
    assert (radio.discriminator_learning_rate, radio.generator_learning_rate) == (1e-4, 1e-4)
    assert (radio.batch_size, radio.beta_1) == (256, 0.9)
    assert (radio.latent_dim, radio.latent_distribution) == (100, "normal")
    assert (colour.discriminator_learning_rate, colour.generator_learning_rate) == (2e-4, 2e-4)
    assert colour.beta_1 == 0.5
    assert (published.discriminator_learning_rate, published.generator_learning_rate) == (1e-4, 4e-4)
    assert (published.batch_size, published.beta_1) == (64, 0.5)
    assert (published.latent_dim, published.latent_distribution) == (100, "uniform")
    assert not any(each.augment or each.ema_decay for each in (radio, colour, published))


def test_options_override_a_preset() -> None:
    changed = recipe("radio", DcganOptions(batch_size=8, ema_decay=0.5, augment=True))
    assert (changed.batch_size, changed.ema_decay, changed.augment, changed.latent_dim) == (8, 0.5, True, 100)
    assert recipe("small", DcganOptions(ema_decay=0)).ema_decay is None


def test_impossible_image_size_is_refused_with_preset_and_nearest_sizes() -> None:
    with pytest.raises(ConfigurationError, match=r"'small'.*128 and 160.*150 pixels"):
        dcgan.build((150, 150, 1), UNCONDITIONAL, 1)
    with pytest.raises(ConfigurationError, match=r"'radio'.*144 and 152.*150 pixels"):
        dcgan.build((150, 150, 1), UNCONDITIONAL, 1, DcganOptions(preset="radio"))
    with pytest.raises(ConfigurationError, match="32 x 64"):
        dcgan.build((32, 64, 1), UNCONDITIONAL, 1)
    with pytest.raises(ConfigurationError, match="16 pixels or more"):
        cgan.build((12, 12, 1), CLASSES, 1)


def test_cgan_needs_conditions() -> None:
    with pytest.raises(ConfigurationError, match="classes or attributes"):
        cgan.build((32, 32, 1), UNCONDITIONAL, 1)


def test_dcgan_without_classes_is_a_single_gan() -> None:
    assert isinstance(dcgan.build((8, 8, 1), UNCONDITIONAL, 1, DcganOptions(filters=4)), Gan)


def test_dcgan_refuses_continuous_conditions() -> None:
    space = ConditionSpace(attributes=("redshift",), units=("",), means=(0.1,), deviations=(0.1,))
    with pytest.raises(ConfigurationError, match=r"use cgan.*conditions redshift"):
        dcgan.build((8, 8, 1), space, 1)


def test_gan_of_a_class_learns_only_from_its_class() -> None:
    model = dcgan.build((8, 8, 1), CLASSES, 1, DcganOptions(filters=4, batch_size=2))
    assert isinstance(model, GanPerClass)
    assert model.batch_size == 6
    before = [values(gan) for gan in model.gans]
    step(model, [1] * 6)
    changed = [
        any(not np.array_equal(old, new) for old, new in zip(first, values(gan), strict=True))
        for first, gan in zip(before, model.gans, strict=True)
    ]
    assert changed == [False, True, False]


def test_samples_come_from_the_gan_of_their_class() -> None:
    model = dcgan.build((8, 8, 1), CLASSES, 1, DcganOptions(filters=4))
    assert isinstance(model, GanPerClass)
    noise = model.noise(Stream("noise").generator(), 4)
    conditions = CLASSES.encode(np.array([2, 0, 2, 1]), {})
    found = model.sample(noise, conditions)
    for k, number in enumerate((2, 0, 2, 1)):
        expected = model.gans[number].sample(noise[k : k + 1], conditions[k : k + 1])
        np.testing.assert_array_equal(found[k : k + 1], expected)
    assert not np.array_equal(model.gans[0].sample(noise, conditions), model.gans[1].sample(noise, conditions))


class Averaged(NamedTuple):
    """A model that samples from a moving average, and a kernel of its generator before each step."""

    model: Gan
    weights: list[Any]


@pytest.fixture(scope="module")
def averaged() -> Averaged:
    """A model that is compiled once for several tests."""
    model = cgan.build((16, 16, 1), CLASSES, 1, CganOptions(filters=4, ema_decay=0.9))
    assert isinstance(model, Gan)
    weights = []
    for k in range(3):
        weights.append(to_numpy(model.generator.trainable_variables[0]))
        step(model, [0, 1, 2, 0], size=16, seed=k)
    return Averaged(model, weights)


def test_sampler_is_a_moving_average_with_a_short_initial_memory(averaged: Averaged) -> None:
    model, weights = averaged
    average = model.sampler.trainable_variables[0]
    expected = weights[0]
    for k in (1, 2):
        decay = (1 + k) / (10 + k)
        expected = decay * expected + (1 - decay) * weights[k]
    np.testing.assert_allclose(to_numpy(average), expected, rtol=1e-5, atol=1e-7)
    assert any(variable is average for variable in model.sampling_variables)


def test_samples_depend_on_conditions_and_latent_points() -> None:
    model = cgan.build((20, 20, 1), CLASSES, 1, CganOptions(filters=4))
    noise = model.noise(Stream("noise").generator(), 2)
    first, second = (np.full(2, number) for number in (0, 1))
    images = model.sample(noise, CLASSES.encode(first, {}))
    assert images.shape == (2, 20, 20, 1)
    assert not np.array_equal(images, model.sample(noise, CLASSES.encode(second, {})))
    assert not np.array_equal(images[0], images[1])


def test_draws_contain_all_random_inputs_of_a_step() -> None:
    model = dcgan.build((8, 8, 1), CLASSES, 1, DcganOptions(filters=4))
    draws = model.draw(Stream("draws").generator(), 9)
    assert {name: array.shape for name, array in draws.items()} == {
        "discriminator_noise": (3, 3, 67),
        "generator_noise": (3, 3, 67),
        "orientations": (3, 3, 3),
        "real_shifts": (3, 3, 2),
        "discriminator_shifts": (3, 3, 2),
        "generator_shifts": (3, 3, 2),
    }
    assert all(array.dtype == np.float32 for array in draws.values())


def test_last_latent_numbers_orient_a_sample(averaged: Averaged) -> None:
    model = averaged.model
    noise = np.repeat(model.noise(Stream("noise").generator(), 1), 3, axis=0)
    noise[:, -3:] = [[1, 1, 1], [-1, 1, 1], [1, 1, -1]]
    plain, mirrored, exchanged = model.sample(noise, CLASSES.encode(np.zeros(3, int), {}))[..., 0]
    assert plain.std() > 0
    np.testing.assert_array_equal(mirrored, plain[:, ::-1])
    np.testing.assert_array_equal(exchanged, plain.T)


def test_zero_loss_weight_removes_the_auxiliary_network() -> None:
    auxiliary = cgan.build((16, 16, 1), CLASSES, 1, CganOptions(filters=4))
    plain = cgan.build((16, 16, 1), CLASSES, 1, CganOptions(filters=4, class_loss_weight=0))
    assert "d_condition_error_real" in step(auxiliary, [0, 1, 2, 0], size=16)
    assert "d_condition_error_real" not in step(plain, [0, 1, 2, 0], size=16)
    assert len(plain.variables) < len(auxiliary.variables)
