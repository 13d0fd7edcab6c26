"""Finds plugins through entry points of the group ``benchmarker``, one by one and in sorted order.

A plugin that cannot be imported, has a wrong signature or registers something invalid becomes a `BrokenPlugin`. A name
that two plugins register belongs to neither. Both are listed by ``benchmarker list``, and only the cells that need them
fail.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any, cast

import pluggy

from benchmarker._version import __version__
from benchmarker.containment import describe, quiet_import
from benchmarker.contracts.plugins import (
    BUILT_IN,
    KINDS,
    ROLES,
    Architecture,
    Augmentation,
    Command,
    Dataset,
    Executor,
    Generator,
    Plugin,
    Report,
)
from benchmarker.entry_points import OWN, Found, find, switched_off
from benchmarker.errors import PluginError, StorageError, UnknownPluginError
from benchmarker.hooks import PROJECT, Hooks, Registrar, spelling

if TYPE_CHECKING:
    from benchmarker.contracts.settings import Options


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenPlugin:
    """A plugin, or a name, that cannot be used.

    Parameters
    ----------
    name, distribution : str
        Name of the entry point, and the distribution (with its version) that contains it.
    error : str
        The error, in one line.
    traceback : str
        The traceback; empty if the plugin works but shares a name or a role with another one.
    """

    name: str
    distribution: str
    error: str
    traceback: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A plugin, and the distribution (with its version) that contains it."""

    plugin: Plugin
    distribution: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginCode:
    """What a plugin that is used is made of.

    Parameters
    ----------
    distribution : str
        Distribution that registers it, with its version.
    digest : str
        SHA-256 of the code of its package.
    """

    distribution: str
    digest: str


class Plugins:
    """All plugins that are installed.

    Parameters
    ----------
    registered : mapping of kind to mapping of name to list of Registered
        The plugins of each kind; kinds are the keys of `benchmarker.contracts.plugins.KINDS`. A name with several
        entries is a conflict.
    broken : iterable of BrokenPlugin
        Plugins that could not be loaded.
    """

    def __init__(
        self, registered: Mapping[str, Mapping[str, list[Registered]]], broken: Iterable[BrokenPlugin] = ()
    ) -> None:
        self._registered = {kind: registered.get(kind, {}) for kind in KINDS}
        self._spelled = {kind: _spelled(candidates) for kind, candidates in self._registered.items()}
        self.broken = (*broken, *self._name_conflicts(), *self._alias_conflicts(), *self._role_conflicts())

    def all(self, kind: str) -> tuple[Registered, ...]:
        """Return the plugins of a kind, sorted by name, without those whose names cannot be told apart."""
        unique = (owners[0] for owners in self._spelled[kind].values() if len(owners) == 1)
        return tuple(sorted(unique, key=lambda owner: owner.plugin.name))

    def architecture(self, name: str) -> Architecture:
        """Return an architecture by its name or an alias."""
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

    def executor(self, name: str) -> Executor:
        """Return an executor by its name."""
        return cast("Executor", self._find("executor", name))

    def report(self, name: str) -> Report:
        """Return a report format by its name."""
        return cast("Report", self._find("report", name))

    def default_for(self, kind: str, role: str) -> Plugin:
        """Return the plugin that is used where users do not name one.

        Parameters
        ----------
        kind : str
            Kind of the plugin.
        role : str
            One of the roles of that kind in `benchmarker.contracts.plugins.ROLES`.

        Raises
        ------
        UnknownPluginError
            If no plugin has the role.
        PluginError
            If several plugins have it.
        """
        owners = self._owners(kind, role)
        if not owners:
            raise UnknownPluginError(f"no installed {kind} is the default for {role!r}.{self._broken_hint()}")
        if len(owners) > 1:
            raise PluginError(_role_conflict(kind, role, owners))
        return owners[0].plugin

    def distribution(self, kind: str, name: str) -> str:
        """Return the distribution (with its version) that registers a name."""
        return self._registered[kind][name][0].distribution

    def code(self, used: Iterable[tuple[str, str]]) -> dict[str, PluginCode]:
        """Return distribution and code of plugins, by kind and name: ``"architecture mcrgnet"``.

        Parameters
        ----------
        used : iterable of (str, str)
            Kind and name of each plugin.
        """
        from benchmarker.digests import digest_code  # would slow down every command

        found = {}
        for kind, name in used:
            plugin = self._find(kind, name)
            found[f"{kind} {name}"] = PluginCode(
                distribution=self.distribution(kind, plugin.name), digest=digest_code(_reference(plugin))
            )
        return found

    @contextmanager
    def unedited(self, used: Iterable[tuple[str, str]]) -> Iterator[dict[str, PluginCode]]:
        """Import plugins and build from them within a ``with`` block, and make sure that their code stays the same.

        Otherwise the digest of the new code might stand for what the old one does, or the other way round.

        Parameters
        ----------
        used : iterable of (str, str)
            Kind and name of each plugin.

        Yields
        ------
        dict of str to PluginCode
            As `code` returns it.

        Raises
        ------
        StorageError
            If a file of their packages was changed during the block.
        """
        wanted = tuple(used)
        code = self.code(wanted)
        yield code
        now = self.code(wanted)
        if edited := [name for name, found in code.items() if now[name] != found]:
            raise StorageError(
                f"the code of {' and '.join(edited)} was changed while it was loaded; run the same command again"
            )

    def _find(self, kind: str, name: str) -> Plugin:
        # A name wins over an alias, so that installing a plugin with that alias does not change what the name means.
        owners = self._spelled[kind].get(spelling(name)) or self._with_alias(kind, name)
        if not owners:
            raise UnknownPluginError(self._unknown(kind, name))
        if len(owners) > 1:
            raise PluginError(_name_conflict(kind, name, owners))
        return owners[0].plugin

    def _with_alias(self, kind: str, name: str) -> list[Registered]:
        wanted = spelling(name)
        return [owner for owner in self.all(kind) if wanted in map(spelling, getattr(owner.plugin, "aliases", ()))]

    def _unknown(self, kind: str, name: str) -> str:
        import difflib  # takes time to import, and most names are right

        names = sorted(self._registered[kind])
        close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}?" if close else f"the known ones are: {', '.join(names) or 'none'}."
        return f"no {kind} is called {name!r}: {hint}{self._broken_hint()}"

    def _broken_hint(self) -> str:
        disabled = switched_off()
        hint = f" BENCHMARKER_DISABLE switches off: {', '.join(disabled)}." if disabled else ""
        if not self.broken:
            return hint
        count = "1 plugin is" if len(self.broken) == 1 else f"{len(self.broken)} plugins are"
        return f" {count} broken; `benchmarker list` shows why.{hint}"

    def _owners(self, kind: str, role: str) -> list[Registered]:
        everything = [owner for _, owners in sorted(self._registered[kind].items()) for owner in owners]
        return [owner for owner in everything if role in getattr(owner.plugin, "default_for", ())]

    def _role_conflicts(self) -> list[BrokenPlugin]:
        found = [(kind, role, self._owners(kind, role)) for kind, roles in ROLES.items() for role in roles]
        return [
            BrokenPlugin(
                name=f"{kind} for {role}",
                distribution=", ".join(sorted({owner.distribution for owner in owners})),
                error=_role_conflict(kind, role, owners),
            )
            for kind, role, owners in found
            if len({owner.plugin.name for owner in owners}) > 1  # two plugins of one name are a name conflict
        ]

    def _name_conflicts(self) -> list[BrokenPlugin]:
        return [
            BrokenPlugin(
                name=", ".join(dict.fromkeys(owner.plugin.name for owner in owners)),
                distribution=", ".join(owner.distribution for owner in owners),
                error=_name_conflict(kind, owners[0].plugin.name, owners),
            )
            for kind, candidates in self._spelled.items()
            for _, owners in sorted(candidates.items())
            if len(owners) > 1
        ]

    def _alias_conflicts(self) -> list[BrokenPlugin]:
        """Return the aliases that mean several plugins, and so none."""
        found = []
        for kind in KINDS:
            aliases = {alias for owner in self.all(kind) for alias in getattr(owner.plugin, "aliases", ())}
            for alias in sorted({spelling(alias): alias for alias in sorted(aliases)}.values()):
                owners = self._with_alias(kind, alias)
                if len(owners) > 1 and spelling(alias) not in self._spelled[kind]:
                    distributions = ", ".join(owner.distribution for owner in owners)
                    error = _name_conflict(kind, alias, owners)
                    found.append(BrokenPlugin(name=alias, distribution=distributions, error=error))
        return found


def _spelled(candidates: Mapping[str, list[Registered]]) -> dict[str, list[Registered]]:
    found: dict[str, list[Registered]] = {}
    for owners in candidates.values():
        for owner in owners:
            found.setdefault(spelling(owner.plugin.name), []).append(owner)
    return found


def _name_conflict(kind: str, name: str, owners: list[Registered]) -> str:
    if len({owner.plugin.name for owner in owners}) == 1:
        own, distributions = owners[0].plugin.name, [owner.distribution for owner in owners]
        if len(set(distributions)) == 1:
            return f"the {kind} {own!r} means {len(owners)} plugins of {distributions[0]}: rename one of them"
        return f"the {kind} {own!r} is registered by {' and '.join(distributions)}: uninstall one of them"
    names = " or ".join(f"{owner.plugin.name!r} of {owner.distribution}" for owner in owners)
    if all(spelling(owner.plugin.name) == spelling(name) for owner in owners):
        return f"the {kind} {name!r} may be {names}, which cannot be told apart: uninstall one of them"
    return f"the {kind} {name!r} may be {names}, which share the alias: use their names"


def _role_conflict(kind: str, role: str, owners: list[Registered]) -> str:
    names = " and ".join(f"{owner.plugin.name!r} of {owner.distribution}" for owner in owners)
    return f"several {kind}s are the default for {role!r}, but only one can be: {names}; uninstall all but one"


def discover() -> Plugins:
    """Load every installed plugin, sorted by the names of entry points and distributions."""
    registered: dict[str, dict[str, list[Registered]]] = {kind: {} for kind in KINDS}
    for kind, plugin in BUILT_IN:
        registered[kind][plugin.name] = [Registered(plugin=plugin, distribution=f"{OWN} {__version__}")]
    broken: list[BrokenPlugin] = []
    points = find()
    refused = _refused(points)
    for point in points:
        if point in refused:
            broken.append(BrokenPlugin(name=point.entry.name, distribution=point.distribution, error=refused[point]))
            continue
        try:
            with quiet_import():
                found = register(point.entry)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a broken plugin must not affect the others
            broken.append(
                BrokenPlugin(
                    name=point.entry.name,
                    distribution=point.distribution,
                    error=describe(error),
                    traceback=traceback.format_exc(),
                )
            )
            continue
        for kind, plugin in found:
            owner = Registered(plugin=plugin, distribution=point.distribution)
            owners = registered[kind].setdefault(plugin.name, [])
            if owner not in owners:  # two entry points of one distribution may lead to the same plugin
                owners.append(owner)
    return Plugins(registered, broken)


def _refused(points: Sequence[Found]) -> dict[Found, str]:
    """Return the plugins that must not be imported into this process, and why."""
    if all(point.is_own for point in points):
        return {}
    from benchmarker.trials import problems  # would slow down every command

    return problems(points)


@lru_cache(maxsize=1)
def installed() -> Plugins:
    """Return the installed plugins, which are loaded once in each process."""
    return discover()


def register(entry: EntryPoint) -> list[tuple[str, Plugin]]:
    """Import the module of an entry point, and return what it registers, each with its kind.

    Raises
    ------
    PluginError
        If the module registers nothing, or something invalid. Importing it may raise anything.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    manager.register(entry.load(), name=entry.name)
    if not manager.hook.benchmarker_register.get_hookimpls():
        raise PluginError(f"{entry.value} has no function benchmarker_register marked with @hookimpl")
    registrar = Registrar()
    manager.hook.benchmarker_register(registrar=registrar)
    return registrar.registered


def _reference(plugin: Plugin) -> str:
    """Return the function that a plugin is made of, as ``"package.module:function"``."""
    for field in ("builder", "loader", "renderer", "command", "executor"):
        if hasattr(plugin, field):
            return str(getattr(plugin, field))
    raise PluginError(f"{plugin!r} names no function")


def resolve(reference: str) -> Any:
    """Import an object by its reference, ``"package.module:name"``.

    Raises
    ------
    PluginError
        If the module cannot be imported or does not contain the name.

    Examples
    --------
    >>> resolve("math:tau") > 6
    True
    """
    module_name, _, name = reference.partition(":")
    try:
        if (module := sys.modules.get(module_name)) is None:
            with quiet_import():
                module = importlib.import_module(module_name)
        return getattr(module, name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # importing runs the code of a plugin
        raise PluginError(f"{reference!r} cannot be imported: {describe(error)}") from error


def blamed(error: BaseException) -> str | None:
    """Return the distribution of the plugin whose code an exception came through, or None if there was none.

    Parameters
    ----------
    error : BaseException
        Exception that was caught. Those that it was raised from count, too.

    Returns
    -------
    str or None
        Distribution with its version; that of the innermost frame, where the code of several plugins was called.
    """
    owners = {point.entry.module.partition(".")[0]: point.distribution for point in find()}
    packages = [package for package in _packages(error) if package in owners]
    return owners[packages[-1]] if packages else None


def _packages(error: BaseException) -> Iterator[str]:
    """Yield the top-level package of each frame of an exception and of those it was raised from, innermost last."""
    if (earlier := error.__cause__ or error.__context__) is not None:
        yield from _packages(earlier)
    for frame, _ in traceback.walk_tb(error.__traceback__):
        yield str(frame.f_globals.get("__name__", "")).partition(".")[0]


def options_model(plugin: Architecture | Dataset | Augmentation | Generator | Executor) -> type[Options] | None:
    """Return the class of a plugin's options, or None if it has none."""
    return None if plugin.options is None else cast("type[Options]", resolve(plugin.options))
