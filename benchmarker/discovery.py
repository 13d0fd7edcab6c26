"""Finds plugins through entry points of the group ``benchmarker``, one by one and in sorted order.

A plugin that fails to import, has a wrong signature or registers nonsense is set aside as a `BrokenPlugin`; a name that
two plugins register belongs to neither. Both are listed, and only what needs them fails.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import Distribution, EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, cast

import pluggy

from benchmarker.contracts.plugins import (
    KINDS,
    ROLES,
    Architecture,
    Augmentation,
    Command,
    Dataset,
    Generator,
    Plugin,
    Report,
)
from benchmarker.errors import PluginError, UnknownPluginError
from benchmarker.hooks import PROJECT, Hooks, Registrar

if TYPE_CHECKING:
    from benchmarker.contracts.settings import Options

GROUP = "benchmarker"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenPlugin:
    """An entry point that could not be used.

    Parameters
    ----------
    name, distribution : str
        The entry point, and the distribution (with version) that brings it.
    error : str
        One line.
    traceback : str
        All of it; empty for a name that two plugins register, and for what two stand for.
    """

    name: str
    distribution: str
    error: str
    traceback: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A plugin and the distribution (with version) that brings it."""

    plugin: Plugin
    distribution: str


def spelling(name: str) -> str:
    """Return a name as names are compared: without case, hyphens, underscores and spaces."""
    return name.lower().replace("-", "").replace("_", "").replace(" ", "")


class Plugins:
    """Everything that installed plugins registered.

    Parameters
    ----------
    registered : mapping of kind to mapping of name to list of Registered
        Kinds are those of `benchmarker.contracts.plugins.KINDS`, none of one left out; a list with two entries is a
        conflict.
    broken : iterable of BrokenPlugin
        What could not be loaded.
    """

    def __init__(
        self, registered: Mapping[str, Mapping[str, list[Registered]]], broken: Iterable[BrokenPlugin] = ()
    ) -> None:
        self._registered = {kind: registered.get(kind, {}) for kind in KINDS}
        self.broken = (*broken, *self._conflicts(), *self._claims())

    def all(self, kind: str) -> tuple[Registered, ...]:
        """Return the plugins of a kind, sorted by name, without conflicting ones."""
        return tuple(owners[0] for _, owners in sorted(self._registered[kind].items()) if len(owners) == 1)

    def architecture(self, name: str) -> Architecture:
        """Return an architecture by its name or alias."""
        return cast("Architecture", self._find("architecture", name))

    def dataset(self, name: str) -> Dataset:
        """Return a dataset by its name."""
        return cast("Dataset", self._find("dataset", name))

    def augmentation(self, name: str) -> Augmentation:
        """Return an augmentation by its name."""
        return cast("Augmentation", self._find("augmentation", name))

    def generator(self, name: str) -> Generator:
        """Return a generator by its name."""
        return cast("Generator", self._find("generator", name))

    def command(self, name: str) -> Command:
        """Return a command by its name."""
        return cast("Command", self._find("command", name))

    def report(self, name: str) -> Report:
        """Return a report format by its name."""
        return cast("Report", self._find("report", name))

    def default_for(self, kind: str, role: str) -> Plugin:
        """Return the one plugin of a kind that is used where users do not name one; a role of `ROLES`."""
        owners = self._claimants(kind, role)
        if not owners:
            raise UnknownPluginError(f"no installed {kind} stands for {role!r}.{self._broken_hint()}")
        if len(owners) > 1:
            raise PluginError(self._claim(kind, role, owners))
        return owners[0].plugin

    def distribution(self, kind: str, name: str) -> str:
        """Return the distribution (with version) that registers a name."""
        return self._registered[kind][name][0].distribution

    def _find(self, kind: str, name: str) -> Plugin:
        candidates = self._registered[kind]
        owners = candidates.get(name) or self._by_spelling(kind, name)
        if not owners:
            raise UnknownPluginError(self._unknown(kind, name))
        if len(owners) > 1:
            raise PluginError(self._conflict(kind, owners))
        return owners[0].plugin

    def _by_spelling(self, kind: str, name: str) -> list[Registered]:
        wanted = spelling(name)
        everybody = [owner for owners in self._registered[kind].values() for owner in owners]
        # A name in any spelling wins over an alias: another plugin's alias must not take away what worked without it.
        return [owner for owner in everybody if spelling(owner.plugin.name) == wanted] or [
            owner for owner in everybody if wanted in map(spelling, getattr(owner.plugin, "aliases", ()))
        ]

    def _unknown(self, kind: str, name: str) -> str:
        import difflib  # not needed by those who spell names right

        names = sorted(self._registered[kind])
        close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}?" if close else f"known are: {', '.join(names) or 'none'}."
        return f"no {kind} is called {name!r}: {hint}{self._broken_hint()}"

    def _broken_hint(self) -> str:
        return f" {len(self.broken)} plugin(s) are broken; see `benchmarker list`." if self.broken else ""

    def _claimants(self, kind: str, role: str) -> list[Registered]:
        everybody = [owner for _, owners in sorted(self._registered[kind].items()) for owner in owners]
        return [owner for owner in everybody if role in getattr(owner.plugin, "default_for", ())]

    def _claims(self) -> list[BrokenPlugin]:
        found = [(kind, role, self._claimants(kind, role)) for kind, roles in ROLES.items() for role in roles]
        return [
            BrokenPlugin(
                name=f"{kind} for {role}",
                distribution=", ".join(sorted({owner.distribution for owner in owners})),
                error=self._claim(kind, role, owners),
            )
            for kind, role, owners in found
            if len({owner.plugin.name for owner in owners}) > 1  # one name of two plugins is told of already
        ]

    @staticmethod
    def _claim(kind: str, role: str, owners: list[Registered]) -> str:
        names = " and ".join(f"{owner.plugin.name!r} of {owner.distribution}" for owner in owners)
        return f"several {kind}s stand for {role!r}, and only one can: {names}; uninstall all but one"

    def _conflicts(self) -> list[BrokenPlugin]:
        return [
            BrokenPlugin(
                name=name,
                distribution=", ".join(owner.distribution for owner in owners),
                error=self._conflict(kind, owners),
            )
            for kind, candidates in self._registered.items()
            for name, owners in sorted(candidates.items())
            if len(owners) > 1
        ]

    @staticmethod
    def _conflict(kind: str, owners: list[Registered]) -> str:
        names = " and ".join(owner.distribution for owner in owners)
        return f"the {kind} {owners[0].plugin.name!r} is registered by {names}: uninstall one of them"


def discover() -> Plugins:
    """Load every installed plugin, sorted by the names of entry point and distribution."""
    registered: dict[str, dict[str, list[Registered]]] = {kind: {} for kind in KINDS}
    broken: list[BrokenPlugin] = []
    for entry in sorted(entry_points(group=GROUP), key=lambda e: (e.name, _distribution(e), e.value)):
        try:
            found = _register(entry)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - somebody else's code must not take the others down
            import traceback

            broken.append(
                BrokenPlugin(
                    name=entry.name,
                    distribution=_distribution(entry),
                    error=f"{type(error).__name__}: {error}",
                    traceback=traceback.format_exc(),
                )
            )
            continue
        for kind, plugin in found:
            owner = Registered(plugin=plugin, distribution=_distribution(entry))
            registered[kind].setdefault(plugin.name, []).append(owner)
    return Plugins(registered, broken)


@lru_cache(maxsize=1)
def installed() -> Plugins:
    """Return `discover()`, done once in this process."""
    return discover()


def _distribution(entry: EntryPoint) -> str:
    return _described(entry.dist) if entry.dist else "unknown distribution"


# Name and version are each parsed from the whole of a distribution's metadata whenever they are asked for.
@lru_cache(maxsize=32)
def _described(distribution: Distribution) -> str:
    metadata = distribution.metadata
    return f"{metadata['Name']} {metadata['Version']}"


def _register(entry: EntryPoint) -> list[tuple[str, Plugin]]:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    manager.register(entry.load(), name=entry.name)
    if not manager.hook.benchmarker_register.get_hookimpls():
        raise PluginError(f"{entry.value} has no function benchmarker_register marked with @hookimpl")
    registrar = Registrar()
    manager.hook.benchmarker_register(registrar=registrar)
    return registrar.registered


def resolve(reference: str) -> Any:
    """Import what ``"package.module:name"`` names.

    Raises
    ------
    PluginError
        If the module cannot be imported, or has no such name.
    """
    module_name, _, name = reference.partition(":")
    try:
        return getattr(importlib.import_module(module_name), name)
    except (Exception, SystemExit) as error:  # importing runs somebody else's code
        raise PluginError(f"{reference!r} cannot be imported: {type(error).__name__}: {error}") from error


def options_model(plugin: Architecture | Dataset | Augmentation | Generator) -> type[Options] | None:
    """Return the class that describes a plugin's options, or None where it has none."""
    return None if plugin.options is None else cast("type[Options]", resolve(plugin.options))
