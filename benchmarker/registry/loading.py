"""Reads a registry from a file: YAML, or a text list of the radio framework."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path as File
from typing import Any

from benchmarker.digests import digest_file
from benchmarker.discovery import Plugins, installed
from benchmarker.errors import PluginError, RegistryError, UnknownPluginError
from benchmarker.paths import reading_problem
from benchmarker.registry.explain import validate
from benchmarker.registry.models import Registry
from benchmarker.registry.names import name_problems
from benchmarker.registry.overrides import Overridden, Overrides, override
from benchmarker.registry.positions import Path, Places, Position, Problem
from benchmarker.registry.shipped import find_registry, not_found
from benchmarker.registry.shorthand import british, duplicates, expand, unknown_generators
from benchmarker.registry.text_list import read_text_list, text_list_data
from benchmarker.registry.yaml_loader import Document, load_yaml
from benchmarker.registry.yaml_nodes import MalformedYamlError

MAXIMUM_BYTES = 1 << 20

_YAML_SUFFIXES = {".yaml", ".yml", ".json"}
_KEY = re.compile(r"^(---|[{\[%]|- |[\"']?[A-Za-z_]+[\"']?\s*:(\s|$))", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedRegistry:
    """A valid registry and where it came from.

    Parameters
    ----------
    registry : Registry
        With overrides applied.
    path : Path
        The file.
    text : str
        The file, verbatim.
    lines : mapping of int to int
        Line of each model, counted from 1, by its place in the registry's list.
    places : Places
        Position of everything, for messages.
    is_text_list : bool
        It was a text list of the radio framework.
    """

    registry: Registry
    path: File
    text: str
    lines: Mapping[int, int]
    places: Places
    is_text_list: bool = False

    @property
    def digest(self) -> str:
        """SHA-256 of the file."""
        return digest_file(self.path)

    @property
    def data_path(self) -> File | None:
        """The user's own file or folder of images, absolute; None where the dataset is downloaded or drawn."""
        written = self.registry.dataset.path
        return None if written is None else (self.path.absolute().parent / File(written).expanduser()).resolve()


def load_registry(
    path: File | str, overrides: Overrides | None = None, plugins: Plugins | None = None
) -> LoadedRegistry:
    """Read and validate a registry.

    Parameters
    ----------
    path : Path or str
        A YAML file, a text list, or the name of a shipped registry.
    overrides : Overrides, optional
        What command-line options change.
    plugins : Plugins, optional
        What is installed: a registry that is not valid is then also told which names and options no plugin knows.
        Where a text list or `overrides` need plugins, those of this environment by default.

    Returns
    -------
    LoadedRegistry
        Valid in itself; whether the plugins that it names exist is what `check_registry` says.

    Raises
    ------
    RegistryError
        With every problem found.
    """
    file = find_registry(File(path))
    chosen = overrides or Overrides()
    text = _read(file)
    is_text_list = _is_text_list(file, text)
    try:
        document = read_text_list(text) if is_text_list else load_yaml(text)
    except MalformedYamlError as error:
        line, column = error.position
        raise RegistryError((f"{file}:{line}:{column}: {error.message}",)) from error
    if is_text_list:
        document.data = _list_data(file, document, chosen, plugins or installed())
    places = Places(source=str(file), keys=british(document.keys), values=british(document.values))
    registry = _validate(expand(document.data), places, document.problems, plugins)
    if chosen != Overrides():
        registry, places = _override(registry, places, chosen, plugins or installed())
    lines = {index: places.position(("models", index))[0] for index in range(len(registry.models))}
    return LoadedRegistry(
        registry=registry, path=file, text=text, lines=lines, places=places, is_text_list=is_text_list
    )


def _read(file: File) -> str:
    if file.exists() and (problem := reading_problem(file)):
        raise RegistryError((problem,))
    try:
        with file.open("rb") as stream:
            content = stream.read(MAXIMUM_BYTES + 1)
    except FileNotFoundError as error:
        raise RegistryError((not_found(file),)) from error
    except IsADirectoryError as error:
        raise RegistryError((f"{file}: is a folder; name the registry's file in it",)) from error
    except OSError as error:
        raise RegistryError((f"{file}: cannot be read: {error.strerror}",)) from error
    if len(content) > MAXIMUM_BYTES:
        raise RegistryError((f"{file}: larger than {MAXIMUM_BYTES >> 20} MiB; that is no registry",))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        told = f"{file}:{line}:{column}: not UTF-8 text; save the file in the encoding UTF-8"
        raise RegistryError((told,)) from error


def _is_text_list(file: File, text: str) -> bool:
    return file.suffix.lower() not in _YAML_SUFFIXES and _KEY.search(text) is None and bool(text.strip())


def _list_data(file: File, document: Document, overrides: Overrides, plugins: Plugins) -> dict[str, Any]:
    try:
        return text_list_data(document.data["models"], own_data=overrides.data is not None, plugins=plugins)
    except (UnknownPluginError, PluginError) as error:
        raise RegistryError((f"{file}: {error}",)) from error


def _validate(data: Any, places: Places, problems: list[Problem], plugins: Plugins | None = None) -> Registry:
    if not isinstance(data, Mapping) and not problems:
        problems = [Problem(path=(), text="a registry is a mapping with at least the keys 'dataset' and 'models'")]
        raise RegistryError(places.tell_all(problems))
    registry, found = validate(Registry, data)
    unreadable = {problem.path for problem in problems}
    # What could not be read was told about; that it is missing now is no second problem.
    found += [*duplicates(data, places), *unknown_generators(data)]
    rest = [each for each in found if not any(each.path[:length] in unreadable for length in range(len(each.path) + 1))]
    told = places.tell_all([*problems, *rest])
    if registry is None or told:
        named = name_problems(data, plugins) if plugins is not None else []
        raise RegistryError(places.tell_all([*problems, *rest, *named]))
    return registry


def _override(registry: Registry, places: Places, overrides: Overrides, plugins: Plugins) -> tuple[Registry, Places]:
    result = override(registry.model_dump(mode="json", exclude_unset=True), overrides, plugins)
    moved = replace(places, options=result.options)
    if result.arms is not None:
        moved = replace(moved, keys=_renumber(places.keys, result), values=_renumber(places.values, result))
    return _validate(result.data, moved, result.problems), moved


def _renumber(positions: Mapping[Path, Position], result: Overridden) -> dict[Path, Position]:
    """Return positions under the numbers that arms have after some were left out."""
    new = {old: number for number, old in enumerate(result.arms or ())}
    renumbered: dict[Path, Position] = {}
    for path, position in positions.items():
        if len(path) < 2 or path[0] != "arms":
            renumbered[path] = position
        elif isinstance(path[1], int) and path[1] in new:
            renumbered["arms", new[path[1]], *path[2:]] = position
    return renumbered
