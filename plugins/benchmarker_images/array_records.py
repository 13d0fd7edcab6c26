"""What the arrays of images, labels and further quantities of a file mean; shared by the readers of such files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, model_validator

from benchmarker import (
    Classification,
    ImageRecord,
    Options,
    Part,
    Regression,
    RegressionTarget,
    SkippedImage,
    Task,
    UnreadableImageError,
)
from benchmarker_images.labels import PARTS, TargetOptions, class_codes, plain, two_classes

if TYPE_CHECKING:
    from numpy.typing import NDArray

Arrays = Mapping[str, Any]
"""The arrays of one file by name, each with an entry for each image."""

Codes = Mapping[Any, int]


class ArraysOptions(Options):
    """Names of the arrays, and what they mean."""

    images: str = "images"
    """Name of the array of images."""

    labels: str = "labels"
    """Name of the array of classes; not used for a regression."""

    classes: tuple[str, ...] | None = None
    """Names of the classes: of the numbers 0, 1, ... in this order, or the texts to use, while others are left out. By
    default all texts, sorted."""

    target: TargetOptions | None = None
    """The quantity of a regression, instead of `labels`."""

    identifiers: str | None = None
    """Name of the array that identifies sources; by default each image is a source, named by its number."""

    part: str | None = None
    """Name of the array with the part of each image: train, validation (valid, val) or test."""

    attributes: dict[str, str] = Field(default_factory=dict)
    """Further quantities: the unit for each name of an array, such as `{ra: deg, dec: deg, redshift: ''}`."""

    channels_first: bool = False
    """Whether the axis of the channels comes before height and width."""

    # Left out of what decides a cell's key where it is not used, so that keys stay what they were before it existed.
    bands: tuple[str, ...] | None = Field(default=None, min_length=1, exclude_if=lambda value: value is None)
    """Names of the bands to use as channels, in this order; by default all channels."""

    band_names: str = Field(default="image_band", exclude_if=lambda value: value == "image_band")
    """Name of the array with the names of the channels of each image, for `bands`."""

    @model_validator(mode="after")
    def _two_classes(self) -> Self:
        two_classes(self.classes)
        return self

    def columns(self) -> list[str]:
        """Return the names of all arrays that are needed but those of images and their bands."""
        label = self.labels if self.target is None else self.target.name
        return [label, *(name for name in (self.identifiers, self.part) if name), *self.attributes]


def task_of(labels: Iterable[Any], options: ArraysOptions, place: str) -> tuple[Task, Codes]:
    """Return the task, and the index of the class that each label means.

    Parameters
    ----------
    labels : iterable
        The labels of all images; not read for a regression.
    options : ArraysOptions
        Classes or target.
    place : str
        File and name of the labels, for messages.
    """
    if options.target is not None:
        target = options.target
        named = RegressionTarget(name=target.name, unit=target.unit, minimum=target.minimum, maximum=target.maximum)
        return Regression(targets=(named,)), {}
    counts = Counter(plain(label) for label in labels if label is not None)
    classes, codes = class_codes(counts, options.classes, place)
    return Classification(classes=classes), codes


def record(
    index: int, number: int, options: ArraysOptions, arrays: Arrays, codes: Codes, *, part: Part | None = None
) -> ImageRecord | SkippedImage:
    """Return one image with what is known of it.

    Parameters
    ----------
    index : int
        Its index in the arrays.
    number : int
        Its number in the dataset, which names it where there are no identifiers.
    options : ArraysOptions
        Names of the arrays.
    arrays : mapping of str to array
        The arrays.
    codes : mapping
        Index of the class that each label means.
    part : str, optional
        Its part, where no array names it.
    """
    name = str(number) if options.identifiers is None else str(plain(arrays[options.identifiers][index]))
    target: int | list[float]
    if options.target is None:
        label = plain(arrays[options.labels][index])
        if label not in codes:
            reason = "it has no label" if label is None else f"the class {label} is not in `classes`"
            return SkippedImage(name=name, reason=reason)
        target = codes[label]
    else:
        target = [_number(arrays[options.target.name][index])]
    if options.part is not None:
        written = str(plain(arrays[options.part][index])).lower()
        if written not in PARTS:
            return SkippedImage(name=name, reason=f"its part is {written!r}, not train, validation or test")
        part = PARTS[written]
    try:
        image = _image(index, options, arrays)
    except UnreadableImageError as error:
        return SkippedImage(name=name, reason=error.reason)
    attributes = {each: _number(arrays[each][index]) for each in options.attributes}
    return ImageRecord(image=image, target=target, source_id=name, part=part, attributes=attributes)


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _image(index: int, options: ArraysOptions, arrays: Arrays) -> NDArray[Any]:
    import numpy as np

    image: NDArray[Any] = np.asarray(arrays[options.images][index])
    if options.channels_first and image.ndim == 3:
        image = np.moveaxis(image, 0, -1)
    if options.bands is None:
        return image
    return chosen_bands(image, [plain(band) for band in arrays[options.band_names][index]], options.bands)


def chosen_bands(image: NDArray[Any], present: Sequence[str], wanted: Sequence[str]) -> NDArray[Any]:
    """Return the channels of the wanted bands.

    Raises
    ------
    UnreadableImageError
        If the image has not one channel for each name, or lacks a band.

    Examples
    --------
    >>> import numpy as np
    >>> chosen_bands(np.array([[[1, 2, 3]]]), ["g", "r", "z"], ["z", "g"])
    array([[[3, 1]]])
    """
    if image.ndim != 3 or image.shape[-1] != len(present):
        raise UnreadableImageError(f"{len(present)} names of bands for an image of shape {image.shape}")
    missing = [band for band in wanted if band not in present]
    if missing:
        raise UnreadableImageError(f"it has no band {', '.join(missing)}; it has: {', '.join(present)}")
    return image[..., [list(present).index(band) for band in wanted]]
