"""Random transforms of 8-bit images: those of the inclination pipeline, for colour and for grey images.

Each image draws its own numbers. One call applies the transforms in one random order, which all of its images share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

if TYPE_CHECKING:
    from benchmarker import Stream

Image = NDArray[np.float64]
Draw = Any  # a numpy Generator
Step = Callable[[Image, Draw], Image]

_MODES: tuple[Literal["constant", "nearest", "reflect", "mirror", "grid-wrap"], ...] = (
    "constant",
    "nearest",
    "reflect",
    "mirror",
    "grid-wrap",
)
"""Fill modes in the words of SciPy: constant, edge, symmetric, reflect and wrap in those of NumPy."""

_BLUR = 0.1  # pixels
_GAMMA = (0.97, 1.03)
_NOISE = 3.0  # of 255
_ADDED = 5.0  # of 255
_FACTOR = (0.8, 1.2)
_SHIFT = 0.15  # of the image's size
_LUMINANCE = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Which transforms images of one kind get.

    Parameters
    ----------
    colour : bool
        Blur, noise, brightness and partial greyscale too, as for colour images; the fill value of the affine transform
        is drawn. Without, the fill value is 255.
    grey_share : float
        Probability with which a colour image is turned to grey altogether, beside the partial greyscale.
    keep_shape : bool
        Scale both axes by the same factor. Independent factors change the axis ratio of a galaxy by up to 1.5, and
        with it the inclination that one would measure.
    """

    colour: bool
    grey_share: float = 0.0
    keep_shape: bool = False

    def steps(self) -> tuple[Step, ...]:
        """Return the transforms in the order in which they are listed."""
        affine = partial(_affine, keep_shape=self.keep_shape, fill=None if self.colour else 255.0)
        if not self.colour:
            return (_gamma, _mirror, affine)
        grey = partial(_full_grey, share=self.grey_share)
        return (_blur, _gamma, _noise, _add, _multiply, _to_grey, grey, _mirror, affine)


def transform(
    images: Iterable[NDArray[np.uint8]], recipe: Recipe, stream: Stream, *, numbers: Sequence[int] | None = None
) -> list[NDArray[np.uint8]]:
    """Transform images at random.

    Parameters
    ----------
    images : iterable of ndarray of shape (height, width, 3), uint8
        Images from 0 to 255.
    recipe : Recipe
        Which transforms.
    stream : Stream
        Source of the random numbers: the order of the transforms, and the numbers of each image.
    numbers : sequence of int, optional
        Number of each image in the stream; 0, 1, 2 ... by default. An image with the same number gets the same
        transform whatever else is in the call.

    Returns
    -------
    list of ndarray of shape (height, width, 3), uint8

    Examples
    --------
    >>> import numpy as np
    >>> from benchmarker import Stream
    >>> image = np.zeros((8, 8, 3), np.uint8)
    >>> transform([image], Recipe(colour=False), Stream("example", seed=1))[0].shape
    (8, 8, 3)
    """
    found = []
    for number, image in zip(count() if numbers is None else numbers, images, strict=numbers is not None):
        pixels = transform_one(image.astype(np.float64), recipe, stream, int(number))
        found.append(np.round(pixels).astype(np.uint8))
    return found


def transform_one(pixels: Image, recipe: Recipe, stream: Stream, number: int) -> Image:
    """Transform one image at random, without rounding; see `transform`.

    Parameters
    ----------
    pixels : ndarray of shape (height, width, channels), float64
        Image from 0 to 255.
    recipe : Recipe
        Which transforms; those of colour images need three channels.
    stream : Stream
        Source of the random numbers.
    number : int
        Number of the image in the stream.

    Returns
    -------
    ndarray of shape (height, width, channels), float64
        Image from 0 to 255.
    """
    steps = recipe.steps()
    draw = stream.child("image", number=number).generator()
    for k in stream.child("order").generator().permutation(len(steps)):
        pixels = np.clip(steps[k](pixels, draw), 0.0, 255.0)
    return pixels


def _blur(image: Image, draw: Draw) -> Image:
    sigma, chosen = draw.uniform(0, _BLUR), draw.uniform() < 0.5
    blurred: Image = ndimage.gaussian_filter(image, (sigma, sigma, 0)) if chosen else image
    return blurred


def _gamma(image: Image, draw: Draw) -> Image:
    brightened: Image = 255.0 * (image / 255.0) ** draw.uniform(*_GAMMA)
    return brightened


def _noise(image: Image, draw: Draw) -> Image:
    deviation = draw.uniform(0, _NOISE)
    added: Image = draw.normal(0.0, deviation, (*image.shape[:2], 3 if draw.uniform() < 0.5 else 1))
    return image + added


def _add(image: Image, draw: Draw) -> Image:
    added: Image = draw.uniform(-_ADDED, _ADDED, 3 if draw.uniform() < 0.5 else 1)
    return image + added


def _multiply(image: Image, draw: Draw) -> Image:
    factor: Image = draw.uniform(*_FACTOR, 3 if draw.uniform() < 0.5 else 1)
    return image * factor


def _to_grey(image: Image, draw: Draw) -> Image:
    alpha, chosen = draw.uniform(), draw.uniform() < 0.1
    return (1 - alpha) * image + alpha * (image @ _LUMINANCE)[..., None] if chosen else image


def _full_grey(image: Image, draw: Draw, *, share: float) -> Image:
    return np.repeat((image @ _LUMINANCE)[..., None], 3, axis=2) if draw.uniform() < share else image


def _mirror(image: Image, draw: Draw) -> Image:
    left_right, up_down = draw.uniform(size=2) < 0.5
    image = image[:, ::-1] if left_right else image
    return image[::-1] if up_down else image


def _affine(image: Image, draw: Draw, *, keep_shape: bool, fill: float | None) -> Image:
    """Rotate by 0 to 360 degrees, scale and shift about the centre, with bilinear interpolation."""
    angle = np.deg2rad(draw.uniform(0.0, 360.0))
    scale = draw.uniform(*_FACTOR, 2)
    if keep_shape:
        scale[1] = scale[0]
    size = np.array(image.shape[:2], dtype=np.float64)
    shift = draw.uniform(-_SHIFT, _SHIFT, 2) * size
    mode = _MODES[int(draw.integers(len(_MODES)))]
    value = draw.uniform(0.0, 255.0) if fill is None else fill
    cos, sin = np.cos(angle), np.sin(angle)
    forward = np.array([[cos, -sin], [sin, cos]]) @ np.diag(scale)
    inverse = np.linalg.inv(forward)
    centre = (size - 1) / 2
    offset = centre - inverse @ (centre + shift)
    turned = [
        ndimage.affine_transform(image[..., k], inverse, offset, order=1, mode=mode, cval=value)
        for k in range(image.shape[2])
    ]
    return np.stack(turned, axis=-1)
