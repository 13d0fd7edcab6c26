"""Checks a valid registry against the installed plugins, before anything is trained."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from benchmarker.backends import WITH_LANES, chosen, lanes_refused
from benchmarker.contracts.plugins import Architecture, Augmentation, Dataset, Generator
from benchmarker.contracts.settings import Split
from benchmarker.contracts.tasks import Regression, Task
from benchmarker.discovery import Plugins
from benchmarker.errors import ConfigurationError, PluginError, RegistryError, UnknownPluginError
from benchmarker.hooks import spelling
from benchmarker.paths import reading_problem
from benchmarker.registry.generated import generated_problems, trained_generators
from benchmarker.registry.loading import LoadedRegistry
from benchmarker.registry.models import ArmEntry, AugmentationEntry, GeneratorEntry, Registry
from benchmarker.registry.options import check_options, merged_preparation
from benchmarker.registry.positions import KeyPath, Problem
from benchmarker.registry.suitability import check_generator, check_task
from benchmarker.registry.validation import suggestion

MOST_CELLS = 100_000
"""Cells of a study, ten times as many as the largest that was planned for."""

P = TypeVar("P", Architecture, Augmentation, Dataset, Generator)
E = TypeVar("E", ArmEntry, GeneratorEntry)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellProblem:
    """Why the cells of one model or one arm cannot be trained, while all others can.

    Parameters
    ----------
    part : {"model", "arm"}
        List of the registry that contains it.
    index : int
        Its index in that list.
    kind : {"plugin", "configuration"}
        Kind of failure that its cells get.
    message : str
        The problem, as ``file:line:column: text``.
    """

    part: Literal["model", "arm"]
    index: int
    kind: Literal["plugin", "configuration"]
    message: str


def check_registry(
    loaded: LoadedRegistry,
    plugins: Plugins,
    *,
    unsuited: Literal["refuse", "fail"] = "refuse",
    standalone: bool = False,
) -> tuple[CellProblem, ...]:
    """Check that all plugins that a registry names are installed and take the options that it gives.

    Parameters
    ----------
    loaded : LoadedRegistry
        A registry that is valid in itself.
    plugins : Plugins
        The installed plugins.
    unsuited : {"refuse", "fail"}
        Whether a network that is for larger images or for another task makes the registry wrong, or only its cells
        fail.
    standalone : bool
        Whether its generators are trained without networks.

    Returns
    -------
    tuple of CellProblem
        Faults of plugins that only some cells need: those cells fail, and the others run.

    Raises
    ------
    RegistryError
        If the registry is wrong; it carries every problem.
    """
    check = _Check(loaded, plugins)
    _require_feasible(loaded)
    check.backend()
    check.dataset()
    check.generators()
    check.arms()
    check.generated(standalone=standalone)
    check.models(unsuited=unsuited)
    if check.problems:
        raise RegistryError(loaded.positions.messages(check.problems))
    return tuple(check.cells)


def canonical(loaded: LoadedRegistry, plugins: Plugins) -> LoadedRegistry:
    """Return a registry in which plugins have the names that they registered; unknown names stay as they are."""
    registry = loaded.registry
    dataset = registry.dataset.model_copy(update={"name": _registered_name(plugins.dataset, registry.dataset.name)})
    arms = tuple(_with_canonical_augmentations(arm, plugins) for arm in registry.arms)
    models = tuple(
        entry.model_copy(update={"architecture": _registered_name(plugins.architecture, entry.architecture)})
        for entry in registry.models
    )
    generators = tuple(
        _with_canonical_augmentations(entry, plugins).model_copy(
            update={"generator": _registered_name(plugins.generator, entry.generator)}
        )
        for entry in registry.generators
    )
    named = {"dataset": dataset, "generators": generators, "arms": arms, "models": models}
    return replace(loaded, registry=registry.model_copy(update=named))


def _with_canonical_augmentations(entry: E, plugins: Plugins) -> E:
    if not entry.augmentations:
        return entry
    named = tuple(
        each.model_copy(update={"name": _registered_name(plugins.augmentation, each.name)})
        for each in entry.augmentations
    )
    return entry.model_copy(update={"augmentations": named})


def _registered_name(find: Callable[[str], Architecture | Augmentation | Dataset | Generator], name: str) -> str:
    try:
        return find(name).name
    except (UnknownPluginError, PluginError):
        return name


@dataclass(frozen=True, slots=True)
class _Use:
    """A place where a registry names a plugin that only some cells need."""

    part: Literal["model", "arm", "generator"]
    index: int
    path: KeyPath
    key: str

    @property
    def kind(self) -> str:
        """Kind of the plugin."""
        return {"model": "architecture", "arm": "augmentation"}.get(self.part, self.part)

    @property
    def name_path(self) -> KeyPath:
        return (*self.path, self.key)


def weights_problem(task: Task | None, registry: Registry) -> str | None:
    """Return why a registry asks for weights of classes that there are not, or None."""
    if isinstance(task, Regression) and registry.training.class_weights != "none":
        return "a regression has no classes to weight; leave 'class_weights' out"
    return None


def _require_feasible(loaded: LoadedRegistry) -> None:
    """Refuse more cells than anybody can train, before memory is filled with them."""
    registry = loaded.registry
    cells = len(registry.models) * len(registry.arms) * len(registry.all_seeds)
    if cells > MOST_CELLS:
        text = f"these are {cells:,} cells (models x arms x seeds), and {MOST_CELLS:,} are the most that a study has"
        raise RegistryError(loaded.positions.messages([Problem(path=("models",), text=text)]))


class _Check:
    """Collects the problems of a registry."""

    def __init__(self, loaded: LoadedRegistry, plugins: Plugins) -> None:
        self.loaded = loaded
        self.registry = loaded.registry
        self.plugins = plugins
        self.problems: list[Problem] = []
        self.cells: list[CellProblem] = []
        self.size: int | None = None
        self.task: Task | None = None

    def backend(self) -> None:
        if self.registry.training.seeds_at_once > 1 and (name := chosen()) not in WITH_LANES:
            self._add(("training", "seeds_at_once"), lanes_refused(name))

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
        self._add_below(("dataset", "options"), problems)
        self._split(entry.split)
        if (problem := weights_problem(self.task, self.registry)) is not None:
            self._add(("training", "class_weights"), problem, "'class_weights'")
        try:
            path = self.loaded.data_path
        except ConfigurationError as error:
            self._add(("dataset", "path"), str(error))
            return
        if path is not None and (problem := reading_problem(path)):
            self._add(("dataset", "path"), problem)

    def _split(self, split: Split | None) -> None:
        if split is None:
            return
        if split.published and split.train is not None:
            text = "cannot be true if 'train' is given: leave one of them out"
            self._add(("dataset", "split", "published"), text, "'published'")
        parts = [part for part in (split.train, split.validation) if isinstance(part, float)]
        if len(parts) == 2 and sum(parts) >= 1:
            self._add(("dataset", "split"), "'train' and 'validation' leave nothing for the test part")

    def generators(self) -> None:
        seen: dict[str, KeyPath] = {}
        for index, entry in enumerate(self.registry.generators):
            use = _Use("generator", index, ("generators", index), "generator")
            used = self._use(use, self.plugins.generator, entry.generator, entry.options)
            augmentations = self._augmentations("generator", index, entry.augmentations)
            content = [used, entry.epochs, entry.conditions, augmentations]
            self._distinct(use.path, content, seen, "this generator")
            conditions = [spelling(name) for name in entry.conditions or ()]
            if len(set(conditions)) < len(conditions):
                self._add((*use.path, "conditions"), "a condition is repeated", "'conditions':")

    def arms(self) -> None:
        seen: dict[str, KeyPath] = {}
        for index, arm in enumerate(self.registry.arms):
            augmentations = self._augmentations("arm", index, arm.augmentations)
            generated = arm.generated.model_dump() | {"by": spelling(arm.generated.by)} if arm.generated else None
            content = [generated, augmentations, bool(augmentations) and arm.augment_validation]
            self._distinct(("arms", index), content, seen, "this arm")
            if arm.generated is not None and arm.generated.fresh:
                self._only_transforms(index, arm)

    def _only_transforms(self, index: int, arm: ArmEntry) -> None:
        """Refuse expansions of images that are new in every epoch: they would be rendered anew each time."""
        for number, entry in enumerate(arm.augmentations):
            try:
                expands = self.plugins.augmentation(entry.name).kind == "expansion"
            except (UnknownPluginError, PluginError):
                continue
            if expands:
                text = f"{entry.name} makes a fixed set, but 'fresh' images change in every epoch: use transforms only"
                self._add(("arms", index, "augmentations", number), text)

    def _augmentations(
        self, part: Literal["arm", "generator"], index: int, entries: Sequence[AugmentationEntry]
    ) -> list[Any]:
        found = []
        for number, entry in enumerate(entries):
            use = _Use(part, index, (f"{part}s", index, "augmentations", number), "name")
            found.append(self._use(use, self.plugins.augmentation, entry.name, entry.options))
        return found

    def generated(self, *, standalone: bool) -> None:
        lost = [problem.index for problem in self.cells if problem.part == "arm"]
        self.problems += generated_problems(self.registry, self.task, lost=lost, standalone=standalone)
        for index, entry in trained_generators(self.registry, lost, standalone=standalone):
            self._generator_settings(_Use("generator", index, ("generators", index), "generator"), entry)

    def _generator_settings(self, use: _Use, entry: GeneratorEntry) -> None:
        """Check what a generator shall do against what its plugin says that it can; other checks name its options."""
        image_size = None if self.size is None else (self.size, self.size)
        try:
            _, wrong = check_options(self.plugins.generator(entry.generator), entry.options)
            if not wrong:
                check_generator(entry, self.plugins, self.task, image_size)
        except ConfigurationError as error:
            self._add(use.name_path, str(error))
        except UnknownPluginError:
            return
        except PluginError as error:
            self._cell(use, "plugin", str(error))

    def models(self, *, unsuited: Literal["refuse", "fail"]) -> None:
        seen: dict[str, KeyPath] = {}
        for index, entry in enumerate(self.registry.models):
            use = _Use("model", index, ("models", index), "architecture")
            used = self._use(use, self.plugins.architecture, entry.architecture, entry.options)
            self._distinct(use.path, [used, entry.learning_rate, entry.epochs], seen, "this model")
            for text in self._unsuited(entry.architecture):
                if unsuited == "refuse":
                    self._add(use.name_path, text)
                else:
                    self._cell(use, "configuration", text)

    def _unsuited(self, name: str) -> Iterator[str]:
        """Yield why a network does not suit the images, as far as they are known."""
        try:
            architecture = self.plugins.architecture(name)
        except (UnknownPluginError, PluginError):
            return
        if self.size is not None and self.size < architecture.minimum_size:
            yield (
                f"{architecture.name} needs images of at least {architecture.minimum_size} pixels, "
                f"but the preparation makes them {self.size}"
            )
        if self.task is not None:
            try:
                check_task(architecture, self.task)
            except ConfigurationError as error:
                yield str(error)

    def _use(self, use: _Use, find: Callable[[str], P], name: str, raw: Mapping[str, Any]) -> list[Any]:
        """Check the name and the options of a plugin, and return them in a form that is equal for equal plugins."""
        try:
            plugin = find(name)
            options, problems = check_options(plugin, raw)
        except UnknownPluginError as error:
            text = f"{error}{self._broken()}"
            if self._may_be_broken(use.kind, name):
                self._cell(use, "plugin", text)
            else:
                self._add(use.name_path, text)
        except PluginError as error:
            self._cell(use, "plugin", str(error))
        else:
            self._add_below((*use.path, "options"), problems)
            return [plugin.name, raw if problems else options and options.model_dump(mode="json")]
        return [spelling(name), raw]

    def _distinct(self, path: KeyPath, content: Any, seen: dict[str, KeyPath], what: str) -> None:
        """Refuse an entry that differs from an earlier one only in its name or in the way it is written."""
        first = seen.setdefault(json.dumps(content, sort_keys=True), path)  # also of numbers that no digest takes
        if first != path:
            self._add(path, f"{what} is the same as the one at {self.loaded.positions.position(first)}")

    def _may_be_broken(self, kind: str, name: str) -> bool:
        """Return whether a name may belong to a broken plugin, because it is not similar to a known one."""
        known = [registered.plugin for registered in self.plugins.all(kind)]
        names = [spelt for plugin in known for spelt in (plugin.name, *getattr(plugin, "aliases", ()))]
        return bool(self._broken()) and suggestion(name, names) is None

    def _broken(self) -> str:
        # A name that two plugins register is listed as broken, too, but without a traceback: both plugins work.
        broken = [each for each in self.plugins.broken if each.traceback]
        listed = "; ".join(f"{each.name} of {each.distribution} ({each.error})" for each in broken)
        return f" It may belong to a broken plugin: {listed}" if broken else ""

    def _add_below(self, path: KeyPath, problems: list[Problem]) -> None:
        self.problems += [replace(problem, path=(*path, *problem.path)) for problem in problems]

    def _add(self, path: KeyPath, text: str, subject: str = "") -> None:
        self.problems.append(Problem(path=path, text=text, subject=subject))

    def _cell(self, use: _Use, kind: Literal["plugin", "configuration"], text: str) -> None:
        message = self.loaded.positions.message(Problem(path=use.name_path, text=text))
        if use.part != "generator":
            self.cells.append(CellProblem(part=use.part, index=use.index, kind=kind, message=message))
            return
        label = spelling(self.registry.generators[use.index].label)
        for index, arm in enumerate(self.registry.arms):
            if arm.generated is not None and spelling(arm.generated.by) == label:
                self.cells.append(CellProblem(part="arm", index=index, kind=kind, message=message))
