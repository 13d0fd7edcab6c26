"""Handwritten digits in the layout of Keras: one npz with ``x_train``, ``y_train``, ``x_test`` and ``y_test``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from benchmarker import (
    Classification,
    DataError,
    DatasetContents,
    DatasetContext,
    ImageRecord,
    Options,
    Part,
    open_npz,
    path_signature,
)
from benchmarker_mnist import CLASSES, MNIST

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PARTS: tuple[Part, ...] = ("train", "test")


class MnistOptions(Options):
    """How many digits to use, and which of them validate."""

    limit: Annotated[int, Field(strict=True, gt=0)] | None = None
    """Use only the first `limit` images of each digit, in the training part and in the test part; all by default."""

    validation: Annotated[int, Field(strict=True, gt=0)] | None = None
    """Make the first images of the training part the validation part; the radio framework takes 3,000."""

    # Left out of what decides a cell's key where it is not used, so that keys stay what they were before.
    scaled: bool = Field(default=False, exclude_if=lambda value: value is False)
    """Divide pixels by 255, as the radio framework does; give `normalise: false` under `preparation`, too, or else each
    image is stretched from 0 to 1 by its own extremes."""


def load(options: MnistOptions, context: DatasetContext) -> DatasetContents:
    """Read 70,000 images of 28 x 28 pixels, uint8, with the published test part of 10,000.

    Parameters
    ----------
    options : MnistOptions
        How many digits to use.
    context : DatasetContext
        The user's path, or the download.

    Returns
    -------
    DatasetContents
        Sources are numbered within their part: ``train/0``, ``train/1`` and so on.

    Raises
    ------
    DataError
        If the user's path does not lead to such an npz file.

    References
    ----------
    LeCun et al. 1998, *Gradient-based learning applied to document recognition*, doi:10.1109/5.726791.
    """
    path = context.fetch(MNIST)
    if not path.is_file():
        raise DataError(f"{path} contains no {MNIST.filename}; give the file, or the folder that contains it")
    return DatasetContents(
        task=Classification(classes=CLASSES),
        records=lambda: _records(path, options),
        signature={"mnist": 1, "files": path_signature(path), "options": options.model_dump(exclude_unset=True)},
        count=70_000 if context.path is None and options.limit is None else None,
    )


def _records(path: Path, options: MnistOptions) -> Iterator[ImageRecord]:
    limit = options.limit
    for part in _PARTS:
        images, labels = _arrays(path, part)
        taken = dict.fromkeys(range(len(CLASSES)), 0)
        for index, label in enumerate(labels.tolist()):
            if limit is None or taken[label] < limit:
                taken[label] += 1
                validates = part == "train" and index < (options.validation or 0)
                given: Part = "validation" if validates else part
                image = images[index].astype("float32") / 255 if options.scaled else images[index]
                yield ImageRecord(image=image, target=label, source_id=f"{part}/{index}", part=given)


def _arrays(path: Path, part: Part) -> tuple[NDArray[Any], NDArray[Any]]:
    try:
        with open_npz(path) as arrays:
            images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
    except (DataError, KeyError, OSError, MemoryError) as error:
        raise DataError(f"{path} should be an npz with x_train, y_train, x_test and y_test: {error}") from error
    if images.ndim not in {3, 4} or labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
        raise DataError(
            f"{path}: x_{part} should be an array of images, and y_{part} one whole number per image. "
            f"Received: {images.shape} and {labels.shape} {labels.dtype}"
        )
    if labels.size and not 0 <= int(labels.min()) <= int(labels.max()) < len(CLASSES):
        raise DataError(f"{path}: y_{part} should contain digits 0 to 9. Received: {labels.min()} to {labels.max()}")
    return images, labels
