"""Networks and generators as graphs of Keras operations, with preparation and units inside, for every format."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from benchmarker import Classification, ConditionSpace, GenerativeModel, PluginError, Preparation, Task
from benchmarker_serving.models.latent import FRACTION_BITS, GOLDEN, LAST_SHIFT, MASK, STEPS

if TYPE_CHECKING:
    import keras
    import numpy as np
    from numpy.typing import NDArray

_SMALLEST = 1e-30
_LARGEST = 3e38


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A model that is ready to be exported.

    Parameters
    ----------
    model : keras.Model
        Functional model of built-in layers and operations; its inputs and outputs have the names below.
    inputs : mapping of str to tuple of int
        Shape of each input without the axis of the images.
    output : str
        Name of the output.
    seeded : callable or None
        ``seeded(seed[, conditions])``, which draws its own latent points; None for a network.
    uniform : bool
        Whether latent points are uniform in [-1, 1] instead of standard normal.
    """

    model: keras.Model
    inputs: Mapping[str, tuple[int, ...]]
    output: str
    seeded: Callable[..., Any] | None = None
    uniform: bool = False


class Traceable(Protocol):
    """The optional members of a `GenerativeModel` that an export needs."""

    latent_distribution: str

    def tensors(self, noise: Any, conditions: Any) -> Any:
        """Return what `GenerativeModel.sample` does, written with `keras.ops` alone."""


def network_graph(
    network: keras.Model,
    task: Task,
    *,
    preparation: Preparation | None = None,
    input_shape: tuple[int, int, int] | None = None,
    wide: bool = True,
) -> Graph:
    """Return a network with its outputs in the units of the task, and optionally with the preparation before it.

    Parameters
    ----------
    network : keras.Model
        Trained network.
    task : Task
        What it predicts.
    preparation : Preparation, optional
        Steps to take inside; by default the input is a prepared image.
    input_shape : tuple of int, optional
        Height, width and channels of an image before the preparation; those of the network by default.
    wide : bool
        Whether the preparation computes in float64, as that of a study does; not every format can.
    """
    import keras

    shape: tuple[int, int, int] = tuple(network.input_shape[1:]) if input_shape is None else input_shape
    images = keras.Input(shape, name="images", dtype="float32")
    prepared = images if preparation is None else prepare_tensors(images, preparation, shape, wide=wide)
    outputs = _decoded(keras.ops.cast(network(prepared, training=False), "float32"), task)
    name = "probabilities" if isinstance(task, Classification) else "values"
    return Graph(
        model=keras.Model(images, keras.layers.Identity(name=name)(outputs), name="network"),
        inputs={"images": shape},
        output=name,
    )


def _decoded(outputs: Any, task: Task) -> Any:
    import numpy as np
    from keras import ops

    if isinstance(task, Classification):
        total = ops.sum(outputs, axis=-1, keepdims=True)
        return outputs / ops.where(total > 0, total, 1.0)
    low = np.array([[target.minimum for target in task.targets]], np.float32)
    half = np.array([[(target.maximum - target.minimum) / 2 for target in task.targets]], np.float32)
    return outputs * half + (low + half)


def prepare_tensors(images: Any, preparation: Preparation, shape: tuple[int, int, int], *, wide: bool = True) -> Any:
    """Return prepared images as tensors: the steps of the preparation of a study, in the same order.

    Parameters
    ----------
    images : tensor of shape (n, height, width, channels), float32
        Pixels as published; NaN where there is no value.
    preparation : Preparation
        Which steps to take.
    shape : tuple of int
        Height, width and channels.
    wide : bool
        Whether to compute in float64.

    Returns
    -------
    tensor of shape (n, height, width, channels), float32

    Raises
    ------
    PluginError
        If the preparation has a step that cannot be written as a graph.

    Notes
    -----
    An image that a study would leave out, such as a constant one, gives finite numbers here, which mean nothing.
    """
    _refuse_other_steps(preparation)
    import numpy as np
    from keras import ops

    axes = (1, 2, 3)
    kind = "float64" if wide else "float32"
    # Constants instead of ops.zeros_like, which one converter writes as a product with 0, and that keeps NaN.
    known = ops.abs(images) < np.float32(_LARGEST)  # false for NaN in every format, unlike a test for finite numbers
    clean = ops.cast(ops.where(known, images, np.float32(0)), kind)
    valid = ops.cast(known, kind)
    zero, most = np.asarray(0.0, kind), np.asarray(_LARGEST, kind)
    largest = ops.max(ops.where(known, clean, -most), axis=axes, keepdims=True)
    lowest = ops.min(ops.where(known, clean, most), axis=axes, keepdims=True)
    if preparation.normalise:
        clean = (clean - lowest) / ops.maximum(largest - lowest, _SMALLEST)
        lowest = zero
    if preparation.clip_sigma is not None:
        count = ops.maximum(ops.sum(valid, axis=axes, keepdims=True), 1.0)
        mean = ops.sum(clean * valid, axis=axes, keepdims=True) / count
        variance = ops.sum(ops.square((clean - mean) * valid), axis=axes, keepdims=True) / count
        clean = ops.where(clean < mean + preparation.clip_sigma * ops.sqrt(variance), zero, clean)
        lowest = zero
    clean = ops.where(known, clean, lowest)
    if preparation.binary_threshold is not None:
        highest = ops.max(clean, axis=axes, keepdims=True)
        clean = ops.cast(clean > preparation.binary_threshold * highest, clean.dtype)
    height, width = shape[:2]
    if preparation.crop is not None:
        top, left = (height - preparation.crop) // 2, (width - preparation.crop) // 2
        clean = clean[:, top : top + preparation.crop, left : left + preparation.crop, :]
        height = width = preparation.crop
    clean = ops.cast(clean, "float32")
    if preparation.resize is not None and preparation.resize != height:
        matrix = resampling_matrix(height, preparation.resize)
        clean = ops.transpose(ops.matmul(ops.transpose(clean, (0, 3, 1, 2)), matrix.T), (0, 1, 3, 2))
        clean = ops.transpose(ops.matmul(clean, matrix.T), (0, 3, 2, 1))
    return clean


def _refuse_other_steps(preparation: Preparation) -> None:
    steps = preparation.model_dump()
    other = sorted(set(steps) - {"normalise", "clip_sigma", "binary_threshold", "crop", "resize"})
    if other:
        raise PluginError(
            f"the preparation cannot be written into the exported network: no graph does {', '.join(other)}. "
            "Export the network without its preparation, and prepare the images before it is called"
        )


@functools.cache
def resampling_matrix(old: int, new: int) -> NDArray[np.float32]:
    """Return the matrix that resamples a row of pixels as Pillow's triangle filter does, of shape (new, old).

    Examples
    --------
    >>> resampling_matrix(4, 2).round(3)
    array([[0.429, 0.429, 0.143, 0.   ],
           [0.   , 0.143, 0.429, 0.429]], dtype=float32)
    """
    import numpy as np
    from PIL import Image

    unit = Image.fromarray(np.eye(old, dtype=np.float32))
    return np.asarray(unit.resize((new, old), Image.Resampling.BILINEAR), dtype=np.float32).T.copy()


def generator_graph(
    generator: GenerativeModel, conditions: ConditionSpace, noise: Callable[[int], NDArray[np.float32]]
) -> Graph:
    """Return a generator as a graph from latent points, and conditions where it has any, to images.

    Parameters
    ----------
    generator : GenerativeModel
        Trained generator.
    conditions : ConditionSpace
        What its images are generated for.
    noise : callable
        Returns latent points of the generator; only their length is used.

    Raises
    ------
    PluginError
        If the generator cannot be written as a graph.
    """
    import keras

    if not hasattr(generator, "tensors") or not hasattr(generator, "latent_distribution"):
        raise PluginError(
            f"{type(generator).__name__} cannot be exported: it offers no `tensors` and `latent_distribution`, which "
            "draw its images with keras.ops alone; see benchmarker.GenerativeModel"
        )
    traceable = cast("Traceable", generator)
    size = int(noise(1).shape[1])
    latent = keras.Input((size,), name="latent", dtype="float32")
    inputs: dict[str, tuple[int, ...]] = {"latent": (size,)}
    given = [latent]
    if conditions.size:
        given.append(keras.Input((conditions.size,), name="conditions", dtype="float32"))
        inputs["conditions"] = (conditions.size,)
    images = keras.layers.Identity(name="images")(traceable.tensors(latent, given[1] if len(given) > 1 else None))
    model = keras.Model(given, images, name="generator")

    uniform = traceable.latent_distribution == "uniform"

    def seeded(seed: Any, made_for: Any = None) -> Any:
        points = latent_tensors(seed, size, uniform=uniform)
        return model([points] if made_for is None else [points, made_for], training=False)

    return Graph(model=model, inputs=inputs, output="images", seeded=seeded, uniform=uniform)


def latent_tensors(seeds: Any, size: int, *, uniform: bool) -> Any:
    """Return what `benchmarker_serving.models.latent.latent_points` does, as tensors of shape (n, size), float32."""
    import numpy as np
    from keras import ops

    places = np.arange(1, 2 * size + 1, dtype=np.int64)[None, :] * GOLDEN & MASK
    state = ops.bitwise_and(_mixed(ops.reshape(ops.cast(seeds, "int64"), (-1, 1))) + places, MASK)
    # The upper 24 bits are exact in float32; half a step keeps them off zero.
    numbers = (ops.cast(_mixed(state) // 256, "float32") + 0.5) / float(1 << FRACTION_BITS)
    first, second = numbers[:, :size], numbers[:, size:]
    if uniform:
        return 2.0 * first - 1.0
    return ops.sqrt(-2.0 * ops.log(first)) * ops.cos(2.0 * np.pi * second)


def _mixed(values: Any) -> Any:
    """Return a hash of numbers of 32 bits."""
    from keras import ops

    mixed = ops.bitwise_and(values, MASK)
    for divisor, multiplier in STEPS:
        mixed = ops.bitwise_and(ops.bitwise_xor(mixed, mixed // divisor) * multiplier, MASK)
    return ops.bitwise_xor(mixed, mixed // LAST_SHIFT)


def seeded_inputs(graph: Graph) -> Sequence[str]:
    """Return the names of the inputs of the seeded signature."""
    return ["seed", *(name for name in graph.inputs if name != "latent")]
