"""Changes that command-line options make to a registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarker.contracts.plugins import Dataset
from benchmarker.discovery import Plugins
from benchmarker.errors import ConfigurationError, PluginError, UnknownPluginError
from benchmarker.paths import expand_user, reading_problem
from benchmarker.registry.models import REAL, ArmEntry, AugmentationEntry, Registry, UntilDecided
from benchmarker.registry.positions import KeyPath, Problem

OPTION_NAMES: Mapping[str, str] = {
    "seeds": "-s/--seed",
    "until_decided": "--until-decided",
    "at_most": "--at-most",
    "data": "-d/--data",
    "manifest": "-f/--manifest",
    "image_size": "-i/--image-size",
    "rotation": "-r/--rotation",
    "train_size": "-t/--train-size",
    "validation_size": "-v/--validation-size",
    "mnist": "-X/--mnist",
    "binary_threshold": "--binary-threshold",
    "early_stopping": "--early-stopping",
}
"""Names of the options in messages."""

_FULL_TURN = 360

# The radio framework's own numbers.
_LEAST_IMPROVEMENT = 0.01
_LEAST_IMPROVEMENT_MNIST = 0.001
_VALIDATION_IMAGES_MNIST = 3_000
_NEVER = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """Settings of the command line that replace those of a registry; None keeps the registry's.

    Parameters
    ----------
    seeds : tuple of int
        Seeds; an empty tuple keeps the registry's.
    until_decided : bool
        Whether to add seeds until every comparison is decided, with the defaults of the registry where it has none.
    at_most : int
        Number of seeds at which that stops.
    data : Path
        Path of the images, relative to the working folder.
    manifest : str
        Manifest of the images, for datasets that declare an option for it.
    image_size : int
        Number of central pixels to keep, and the size option of datasets that declare one.
    rotation : float
        Angle in degrees, for augmentations that declare an option for it; 0 and 360 remove those augmentations.
    train_size, validation_size : int or float
        Sources of each class, or fractions.
    mnist : bool
        Whether to use the default dataset for ``-X``.
    binary_threshold : float
        Fraction of an image's maximum above which pixels become 1, as in the radio framework.
    early_stopping : int
        Epochs without an improvement of more than 0.01 after which training stops; -1 for never.
    """

    seeds: tuple[int, ...] = ()
    until_decided: bool = False
    at_most: int | None = None
    data: Path | None = None
    manifest: str | None = None
    image_size: int | None = None
    rotation: float | None = None
    train_size: int | float | None = None
    validation_size: int | float | None = None
    mnist: bool = False
    binary_threshold: float | None = None
    early_stopping: int | None = None


@dataclass(slots=True)
class Overridden:
    """Plain data of a registry with overrides applied, to be validated again.

    Parameters
    ----------
    data : dict
        Plain data of the registry.
    arms : tuple of int
        For each remaining arm its index in the registry before.
    options : dict of KeyPath to str
        Values that were set, with the names of the options.
    problems : list of Problem
        Options that do not fit the registry.
    """

    data: dict[str, Any]
    arms: tuple[int, ...]
    options: dict[KeyPath, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def set(self, option: str, path: KeyPath, value: Any) -> None:
        """Set the value at a path, and create the mappings above it."""
        entry: Any = self.data
        for step in path[:-1]:
            if isinstance(step, str) and entry.get(step) is None:
                entry[step] = {}
            entry = entry[step]
        entry[path[-1]] = value
        self.options[path] = OPTION_NAMES[option]

    def refuse(self, option: str, text: str) -> None:
        """Record that an option does not fit the registry."""
        self.problems.append(Problem(text=text, option=OPTION_NAMES[option]))


def override(registry: Registry, overrides: Overrides, plugins: Plugins) -> Overridden:
    """Apply overrides to a registry.

    Parameters
    ----------
    registry : Registry
        A valid registry.
    overrides : Overrides
        What to change.
    plugins : Plugins
        The installed plugins: datasets and augmentations declare which options of the command line they take.
    """
    turned = _Rotation(registry, plugins)
    arms = tuple(range(len(registry.arms)))
    if overrides.rotation in {0, _FULL_TURN}:
        arms, registry = turned.removed()
    result = Overridden(registry.model_dump(mode="json", exclude_unset=True), arms)
    if overrides.seeds:
        result.set("seeds", ("seeds",), list(overrides.seeds))
    if overrides.until_decided and registry.until_decided is None:
        result.set("until_decided", ("until_decided",), {})
    if overrides.at_most is not None:
        _set_at_most(result, overrides.at_most)
    name = _mnist(result, registry, plugins) if overrides.mnist else registry.dataset.name
    _override_dataset(result, name, overrides, plugins)
    if overrides.early_stopping is not None:
        _set_early_stopping(result, overrides.early_stopping)
    if overrides.rotation is not None and overrides.rotation not in {0, _FULL_TURN}:
        turned.set(overrides.rotation, result)
    return result


def _set_at_most(result: Overridden, at_most: int) -> None:
    if result.data.get("until_decided") is None:
        result.refuse("at_most", "limits the seeds of --until-decided; give both, or list the seeds with -s")
        return
    result.set("at_most", ("until_decided", "at_most"), at_most)
    if result.data["until_decided"].get("at_least", UntilDecided().at_least) > at_most:
        result.set("at_most", ("until_decided", "at_least"), at_most)


def _mnist(result: Overridden, registry: Registry, plugins: Plugins) -> str:
    """Use the default dataset for ``-X``, without the preparation, split and options, which suit other images.

    As in the radio framework, the first 3,000 training images validate, and the learning rate is lowered where the
    validation loss improves by less than 0.001.
    """
    try:
        dataset = plugins.default_for("dataset", "mnist")
    except (UnknownPluginError, PluginError) as error:
        result.refuse("mnist", str(error))
        return ""
    option = getattr(dataset, "shortcuts", {}).get("mnist")
    options = {"options": {option: _VALIDATION_IMAGES_MNIST}} if option else {}
    result.set("mnist", ("dataset",), {"name": dataset.name, **options})
    if registry.training.plateau is not None:
        result.set("mnist", ("training", "plateau", "minimum_delta"), _LEAST_IMPROVEMENT_MNIST)
    return dataset.name


def _set_early_stopping(result: Overridden, patience: int) -> None:
    if patience == _NEVER:
        result.set("early_stopping", ("training", "early_stopping"), None)
    elif patience > 0:
        settings = {"patience": patience, "minimum_delta": _LEAST_IMPROVEMENT}
        result.set("early_stopping", ("training", "early_stopping"), settings)
    else:
        result.refuse("early_stopping", f"should be a number of epochs, or -1 for never. Received: {patience}")


def _override_dataset(result: Overridden, name: str, overrides: Overrides, plugins: Plugins) -> None:
    try:
        dataset = plugins.dataset(name)
    except (UnknownPluginError, PluginError):
        dataset = None  # reported by the check of the registry
    if overrides.data is not None:
        _set_data(result, overrides.data, dataset)
    if overrides.manifest is not None and dataset is not None:
        _set_manifest(result, overrides.manifest, dataset, plugins)
    if overrides.image_size is not None:
        result.set("image_size", ("dataset", "preparation", "crop"), overrides.image_size)
        if dataset is not None and (option := dataset.shortcuts.get("image_size")):
            result.set("image_size", ("dataset", "options", option), overrides.image_size)
    if overrides.binary_threshold is not None:
        result.set("binary_threshold", ("dataset", "preparation", "binary_threshold"), overrides.binary_threshold)
        result.set("binary_threshold", ("dataset", "preparation", "binary_others"), "keep")
    sizes = (
        ("train_size", "train", overrides.train_size),
        ("validation_size", "validation", overrides.validation_size),
    )
    for option, part, size in sizes:
        if size is not None:
            result.set(option, ("dataset", "split", part), size)
            result.set(option, ("dataset", "split", "published"), False)


def _set_data(result: Overridden, data: Path, dataset: Dataset | None) -> None:
    try:
        path = expand_user(data)
    except ConfigurationError as error:
        result.refuse("data", str(error))
        return
    if problem := reading_problem(path):
        result.refuse("data", problem)
    elif dataset is not None and dataset.simulated:
        result.refuse("data", f"the dataset of the registry, {dataset.name!r}, simulates its images and reads no files")
    else:
        result.set("data", ("dataset", "path"), str(path.absolute()))


def _set_manifest(result: Overridden, manifest: str, dataset: Dataset, plugins: Plugins) -> None:
    if option := dataset.shortcuts.get("manifest"):
        result.set("manifest", ("dataset", "options", option), manifest)
        return
    remedy = "; also give your images with -d/--data" if "text-list" in dataset.default_for else ""
    readers = _takers(plugins, "dataset", "manifest")
    text = f"only the dataset {readers} reads a manifest, but the dataset is {dataset.name!r}{remedy}"
    result.refuse("manifest", text)


def _takers(plugins: Plugins, kind: str, shortcut: str) -> str:
    """Return the names of the plugins that take an option of the command line."""
    found = [registered.plugin for registered in plugins.all(kind)]
    names = [repr(plugin.name) for plugin in found if shortcut in getattr(plugin, "shortcuts", {})]
    return " or ".join(names) or f"of a plugin that takes {OPTION_NAMES[shortcut]}"


class _Rotation:
    """The augmentations of a registry that take the angle of ``-r``."""

    def __init__(self, registry: Registry, plugins: Plugins) -> None:
        self.registry = registry
        self.plugins = plugins

    def set(self, angle: float, result: Overridden) -> None:
        """Set the angle of every augmentation that takes one."""
        if not 0 <= angle <= _FULL_TURN:
            result.refuse("rotation", f"should be a number of degrees from 0 to {_FULL_TURN}. Received: {angle:g}")
            return
        value = int(angle) if float(angle).is_integer() else angle
        paths = [
            ("arms", number, "augmentations", position, "options", option)
            for number, arm in enumerate(self.registry.arms)
            for position, entry in enumerate(arm.augmentations)
            if (option := self._option(entry))
        ]
        for path in paths:
            result.set("rotation", path, value)
        if not paths:
            takers = _takers(self.plugins, "augmentation", "rotation")
            result.refuse("rotation", f"no arm of the registry uses the augmentation {takers}")

    def removed(self) -> tuple[tuple[int, ...], Registry]:
        """Return the registry without these augmentations, and for each remaining arm its index before.

        An arm without augmentations and generated images becomes the arm ``real``. Arms that would be the same as
        another one are left out.
        """
        plain = [arm.generated for arm in self.registry.arms if not arm.augmentations]
        kept: dict[int, ArmEntry] = {}
        for number, arm in enumerate(self.registry.arms):
            left = tuple(entry for entry in arm.augmentations if not self._option(entry))
            if left == arm.augmentations:
                kept[number] = arm
            elif left:
                kept[number] = arm.model_copy(update={"augmentations": left})
            elif arm.generated not in plain:
                plain.append(arm.generated)
                kept[number] = arm.model_copy(update={"augmentations": ()}) if arm.generated else REAL
        if list(kept.values()) == list(self.registry.arms):
            return tuple(kept), self.registry
        return tuple(kept), self.registry.model_copy(update={"arms": tuple(kept.values())})

    def _option(self, entry: AugmentationEntry) -> str:
        """Return the option of an augmentation that takes the angle; an empty string if there is none."""
        try:
            return self.plugins.augmentation(entry.name).shortcuts.get("rotation", "")
        except (UnknownPluginError, PluginError):
            return ""
