"""The conformance check for architectures detects every broken rule."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from benchmarker import Architecture, PluginError, Task, layer_seeds
from benchmarker.testing import check_architecture

Shape = tuple[int, int, int]
Check = Callable[..., None]


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Check:
    """Return a function that checks a builder as if it belonged to an installed package."""

    def run(builder: Callable[..., Any], minimum_size: int = 3) -> None:
        module = ModuleType("third_party_networks")
        vars(module)["network"] = builder
        monkeypatch.setitem(sys.modules, module.__name__, module)
        check_architecture(
            Architecture(
                name="theirs", builder="third_party_networks:network", citation="their paper", minimum_size=minimum_size
            )
        )

    return run


def network(
    shape: Shape, task: Task, seed: int, *, middle: Any = (), seeds: Any = None, last: str | None = None, **output: Any
) -> Any:
    """Build a small network that conforms, except for what the caller changes."""
    import keras
    from keras import initializers, layers

    seeds = layer_seeds(seed) if seeds is None else seeds
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(4, 3, activation="relu", kernel_initializer=initializers.HeNormal(seed=next(seeds))),
            *middle,
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.5, seed=next(seeds)),
            layers.Dense(
                output.get("units", task.n_outputs),
                activation=last or task.output_activation,
                dtype=output.get("dtype", "float32"),
                kernel_initializer=initializers.GlorotUniform(seed=next(seeds)),
            ),
        ]
    )


def test_conforming_network_passes(check: Check) -> None:
    check(network)


def test_result_that_is_no_model_is_reported(check: Check) -> None:
    with pytest.raises(PluginError, match=r"'theirs'.*must return a keras.Model. Received: str"):
        check(lambda *_: "a network")


def test_wrong_number_of_outputs_is_reported(check: Check) -> None:
    with pytest.raises(PluginError, match=r"shape \(8, 3\). Received: \(8, 7\)"):
        check(lambda *given: network(*given, units=7))


def test_outputs_that_are_no_probabilities_are_reported(check: Check) -> None:
    with pytest.raises(PluginError, match="probabilities"):
        check(lambda *given: network(*given, last="log_softmax"))


def test_layer_without_a_seed_is_reported(check: Check) -> None:
    from keras import layers

    with pytest.raises(PluginError, match=r"does not seed wild\.kernel_initializer\.config"):
        check(lambda *given: network(*given, middle=[layers.Conv2D(4, 1, name="wild", kernel_initializer="he_normal")]))


def test_seed_shared_by_two_layers_is_reported(check: Check) -> None:
    from itertools import repeat

    with pytest.raises(PluginError, match=r"gives dropout\S* the same seed as conv2d"):
        check(lambda shape, task, seed: network(shape, task, seed, seeds=repeat(seed)))


def test_weights_that_ignore_the_seed_are_reported(check: Check) -> None:
    with pytest.raises(PluginError, match="same initial weights with every seed"):
        check(lambda shape, task, _: network(shape, task, 1))


def test_weights_that_differ_between_builds_are_reported(check: Check) -> None:
    builds = iter(range(9))
    with pytest.raises(PluginError, match="other initial weights when it is built again"):
        check(lambda shape, task, _: network(shape, task, next(builds)))


def test_weights_without_a_gradient_are_reported(check: Check) -> None:
    from keras import initializers, layers

    def dead(shape: Shape, task: Task, seed: int) -> Any:
        start = initializers.HeNormal(seed=1)
        shut = layers.Conv2D(
            4, 1, activation="relu", kernel_initializer=start, bias_initializer=initializers.Constant(-1e6)
        )
        return network(shape, task, seed, middle=[shut])

    with pytest.raises(PluginError, match=r"passes no gradient to: .*conv2d"):
        check(dead)


def test_half_precision_outputs_are_reported(check: Check) -> None:
    with pytest.raises(PluginError, match="returns bfloat16 in mixed precision"):
        check(lambda *given: network(*given, dtype=None))


def test_minimum_size_that_is_too_large_is_reported(check: Check) -> None:
    with pytest.raises(PluginError, match="minimum_size of 4, but can be built for 3 px"):
        check(network, minimum_size=4)


def test_minimum_size_that_is_too_small_is_reported(check: Check) -> None:
    with pytest.raises(PluginError, match="minimum_size of 2, but cannot be built for it"):
        check(network, minimum_size=2)
