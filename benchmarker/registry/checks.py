"""Checks a registry against the plugins that are installed, before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from benchmarker.contracts.plugins import Architecture, Augmentation, Dataset, Generator
from benchmarker.contracts.settings import Split
from benchmarker.contracts.tasks import Task
from benchmarker.digests import digest_json
from benchmarker.discovery import Plugins, spelling
from benchmarker.errors import PluginError, RegistryError, UnknownPluginError
from benchmarker.paths import reading_problem
from benchmarker.registry.explain import suggestion
from benchmarker.registry.generated import generated_problems
from benchmarker.registry.loading import LoadedRegistry
from benchmarker.registry.options import check_options, merged_preparation
from benchmarker.registry.positions import Path, Problem

P = TypeVar("P", Architecture, Augmentation, Dataset, Generator)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellProblem:
    """Why the cells of one model or of one arm cannot be trained while all others can.

    Parameters
    ----------
    part : {"model", "arm"}
        What cannot be used.
    index : int
        Its place in the registry's list.
    kind : {"plugin", "configuration"}
        The kind of failure that its cells are given.
    message : str
        ``file:line:column: ...``.
    """

    part: Literal["model", "arm"]
    index: int
    kind: Literal["plugin", "configuration"]
    message: str


def check_registry(
    loaded: LoadedRegistry, plugins: Plugins, *, too_small: Literal["refuse", "fail"] = "refuse"
) -> tuple[CellProblem, ...]:
    """Check that everything a registry names exists, and takes the options that it gives.

    Parameters
    ----------
    loaded : LoadedRegistry
        A registry that is valid in itself.
    plugins : Plugins
        What is installed.
    too_small : {"refuse", "fail"}
        What images below a network's minimum size mean: the registry is refused, or only those cells fail.

    Returns
    -------
    tuple of CellProblem
        What only some cells need and a plugin's fault keeps from working: those cells fail, the others run.

    Raises
    ------
    RegistryError
        With every problem that the registry's author can mend.
    """
    check = _Check(loaded, plugins)
    check.dataset()
    check.generators()
    check.arms()
    check.generated()
    check.models(too_small=too_small)
    if check.problems:
        raise RegistryError(loaded.places.tell_all(check.problems))
    return tuple(check.cells)


def canonical(loaded: LoadedRegistry, plugins: Plugins) -> LoadedRegistry:
    """Return a registry with the names of plugins as those spell them; what is unknown stays as it is."""
    registry = loaded.registry
    dataset = registry.dataset.model_copy(update={"name": _own_name(plugins.dataset, registry.dataset.name)})
    arms = tuple(
        arm.model_copy(
            update={
                "augmentations": tuple(
                    entry.model_copy(update={"name": _own_name(plugins.augmentation, entry.name)})
                    for entry in arm.augmentations
                )
            }
        )
        for arm in registry.arms
    )
    models = tuple(
        entry.model_copy(update={"architecture": _own_name(plugins.architecture, entry.architecture)})
        for entry in registry.models
    )
    generators = tuple(
        entry.model_copy(update={"generator": _own_name(plugins.generator, entry.generator)})
        for entry in registry.generators
    )
    named = {"dataset": dataset, "generators": generators, "arms": arms, "models": models}
    return replace(loaded, registry=registry.model_copy(update=named))


def _own_name(find: Callable[[str], Architecture | Augmentation | Dataset | Generator], name: str) -> str:
    try:
        return find(name).name
    except (UnknownPluginError, PluginError):
        return name


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a registry names a plugin that only some cells need."""

    part: Literal["model", "arm", "generator"]
    index: int
    path: Path
    key: str

    @property
    def kind(self) -> str:
        """Kind of the plugin."""
        return {"model": "architecture", "arm": "augmentation"}.get(self.part, self.part)

    @property
    def name_path(self) -> Path:
        return (*self.path, self.key)


class _Check:
    def __init__(self, loaded: LoadedRegistry, plugins: Plugins) -> None:
        self.loaded = loaded
        self.registry = loaded.registry
        self.plugins = plugins
        self.problems: list[Problem] = []
        self.cells: list[CellProblem] = []
        self.size: int | None = None
        self.task: Task | None = None

    def dataset(self) -> None:
        entry = self.registry.dataset
        try:
            plugin = self.plugins.dataset(entry.name)
            _, problems = check_options(plugin, entry.options)
            self.size = merged_preparation(plugin, entry.preparation).size
            self.task = plugin.task
        except UnknownPluginError as error:
            self._add(("dataset", "name"), f"{error}{self._broken()}")
            return
        except PluginError as error:
            self._add(("dataset", "name"), str(error))
            return
        self._under(("dataset", "options"), problems)
        self._split(entry.split)
        path = self.loaded.data_path
        if path is not None and (problem := reading_problem(path)):
            self._add(("dataset", "path"), problem)

    def _split(self, split: Split | None) -> None:
        if split is None:
            return
        if split.published and split.train is not None:
            told = "cannot be true while 'train' is given: leave one of them out"
            self._add(("dataset", "split", "published"), told, "'published'")
        parts = [part for part in (split.train, split.validation) if isinstance(part, float)]
        if len(parts) == 2 and sum(parts) >= 1:
            self._add(("dataset", "split"), "'train' and 'validation' leave nothing for the test part")

    def generators(self) -> None:
        seen: dict[str, Path] = {}
        for index, entry in enumerate(self.registry.generators):
            place = _Place("generator", index, ("generators", index), "generator")
            used = self._use(place, self.plugins.generator, entry.generator, entry.options)
            if used is not None:
                content = [used[0].name, used[1], entry.epochs, entry.conditions]
                self._distinct(place.path, content, seen, "this generator")
            conditions = [spelling(name) for name in entry.conditions or ()]
            if len(set(conditions)) < len(conditions):
                self._add((*place.path, "conditions"), "a condition is given twice", "'conditions'")

    def arms(self) -> None:
        seen: dict[str, Path] = {}
        for index, arm in enumerate(self.registry.arms):
            contents: list[Any] = []
            for number, entry in enumerate(arm.augmentations):
                place = _Place("arm", index, ("arms", index, "augmentations", number), "name")
                used = self._use(place, self.plugins.augmentation, entry.name, entry.options)
                if used is not None:
                    contents.append([used[0].name, used[1]])
            if len(contents) == len(arm.augmentations):
                generated = arm.generated.model_dump() | {"by": spelling(arm.generated.by)} if arm.generated else None
                content = [generated, contents, bool(contents) and arm.augment_validation]
                self._distinct(("arms", index), content, seen, "this arm")

    def generated(self) -> None:
        lost = [problem.index for problem in self.cells if problem.part == "arm"]
        self.problems += generated_problems(self.registry, self.task, lost=lost)

    def models(self, *, too_small: Literal["refuse", "fail"]) -> None:
        seen: dict[str, Path] = {}
        for index, entry in enumerate(self.registry.models):
            place = _Place("model", index, ("models", index), "architecture")
            used = self._use(place, self.plugins.architecture, entry.architecture, entry.options)
            if used is None:
                continue
            architecture, options = used
            content = [architecture.name, options, entry.learning_rate, entry.epochs]
            self._distinct(place.path, content, seen, "this model")
            if self.size is not None and self.size < architecture.minimum_size:
                text = (
                    f"{architecture.name} needs images of at least {architecture.minimum_size} pixels; "
                    f"the preparation makes them {self.size}"
                )
                if too_small == "refuse":
                    self._add(place.name_path, text)
                else:
                    self._cell(place, "configuration", text)

    def _use(
        self, place: _Place, find: Callable[[str], P], name: str, raw: Mapping[str, Any]
    ) -> tuple[P, dict[str, Any] | None] | None:
        """Return a plugin and its options as plain data; None, with the reason noted, where they cannot be used."""
        try:
            plugin = find(name)
            options, problems = check_options(plugin, raw)
        except UnknownPluginError as error:
            text = f"{error}{self._broken()}"
            if self._may_be_broken(place.kind, name):
                self._cell(place, "plugin", text)
            else:
                self._add(place.name_path, text)
            return None
        except PluginError as error:
            self._cell(place, "plugin", str(error))
            return None
        self._under((*place.path, "options"), problems)
        return None if problems else (plugin, options.model_dump(mode="json") if options else None)

    def _distinct(self, path: Path, content: Any, seen: dict[str, Path], what: str) -> None:
        first = seen.setdefault(digest_json(content), path)
        if first != path:
            line, column = self.loaded.places.position(first)
            where = f"line {line}, column {column}"
            self._add(path, f"{what} is the same as the one at {where}, only written otherwise")

    def _may_be_broken(self, kind: str, name: str) -> bool:
        """Return whether a broken plugin may own a name: there is one, and the name is no slip for a known one."""
        known = [registered.plugin for registered in self.plugins.all(kind)]
        names = [spelt for plugin in known for spelt in (plugin.name, *getattr(plugin, "aliases", ()))]
        return bool(self._broken()) and suggestion(name, names) is None

    def _broken(self) -> str:
        # A name that two plugins register is listed as broken too, but has no traceback: both plugins work.
        broken = [each for each in self.plugins.broken if each.traceback]
        told = "; ".join(f"{each.name} of {each.distribution} ({each.error})" for each in broken)
        return f" It may belong to a broken plugin: {told}" if broken else ""

    def _under(self, path: Path, problems: list[Problem]) -> None:
        self.problems += [replace(problem, path=(*path, *problem.path)) for problem in problems]

    def _add(self, path: Path, text: str, subject: str = "") -> None:
        self.problems.append(Problem(path=path, text=text, subject=subject))

    def _cell(self, place: _Place, kind: Literal["plugin", "configuration"], text: str) -> None:
        message = self.loaded.places.tell(Problem(path=place.name_path, text=text))
        if place.part != "generator":
            self.cells.append(CellProblem(part=place.part, index=place.index, kind=kind, message=message))
            return
        label = spelling(self.registry.generators[place.index].label)
        for index, arm in enumerate(self.registry.arms):
            if arm.generated is not None and spelling(arm.generated.by) == label:
                self.cells.append(CellProblem(part="arm", index=index, kind=kind, message=message))
