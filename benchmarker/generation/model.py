"""A generator as a model: built, its weights written and read, and images drawn from it in batches of one size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np
from numpy.typing import NDArray

from benchmarker.containment import PluginErrors
from benchmarker.contracts.generation import ConditionSpace, GenerativeModel
from benchmarker.data.npz import open_npz
from benchmarker.digests import digest_arrays
from benchmarker.discovery import Plugins, resolve
from benchmarker.errors import DataError, DivergedError, PluginError, StorageError
from benchmarker.files import atomic_write, open_ordinary
from benchmarker.randomness import Stream
from benchmarker.registry import validated_options
from benchmarker.study.specs import GeneratorSpec
from benchmarker.training.build import fix_settings
from benchmarker.training.snapshots import to_array

_OFFERED = ("variables", "sampling_variables", "batch_size", "draw", "train_step", "noise", "sample")

SAMPLE_BATCH = 64
"""Images that are drawn at a time. The bits of an image may depend on it, so it is the same in every use."""


def build_generator(
    plugins: Plugins, spec: GeneratorSpec, conditions: ConditionSpace, image_shape: tuple[int, int, int]
) -> GenerativeModel:
    """Build a generator under its stream; the same arguments always give the same initial weights.

    Parameters
    ----------
    plugins : Plugins
        Plugins to look its name up in.
    spec : GeneratorSpec
        Specification of the generator.
    conditions : ConditionSpace
        What its images are generated for.
    image_shape : tuple of int
        Height, width and channels of an image, in pixels.

    Raises
    ------
    PluginError
        If the builder fails, or does not return a generative model.
    """
    generator = plugins.generator(spec.generator.name)
    options = validated_options(generator, spec.generator.options)
    fix_settings(spec.training.precision)
    seed = Stream("weights", seed=spec.seed, generator=generator.name).seed()
    # Even a builder that forgets to pass its seed to a layer gets the same weights every time.
    keras.utils.set_random_seed(seed)
    build = resolve(generator.builder)
    arguments = (image_shape, conditions, seed, *(() if generator.options is None else (options,)))
    with PluginErrors(f"building {generator.name!r} for images of {image_shape}"):
        model = build(*arguments)
        missing = [name for name in _OFFERED if not hasattr(model, name)]
    if missing:
        raise PluginError(
            f"{generator.builder} must return a GenerativeModel. Received: {type(model).__name__} without "
            f"{', '.join(missing)}"
        )
    return cast("GenerativeModel", model)


class Sampler:
    """Draws images from a generator in constant memory; image k depends on the stream, on k and on its condition.

    Parameters
    ----------
    model : GenerativeModel
        Model with the weights to draw from.
    image_shape : tuple of int
        Height, width and channels that its images must have.
    """

    def __init__(self, model: GenerativeModel, image_shape: tuple[int, int, int]) -> None:
        self._model = model
        self._shape = image_shape

    def __call__(self, conditions: NDArray[np.float32], stream: Stream) -> Iterator[NDArray[np.float32]]:
        """Yield the images of encoded conditions of shape (n, size), in batches of at most 64.

        Raises
        ------
        DivergedError
            If a pixel is not a finite number.
        PluginError
            If the images have the wrong shape.
        """
        for index, start in enumerate(range(0, len(conditions), SAMPLE_BATCH)):
            rows = conditions[start : start + SAMPLE_BATCH]
            noise = self._model.noise(stream.child("batch", index=index).generator(), SAMPLE_BATCH)
            # The last batch is filled up, because a smaller one would be another computation.
            yield self.images(noise, rows[np.arange(SAMPLE_BATCH) % len(rows)])[: len(rows)]

    def images(self, noise: NDArray[np.float32], conditions: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the images of latent points, ndarray of shape (n, height, width, channels), float32."""
        drawn = self._model.sample(noise, conditions)
        found = np.asarray(keras.ops.convert_to_numpy(drawn), dtype=np.float32)
        if found.shape != (len(noise), *self._shape):
            raise PluginError(
                f"a generator's samples must have the shape {(len(noise), *self._shape)}. Received: {found.shape}"
            )
        if not np.isfinite(found).all():
            raise DivergedError("the generator makes images with NaN or infinity; try a smaller learning rate")
        return found


def digest_variables(variables: Any) -> str:
    """Return the SHA-256 of variables, in their order."""
    # Named by position, because Keras numbers paths by what else this process has built.
    return digest_arrays((str(k), to_array(variable)) for k, variable in enumerate(variables))


def save_weights(model: GenerativeModel, path: Path) -> None:
    """Write what sampling needs, atomically and always into the same bytes."""
    arrays: dict[str, Any] = {f"{k:05d}": to_array(variable) for k, variable in enumerate(model.sampling_variables)}
    with atomic_write(path) as stream:
        np.savez(stream, allow_pickle=False, **arrays)


def load_weights(model: GenerativeModel, path: Path) -> None:
    """Set what sampling needs to what `save_weights` wrote.

    Raises
    ------
    StorageError
        If the file cannot be read, or holds other variables.
    """
    try:
        with open_ordinary(path) as stream, open_npz(stream, most_bytes=path.stat().st_size) as file:
            arrays = [file[name] for name in sorted(file)]
    except (OSError, DataError) as error:
        raise StorageError(
            f"{path}: holds no weights of a generator ({error}); run its study again with --force"
        ) from error
    wanted = [tuple(variable.shape) for variable in model.sampling_variables]
    found = [array.shape for array in arrays]
    if found != wanted:
        raise StorageError(
            f"{path}: these weights do not fit the generator as it is installed now ({_difference(wanted, found)}): "
            "other code of its plugin has trained them. Run its study again with --force, or into another folder (-p)"
        )
    for variable, array in zip(model.sampling_variables, arrays, strict=True):
        variable.assign(array)


def _difference(wanted: Sequence[tuple[int, ...]], found: Sequence[tuple[int, ...]]) -> str:
    """Return the first difference between the shapes of variables."""
    for number, (expected, received) in enumerate(zip(wanted, found, strict=False)):
        if expected != received:
            return f"variable {number} must have the shape {expected}. Received: {received}"
    return f"it has {len(wanted)} variables. Received: {len(found)}"
