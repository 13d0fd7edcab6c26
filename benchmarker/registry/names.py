"""Checks of names in the plain data of a registry: repeated ones, and ones that refer to nothing.

They run even if the registry is invalid in other ways, so that all problems are reported together. The data may
therefore have any shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from benchmarker.contracts.plugins import Architecture, Augmentation, Dataset, Generator
from benchmarker.discovery import Plugins
from benchmarker.errors import PluginError, UnknownPluginError
from benchmarker.hooks import spelling
from benchmarker.registry.options import check_options
from benchmarker.registry.positions import KeyPath, Problem, SourcePositions
from benchmarker.registry.validation import suggestion


def repeated(data: Any, positions: SourcePositions) -> list[Problem]:
    """Return the seeds that are repeated, and the names that two arms, models or generators share.

    Parameters
    ----------
    data : plain data
        A registry with its short forms expanded.
    positions : SourcePositions
        To say where the first one is.

    Returns
    -------
    list of Problem
        One at each repetition.
    """
    problems: list[Problem] = []
    seen: dict[tuple[str, str], KeyPath] = {}
    for part, path, name in _names(data):
        first = seen.setdefault((part, spelling(name)), path)
        if first == path:
            continue
        text = f"the seed {name} is repeated" if part == "seeds" else f"two {part} are called {name!r}"
        if not positions.option(path):
            text += f"; the first is at {positions.position(first)}"
        remedy = {"seeds": "", "arms": ": rename one of them"}.get(part, ": give one of them another 'name'")
        problems.append(Problem(path=path, text=text + remedy))
    return problems


def unknown_generators(data: Any) -> list[Problem]:
    """Return the arms whose images come from a generator that the registry does not define.

    Parameters
    ----------
    data : plain data
        A registry with its short forms expanded.
    """
    names = [name for part, _, name in _names(data) if part == "generators"]
    known = {spelling(name) for name in names}
    problems: list[Problem] = []
    for path, arm in _entries(data, "arms"):
        generated = arm.get("generated")
        by = generated.get("by") if isinstance(generated, Mapping) else None
        if isinstance(by, str) and spelling(by) not in known:
            meant = suggestion(by, names)
            defined = f"the known ones are: {', '.join(names)}" if names else "the registry has no 'generators'"
            hint = f"did you mean {meant!r}?" if meant else defined
            text = f"no generator of this registry is called {by!r}: {hint}"
            problems.append(Problem(path=(*path, "generated", "by"), text=text))
    return problems


def unknown_plugins(data: Any, plugins: Plugins) -> list[Problem]:
    """Return the names that no plugin registered, and the options that plugins do not take, as far as they can be read.

    `benchmarker.registry.check_registry` does the same, and more, for a valid registry. A name that may belong to a
    broken plugin is left to it.

    Parameters
    ----------
    data : plain data
        A registry with its short forms expanded.
    plugins : Plugins
        The installed plugins.
    """
    problems: list[Problem] = []
    for use in _plugin_uses(data, plugins):
        try:
            _, found = check_options(use.find(use.name), use.options)
        except UnknownPluginError as error:
            if not plugins.broken:
                problems.append(Problem(path=(*use.path, use.key), text=str(error)))
        except PluginError:  # only the cells that need the plugin fail
            continue
        else:
            problems += [replace(problem, path=(*use.path, "options", *problem.path)) for problem in found]
    return problems


@dataclass(frozen=True, slots=True)
class _PluginUse:
    """A place where a registry names a plugin and gives it options."""

    path: KeyPath
    key: str
    name: str
    options: Mapping[str, Any]
    find: Callable[[str], Architecture | Augmentation | Dataset | Generator]


def _plugin_uses(data: Any, plugins: Plugins) -> Iterator[_PluginUse]:
    augmentations = [
        entry
        for part in ("generators", "arms")
        for path, each in _entries(data, part)
        for entry in _entries(each, "augmentations", above=path)
    ]
    dataset = [(("dataset",), data["dataset"])] if isinstance(data, Mapping) and "dataset" in data else []
    for entries, key, find in (
        (dataset, "name", plugins.dataset),
        (_entries(data, "generators"), "generator", plugins.generator),
        (augmentations, "name", plugins.augmentation),
        (_entries(data, "models"), "architecture", plugins.architecture),
    ):
        for path, entry in entries:
            name = entry.get(key) if isinstance(entry, Mapping) else None
            if isinstance(name, str):
                options = entry.get("options")
                yield _PluginUse(path, key, name, options if isinstance(options, Mapping) else {}, find)


def _names(data: Any) -> Iterator[tuple[str, KeyPath, str]]:
    """Yield each seed as text, and the names of arms, models and generators, with their part of the registry."""
    for index, seed in enumerate(_list(data, "seeds")):
        if isinstance(seed, int) and not isinstance(seed, bool):
            yield "seeds", ("seeds", index), str(seed)
    for part, default in (("arms", "name"), ("models", "architecture"), ("generators", "generator")):
        for path, entry in _entries(data, part):
            name = entry.get("name") or entry.get(default)
            if isinstance(name, str):
                yield part, path, name


def _entries(data: Any, key: str, above: KeyPath = ()) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    """Yield the mappings in a list of the data, with their paths."""
    for index, entry in enumerate(_list(data, key)):
        if isinstance(entry, Mapping):
            yield (*above, key, index), entry


def _list(data: Any, key: str) -> list[Any]:
    entries = data.get(key) if isinstance(data, Mapping) else None
    return entries if isinstance(entries, list) else []
