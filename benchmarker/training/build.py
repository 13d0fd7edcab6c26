"""Builds the network of a cell under a stream of its own."""

from __future__ import annotations

import keras

from benchmarker.contracts.plugins import Architecture
from benchmarker.contracts.settings import Options
from benchmarker.contracts.tasks import Task
from benchmarker.discovery import resolve
from benchmarker.errors import BenchmarkerError, PluginError
from benchmarker.randomness import Stream
from benchmarker.training.requirements import check_size


def build_model(
    architecture: Architecture,
    options: Options | None,
    input_shape: tuple[int, int, int],
    task: Task,
    *,
    seed: int,
    precision: str = "float32",
) -> keras.Model:
    """Build a network; the same arguments always give the same initial weights.

    Parameters
    ----------
    architecture : Architecture
        What to build.
    options : Options or None
        Of the architecture.
    input_shape : tuple of int
        Height, width and channels of an image.
    task : Task
        What it shall predict.
    seed : int
        The cell's seed.
    precision : str
        Keras dtype policy of the layers.

    Raises
    ------
    PluginError
        If the builder fails, or returns something else than a network for the task.
    """
    check_size(architecture, input_shape)
    fix_settings(precision)
    own = Stream("weights", seed=seed, architecture=architecture.name).seed()
    # A builder that forgets to hand its seed to a layer still gets the same weights every time.
    keras.utils.set_random_seed(own)
    build = resolve(architecture.builder)
    arguments = (input_shape, task, own) if architecture.options is None else (input_shape, task, own, options)
    try:
        model = build(*arguments)
    except BenchmarkerError:
        raise
    except Exception as error:
        raise PluginError(
            f"building {architecture.name!r} for images of {input_shape} failed: {type(error).__name__}: {error}"
        ) from error
    # A subclassed network that was never called knows no shape, and could neither be measured nor saved.
    shape = getattr(model, "output_shape", None) if isinstance(model, keras.Model) else None
    if shape != (None, task.n_outputs):
        received = shape or type(model).__name__
        raise PluginError(
            f"{architecture.builder} must return a keras.Model with outputs of shape (None, {task.n_outputs}). "
            f"Received: {received}"
        )
    return model


def fix_settings(precision: str) -> None:
    """Set what Keras otherwise takes from the user's ``keras.json``, which is no part of a cell's identity."""
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    keras.config.set_dtype_policy(precision)
