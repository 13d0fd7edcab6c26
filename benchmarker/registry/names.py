"""Problems with names and options of plugins in a registry that is not valid, so that all are told at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from benchmarker.contracts.plugins import Architecture, Augmentation, Dataset, Generator
from benchmarker.discovery import Plugins
from benchmarker.errors import PluginError, UnknownPluginError
from benchmarker.registry.options import check_options
from benchmarker.registry.positions import Path, Problem

_Find = Callable[[str], Architecture | Augmentation | Dataset | Generator]


def name_problems(data: Any, plugins: Plugins) -> list[Problem]:
    """Return what is wrong with names and options of plugins, as far as they can be read.

    `benchmarker.registry.check_registry` says the same and more of a registry that is valid. A name that may belong to
    a broken plugin is left to it.

    Parameters
    ----------
    data : JSON value
        A registry with its shorthand expanded; anything may be missing or of another type.
    plugins : Plugins
        What is installed.
    """
    problems: list[Problem] = []
    for path, key, entry, find in _named(data, plugins):
        name, options = entry.get(key), entry.get("options", {})
        if not isinstance(name, str):
            continue
        try:
            plugin = find(name)
            found = check_options(plugin, options)[1] if isinstance(options, Mapping) else []
        except UnknownPluginError as error:
            if not plugins.broken:
                problems.append(Problem(path=(*path, key), text=str(error)))
        except PluginError:  # fails its own cells alone
            continue
        else:
            problems += [replace(problem, path=(*path, "options", *problem.path)) for problem in found]
    return problems


def _named(data: Any, plugins: Plugins) -> Iterator[tuple[Path, str, Mapping[str, Any], _Find]]:
    if not isinstance(data, Mapping):
        return
    if isinstance(dataset := data.get("dataset"), Mapping):
        yield ("dataset",), "name", dataset, plugins.dataset
    for index, generator in _entries(data.get("generators")):
        yield ("generators", index), "generator", generator, plugins.generator
    for index, arm in _entries(data.get("arms")):
        for number, augmentation in _entries(arm.get("augmentations")):
            yield ("arms", index, "augmentations", number), "name", augmentation, plugins.augmentation
    for index, model in _entries(data.get("models")):
        yield ("models", index), "architecture", model, plugins.architecture


def _entries(value: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for index, entry in enumerate(value if isinstance(value, list | tuple) else ()):
        if isinstance(entry, Mapping):
            yield index, entry
