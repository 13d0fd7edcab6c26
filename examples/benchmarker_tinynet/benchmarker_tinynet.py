"""A plugin package with one network, in twelve lines."""

from typing import Any

from benchmarker import Architecture, Registrar, Task, hookimpl, layer_seeds


@hookimpl
def benchmarker_register(registrar: Registrar) -> None:
    registrar.architecture(Architecture(name="tinynet", builder="benchmarker_tinynet:build", citation="your paper"))


def build(input_shape: tuple[int, int, int], task: Task, seed: int) -> Any:
    from keras import Input, Sequential, initializers, layers

    starts = (initializers.HeNormal(seed=layer_seed) for layer_seed in layer_seeds(seed))
    blocks = [layers.Conv2D(n, 5, 2, "same", activation="relu", kernel_initializer=next(starts)) for n in (16, 32, 64)]
    output = layers.Dense(task.n_outputs, task.output_activation, kernel_initializer=next(starts), dtype="float32")
    return Sequential([Input(input_shape), *blocks, layers.GlobalMaxPooling2D(), output], name="tinynet")
