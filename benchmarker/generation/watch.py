"""How the training of a generator can be followed: losses of each step, grids of samples, and an animation of them."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from benchmarker.contracts.generation import ConditionedSet
from benchmarker.contracts.tasks import Classification
from benchmarker.files import atomic_write, open_ordinary, read_ordinary_text, write_text
from benchmarker.generation.conditions import bootstrap, class_sizes, shares
from benchmarker.generation.run_files import ANIMATION, FIXED, LOSSES_FILE, SAMPLES_FOLDER
from benchmarker.randomness import Stream
from benchmarker.registry.models import Watch

if TYPE_CHECKING:
    from PIL import Image

GRID_SIDE = 8
GRIDS = 20
"""Approximate number of sample grids of a training, besides those of the first and the last epoch."""

_TILE_PIXELS = 48  # smaller images are enlarged to at least this, so that they can be seen
_GAP = 2
_FRAME_MILLISECONDS = 250


def due(epoch: int, epochs: int, times: int, *, first: bool = False) -> bool:
    """Whether something that is done about ``times`` times in a training is due after an epoch."""
    return epoch == epochs or (first and epoch == 1) or epoch % max(1, math.ceil(epochs / times)) == 0


def has_grid(epoch: int, epochs: int, watch: Watch) -> bool:
    """Whether a grid is drawn after an epoch."""
    if watch.every_epochs is None:
        return due(epoch, epochs, GRIDS, first=True)
    return epoch in {1, epochs} or epoch % watch.every_epochs == 0


class Losses:
    """The file of losses, a line for each gradient step, which grows as the training does.

    Parameters
    ----------
    folder : Path
        Folder of the run.
    epochs : int
        Epochs that are done; lines of later ones, left by an interrupted process, are removed.
    """

    def __init__(self, folder: Path, epochs: int) -> None:
        self._path = folder / LOSSES_FILE
        if not epochs:
            self._path.unlink(missing_ok=True)
        elif self._path.exists():
            head, *rows = read_ordinary_text(self._path).splitlines(keepends=True)
            kept = [row for row in rows if row.endswith("\n") and int(row.split(",", 1)[0]) <= epochs]
            write_text(self._path, "".join([head, *kept]))

    def add(self, epoch: int, first_step: int, rows: Sequence[Mapping[str, float]]) -> None:
        """Write the losses of some steps; epochs and steps count from 1."""
        fresh = not self._path.exists()
        with self._path.open("a", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            if fresh:
                writer.writerow(["epoch", "step", *rows[0]])
            writer.writerows([epoch, first_step + k, *map(repr, row.values())] for k, row in enumerate(rows))
            stream.flush()
            os.fsync(stream.fileno())  # a snapshot must not outlive the lines of its epoch


def grid_rows(images: ConditionedSet, stream: Stream, n: int = GRID_SIDE**2) -> NDArray[np.int64]:
    """Choose training images whose conditions the grid shows, class by class, by rising first attribute.

    Parameters
    ----------
    images : ConditionedSet
        Training part.
    stream : Stream
        Stream that they are drawn from.
    n : int
        Number of images of the grid.
    """
    task = images.task
    sizes = class_sizes(task, images.targets)
    equal = [int(size > 0) for size in sizes]  # all classes are shown equally often
    rows = bootstrap(task, images.targets, shares(equal, n), stream)
    if not images.attributes:
        return rows
    values = images.attributes[min(images.attributes)][rows]
    classes = images.targets[rows] if isinstance(task, Classification) else np.zeros(len(rows))
    return rows[np.lexsort((values, classes))]


@dataclass(frozen=True, slots=True)
class Display:
    """How pixel values become the brightness of a picture.

    Parameters
    ----------
    minimum, maximum : float
        Values that are shown as black and as white, in the unit of the images.
    colour_map : str
        Name of a colour map of Matplotlib for images with one channel; ``"grey"`` for shades of grey.
    per_image : bool
        Whether the smallest and the largest pixel of each image are black and white instead.
    """

    minimum: float = 0.0
    maximum: float = 1.0
    colour_map: str = "grey"
    per_image: bool = False

    @classmethod
    def of(cls, watch: Watch, pixel_range: tuple[float, float]) -> Self:
        """Return the display that settings ask for, over the range of a training part."""
        return cls(*pixel_range, colour_map=watch.colour_map, per_image=watch.scaling == "image")

    def pixels(self, images: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Return images with 8 bits for each pixel.

        Three channels are shown as colours, otherwise the first channel in the colours of the map.
        """
        shown = images if images.shape[-1] == 3 else images[..., :1]
        if self.per_image:
            low, high = (edge(shown, axis=(1, 2, 3), keepdims=True) for edge in (np.min, np.max))
            unit = (shown - low) / np.where(high > low, high - low, np.float32(1))
        else:
            width = self.maximum - self.minimum
            unit = (shown - self.minimum) / (width if width > 0 else 1.0)
        pixels: NDArray[np.uint8] = np.round(np.clip(unit, 0, 1) * 255).astype(np.uint8)
        if self.colour_map == "grey" or pixels.shape[-1] == 3:
            return pixels
        from matplotlib import colormaps

        table: NDArray[np.uint8] = colormaps[self.colour_map](np.arange(256), bytes=True)[:, :3]
        return table[pixels[..., 0]]


def draw_grid(images: NDArray[np.float32], display: Display, side: int = GRID_SIDE) -> Image.Image:
    """Return images side by side, the first one at the upper left.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels), float32
        Images.
    display : Display
        How pixel values become brightness.
    side : int
        Number of images in a row.
    """
    factor = max(1, math.ceil(_TILE_PIXELS / max(images.shape[1:3])))
    pixels = display.pixels(images).repeat(factor, axis=1).repeat(factor, axis=2)
    n, height, width, channels = pixels.shape
    rows = math.ceil(n / side)
    shape = (rows * (height + _GAP) - _GAP, side * (width + _GAP) - _GAP, channels)
    canvas = np.full(shape, 255, dtype=np.uint8)
    for k in range(n):
        top, left = (k // side) * (height + _GAP), (k % side) * (width + _GAP)
        canvas[top : top + height, left : left + width] = pixels[k]
    return to_image(canvas)


def to_image(pixels: NDArray[np.uint8]) -> Image.Image:
    """Return pixels of shape (height, width, 1 or 3) as a picture."""
    from PIL import Image

    return Image.fromarray(pixels if pixels.shape[-1] == 3 else pixels[..., 0])


def save_grid(images: NDArray[np.float32], path: Path, display: Display, side: int = GRID_SIDE) -> None:
    """Write a grid as PNG, atomically; the same images always give the same bytes."""
    path.parent.mkdir(exist_ok=True)
    with atomic_write(path) as stream:
        draw_grid(images, display, side).save(stream, format="PNG")


def animate(run: Path, formats: Sequence[str] = ("png",)) -> None:
    """Write the grids of a run, in the order of their epochs, as animated PNG or GIF files."""
    from PIL import Image

    folder = run / SAMPLES_FOLDER
    for grids, name in (("epoch-*.png", ANIMATION), (f"{FIXED}epoch-*.png", f"{FIXED}{ANIMATION}")):
        frames = []
        for path in sorted(folder.glob(grids)):
            with open_ordinary(path) as opened, Image.open(opened, formats=("PNG",)) as image:
                frames.append(image.copy())
        for suffix in formats if frames else ():
            with atomic_write(folder / name.replace(".png", f".{suffix}")) as stream:
                frames[0].save(
                    stream,
                    format=suffix.upper(),
                    save_all=True,
                    append_images=frames[1:],
                    duration=_FRAME_MILLISECONDS,
                    loop=0,
                )
