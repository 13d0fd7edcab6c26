"""What command-line options change in a registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any

from benchmarker.discovery import spelling
from benchmarker.registry.places import Path, Problem

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
_MANIFESTS = "fits-manifest"
_SYNTHETIC = "synthetic-radio"


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
        Option ``manifest`` of the dataset ``fits-manifest``.
    image_size : int
        Central pixels that are kept; for ``synthetic-radio`` also the size that images are drawn at.
    rotation : float
        Step of every augmentation ``rotations`` in degrees; 0 or 360 takes rotations out.
    train_size, validation_size : int or float
        Sources of each class, or fractions.
    mnist : bool
        MNIST instead of the registry's dataset.
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


def override(data: dict[str, Any], overrides: Overrides) -> Overridden:
    """Apply overrides to valid registry data.

    Parameters
    ----------
    data : dict
        As ``registry.model_dump(mode="json", exclude_unset=True)`` gives it; it is changed.
    overrides : Overrides
        What to change.
    """
    result = Overridden(data)
    if overrides.seeds:
        result.set("seeds", ("seeds",), list(overrides.seeds))
    if overrides.mnist:
        # Preparation, split and options were written for other images.
        result.set("mnist", ("dataset",), {"name": "mnist"})
    _set_data(result, overrides)
    if overrides.image_size is not None:
        result.set("image_size", ("dataset", "preparation", "crop"), overrides.image_size)
        if _dataset(result) == spelling(_SYNTHETIC):
            result.set("image_size", ("dataset", "options", "size"), overrides.image_size)
    for option, key in (("train_size", "train"), ("validation_size", "validation")):
        count = getattr(overrides, option)
        if count is not None:
            result.set(option, ("dataset", "split", key), count)
            result.set(option, ("dataset", "split", "published"), False)
    if overrides.rotation is not None:
        _rotate(result, overrides.rotation)
    return result


def _dataset(result: Overridden) -> str:
    return spelling(result.data["dataset"]["name"])


def _set_data(result: Overridden, overrides: Overrides) -> None:
    name = result.data["dataset"]["name"]
    if overrides.data is not None:
        path = overrides.data.expanduser().absolute()
        if not path.exists():
            result.refuse("data", f"no such file or folder: {overrides.data}")
        elif _dataset(result) == spelling(_SYNTHETIC):
            result.refuse("data", f"the registry's dataset {name!r} draws its images itself and reads no files")
        else:
            result.set("data", ("dataset", "path"), str(path))
    if overrides.manifest is not None:
        if _dataset(result) == spelling(_MANIFESTS):
            result.set("manifest", ("dataset", "options", "manifest"), overrides.manifest)
        else:
            remedy = "; give your images with -d/--data too" if _dataset(result) == spelling(_SYNTHETIC) else ""
            result.refuse(
                "manifest",
                f"only the dataset {_MANIFESTS!r} reads a manifest, and the dataset here is {name!r}{remedy}",
            )


def _rotate(result: Overridden, step: float) -> None:
    if not 0 <= step <= _FULL_TURN:
        result.refuse("rotation", f"must be a number of degrees from 0 to {_FULL_TURN}. Received: {step:g}")
        return
    arms = result.data.get("arms", [])
    rotated = [
        (number, position)
        for number, arm in enumerate(arms)
        for position, entry in enumerate(arm.get("augmentations", ()))
        if spelling(entry["name"]) == "rotations"
    ]
    if step in {0, _FULL_TURN}:
        _leave_rotations_out(result, {number for number, _ in rotated})
    elif not rotated:
        result.refuse("rotation", "no arm of the registry uses the augmentation 'rotations'")
    else:
        value = int(step) if float(step).is_integer() else step
        for number, position in rotated:
            result.set("rotation", ("arms", number, "augmentations", position, "options", "step"), value)


def _leave_rotations_out(result: Overridden, rotated: set[int]) -> None:
    """Take rotations out; an arm that had nothing else becomes the arm ``real``, and none stays twice."""
    kept: list[int] = []
    arms: list[dict[str, Any]] = []
    plain = [arm.get("generated") for arm in result.data.get("arms", []) if not arm.get("augmentations")]
    for number, arm in enumerate(result.data.get("arms", [])):
        changed = arm
        if number in rotated:
            left = [entry for entry in arm["augmentations"] if spelling(entry["name"]) != "rotations"]
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
