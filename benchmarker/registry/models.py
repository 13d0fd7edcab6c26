"""Models of a registry. Their docstrings are the descriptions in the JSON Schema."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from benchmarker.contracts.folds import LARGEST_SEED, fold_seeds
from benchmarker.contracts.settings import PositiveFloat, PositiveInt, Preparation, Settings, Split, Training
from benchmarker.hooks import spelling
from benchmarker.randomness import Stream

_MOST_BYTES = 100


def _short_enough(name: str) -> str:
    """Refuse a name that could not become part of a file name, which most systems limit to 255 bytes."""
    if (size := len(name.encode())) > _MOST_BYTES:
        raise ValueError(
            f"a name may have {_MOST_BYTES} bytes in UTF-8, because it becomes part of file names, and this one has "
            f"{size}: shorten it"
        )
    return name


def _readable(name: str) -> str:
    """Refuse a name that looks like another one, or like none, in tables and on the command line."""
    if not name.isprintable():
        raise ValueError(f"a name may not contain characters that cannot be seen: {name!a}")
    if not spelling(name).strip("."):
        raise ValueError("a name needs a letter or a digit")
    return name


def _not_of_generators(name: str) -> str:
    """Refuse the arm that stands for generators in names such as ``dcgan/generator/8901``."""
    if spelling(name) == OF_GENERATORS:
        raise ValueError("stands for generators in tables and on the command line: give the arm another name")
    return name


OF_GENERATORS = "generator"
Name = Annotated[
    str,
    Field(strict=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$"),
    AfterValidator(_short_enough),
    AfterValidator(_readable),
]
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**32)]
PluginOptions = dict[str, Any]
MAXIMUM_RATIO = 100
MOST_SEEDS = 100
_FIRST_FURTHER_SEED = 1000
_FURTHER_SEEDS = 9000

CHOSEN = "chosen"
"""Epoch of a generator that `benchmarker gan choose` recorded."""

_SAVED_WEIGHTS = 5


class DatasetEntry(Settings):
    """Which images are used, and how they are prepared and split."""

    name: Name
    """Name of a dataset; `benchmarker list datasets` shows the installed ones."""

    path: str | None = None
    """Your own file or folder of images instead of a download; a relative path starts at the registry's folder."""

    options: PluginOptions = Field(default_factory=dict)
    """Options of the dataset."""

    preparation: Preparation | None = None
    """How images are prepared. Steps that are left out are those of the dataset."""

    split: Split | None = None
    """How sources are split; by default as the dataset does it."""


class AugmentationEntry(Settings):
    """One augmentation of an arm or of a generator."""

    name: Name
    """Name of an augmentation; `benchmarker list augmentations` shows the installed ones."""

    options: PluginOptions = Field(default_factory=dict)
    """Options of the augmentation."""


class Watch(Settings):
    """How the training of a generator is watched, and what of it is kept; no part of the generator's identity."""

    points: Annotated[int, Field(strict=True, gt=0, le=1024)] = 64
    """Number of fixed latent points, each of which is an image of a grid."""

    every_epochs: PositiveInt | None = None
    """Draw a grid after every so many epochs; by default about twenty times. The first and the last epoch always have
    one."""

    every_steps: PositiveInt | None = None
    """Also draw a grid after every so many gradient steps, counted from the beginning of the training."""

    condition: dict[Name, float | Name] | None = None
    """Also draw the points at one fixed condition, such as `{redshift: 0.1}`; what is left out is the first class, or
    the mean of the training part."""

    colour_map: Literal["grey", "magma", "inferno", "viridis", "cividis", "cubehelix"] = "grey"
    """Colours of images with one channel."""

    scaling: Literal["training-part", "image"] = "training-part"
    """What is black and what is white: the range of the training part, or that of each image."""

    animations: tuple[Literal["png", "gif"], ...] = ("png",)
    """Formats of the animation of all epochs: animated PNG or GIF."""

    keep_every: PositiveInt | None = None
    """Keep the weights after every so many epochs, 1 for all; by default about five times. Those of the last epoch are
    always kept."""

    keep_state: bool | PositiveInt = False
    """Keep everything that training changes (networks, optimisers and history), so that the same generator with another
    number of epochs continues from there: `true` for the end of the training, a number for the end and after every so
    many epochs."""

    def keeps(self, epoch: int, epochs: int) -> bool:
        """Whether the weights after an epoch of a training are kept."""
        every = self.keep_every or max(1, math.ceil(epochs / _SAVED_WEIGHTS))
        return epoch == epochs or epoch % every == 0

    def keeps_state(self, epoch: int, epochs: int) -> bool:
        """Whether the whole state after an epoch of a training is kept."""
        if isinstance(self.keep_state, bool):
            return self.keep_state and epoch == epochs
        return epoch == epochs or epoch % self.keep_state == 0


class GeneratorEntry(Settings):
    """A model that learns to make images. It is trained once for each seed and shared by all networks."""

    generator: Name
    """Name of a generator; `benchmarker list generators` shows the installed ones."""

    epochs: PositiveInt
    """Number of passes over the training part."""

    name: Name | None = None
    """Name of the generator in arms and tables; by default that of its plugin."""

    augmentations: tuple[AugmentationEntry, ...] = ()
    """Augmentations of the training part that the generator learns from: first the expansions in this order, then the
    transforms in this order; none by default. Networks and measures of quality see the images as they are."""

    conditions: tuple[Name, ...] | None = None
    """Properties that images are generated for: `class`, attributes of the dataset or targets of a regression; by
    default the class, or all targets."""

    options: PluginOptions = Field(default_factory=dict)
    """Options of the generator."""

    watch: Watch | None = None
    """How its training is watched, and what of it is kept."""

    @property
    def label(self) -> str:
        """Name of the generator in arms and tables."""
        return self.name or self.generator


class GeneratedEntry(Settings):
    """The generated images of an arm."""

    by: Name
    """Name of one of the registry's generators."""

    ratio: Annotated[float, Field(gt=0, le=MAXIMUM_RATIO, allow_inf_nan=False)] | None = None
    """Number of generated images for each real image of the training part."""

    balance: bool = False
    """Generate as many images as bring every class to the size of the largest."""

    real: bool = True
    """Train on the real images as well; false trains on generated images only."""

    epoch: PositiveInt | Literal["chosen"] | None = None
    """Epoch of the generator whose weights draw the images: a number, `chosen` for what `benchmarker gan choose`
    recorded for each seed, or by default the last one. Its weights must be kept, see `keep_every`."""

    fresh: bool = False
    """Draw new images in every epoch, so that no batch shows an image again. With a whole `ratio` each image of the
    training part then lends its conditions equally often. Such an arm may have transforms, but no expansions."""

    @model_validator(mode="after")
    def _one_amount(self) -> Self:
        if (self.ratio is None) is not self.balance:
            raise ValueError("give either 'ratio' or 'balance: true', not both")
        if self.balance and not self.real:
            raise ValueError("'balance: true' adds to the real images, so 'real: false' contradicts it; give a 'ratio'")
        return self

    @model_serializer(mode="wrap")
    def _without_later_settings(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what is not asked for: arms that are older than a setting keep their keys."""
        found: dict[str, Any] = written(self)
        return {name: value for name, value in found.items() if name not in {"epoch", "fresh"} or value}


class ArmEntry(Settings):
    """One condition of the training data."""

    name: Annotated[Name, AfterValidator(_not_of_generators)]
    """Name of the arm in tables; `generator` stands for generators there."""

    generated: GeneratedEntry | None = None
    """Images of one of the `generators`, added before any augmentation."""

    augmentations: tuple[AugmentationEntry, ...] = ()
    """Augmentations: first the expansions in this order, then the transforms in this order."""

    augment_validation: bool = False
    """Expand the validation part as well, as the radio paper did."""


class ModelEntry(Settings):
    """A network, with its learning rate and epochs."""

    architecture: Name
    """Name of an architecture; `benchmarker list architectures` shows the installed ones."""

    learning_rate: PositiveFloat
    """Learning rate of the optimiser at the start."""

    epochs: PositiveInt
    """Number of passes over the training set."""

    name: Name | None = None
    """Name of the network in tables; by default that of its architecture."""

    options: PluginOptions = Field(default_factory=dict)
    """Options of the architecture."""

    @property
    def label(self) -> str:
        """Name of the network in tables."""
        return self.name or self.architecture


class UntilDecided(Settings):
    """Stop giving seeds to networks whose comparisons are decided. No part of the identity of a run."""

    at_least: Annotated[int, Field(strict=True, ge=2, le=MOST_SEEDS)] = 3
    """Number of seeds before comparisons are judged for the first time."""

    at_most: Annotated[int, Field(strict=True, ge=2, le=MOST_SEEDS)] = 10
    """Number of seeds at which training stops although comparisons are undecided."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.at_least > self.at_most:
            raise ValueError(f"'at_least' may not exceed 'at_most'. Received: {self.at_least} and {self.at_most}")
        return self


REAL = ArmEntry(name="real")


class Registry(Settings):
    """A comparison: one dataset, arms, seeds and networks with their learning rates and epochs."""

    title: str = ""
    """Heading of the leaderboard."""

    dataset: DatasetEntry
    """Which images are used."""

    generators: tuple[GeneratorEntry, ...] = ()
    """Models that make images for arms; none by default."""

    arms: Annotated[tuple[ArmEntry, ...], Field(min_length=1)] = (REAL,)
    """Conditions of the training data; only `real` by default."""

    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = (8901,)
    """Random seeds; every network is trained once for each seed in each arm."""

    until_decided: UntilDecided | None = None
    """Train seed by seed until every comparison is decided. The listed seeds come first; if these are too few, further
    ones follow, which are the same in every study."""

    training: Training = Training()
    """How every network is trained."""

    models: Annotated[tuple[ModelEntry, ...], Field(min_length=1)]
    """Networks to compare."""

    @model_validator(mode="after")
    def _seeds_that_may_be_used(self) -> Self:
        if self.until_decided is not None and len(self.seeds) > self.until_decided.at_most:
            raise ValueError(
                f"'until_decided.at_most' may not be less than the number of listed seeds. Received: "
                f"{self.until_decided.at_most}, and {len(self.seeds)} seeds"
            )
        return self

    @model_validator(mode="after")
    def _seeds_of_folds(self) -> Self:
        if self.folds is None:
            return self
        if self.until_decided is not None:
            raise ValueError("'until_decided' adds seeds one by one, and 'split.folds' needs all folds: leave one out")
        if max(self.seeds) > LARGEST_SEED:
            raise ValueError(f"with 'split.folds', seeds may be at most {LARGEST_SEED}. Received: {max(self.seeds)}")
        return self

    @property
    def folds(self) -> int | None:
        """Number of folds of a cross-validation; None where there is none."""
        return None if self.dataset.split is None else self.dataset.split.folds

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """Seeds of cells: the listed ones, one for each fold of them, or further ones of a study with rounds."""
        if self.folds is not None:
            return fold_seeds(self.seeds, self.folds)
        if self.until_decided is None:
            return self.seeds
        # One sequence for all studies: a study that lists some of it continues with the rest.
        order = Stream("further seeds").generator().permutation(_FURTHER_SEEDS).tolist()
        further = (_FIRST_FURTHER_SEED + number for number in order)
        return tuple(dict.fromkeys((*self.seeds, *further)))[: self.until_decided.at_most]
