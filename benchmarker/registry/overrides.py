"""What command-line options change in a registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any

from benchmarker.contracts.plugins import Dataset
from benchmarker.discovery import Plugins
from benchmarker.errors import PluginError, UnknownPluginError
from benchmarker.paths import reading_problem
from benchmarker.registry.positions import Path, Problem

# How messages name the options; the command line takes the names from here.
OPTION_NAMES: Mapping[str, str] = {
    "seeds": "-s/--seed",
    "data": "-d/--data",
    "manifest": "-f/--manifest",
    "image_size": "-i/--image-size",
    "rotation": "-r/--rotation",
    "train_size": "-t/--train-size",
    "validation_size": "-v/--validation-size",
    "mnist": "-X/--mnist",
}

_FULL_TURN = 360


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """Options of the command line that take the place of what a registry says; None leaves the registry's.

    Parameters
    ----------
    seeds : tuple of int
        Instead of the registry's seeds; empty leaves them.
    data : Path
        Instead of the dataset's path; relative to the working folder.
    manifest : str
        The manifest of a dataset that declares an option for it.
    image_size : int
        Central pixels that are kept, and the option of a dataset that declares one for it.
    rotation : float
        Degrees, for every augmentation that declares an option for it; 0 or 360 takes those out.
    train_size, validation_size : int or float
        Sources of each class, or fractions.
    mnist : bool
        The dataset that stands for it instead of the registry's.
    """

    seeds: tuple[int, ...] = ()
    data: File | None = None
    manifest: str | None = None
    image_size: int | None = None
    rotation: float | None = None
    train_size: int | float | None = None
    validation_size: int | float | None = None
    mnist: bool = False


@dataclass(slots=True)
class Overridden:
    """Registry data with overrides applied.

    Parameters
    ----------
    data : dict
        To be validated again.
    options : dict of Path to str
        What came from which option.
    problems : list of Problem
        Options that do not suit the registry.
    arms : list of int
        For each arm that is left, which one it was.
    """

    data: dict[str, Any]
    options: dict[Path, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    arms: list[int] | None = None

    def set(self, option: str, path: Path, value: Any) -> None:
        """Put the value of an option at a path, making the mappings on the way."""
        entry: Any = self.data
        for step in path[:-1]:
            if isinstance(step, str) and entry.get(step) is None:
                entry[step] = {}
            entry = entry[step]
        entry[path[-1]] = value
        self.options[path] = OPTION_NAMES[option]

    def refuse(self, option: str, text: str) -> None:
        """Note that an option cannot be followed."""
        path: Path = (f"\0{option}",)
        self.options[path] = OPTION_NAMES[option]
        self.problems.append(Problem(path=path, text=text))


def override(data: dict[str, Any], overrides: Overrides, plugins: Plugins) -> Overridden:
    """Apply overrides to valid registry data.

    Parameters
    ----------
    data : dict
        As ``registry.model_dump(mode="json", exclude_unset=True)`` gives it; it is changed.
    overrides : Overrides
        What to change.
    plugins : Plugins
        What is installed: datasets and augmentations declare which options of the command line they take.
    """
    result = Overridden(data)
    if overrides.seeds:
        result.set("seeds", ("seeds",), list(overrides.seeds))
    if overrides.mnist:
        _set_mnist(result, plugins)
    dataset = _dataset(result, plugins)
    if overrides.data is not None:
        _set_data(result, overrides.data, dataset)
    if overrides.manifest is not None:
        _set_manifest(result, overrides.manifest, dataset, plugins)
    if overrides.image_size is not None:
        result.set("image_size", ("dataset", "preparation", "crop"), overrides.image_size)
        if dataset is not None and (option := dataset.shortcuts.get("image_size")):
            result.set("image_size", ("dataset", "options", option), overrides.image_size)
    for option, key in (("train_size", "train"), ("validation_size", "validation")):
        count = getattr(overrides, option)
        if count is not None:
            result.set(option, ("dataset", "split", key), count)
            result.set(option, ("dataset", "split", "published"), False)
    if overrides.rotation is not None:
        _rotate(result, overrides.rotation, plugins)
    return result


def _set_mnist(result: Overridden, plugins: Plugins) -> None:
    try:
        name = plugins.default_for("dataset", "mnist").name
    except (UnknownPluginError, PluginError) as error:
        result.refuse("mnist", str(error))
    else:
        # Preparation, split and options were written for other images.
        result.set("mnist", ("dataset",), {"name": name})


def _dataset(result: Overridden, plugins: Plugins) -> Dataset | None:
    """Return the registry's dataset; None where it is unknown or not usable, which its check tells."""
    try:
        return plugins.dataset(result.data["dataset"]["name"])
    except (UnknownPluginError, PluginError):
        return None


def _set_data(result: Overridden, data: File, dataset: Dataset | None) -> None:
    path = data.expanduser().absolute()
    if problem := reading_problem(data.expanduser()):
        result.refuse("data", problem)
    elif dataset is not None and dataset.simulated:
        name = result.data["dataset"]["name"]
        result.refuse("data", f"the registry's dataset {name!r} draws its images itself and reads no files")
    else:
        result.set("data", ("dataset", "path"), str(path))


def _set_manifest(result: Overridden, manifest: str, dataset: Dataset | None, plugins: Plugins) -> None:
    if dataset is None:
        return
    if option := dataset.shortcuts.get("manifest"):
        result.set("manifest", ("dataset", "options", option), manifest)
        return
    readers = _takers(plugins, "dataset", "manifest")
    remedy = "; give your images with -d/--data too" if "text-list" in dataset.default_for else ""
    name = result.data["dataset"]["name"]
    result.refuse("manifest", f"only the dataset {readers} reads a manifest, and the dataset here is {name!r}{remedy}")


def _takers(plugins: Plugins, kind: str, shortcut: str) -> str:
    """Name the plugins that take an option of the command line."""
    found = [registered.plugin for registered in plugins.all(kind)]
    names = [repr(plugin.name) for plugin in found if shortcut in getattr(plugin, "shortcuts", {})]
    return " or ".join(names) or f"of a plugin that takes {OPTION_NAMES[shortcut]}"


def _rotate(result: Overridden, step: float, plugins: Plugins) -> None:
    if not 0 <= step <= _FULL_TURN:
        result.refuse("rotation", f"must be a number of degrees from 0 to {_FULL_TURN}. Received: {step:g}")
        return
    rotated = [
        (number, position, option)
        for number, arm in enumerate(result.data.get("arms", []))
        for position, entry in enumerate(arm.get("augmentations", ()))
        if (option := _rotation_option(entry, plugins))
    ]
    if step in {0, _FULL_TURN}:
        _leave_rotations_out(result, {number for number, _, _ in rotated}, plugins)
    elif not rotated:
        takers = _takers(plugins, "augmentation", "rotation")
        result.refuse("rotation", f"no arm of the registry uses the augmentation {takers}")
    else:
        value = int(step) if float(step).is_integer() else step
        for number, position, option in rotated:
            result.set("rotation", ("arms", number, "augmentations", position, "options", option), value)


def _rotation_option(entry: Mapping[str, Any], plugins: Plugins) -> str:
    """Return the option that takes the degrees; empty where the augmentation takes none."""
    try:
        return plugins.augmentation(entry["name"]).shortcuts.get("rotation", "")
    except (UnknownPluginError, PluginError):
        return ""


def _leave_rotations_out(result: Overridden, rotated: set[int], plugins: Plugins) -> None:
    """Take rotations out; an arm that had nothing else becomes the arm ``real``, and none stays twice."""
    kept: list[int] = []
    arms: list[dict[str, Any]] = []
    plain = [arm.get("generated") for arm in result.data.get("arms", []) if not arm.get("augmentations")]
    for number, arm in enumerate(result.data.get("arms", [])):
        changed = arm
        if number in rotated:
            left = [entry for entry in arm["augmentations"] if not _rotation_option(entry, plugins)]
            generated = arm.get("generated")
            changed = {**arm, "augmentations": left} if left or generated else {"name": "real"}
            if not left and generated in plain:
                continue
            if not left:
                plain.append(generated)
        kept.append(number)
        arms.append(changed)
    if rotated:
        result.data["arms"] = arms
        result.arms = kept
