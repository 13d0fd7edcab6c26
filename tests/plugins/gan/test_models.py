"""The generators `dcgan` and `cgan`: what they are built for, and who learns from what."""

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
from benchmarker_gan.options import CganOptions, DcganOptions
from benchmarker_gan.pair import Pair
from benchmarker_gan.per_class import PerClass
from benchmarker_gan.recipes import RECIPES, recipe

CLASSES = ConditionSpace(classes=("COMP", "FRI", "FRII"))
NOTHING = ConditionSpace()


def values(model: GenerativeModel) -> list[Any]:
    return [to_numpy(variable) for variable in model.variables]


def step(model: GenerativeModel, targets: list[int], size: int = 8, seed: int = 1) -> Mapping[str, Any]:
    rng = Stream("test-gan", seed=seed).generator()
    images = rng.random((len(targets), size, size, 1), dtype=np.float32)
    return model.train_step(images, CLASSES.encode(np.array(targets), {}), model.draw(rng, len(targets)))


@pytest.mark.parametrize("name", ["dcgan", "cgan"])
def test_builders_options_and_descriptions_exist(name: str) -> None:
    generator = installed().generator(name)
    assert callable(resolve(generator.builder))
    model = options_model(generator)
    assert model is not None
    assert issubclass(model, Options)
    assert all(field.description for field in model.model_fields.values())
    assert generator.citation
    with pytest.raises(ValidationError, match="nosuch"):
        model.model_validate({"nosuch": 1})


def test_registering_imports_nothing_heavy() -> None:
    code = (
        "import sys, benchmarker_gan, benchmarker_gan.options; "
        "print([m for m in ('keras', 'scipy', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_presets_train_as_published() -> None:
    radio, colour, published = (RECIPES[name] for name in ("radio", "colour", "published"))
    assert (radio.batch_size, radio.discriminator_rate, radio.generator_rate, radio.beta1) == (256, 1e-4, 1e-4, 0.9)
    assert (radio.latent, radio.distribution) == (100, "normal")
    assert (colour.discriminator_rate, colour.generator_rate, colour.beta1) == (2e-4, 2e-4, 0.5)
    assert (published.batch_size, published.discriminator_rate, published.generator_rate) == (64, 1e-4, 4e-4)
    assert (published.beta1, published.latent, published.distribution) == (0.5, 100, "uniform")
    assert not any(each.augmented or each.average for each in (radio, colour, published))


def test_options_change_a_preset() -> None:
    changed = recipe("radio", DcganOptions(batch_size=8, average=0.5, augmented=True))
    assert (changed.batch_size, changed.average, changed.augmented, changed.latent) == (8, 0.5, True, 100)
    assert recipe("small", DcganOptions(average=0)).average is None


def test_other_sizes_name_preset_and_nearest() -> None:
    with pytest.raises(ConfigurationError, match=r"'small'.*128 and 160.*150 pixels"):
        dcgan.build((150, 150, 1), NOTHING, 1)
    with pytest.raises(ConfigurationError, match=r"'radio'.*144 and 152.*150 pixels"):
        dcgan.build((150, 150, 1), NOTHING, 1, DcganOptions(preset="radio"))
    with pytest.raises(ConfigurationError, match="32 x 64"):
        dcgan.build((32, 64, 1), NOTHING, 1)
    with pytest.raises(ConfigurationError, match="16 pixels or more"):
        cgan.build((12, 12, 1), CLASSES, 1)


def test_cgan_needs_something_to_make_images_for() -> None:
    with pytest.raises(ConfigurationError, match="needs classes or attributes"):
        cgan.build((32, 32, 1), NOTHING, 1)


def test_without_classes_there_is_one_dcgan_for_all() -> None:
    assert isinstance(dcgan.build((8, 8, 1), NOTHING, 1, DcganOptions(width=4)), Pair)


def test_dcgan_refuses_conditions_that_it_would_not_follow() -> None:
    space = ConditionSpace(attributes=("redshift",), units=("",), means=(0.1,), deviations=(0.1,))
    with pytest.raises(ConfigurationError, match="conditions redshift; leave them out, or use cgan"):
        dcgan.build((8, 8, 1), space, 1)


def test_a_dcgan_per_class_learns_from_its_class_alone() -> None:
    model = dcgan.build((8, 8, 1), CLASSES, 1, DcganOptions(width=4, batch_size=2))
    assert isinstance(model, PerClass)
    assert model.batch_size == 6
    before = [values(pair) for pair in model.pairs]
    step(model, [1] * 6)
    changed = [
        any(not np.array_equal(old, new) for old, new in zip(first, values(pair), strict=True))
        for first, pair in zip(before, model.pairs, strict=True)
    ]
    assert changed == [False, True, False]


def test_samples_come_from_the_dcgan_of_their_class() -> None:
    model = dcgan.build((8, 8, 1), CLASSES, 1, DcganOptions(width=4))
    assert isinstance(model, PerClass)
    noise = model.noise(Stream("noise").generator(), 4)
    conditions = CLASSES.encode(np.array([2, 0, 2, 1]), {})
    found = model.sample(noise, conditions)
    for place, number in enumerate((2, 0, 2, 1)):
        own = model.pairs[number].sample(noise[place : place + 1], conditions[place : place + 1])
        np.testing.assert_array_equal(found[place : place + 1], own)
    assert not np.array_equal(model.pairs[0].sample(noise, conditions), model.pairs[1].sample(noise, conditions))


class Averaged(NamedTuple):
    """A model whose sampler is a moving average, and a kernel of its generator before each of its steps."""

    model: Pair
    weights: list[Any]


@pytest.fixture(scope="module")
def averaged() -> Averaged:
    """Compiled once for several tests."""
    model = cgan.build((16, 16, 1), CLASSES, 1, CganOptions(width=4, average=0.9))
    assert isinstance(model, Pair)
    weights = []
    for k in range(3):
        weights.append(to_numpy(model.generator.trainable_variables[0]))
        step(model, [0, 1, 2, 0], size=16, seed=k)
    return Averaged(model, weights)


def test_the_sampler_is_a_moving_average_with_a_short_memory_at_first(averaged: Averaged) -> None:
    model, weights = averaged
    average = model.sampler.trainable_variables[0]
    expected = weights[0]
    for k in (1, 2):
        decay = (1 + k) / (10 + k)
        expected = decay * expected + (1 - decay) * weights[k]
    np.testing.assert_allclose(to_numpy(average), expected, rtol=1e-5, atol=1e-7)
    assert any(variable is average for variable in model.sampling_variables)


def test_images_depend_on_conditions_and_latent_points() -> None:
    model = cgan.build((20, 20, 1), CLASSES, 1, CganOptions(width=4))
    noise = model.noise(Stream("noise").generator(), 2)
    first, second = (np.full(2, number) for number in (0, 1))
    images = model.sample(noise, CLASSES.encode(first, {}))
    assert images.shape == (2, 20, 20, 1)
    assert not np.array_equal(images, model.sample(noise, CLASSES.encode(second, {})))
    assert not np.array_equal(images[0], images[1])


def test_all_random_inputs_of_a_step_are_drawn() -> None:
    model = dcgan.build((8, 8, 1), CLASSES, 1, DcganOptions(width=4))
    draws = model.draw(Stream("draws").generator(), 9)
    assert {name: array.shape for name, array in draws.items()} == {
        "discriminator_noise": (3, 3, 67),
        "generator_noise": (3, 3, 67),
        "turns": (3, 3, 3),
        "real_shifts": (3, 3, 2),
        "discriminator_shifts": (3, 3, 2),
        "generator_shifts": (3, 3, 2),
    }
    assert all(array.dtype == np.float32 for array in draws.values())


def test_the_last_latent_numbers_mirror_and_turn_a_sample(averaged: Averaged) -> None:
    model = averaged.model
    noise = np.repeat(model.noise(Stream("noise").generator(), 1), 3, axis=0)
    noise[:, -3:] = [[1, 1, 1], [-1, 1, 1], [1, 1, -1]]
    plain, mirrored, exchanged = model.sample(noise, CLASSES.encode(np.zeros(3, int), {}))[..., 0]
    assert plain.std() > 0
    np.testing.assert_array_equal(mirrored, plain[:, ::-1])
    np.testing.assert_array_equal(exchanged, plain.T)


def test_without_a_weight_of_conditions_nothing_predicts_them() -> None:
    judged = cgan.build((16, 16, 1), CLASSES, 1, CganOptions(width=4))
    alone = cgan.build((16, 16, 1), CLASSES, 1, CganOptions(width=4, class_weight=0))
    assert "d_condition_error_real" in step(judged, [0, 1, 2, 0], size=16)
    assert "d_condition_error_real" not in step(alone, [0, 1, 2, 0], size=16)
    assert len(alone.variables) < len(judged.variables)
