"""Build the network of a cell, with initial weights that depend on its architecture and seed only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarker.containment import PluginErrors
from benchmarker.contracts.plugins import Architecture
from benchmarker.contracts.settings import Options
from benchmarker.contracts.tasks import Task
from benchmarker.discovery import resolve
from benchmarker.errors import ConfigurationError, PluginError
from benchmarker.randomness import Stream

if TYPE_CHECKING:
    import keras  # planning a study checks sizes without importing Keras


def check_size(architecture: Architecture, input_shape: tuple[int, int, int]) -> None:
    """Refuse images that are smaller than the minimum of a network, before anything is trained.

    Parameters
    ----------
    architecture : Architecture
        The network.
    input_shape : tuple of int
        Height and width in pixels, and channels of an image.

    Raises
    ------
    ConfigurationError
        If height or width is too small.
    """
    smallest = min(input_shape[:2])
    if smallest < architecture.minimum_size:
        raise ConfigurationError(
            f"{architecture.name} needs images of at least {architecture.minimum_size} x {architecture.minimum_size} "
            f"pixels. Received: {input_shape[0]} x {input_shape[1]}"
        )


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
        The network.
    options : Options, optional
        Its validated options.
    input_shape : tuple of int
        Height and width in pixels, and channels of an image.
    task : Task
        What the network predicts.
    seed : int
        Seed of the cell.
    precision : str
        Keras dtype policy of the layers.

    Raises
    ------
    PluginError
        If the builder fails, or returns something else than a network for the task.
    """
    import keras

    check_size(architecture, input_shape)
    fix_settings(precision)
    derived = Stream("weights", seed=seed, architecture=architecture.name).seed()
    # A layer whose builder forgets to give it a seed still starts from the same weights every time.
    keras.utils.set_random_seed(derived)
    build = resolve(architecture.builder)
    arguments = (input_shape, task, derived) if architecture.options is None else (input_shape, task, derived, options)
    with PluginErrors(f"building {architecture.name!r} for images of {input_shape}"):
        model = build(*arguments)
    # A subclassed network that was never called has no shape, and could neither be measured nor saved.
    shape = getattr(model, "output_shape", None) if isinstance(model, keras.Model) else None
    if shape != (None, task.n_outputs):
        received = shape or type(model).__name__
        raise PluginError(
            f"{architecture.builder} must return a keras.Model with outputs of shape (None, {task.n_outputs}). "
            f"Received: {received}"
        )
    return model


def fix_settings(precision: str) -> None:
    """Fix the settings that Keras would otherwise read from the user's ``keras.json``.

    Parameters
    ----------
    precision : str
        Keras dtype policy of the layers.
    """
    import keras

    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    keras.config.set_dtype_policy(precision)
