"""The hook that plugins implement, and the registrar that it is called with.

A complete plugin::

    from benchmarker import Architecture, hookimpl

    @hookimpl
    def benchmarker_register(registrar):
        registrar.architecture(Architecture(name="tiny", builder="my_package.networks:tiny", citation="my paper"))

and in its ``pyproject.toml``::

    [project.entry-points.benchmarker]
    my_package = "my_package"
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import pluggy

from benchmarker.contracts.plugins import (
    ROLES,
    SHORTCUTS,
    Architecture,
    Augmentation,
    Command,
    Dataset,
    Executor,
    Generator,
    Plugin,
    Report,
)
from benchmarker.errors import PluginError

PROJECT = "benchmarker"

COMMANDS = (
    *("run", "list", "validate", "leaderboard", "report", "show"),
    *("audit", "schema", "doctor", "merge", "gc", "data", "gan", "sign", "verify"),
    *("submit", "status", "cancel"),
)
"""Names of the program's own commands, which no plugin can take."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks the function ``benchmarker_register(registrar)`` with which a package registers its plugins."""

# Dataclasses accept any value for a field. Checking the fields here reports a wrong one with the plugin that it belongs
# to, and not later, where the field is used.
_REFERENCES = ("builder", "loader", "renderer", "command", "executor", "options", "quality", "check")
_NO_REFERENCE = {"options": None, "quality": "", "check": ""}
_TEXTS = ("citation", "licence", "homepage", "summary", "suffix")
_NUMBERS = {"minimum_size": 1, "draws_per_image": 0}
_TASKS = ("classification", "regression")
_SPLIT = ("published", "train", "validation", "bagging", "test_seed")
_SEPARATORS = ("/", "\\", ",", ":")
_LONGEST_NAME = 80
_COMMAND_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def spelling(name: str) -> str:
    """Return a name in the form in which names are compared: without case, hyphens, underscores and spaces.

    Examples
    --------
    >>> spelling("Conv-Xpress") == spelling("conv_xpress")
    True
    """
    return name.lower().replace("-", "").replace("_", "").replace(" ", "")


class Registrar:
    """Collects what a plugin registers."""

    def __init__(self) -> None:
        self.registered: list[tuple[str, Plugin]] = []

    def architecture(self, architecture: Architecture) -> None:
        """Register a network."""
        self._add("architecture", architecture, Architecture)

    def dataset(self, dataset: Dataset) -> None:
        """Register a source of labelled images."""
        self._add("dataset", dataset, Dataset)

    def augmentation(self, augmentation: Augmentation) -> None:
        """Register a way to make more training images."""
        self._add("augmentation", augmentation, Augmentation)

    def report(self, report: Report) -> None:
        """Register a format of reports."""
        self._add("report", report, Report)

    def generator(self, generator: Generator) -> None:
        """Register a model that learns to make images."""
        self._add("generator", generator, Generator)

    def command(self, command: Command) -> None:
        """Register a sub-command of ``benchmarker``."""
        self._add("command", command, Command)

    def executor(self, executor: Executor) -> None:
        """Register something that runs the tasks of a study."""
        self._add("executor", executor, Executor)

    def _add(self, kind: str, plugin: Plugin, expected: type[Plugin]) -> None:
        if not isinstance(plugin, expected):
            raise PluginError(f"registrar.{kind}() expects an instance of {expected.__name__}. Received: {plugin!r}")
        if not isinstance(plugin.name, str) or not plugin.name.strip():
            raise PluginError(f"the name of the {kind} must be text that is not empty. Received: {plugin.name!r}")
        for name in (plugin.name, *_aliases(plugin)):
            if problem := _name_problem(name):
                raise PluginError(f"the name {name!r} of the {kind} {problem}")
        if kind == "command" and plugin.name in COMMANDS:
            raise PluginError(f"benchmarker has a command {plugin.name!r} itself: choose another name")
        if kind == "command" and not _COMMAND_NAME.fullmatch(plugin.name):
            raise PluginError(
                f"the name of a command must be lower-case letters, digits and hyphens. Received: {plugin.name!r}"
            )
        _check_fields(kind, plugin)
        if any(kind == other and plugin.name == registered.name for other, registered in self.registered):
            raise PluginError(f"the plugin registers the {kind} {plugin.name!r} twice")
        self._check_spellings(kind, plugin)
        self.registered.append((kind, plugin))

    def _check_spellings(self, kind: str, plugin: Plugin) -> None:
        """Refuse names and aliases that could mean two plugins: case and hyphens do not count."""
        own = {spelling(name): name for name in (plugin.name, *_aliases(plugin))}
        for other, registered in self.registered:
            for name in (registered.name, *_aliases(registered)) if other == kind else ():
                if (clash := own.get(spelling(name))) is not None:
                    raise PluginError(
                        f"the plugin registers {kind}s whose names cannot be told apart: {clash!r} of {plugin.name!r} "
                        f"and {name!r} of {registered.name!r}"
                    )


class Hooks:
    """The hooks that the core calls."""

    @hookspec
    def benchmarker_register(self, registrar: Registrar) -> None:
        """Register architectures, datasets, augmentations, generators, reports, commands and executors.

        Parameters
        ----------
        registrar : Registrar
            Has a method for each kind of plugin.
        """


def _aliases(plugin: Plugin) -> tuple[str, ...]:
    """Return the aliases of a plugin; none if they are not a tuple of texts, which `_check_fields` reports."""
    aliases = getattr(plugin, "aliases", ())
    right = isinstance(aliases, tuple) and all(isinstance(alias, str) for alias in aliases)
    return aliases if right else ()


def _name_problem(name: str) -> str:
    """Return why a name could not be written in a registry, on the command line or as part of a path; or nothing."""
    if not name.isprintable() or name != name.strip():
        return "contains characters that cannot be seen"
    if forbidden := [character for character in _SEPARATORS if character in name]:
        return f"contains {_either(tuple(forbidden))}, which separates names"
    if not spelling(name).strip("."):
        return "contains neither a letter nor a digit"
    return "" if len(name) <= _LONGEST_NAME else f"is longer than {_LONGEST_NAME} characters"


def _expected_split(name: str, value: object) -> str:
    """Return what a default split should be, or an empty string if it is right."""
    # Not by the model of splits: importing pydantic would make `benchmarker list` slow.
    if name != "default_split" or value is None:
        return ""
    if not isinstance(value, Mapping) or set(value) - set(_SPLIT):
        return "a mapping with the keys published, train, validation, bagging or test_seed"
    wrong = [key for key, part in value.items() if part is not None and not _is_part(key, part)]
    return f"a mapping whose {_either(tuple(wrong))} is a number above 0, or a fraction below 1" if wrong else ""


def _is_part(key: str, part: object) -> bool:
    if key == "published" or isinstance(part, bool):
        return key == "published" and isinstance(part, bool)
    if key == "test_seed":
        return isinstance(part, int) and part >= 0
    if isinstance(part, int):
        return key != "bagging" and part > 0
    return isinstance(part, float) and 0 < part < 1


def _check_fields(kind: str, plugin: Plugin) -> None:
    fields = {name: getattr(plugin, name) for name in plugin.__slots__ if name != "name"}
    wrong = [
        f"{name} must be {expected}. Received: {value!r}"
        for name, value in fields.items()
        if (expected := _expected(name, value) or _expected_role(kind, name, value) or _expected_split(name, value))
    ]
    if wrong:
        raise PluginError(f"the {kind} {plugin.name!r} cannot be registered: {'; '.join(wrong)}")


def _expected(name: str, value: object) -> str:
    """Return what a field should be, or an empty string if its value is right."""
    if name in _REFERENCES and not (name in _NO_REFERENCE and value == _NO_REFERENCE[name]):
        module, colon, function = value.partition(":") if isinstance(value, str) else ("", "", "")
        return "" if module and colon and function else "'package.module:name'"
    if name in _TEXTS and not isinstance(value, str):
        return "text"
    if name in _NUMBERS and not (isinstance(value, int) and value >= _NUMBERS[name]):
        return f"a whole number of at least {_NUMBERS[name]}"
    if name == "aliases" and not (isinstance(value, tuple) and all(isinstance(alias, str) for alias in value)):
        return "a tuple of str"
    if name == "simulated" and not isinstance(value, bool):
        return "True or False"
    return "'expansion' or 'transform'" if name == "kind" and value not in ("expansion", "transform") else ""


def _expected_role(kind: str, name: str, value: object) -> str:
    """Return what a field with words of the benchmarker should be, or an empty string if its value is right."""
    if name == "tasks":
        right = isinstance(value, tuple) and value and all(task in _TASKS for task in value)
        return "" if right else f"a tuple of {_either(_TASKS)}"
    if name == "shortcuts":
        right = isinstance(value, Mapping) and all(
            key in SHORTCUTS[kind] and isinstance(option, str) and option for key, option in value.items()
        )
        return "" if right else f"a mapping of {_either(SHORTCUTS[kind])} to the name of an option"
    if name == "default_for":
        right = isinstance(value, tuple) and all(role in ROLES[kind] for role in value)
        return "" if right else f"a tuple of {_either(ROLES[kind])}"
    return ""


def _either(names: tuple[str, ...]) -> str:
    return " or ".join(map(repr, names))
