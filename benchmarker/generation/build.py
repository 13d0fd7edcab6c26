"""Builds a generator under a stream of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import keras

from benchmarker.contracts.generation import ConditionSpace, GenerativeModel
from benchmarker.discovery import Plugins, resolve
from benchmarker.errors import BenchmarkerError, PluginError
from benchmarker.randomness import Stream
from benchmarker.registry import validated_options
from benchmarker.training.build import fix_settings

_OFFERED = ("variables", "sampling_variables", "batch_size", "draw", "train_step", "noise", "sample")


def build_generator(
    plugins: Plugins, spec: Mapping[str, Any], space: ConditionSpace, image_shape: tuple[int, int, int]
) -> GenerativeModel:
    """Build the generator of a spec; the same arguments always give the same initial weights.

    Parameters
    ----------
    plugins : Plugins
        To look its name up in.
    spec : mapping
        Of the generator.
    space : ConditionSpace
        What its images are generated for.
    image_shape : tuple of int
        Height, width and channels.

    Raises
    ------
    PluginError
        If the builder fails, or returns something else than a generative model.
    """
    generator = plugins.generator(spec["generator"]["name"])
    options = validated_options(generator, spec["generator"]["options"])
    fix_settings(spec["training"]["precision"])
    own = Stream("weights", seed=int(spec["seed"]), generator=generator.name).seed()
    # A builder that forgets to hand its seed to a layer still gets the same weights every time.
    keras.utils.set_random_seed(own)
    build = resolve(generator.builder)
    arguments = (image_shape, space, own) if generator.options is None else (image_shape, space, own, options)
    try:
        model = build(*arguments)
        missing = [name for name in _OFFERED if not hasattr(model, name)]
    except BenchmarkerError:
        raise
    except Exception as error:
        raise PluginError(
            f"building {generator.name!r} for images of {image_shape} failed: {type(error).__name__}: {error}"
        ) from error
    if missing:
        raise PluginError(
            f"{generator.builder} must return a GenerativeModel. Received: {type(model).__name__} without "
            f"{', '.join(missing)}"
        )
    return cast("GenerativeModel", model)
