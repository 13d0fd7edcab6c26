"""Everything that a cell's spec resolves to: its data and their parts, its network, and the environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from benchmarker import backends
from benchmarker.contracts.images import LabelledImages
from benchmarker.contracts.settings import Split, Training
from benchmarker.data.prepared import open_prepared
from benchmarker.data.splits import Parts, split_sources
from benchmarker.discovery import Plugins, installed
from benchmarker.errors import StorageError
from benchmarker.randomness import Stream
from benchmarker.registry import validated_options
from benchmarker.study.fingerprint import fingerprint
from benchmarker.trail import Trail
from benchmarker.training.build import build_model
from benchmarker.training.fit import digest_weights
from benchmarker.training.sets import AppliedAugmentation, PartSet

Emit = Callable[[Mapping[str, Any]], None]


@dataclass(slots=True, kw_only=True)
class Workplace:
    """Everything that a cell's spec resolves to."""

    spec: Mapping[str, Any]
    data: LabelledImages
    parts: Parts
    training: Training
    applied: list[AppliedAugmentation]
    model: keras.Model
    digests: dict[str, str]
    fingerprint: dict[str, Any]
    trail: Trail
    generator: Mapping[str, Any] | None = None

    @property
    def seed(self) -> int:
        """The cell's seed."""
        return int(self.spec["seed"])

    def part(self, name: str) -> PartSet:
        """Return the real images of a part."""
        return PartSet(self.data, getattr(self.parts, name))


def set_up(spec: Mapping[str, Any], prepared: Path, generator: Mapping[str, Any] | None = None) -> Workplace:
    """Configure the backend, open the data and build the network.

    Parameters
    ----------
    spec : mapping
        Of the cell.
    prepared : Path
        Folder of the prepared data.
    generator : mapping, optional
        Spec and folder of the run of the generator whose images the cell is trained on.
    """
    training = Training.model_validate(spec["training"])
    seed = int(spec["seed"])
    backends.load(spec["backend"]).configure(training.threads, Stream("backend", seed=seed).seed())
    data = open_prepared(prepared)
    if data.digest != spec["dataset"]["digest"]:
        raise StorageError(f"{prepared}: holds other data than the plan; remove the folder and run again")
    plugins = installed()
    parts = split_sources(data, Split.model_validate(spec["split"]), seed)
    architecture = plugins.architecture(spec["model"]["architecture"])
    height, width, channels = data.images.shape[1:]
    model = build_model(
        architecture,
        validated_options(architecture, spec["model"]["options"]),
        (height, width, channels),
        data.task,
        seed=seed,
        precision=training.precision,
    )
    return Workplace(
        spec=spec,
        data=data,
        parts=parts,
        training=training,
        applied=[_applied(entry, plugins) for entry in spec["arm"]["augmentations"]],
        model=model,
        digests={"data": data.digest, "split": parts.digest, "initial_weights": digest_weights(model)},
        fingerprint=fingerprint(
            spec["backend"], training.threads, training.precision, _distributions(spec, plugins, generator)
        ),
        trail=Trail(),
        generator=generator,
    )


def _applied(entry: Mapping[str, Any], plugins: Plugins) -> AppliedAugmentation:
    augmentation = plugins.augmentation(entry["name"])
    return AppliedAugmentation(augmentation=augmentation, options=validated_options(augmentation, entry["options"]))


def _distributions(spec: Mapping[str, Any], plugins: Plugins, generator: Mapping[str, Any] | None) -> dict[str, str]:
    names = [("architecture", spec["model"]["architecture"]), ("dataset", spec["dataset"]["name"])]
    names += [("augmentation", entry["name"]) for entry in spec["arm"]["augmentations"]]
    names += [("generator", generator["spec"]["generator"]["name"])] if generator else []
    return {f"{kind} {name}": plugins.distribution(kind, name) for kind, name in names}
