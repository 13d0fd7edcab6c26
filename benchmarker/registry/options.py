"""Options of plugins, validated, and the preparation of a registry completed by that of its dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from benchmarker.contracts.plugins import Architecture, Augmentation, Dataset, Generator
from benchmarker.contracts.settings import Options, Preparation
from benchmarker.discovery import options_model
from benchmarker.errors import ConfigurationError, PluginError
from benchmarker.registry.explain import validate
from benchmarker.registry.positions import Problem

OptionedPlugin = Architecture | Augmentation | Dataset | Generator


def check_options(plugin: OptionedPlugin, raw: Mapping[str, Any]) -> tuple[Options | None, list[Problem]]:
    """Validate options; return them (None where the plugin has none) and what is wrong with them.

    Raises
    ------
    PluginError
        If the plugin's own description of its options cannot be used.
    """
    what = f"the {_kind(plugin)} {plugin.name!r}"
    model = options_model(plugin)
    if model is None:
        text = f"{what} takes no options. Received: {', '.join(map(repr, raw))}"
        return None, [Problem(path=(), text=text)] if raw else []
    if not (isinstance(model, type) and issubclass(model, Options)):
        raise PluginError(f"the options of {what} must be a subclass of benchmarker.Options. Received: {model!r}")
    return validate(model, dict(raw), what=what)


def validated_options(plugin: OptionedPlugin, raw: Mapping[str, Any]) -> Options | None:
    """Return the options of a plugin as its own model, or None where it has none.

    Raises
    ------
    ConfigurationError
        If they are wrong; with every problem found.
    PluginError
        If the plugin's own description of its options cannot be used.
    """
    options, problems = check_options(plugin, raw)
    if problems:
        raise ConfigurationError("\n".join(f"{problem.subject} {problem.text}".strip() for problem in problems))
    return options


def plain_options(plugin: OptionedPlugin, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a plugin, defaults included, as plans and specs hold them; empty where it has none.

    Raises
    ------
    ConfigurationError, PluginError
        As `validated_options` does.
    """
    options = validated_options(plugin, raw)
    return options.model_dump(mode="json") if options else {}


def merged_preparation(dataset: Dataset, given: Preparation | None) -> Preparation:
    """Return the preparation of a registry, completed by the dataset's.

    Raises
    ------
    PluginError
        If the dataset's own preparation is none.
    """
    try:
        own = dataset.preparation
    except ValidationError as error:
        raise PluginError(f"the default preparation of the dataset {dataset.name!r} is wrong: {error}") from error
    if given is None:
        return own
    return own.model_copy(update={name: getattr(given, name) for name in given.model_fields_set})


def _kind(plugin: OptionedPlugin) -> str:
    return type(plugin).__name__.lower()
