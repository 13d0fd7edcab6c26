"""Specifications: everything that may change the result of a cell, or of a generator, and nothing else.

The *key* of a cell is the SHA-256 of its specification as canonical JSON. Cells that differ only in their seed, and in
what follows from the seed, share a *configuration* and may be averaged.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag

from benchmarker.contracts.settings import PositiveFloat, PositiveInt, Split, Training
from benchmarker.digests import digest_json
from benchmarker.record import Json, Record, TaskRecord, WrittenOut
from benchmarker.registry.models import CHOSEN, GeneratedEntry


class PluginChoice(Record):
    """A plugin with its options."""

    name: str
    """Name of the plugin, as its plugin spells it."""

    options: dict[str, Any]
    """Options of the plugin, defaults included."""


class DatasetSpec(Record):
    """The prepared images of a cell."""

    name: str
    """Name of the dataset."""

    digest: str
    """SHA-256 of the prepared images with their targets."""


class GeneratedSpec(Record):
    """The generated images that an arm trains on."""

    generator: str
    """Key of the generator; another one under each seed."""

    configuration: str
    """Configuration of the generator, which all seeds share."""

    balance: Literal[True] | None = None
    """Generate as many images as bring every class to the size of the largest."""

    ratio: PositiveFloat | None = None
    """Generated images for each real one; left out where classes are balanced."""

    real: Literal[False] | None = None
    """Train without the real images; left out where they stay."""

    epoch: PositiveInt | None = None
    """Epoch of the generator whose weights draw the images; left out for the last one."""

    chosen: Literal[True] | None = None
    """The epoch was chosen for each seed; left out where all seeds have the same."""

    fresh: Literal[True] | None = None
    """Draw new images in every epoch; left out where they are drawn once."""

    @classmethod
    def of(cls, generator: str, configuration: str, asked: GeneratedEntry, epoch: int | None = None) -> Self:
        """Return the generated images that a registry asks for, of one generator.

        Parameters
        ----------
        generator, configuration : str
            Key and configuration of the generator.
        asked : GeneratedEntry
            What the registry says.
        epoch : int, optional
            Epoch whose weights draw the images; None for the last one.
        """
        optional: Json = {
            "real": None if asked.real else False,
            "epoch": epoch,
            "chosen": True if asked.epoch == CHOSEN else None,
            "fresh": asked.fresh or None,
        }
        amount: Json = {"balance": True} if asked.balance else {"ratio": asked.ratio}
        given = {name: value for name, value in optional.items() if value is not None}
        return cls(generator=generator, configuration=configuration, **amount, **given)


class ArmSpec(Record):
    """One training-data condition."""

    augmentations: tuple[PluginChoice, ...]
    """Expansions and transforms, in the order of the registry."""

    augment_validation: bool
    """Whether expansions are applied to the validation part too."""

    generated: GeneratedSpec | WrittenOut[GeneratedEntry] | None = None
    """Generated images; of an arm that cannot be used, which has no generator, what the registry asks for."""

    unusable: Literal[True] | None = None
    """A broken plugin keeps this arm from being used; its cells stay in the plan."""

    @property
    def generated_images(self) -> GeneratedSpec | None:
        """Generated images that are trained on; None where there are none, or the arm cannot be used."""
        return self.generated if isinstance(self.generated, GeneratedSpec) else None

    @property
    def generator(self) -> str | None:
        """Key of the generator whose images are trained on, where there is one."""
        return None if self.generated_images is None else self.generated_images.generator


class ModelSpec(Record):
    """One network with its training."""

    architecture: str
    """Name of the architecture."""

    options: dict[str, Any]
    """Options of the architecture, defaults included."""

    learning_rate: PositiveFloat
    """Learning rate of the optimiser at the start."""

    epochs: PositiveInt
    """Passes over the training set."""

    unusable: Literal[True] | None = None
    """A broken plugin keeps this network from being trained; its cells stay in the plan."""


class _Specification(Record):
    """What specifications of cells and of generators have in common."""

    def shared_settings(self) -> Json:
        """Return what those that differ only in their seed have in common."""
        raise NotImplementedError

    @property
    def key(self) -> str:
        """SHA-256 of the specification as canonical JSON."""
        return digest_json(self.to_json())

    @property
    def configuration(self) -> str:
        """SHA-256 of `shared_settings` as canonical JSON: what may be averaged has the same."""
        return digest_json(self.shared_settings())


class CellSpec(_Specification):
    """Everything that may change the result of a cell."""

    format: Literal[1] = 1
    """Format of the specification; raised when the same one would mean another training."""

    backend: str
    """Name of the backend of Keras."""

    dataset: DatasetSpec
    """Prepared images."""

    split: WrittenOut[Split]
    """How sources are divided into training, validation and test part."""

    training: WrittenOut[Training]
    """Settings that all networks of the registry share."""

    arm: ArmSpec
    """Training-data condition."""

    model: ModelSpec
    """Network."""

    seed: int
    """Seed of every stream of the cell."""

    @property
    def threads(self) -> int:
        """Threads that one operation may use."""
        return self.training.threads

    @property
    def lane(self) -> int:
        """Place of the seed in a program that trains several, counted from 0."""
        return self.seed % self.training.seeds_at_once

    @property
    def plugins(self) -> list[tuple[str, str]]:
        """Kind and name of each plugin that the cell uses, its generator aside."""
        augmentations = [("augmentation", choice.name) for choice in self.arm.augmentations]
        return [("architecture", self.model.architecture), ("dataset", self.dataset.name), *augmentations]

    def shared_settings(self) -> Json:
        """Return what cells that may be averaged have in common: all but the seed and what was made for it.

        That is the generator of the seed, and the epoch of it that somebody chose.
        """
        shared = self.to_json()
        del shared["seed"]
        if (generated := self.arm.generated_images) is not None:
            del shared["arm"]["generated"]["generator"]
            if generated.chosen:
                del shared["arm"]["generated"]["epoch"]
        return shared


class GeneratorTraining(Record):
    """What a generator shares with the networks of its registry."""

    threads: PositiveInt
    """Threads that one operation may use."""

    precision: Literal["float32", "mixed_bfloat16"]
    """Arithmetic of the layers."""


class TrainingPartSpec(Record):
    """The images that a generator is trained on."""

    digest: str
    """SHA-256 of the images of the training part with their targets and attributes."""

    images: int
    """Number of images."""

    shape: tuple[int, int, int]
    """Height, width and channels of an image, in pixels."""

    task: TaskRecord
    """What the targets mean."""


class GeneratorChoice(PluginChoice):
    """A generator with its options and its training."""

    epochs: PositiveInt
    """Passes over the training part."""


class GeneratorSpec(_Specification):
    """Everything that may change a trained generator."""

    format: Literal[1] = 1
    """Format of the specification; raised when the same one would mean another training."""

    kind: Literal["generator"] = "generator"
    """Tells a generator from a cell."""

    backend: str
    """Name of the backend of Keras."""

    seed: int
    """Seed of every stream of the training."""

    training: GeneratorTraining
    """What it shares with the networks of its registry."""

    data: TrainingPartSpec
    """Images that it is trained on."""

    generator: GeneratorChoice
    """Plugin, options and epochs."""

    conditions: tuple[str, ...]
    """What images are generated for: ``"class"``, attributes of the dataset, or targets of a regression."""

    augmentations: tuple[PluginChoice, ...] = ()
    """Augmentations of the images that it learns from; left out where there are none."""

    @property
    def threads(self) -> int:
        """Threads that one operation may use."""
        return self.training.threads

    @property
    def plugins(self) -> list[tuple[str, str]]:
        """Kind and name of the plugin that is trained, and of its augmentations."""
        return [("generator", self.generator.name), *(("augmentation", each.name) for each in self.augmentations)]

    def shared_settings(self) -> Json:
        """Return what the generators of all seeds have in common; the training part is drawn under the seed."""
        shared = self.to_json()
        del shared["seed"], shared["data"]["digest"], shared["data"]["images"]
        return shared


def _kind(value: Any) -> str:
    match value:
        case GeneratorSpec() | {"kind": "generator"}:
            return "generator"
        case _:
            return "cell"


Spec = Annotated[
    Annotated[CellSpec, Tag("cell")] | Annotated[GeneratorSpec, Tag("generator")],
    Field(discriminator=Discriminator(_kind)),
]
"""The specification of a cell or of a generator. That of a cell has no ``kind``: it is older than generators."""
