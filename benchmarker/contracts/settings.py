"""Settings in registries: how images are prepared and split, and how networks are trained."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

PositiveInt = Annotated[int, Field(strict=True, gt=0, lt=2**31)]
_MOST_PIXELS = 16384
_Pixels = Annotated[int, Field(strict=True, gt=0, le=_MOST_PIXELS)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(strict=True, gt=0, lt=1)]

ARCSEC = {"arcsec": 1.0, "arcmin": 60.0, "deg": 3600.0}


def _arcseconds(value: object) -> object:
    """Return an angle with a unit as a number of arcsec; anything else as it is, for pydantic to check."""
    if not isinstance(value, str):
        return value
    number, _, unit = value.strip().partition(" ")
    if unit.strip() not in ARCSEC:
        raise ValueError(f"an angle is written like '150 arcsec', '2.5 arcmin' or '0.04 deg'. Received: {value!r}")
    try:
        return float(number) * ARCSEC[unit.strip()]
    except ValueError:
        raise ValueError(f"an angle begins with a number, like '150 arcsec'. Received: {value!r}") from None


Radius = Annotated[
    float, Field(gt=0, allow_inf_nan=False), BeforeValidator(_arcseconds, json_schema_input_type=float | str)
]


class Settings(BaseModel):
    """Base of all settings: unknown names are refused, and values cannot be changed."""

    # A run cannot record other numbers: JSON has no word for infinity.
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


class Options(Settings):
    """Base of every plugin's options: unknown names are refused, and values cannot be changed.

    Examples
    --------
    >>> from benchmarker import Options
    >>> class BeamOptions(Options):
    ...     fwhm: float = 5.4
    ...     '''Full width of the beam at half maximum, in arcseconds.'''
    >>> BeamOptions(fwhm=6.0)
    BeamOptions(fwhm=6.0)
    """


class NoiseClipping(Settings):
    """How the noise of an image is measured: with the pixels that deviate most left out, again and again."""

    sigma: PositiveFloat = 3.0
    """Leave out pixels that lie more than this many standard deviations from the median."""

    iterations: Annotated[int, Field(strict=True, gt=0, le=1000)] = 10
    """Repeat this at most so many times; it ends when no further pixel is left out."""


class Copies(Settings):
    """Copies of every image: turned, mirrored and shifted before the crop, so that no corner is cut off."""

    step: Annotated[float, Field(gt=0, le=360, allow_inf_nan=False)] = 360.0
    """Turn each image by 0, `step`, 2 `step` and so on, below 360 degrees, counter-clockwise if row 0 is at the top."""

    flip: bool = False
    """Also mirror each image left to right, and turn the mirror image by the same angles."""

    shifts: tuple[_Pixels, ...] = ()
    """Also shift each of these copies by so many pixels up, down, left and right."""


class SkySquare(Settings):
    """The square of the sky that becomes the image, before all other steps; FITS headers must give coordinates."""

    centre: Literal["position", "image"] = "position"
    """What lies in the centre: the position of the source (its attributes `ra` and `dec` in degrees, or those that its
    name contains, such as J103603.5+000606), or the centre of the image as it is (`image`)."""

    size: Radius | None = None
    """Side of the square: a number of arcsec, or a text with its unit, such as `4.5 arcmin`; by default the shorter
    side of the image. Parts beyond the image have no value."""

    pixel: Radius | None = None
    """Resample to pixels with this side, so that images of different surveys have one scale; by default the pixels of
    the image are kept, and nothing is interpolated."""

    north_up: bool = False
    """Resample with north up and east to the left, whatever the orientation or parity of the image."""

    missing: Literal["refuse", "leave-out"] = "refuse"
    """What becomes of images without coordinates, without a position, or whose position they do not show: the set is
    refused with their names (`refuse`), or these images are left out and listed with the reason (`leave-out`)."""

    @model_validator(mode="after")
    def _not_too_many_pixels(self) -> Self:
        if self.side is not None and self.side > _MOST_PIXELS:
            raise ValueError(
                f"'size' / 'pixel' gives {self.side:,} pixels in a row; at most {_MOST_PIXELS:,} are allowed"
            )
        return self

    @property
    def side(self) -> int | None:
        """Height and width of the square in pixels; None if they depend on the images."""
        return None if self.size is None or self.pixel is None else max(1, round(self.size / self.pixel))


class Preparation(Settings):
    """Steps that turn an image into the input of a network, taken in the order of the fields."""

    # Left out of specifications where it is not used, so that keys stay what they were.
    sky: SkySquare | None = Field(default=None, exclude_if=lambda value: value is None)
    """Cut this square of the sky out of each image, by the celestial coordinates of FITS files; null for the image as
    it is."""

    normalise: bool = True
    """Scale each image to [0, 1] by its own minimum and maximum."""

    clip_sigma: PositiveFloat | None = None
    """Set pixels below the mean plus this many standard deviations of the image to 0; the radio paper uses 3."""

    # Like all further settings, left out of specifications where it is not used, so that keys stay what they were.
    clip_about: Literal["mean", "zero"] = Field(default="mean", exclude_if=lambda value: value == "mean")
    """With `clip_sigma`, where the standard deviations are counted from: the mean, with the deviation of all pixels, or
    zero, with that of the sky (3-sigma clipped, 10 iterations) and before the image is scaled, as in galaxyGAN."""

    noise: NoiseClipping | None = Field(default=None, exclude_if=lambda value: value is None)
    """Take mean and standard deviation for `clip_sigma` from iterated sigma clipping with these settings, so that the
    source does not count as noise; null for what `clip_about` says."""

    order: Literal["scale-clip-crop", "crop-clip-scale"] = Field(
        default="scale-clip-crop", exclude_if=lambda value: value == "scale-clip-crop"
    )
    """Scale, clip, then crop, as the radio paper; or crop, clip, then scale, as the radio GAN. The noise is that of the
    uncropped image in both."""

    copies: Copies | None = Field(default=None, exclude_if=lambda value: value is None)
    """Make turned, mirrored and shifted copies before the crop; needs `order: crop-clip-scale`. All copies belong to
    the source of the image, so a split never separates them."""

    binary_threshold: Fraction | None = None
    """Set pixels above this fraction of the image's maximum to 1, others to 0; the radio framework offers 0.8."""

    # Left out like `clip_about`.
    binary_others: Literal["zero", "keep"] = Field(default="zero", exclude_if=lambda value: value == "zero")
    """With `binary_threshold`, what becomes of pixels below it: 0 (`zero`), or their value without the clip, as in the
    radio framework (`keep`)."""

    crop: _Pixels | None = None
    """Keep this many central pixels in height and width; skip smaller images."""

    resize: _Pixels | None = None
    """Resample to this many pixels in height and width, without aliasing."""

    @model_validator(mode="after")
    def _copies_come_before_the_crop(self) -> Self:
        if self.copies is not None and self.order == "scale-clip-crop":
            raise ValueError("'copies' are made before the crop, so they need 'order: crop-clip-scale'")
        return self

    @property
    def size(self) -> int | None:
        """Height and width after preparation in pixels; None if they depend on the images."""
        return self.resize or self.crop or (None if self.sky is None else self.sky.side)


class Split(Settings):
    """How sources are divided into training, validation and test part; all images of a source stay together."""

    published: bool | None = None
    """Use the published split of the dataset; the default if there is one and `train` is not given."""

    train: PositiveInt | Fraction | None = None
    """Number or fraction of the sources of each class for training."""

    validation: PositiveInt | Fraction | None = None
    """Number or fraction of the sources of each class for validation; the rest is the test part."""

    bagging: Fraction | None = None
    """Train on this random fraction of the training sources of each class, another one for each seed."""

    # Left out of specifications where it is not used, like all further settings of splits.
    group: Literal["position"] | None = Field(default=None, exclude_if=lambda value: value is None)
    """Keep sources in one part that are neighbours on the sky (`position`), closer than `radius` or connected by others
    that are. Numbers and fractions then count groups of neighbours; of a published split, sources are left out of
    training and validation that neighbour a test source. The dataset must give the positions of its sources."""

    radius: Radius | None = Field(default=None, exclude_if=lambda value: value is None)
    """Radius for `group`: a number of arcsec, or a text with its unit: `150 arcsec`, `2.5 arcmin` or `0.04 deg`."""

    # As for the test seed below: left out of specifications where it is not used.
    draw: Literal["streams", "manifest"] = Field(default="streams", exclude_if=lambda value: value == "streams")
    """Draw each class by its own random stream (`streams`), or give the classes their numbers of `train` and
    `validation` in the order of Python's shuffle of the manifest (`manifest`), which are the partitions of the radio
    paper; the dataset must give the attribute `manifest_row`."""

    # Left out of specifications where it is not used, so that their keys stay what they were before it existed.
    test_seed: Annotated[int, Field(strict=True, ge=0, lt=2**32)] | None = Field(
        default=None, exclude_if=lambda value: value is None
    )
    """Draw the test part by this seed instead of the cell's, so that all seeds, and so all members of an ensemble, are
    tested on the same sources; training and validation sources are still drawn by the cell's seed."""

    folds: Annotated[int, Field(strict=True, ge=2, le=99)] | None = Field(
        default=None, exclude_if=lambda value: value is None
    )
    """Cross-validation: divide the sources of each class into this many folds under each seed, and test each fold by
    networks trained on the others. A cell is one fold under one seed. `validation` is taken from the training folds.
    With `published: true`, use the folds that the dataset publishes in its attribute `fold`, which must be this many;
    where it also publishes a test part, all cells are tested on that, and their fold is the validation part."""

    @model_validator(mode="after")
    def _folds_alone(self) -> Self:
        others = {"train": self.train, "test_seed": self.test_seed}
        given = [name for name, value in others.items() if value is not None]
        if self.folds is not None and (given or self.draw != "streams"):
            raise ValueError(f"'folds' divides all sources, so it excludes {', '.join(map(repr, given or ['draw']))}")
        return self

    @model_validator(mode="after")
    def _group_and_radius(self) -> Self:
        if (self.group is None) is not (self.radius is None):
            raise ValueError("'group: position' and 'radius' belong together; give both or neither")
        return self


class Plateau(Settings):
    """When the learning rate is lowered: the validation loss stops improving."""

    patience: PositiveInt = 3
    """Epochs without improvement before the learning rate is lowered."""

    minimum_delta: Annotated[float, Field(ge=0)] = 0.01
    """Smaller improvements do not count."""

    factor: Fraction = 0.5
    """Factor by which the learning rate is multiplied."""

    floor: Annotated[float, Field(ge=0)] = 1e-12
    """Lower limit of the learning rate."""


class EarlyStopping(Settings):
    """When training ends early: the monitored loss stops improving."""

    monitor: Literal["validation_loss", "training_loss"] = "validation_loss"
    """Loss that is monitored."""

    patience: PositiveInt = 10
    """Epochs without improvement before training stops."""

    minimum_delta: Annotated[float, Field(ge=0)] = 0.0
    """Smaller improvements do not count."""


class Training(Settings):
    """How every network of a registry is trained."""

    batch_size: PositiveInt = 32
    """Images per gradient step."""

    # Left out of specifications where it is not used, so that their keys stay what they were before it existed.
    batches: Literal["shuffled", "neighbours"] = Field(default="shuffled", exclude_if=lambda value: value == "shuffled")
    """Make batches of all images in another order in each epoch (`shuffled`), or of neighbours in the training set,
    whose order alone changes, as in the radio paper (`neighbours`)."""

    optimiser: Literal["adam", "sgd", "rmsprop", "adamw"] = "adam"
    """Keras optimiser, with its default settings except for the learning rate."""

    class_weights: Literal["none", "balanced"] = "none"
    """Weight each image by the inverse frequency of its class in the training set (`balanced`), or all equally."""

    plateau: Plateau | None = Plateau()
    """When to lower the learning rate; null for never."""

    early_stopping: EarlyStopping | None = None
    """When to stop before the last epoch; null for never."""

    threads: Annotated[int, Field(strict=True, gt=0, le=1024)] = 2
    """Number of threads that one operation may use. Part of a cell's key, since another number gives other bits."""

    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    """Arithmetic of the layers. Part of a cell's key."""

    # Left out of specifications where it is not used, so that their keys stay what they were before it existed.
    seeds_at_once: Annotated[int, Field(strict=True, gt=0, le=64)] = Field(
        default=1, exclude_if=lambda value: value == 1
    )
    """Train so many seeds of a network in one program, on JAX: meant for small networks on a GPU, and usually slower on
    a processor. Part of a cell's key, since this program gives other bits than that of a single seed. Seed `s` has the
    place `s` modulo this number in it, so consecutive seeds fill a program best."""

    collapse: Literal["warn", "fail"] = "warn"
    """What happens to a network whose best weights predict the same class for every validation image: its scores are
    marked in all tables (`warn`), or its cell fails as diverged (`fail`)."""
