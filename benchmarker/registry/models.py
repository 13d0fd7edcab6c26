"""The pydantic models of a registry."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from benchmarker.contracts.settings import PositiveFloat, PositiveInt, Preparation, Settings, Split, Training

Name = Annotated[str, Field(strict=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$")]
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**32)]
PluginOptions = dict[str, Any]


class DatasetEntry(Settings):
    """Which images are used, and how they are prepared and split."""

    name: Name
    """A dataset that a plugin registered; see `benchmarker list`."""

    path: str | None = None
    """Your own file or folder instead of a download; a relative path starts at the registry's folder."""

    options: PluginOptions = Field(default_factory=dict)
    """Options of the dataset."""

    preparation: Preparation | None = None
    """How images are prepared; what is left out is taken from the dataset."""

    split: Split | None = None
    """How sources are divided; the dataset's own where left out."""


class AugmentationEntry(Settings):
    """One augmentation of an arm."""

    name: Name
    """An augmentation that a plugin registered; see `benchmarker list`."""

    options: PluginOptions = Field(default_factory=dict)
    """Options of the augmentation."""


class ArmEntry(Settings):
    """One training-data condition of the comparison."""

    name: Name
    """How tables call the arm."""

    augmentations: tuple[AugmentationEntry, ...] = ()
    """Applied one after the other: expansions first, in this order, then transforms, in this order."""

    augment_validation: bool = False
    """Expand the validation part too, as the radio paper did."""


class ModelEntry(Settings):
    """One network with its training."""

    architecture: Name
    """An architecture that a plugin registered; see `benchmarker list`."""

    learning_rate: PositiveFloat
    """Of the optimiser, at the start."""

    epochs: PositiveInt
    """Passes over the training set."""

    name: Name | None = None
    """How tables call the network; its architecture's name by default."""

    options: PluginOptions = Field(default_factory=dict)
    """Options of the architecture."""

    @property
    def label(self) -> str:
        """How tables call the network."""
        return self.name or self.architecture


REAL = ArmEntry(name="real")


class Registry(Settings):
    """A comparison: one dataset, arms, seeds and networks with their learning rates and epochs."""

    title: str = ""
    """Heading of the leaderboard."""

    dataset: DatasetEntry
    """Which images are used."""

    arms: Annotated[tuple[ArmEntry, ...], Field(min_length=1)] = (REAL,)
    """Training-data conditions; `real` alone by default."""

    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = (8901,)
    """Every network is trained once under each seed in each arm."""

    training: Training = Training()
    """How every network is trained."""

    models: Annotated[tuple[ModelEntry, ...], Field(min_length=1)]
    """The networks."""
