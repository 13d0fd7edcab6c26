"""Settings that registries hold: how images are prepared and split, and how networks are trained."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

PositiveInt = Annotated[int, Field(strict=True, gt=0)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(strict=True, gt=0, lt=1)]


class Settings(BaseModel):
    """Base of all settings: unknown names are refused, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Options(Settings):
    """Base of every plugin's options: unknown names are refused, and nothing changes once it is read."""


class Preparation(Settings):
    """How an image becomes the input of a network; applied in the order of the fields."""

    normalise: bool = True
    """Scale each image to [0, 1] by its own minimum and maximum."""

    clip_sigma: PositiveFloat | None = None
    """Set pixels below mean + this many standard deviations of the image to 0; the radio paper uses 3."""

    binary_threshold: Fraction | None = None
    """Set pixels above this fraction of the image's maximum to 1, all others to 0; the radio framework offers 0.8."""

    crop: PositiveInt | None = None
    """Keep this many central pixels in height and width; smaller images are skipped."""

    resize: PositiveInt | None = None
    """Resample to this many pixels in height and width, with anti-aliasing."""

    @property
    def size(self) -> int | None:
        """Height and width after preparation in pixels, where they do not depend on the images."""
        return self.resize or self.crop


class Split(Settings):
    """How sources are divided into training, validation and test part; a source is never divided."""

    published: bool | None = None
    """Use the split that the dataset was published with; by default where there is one and no counts are given."""

    train: PositiveInt | Fraction | None = None
    """Sources of each class to train on: a number, or a fraction."""

    validation: PositiveInt | Fraction | None = None
    """Sources of each class to validate on: a number, or a fraction. The rest is the test part."""

    bagging: Fraction | None = None
    """Draw this fraction of the training sources of each class anew for each seed."""


class Plateau(Settings):
    """Lower the learning rate when the validation loss stops improving."""

    patience: PositiveInt = 3
    """Epochs without improvement before the rate is lowered."""

    minimum_delta: Annotated[float, Field(ge=0)] = 0.01
    """Smaller improvements do not count."""

    factor: Fraction = 0.5
    """What the rate is multiplied by."""

    floor: Annotated[float, Field(ge=0)] = 1e-12
    """The rate never goes below this."""


class EarlyStopping(Settings):
    """Stop training when the monitored loss stops improving."""

    monitor: Literal["validation_loss", "training_loss"] = "validation_loss"
    """Which loss is watched."""

    patience: PositiveInt = 10
    """Epochs without improvement before training stops."""

    minimum_delta: Annotated[float, Field(ge=0)] = 0.0
    """Smaller improvements do not count."""


class Training(Settings):
    """How every network of a registry is trained."""

    batch_size: PositiveInt = 32
    """Images per gradient step."""

    optimiser: Literal["adam", "sgd", "rmsprop", "adamw"] = "adam"
    """Keras optimiser with its default settings, but for the learning rate."""

    class_weights: Literal["none", "balanced"] = "none"
    """Weight each class by the inverse of its frequency in the training part, or all alike."""

    plateau: Plateau | None = Plateau()
    """When to lower the learning rate; null for never."""

    early_stopping: EarlyStopping | None = None
    """When to stop before the last epoch; null for never."""

    threads: PositiveInt = 2
    """Threads that one operation may use. Part of a cell's identity: another number gives other bits."""

    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    """Arithmetic of the layers. Part of a cell's identity."""

    collapse: Literal["warn", "fail"] = "warn"
    """What becomes of a network whose best weights give every validation image the same class: its scores are marked in
    all tables, or its cell fails as diverged."""
