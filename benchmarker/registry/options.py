"""Options of plugins: validated, completed by defaults, and as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from benchmarker.contracts.plugins import Architecture, Augmentation, Dataset, Executor, Generator
from benchmarker.contracts.settings import Options, Preparation
from benchmarker.discovery import options_model
from benchmarker.errors import ConfigurationError, PluginError
from benchmarker.registry.positions import Problem
from benchmarker.registry.validation import validate

OptionedPlugin = Architecture | Augmentation | Dataset | Executor | Generator


def check_options(plugin: OptionedPlugin, raw: Mapping[str, Any]) -> tuple[Options | None, list[Problem]]:
    """Validate options.

    Parameters
    ----------
    plugin : Architecture, Augmentation, Dataset, Executor or Generator
        Plugin whose options are checked.
    raw : mapping of str to plain data
        Options as a registry gives them.

    Returns
    -------
    tuple of (Options or None, list of Problem)
        The options, which are None if the plugin has none or if there is a problem; and every problem, with paths from
        the root of ``raw``.

    Raises
    ------
    PluginError
        If the plugin's description of its options cannot be used.
    """
    owner = f"the {type(plugin).__name__.lower()} {plugin.name!r}"
    model = options_model(plugin)
    if model is None:
        text = f"{owner} takes no options. Received: {', '.join(map(repr, raw))}"
        return None, [Problem(text=text)] if raw else []
    if not (isinstance(model, type) and issubclass(model, Options)):
        raise PluginError(f"the options of {owner} must be a subclass of benchmarker.Options. Received: {model!r}")
    return validate(model, dict(raw), owner=owner)


def validated_options(plugin: OptionedPlugin, raw: Mapping[str, Any]) -> Options | None:
    """Return the options of a plugin as an instance of its model, or None if it has none.

    Raises
    ------
    ConfigurationError
        If options are wrong; the message contains every problem.
    PluginError
        If the plugin's description of its options cannot be used.
    """
    options, problems = check_options(plugin, raw)
    if problems:
        raise ConfigurationError("\n".join(f"{problem.subject} {problem.text}".strip() for problem in problems))
    return options


def plain_options(plugin: OptionedPlugin, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a plugin as plain data, with defaults; an empty dictionary if it has none.

    Raises
    ------
    ConfigurationError, PluginError
        As `validated_options`.
    """
    options = validated_options(plugin, raw)
    return options.model_dump(mode="json") if options else {}


def merged_preparation(dataset: Dataset, given: Preparation | None) -> Preparation:
    """Return the preparation of a registry, with the dataset's own steps where the registry gives none.

    Raises
    ------
    ConfigurationError
        If steps are given that have no effect together.
    PluginError
        If the dataset's own preparation is invalid.
    """
    try:
        own = dataset.preparation
    except ValidationError as error:
        raise PluginError(f"the default preparation of the dataset {dataset.name!r} is wrong: {error}") from error
    if given is None:
        return own
    merged = own.model_copy(update={name: getattr(given, name) for name in given.model_fields_set})
    if merged.clip_sigma is None and (merged.noise is not None or merged.clip_about != "mean"):
        raise ConfigurationError(
            "dataset.preparation: `noise` and `clip_about` say how `clip_sigma` clips, but it is not set; give "
            "`clip_sigma: 3`, or leave them out"
        )
    return merged
