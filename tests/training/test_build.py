"""Building networks: initial weights, settings, and builders that break the contract."""

from __future__ import annotations

import random  # noqa: TID251 - to prove that what draws from it does not matter
import sys
import types
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest

from benchmarker import (
    Architecture,
    Classification,
    ConfigurationError,
    DataError,
    Options,
    PluginError,
    Regression,
    RegressionTarget,
    Task,
    layer_seeds,
)
from benchmarker.training.build import build_model, check_size
from benchmarker.training.fit import digest_weights

TASK = Classification(classes=("compact", "FRI", "FRII"))
INCLINATION = Regression(targets=(RegressionTarget(name="inclination", unit="deg", minimum=45, maximum=90),))
SHAPE = (6, 5, 1)
HEAVY = Architecture(name="heavy", builder="fake_networks:build", citation="none", minimum_size=5)


class Width(Options):
    """Options of a network."""

    width: int = 4
    """Units."""


def _network(units: int, *middle: Any) -> keras.Model:
    return keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), *middle, keras.layers.Dense(units)])


def _seeded(_shape: Any, task: Task, seed: int) -> keras.Model:
    seeds = layer_seeds(seed)
    he = keras.initializers.HeNormal
    middle = keras.layers.Dense(8, kernel_initializer=he(next(seeds))), keras.layers.Dropout(0.5, seed=next(seeds))
    return _network(task.n_outputs, *middle)


def _forgetful(_shape: Any, task: Task, _seed: int) -> keras.Model:
    """Ignores its seed, and adds noise from the global generator."""
    model = _network(task.n_outputs, keras.layers.Dense(8))
    model.set_weights([weight + random.random() for weight in model.get_weights()])
    return model


@pytest.fixture(autouse=True)
def networks(monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    """The module of the builder; the dtype policy is restored afterwards."""
    module = types.ModuleType("fake_networks")
    vars(module)["build"] = _seeded
    monkeypatch.setitem(sys.modules, "fake_networks", module)
    before = keras.config.dtype_policy()
    yield module
    keras.config.set_dtype_policy(before)


def _build(seed: int = 8901, task: Task = TASK, **more: Any) -> keras.Model:
    return build_model(HEAVY, None, SHAPE, task, seed=seed, **more)


@pytest.mark.parametrize("builder", [_seeded, _forgetful])
def test_initial_weights_depend_on_the_seed_only(builder: Any, networks: types.ModuleType) -> None:
    vars(networks)["build"] = builder
    first = digest_weights(_build())
    _network(2, keras.layers.Dense(3))
    random.random()
    keras.utils.set_random_seed(5)
    assert digest_weights(_build()) == first
    assert digest_weights(_build(seed=1826)) != first


def test_initial_weights_depend_on_the_architecture() -> None:
    other = Architecture(name="other", builder="fake_networks:build", citation="none")
    assert digest_weights(build_model(other, None, SHAPE, TASK, seed=8901)) != digest_weights(_build())


def test_builder_receives_shape_task_and_a_derived_seed(networks: types.ModuleType) -> None:
    received: list[Any] = []

    def build(*arguments: Any) -> keras.Model:
        received.append(arguments)
        return _network(TASK.n_outputs)

    vars(networks)["build"] = build
    _build()
    _build(seed=1826)
    (shape, task, seed), (_, _, other) = received
    assert (shape, task) == (SHAPE, TASK)
    assert isinstance(seed, int)
    assert 0 <= seed < 2**31
    assert len({seed, other, 8901, 1826}) == 4


def test_builder_receives_options(networks: types.ModuleType) -> None:
    def build(_shape: Any, task: Task, _seed: int, options: Width) -> keras.Model:
        return _network(task.n_outputs, keras.layers.Dense(options.width))

    vars(networks)["build"] = build
    described = Architecture(name="wide", builder="fake_networks:build", citation="none", options="x:Width")
    model = build_model(described, Width(width=9), SHAPE, TASK, seed=1)
    assert model.layers[-2].units == 9


def test_images_below_the_minimum_size_are_refused(networks: types.ModuleType) -> None:
    vars(networks)["build"] = None
    with pytest.raises(ConfigurationError, match=r"heavy needs images of at least 5 x 5 pixels\. Received: 6 x 4"):
        build_model(HEAVY, None, (6, 4, 1), TASK, seed=1)
    with pytest.raises(ConfigurationError, match=r"Received: 4 x 6"):
        check_size(HEAVY, (4, 6, 3))
    check_size(HEAVY, (5, 5, 1))


def test_exception_of_a_builder_is_a_plugin_error(networks: types.ModuleType) -> None:
    def build(*_arguments: Any) -> keras.Model:
        raise ZeroDivisionError("no galaxies")

    vars(networks)["build"] = build
    expected = r"building 'heavy' for images of \(6, 5, 1\) failed: ZeroDivisionError: no galaxies"
    with pytest.raises(PluginError, match=expected) as caught:
        _build()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_builder_with_other_arguments_is_a_plugin_error(networks: types.ModuleType) -> None:
    vars(networks)["build"] = lambda shape: shape
    with pytest.raises(PluginError, match="TypeError"):
        _build()


def test_errors_of_the_benchmarker_are_not_wrapped(networks: types.ModuleType) -> None:
    def build(*_arguments: Any) -> keras.Model:
        raise DataError("weights to start from are missing")

    vars(networks)["build"] = build
    with pytest.raises(DataError, match=r"^weights to start from are missing$"):
        _build()


class Subclassed(keras.Model):  # type: ignore[misc]
    """A network without known shapes."""

    def call(self, images: Any) -> Any:
        return images


def _two_outputs() -> keras.Model:
    images = keras.Input(SHAPE)
    flat = keras.layers.Flatten()(images)
    return keras.Model(images, [keras.layers.Dense(3)(flat), keras.layers.Dense(3)(flat)])


@pytest.mark.parametrize(
    ("made", "received"),
    [
        (lambda: _network(4), "(None, 4)"),
        (lambda: keras.Sequential([keras.Input(SHAPE), keras.layers.Dense(3)]), "(None, 6, 5, 3)"),
        (_two_outputs, "[(None, 3), (None, 3)]"),
        (Subclassed, "Subclassed"),
        (lambda: None, "NoneType"),
        (lambda: keras.layers.Dense(3), "Dense"),
    ],
)
def test_builder_that_returns_something_else_is_a_plugin_error(
    made: Any, received: str, networks: types.ModuleType
) -> None:
    vars(networks)["build"] = lambda *_arguments: made()
    with pytest.raises(PluginError) as caught:
        _build()
    message = str(caught.value)
    assert message.startswith("fake_networks:build must return a keras.Model with outputs of shape (None, 3). ")
    assert received in message.partition("Received: ")[2]


def test_regression_needs_an_output_for_each_target() -> None:
    assert _build(task=INCLINATION).output_shape == (None, 1)


def test_precision_does_not_carry_over_between_cells() -> None:
    assert _build(precision="mixed_bfloat16").layers[1].compute_dtype == "bfloat16"
    model = _build()
    assert model.layers[1].compute_dtype == "float32"
    assert np.asarray(model.get_weights()[0]).dtype == np.float32


def test_keras_settings_of_the_user_change_nothing(networks: types.ModuleType) -> None:
    seen: list[tuple[str, float, str]] = []

    def look(_shape: Any, task: Task, _seed: int) -> keras.Model:
        seen.append((keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format()))
        return _network(task.n_outputs)

    vars(networks)["build"] = look
    keras.config.set_floatx("float16")
    keras.config.set_epsilon(1e-3)
    keras.config.set_image_data_format("channels_first")
    build_model(HEAVY, None, SHAPE, TASK, seed=8901)
    assert seen == [("float32", 1e-7, "channels_last")]
