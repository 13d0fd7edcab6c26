"""The pydantic models of a registry."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from benchmarker.contracts.settings import PositiveFloat, PositiveInt, Preparation, Settings, Split, Training

Name = Annotated[str, Field(strict=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$")]
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**32)]
PluginOptions = dict[str, Any]
MAXIMUM_RATIO = 100


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


class GeneratorEntry(Settings):
    """One model that learns to make images, trained once under each seed and shared by all networks."""

    generator: Name
    """A generator that a plugin registered; see `benchmarker list`."""

    epochs: PositiveInt
    """Passes over the training part."""

    name: Name | None = None
    """How arms and tables call the generator; its plugin's name by default."""

    conditions: tuple[Name, ...] | None = None
    """What images are generated for: `class`, attributes of the dataset, targets of a regression; by default the class,
    or all targets."""

    options: PluginOptions = Field(default_factory=dict)
    """Options of the generator."""

    @property
    def label(self) -> str:
        """How arms and tables call the generator."""
        return self.name or self.generator


class GeneratedEntry(Settings):
    """The generated images of an arm."""

    by: Name
    """Name of one of the registry's generators."""

    ratio: Annotated[float, Field(gt=0, le=MAXIMUM_RATIO, allow_inf_nan=False)] | None = None
    """Generated images for each real one of the training part."""

    balance: bool = False
    """Generate as many as bring every class to the size of the largest."""

    real: bool = True
    """Train on the real images too; without them on generated ones alone."""

    @model_validator(mode="after")
    def _one_amount(self) -> Self:
        if (self.ratio is None) is not self.balance:
            raise ValueError("give either 'ratio', a number, or 'balance: true', and not both")
        if self.balance and not self.real:
            raise ValueError("'balance' adds to the real images: it cannot stand beside 'real: false'; give a 'ratio'")
        return self


class ArmEntry(Settings):
    """One training-data condition of the comparison."""

    name: Name
    """How tables call the arm."""

    generated: GeneratedEntry | None = None
    """Images of one of the `generators`, added before anything else is applied."""

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

    generators: tuple[GeneratorEntry, ...] = ()
    """Models that make images for the arms that name them; none by default."""

    arms: Annotated[tuple[ArmEntry, ...], Field(min_length=1)] = (REAL,)
    """Training-data conditions; `real` alone by default."""

    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = (8901,)
    """Every network is trained once under each seed in each arm."""

    training: Training = Training()
    """How every network is trained."""

    models: Annotated[tuple[ModelEntry, ...], Field(min_length=1)]
    """The networks."""
