"""Pictures of a dataset: a contact sheet, and histograms of pixels, targets and attributes."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarker.contracts.images import LabelledImages
from benchmarker.contracts.tasks import Classification, Regression
from benchmarker.data.orientation import upright
from benchmarker.data.overview import indices_by_part
from benchmarker.data.splits import Parts
from benchmarker.plain_figures import figure_style

if TYPE_CHECKING:
    from PIL.Image import Image

TILE = 96
_GAP = 4
_CAPTION = 14
_COLUMNS = 8
_MOST_ROWS = 12
_SAMPLED_PIXELS = 1 << 21
_BINS = 60


def contact_sheet(data: LabelledImages, columns: int = _COLUMNS) -> bytes:
    """Draw images of each class into one PNG file; of a regression, images of increasing targets.

    Parameters
    ----------
    data : LabelledImages
        The images. Those of a row are spread evenly over the class, so the same data always give the same picture.
    columns : int
        Images in a row.

    Returns
    -------
    bytes
        The PNG file.
    """
    rows = [(caption, _spread(indices, columns)) for caption, indices in _rows(data)]
    return draw_rows([(caption, [seen(data, index) for index in chosen]) for caption, chosen in rows])


def seen(data: LabelledImages, number: int) -> NDArray[np.float32]:
    """Return a prepared image as it is drawn; see `benchmarker.data.orientation.upright`."""
    return upright(data.images[number], data.sky, number)


def draw_rows(rows: Sequence[tuple[str, Sequence[NDArray[np.float32]]]]) -> bytes:
    """Draw rows of images, each with a caption above it, into one PNG file.

    Parameters
    ----------
    rows : sequence of (str, sequence of ndarray of shape (height, width, channels))
        Captions and images. Each image is shown between its own minimum and maximum.

    Returns
    -------
    bytes
        The PNG file.
    """
    from PIL import Image, ImageDraw

    columns = max((len(images) for _caption, images in rows), default=1)
    width = max(columns * (TILE + _GAP) + _GAP, max(7 * len(caption) for caption, _images in rows) + 2 * _GAP)
    height = len(rows) * (TILE + _CAPTION + _GAP) + _GAP
    sheet = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(sheet)
    for number, (caption, images) in enumerate(rows):
        top = _GAP + number * (TILE + _CAPTION + _GAP)
        pen.text((_GAP, top), caption.encode("latin1", "replace").decode("latin1"), fill="black")
        for column, image in enumerate(images):
            sheet.paste(picture(image), (_GAP + column * (TILE + _GAP), top + _CAPTION))
    stream = io.BytesIO()
    sheet.save(stream, format="PNG")
    return stream.getvalue()


def picture(image: NDArray[np.float32], size: int = TILE) -> Image:
    """Return an image as a square picture in grey or colour, scaled from its minimum to its maximum.

    Parameters
    ----------
    image : ndarray of shape (height, width, channels), float32
        Pixels; three channels are shown as red, green and blue, of others the first is shown in grey. NaN
        is drawn black.
    size : int
        Height and width of the picture in pixels.
    """
    from PIL import Image

    shown = image if image.shape[-1] == 3 else np.repeat(image[..., :1], 3, axis=-1)
    shown = np.nan_to_num(shown, nan=float(np.nanmin(shown)))
    lowest, highest = float(shown.min()), float(shown.max())
    unit = (shown - lowest) / (highest - lowest or 1.0)
    return Image.fromarray(np.round(255 * unit).astype(np.uint8)).resize((size, size), Image.Resampling.BILINEAR)


@figure_style()
def histograms(data: LabelledImages, parts: Parts | None) -> bytes:
    """Draw histograms of the prepared pixels by class, and of targets and attributes by part, into one PNG file.

    Parameters
    ----------
    data : LabelledImages
        The images.
    parts : Parts, optional
        The parts of one seed.

    Returns
    -------
    bytes
        The PNG file.

    Notes
    -----
    Large sets are sampled: every class shows at most two million pixels, from images spread evenly over it.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = [("pixel value", "", _pixels(data)), *_quantities(data, parts)]
    figure = Figure(figsize=(6.4, 2.8 * len(panels)), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (name, unit, groups) in zip(np.atleast_1d(figure.subplots(len(panels))), panels, strict=True):
        known = [values[np.isfinite(values)] for _label, values in groups]
        everything = np.concatenate(known) if known else np.zeros(0)
        edges = np.histogram_bin_edges(everything, _BINS) if len(everything) else np.array([0.0, 1.0])
        for (label, _values), values in zip(groups, known, strict=True):
            axes.stairs(np.histogram(values, edges)[0], edges, label=label)
        axes.set(xlabel=f"{name} [{unit}]" if unit else name, ylabel="pixels" if name == "pixel value" else "images")
        if name == "pixel value":
            axes.set_yscale("log", nonpositive="clip")
        axes.legend(fontsize="small")
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=100, metadata={"Software": None})
    return stream.getvalue()


Groups = list[tuple[str, NDArray[Any]]]


def _rows(data: LabelledImages) -> Iterator[tuple[str, NDArray[np.int64]]]:
    targets = np.asarray(data.targets)
    if isinstance(data.task, Classification):
        for index, name in enumerate(data.task.classes[:_MOST_ROWS]):
            indices = np.flatnonzero(targets == index)
            yield f"{name} ({len(indices):,})", indices
        return
    order = np.argsort(targets[:, 0], kind="stable")
    target = data.task.targets[0]
    for some in np.array_split(order, min(4, len(order))):
        lowest, highest = targets[some[0], 0], targets[some[-1], 0]
        yield f"{target.name} {lowest:.4g} to {highest:.4g} {target.unit}".strip(), some


def _spread(indices: NDArray[np.int64], n: int) -> list[int]:
    if len(indices) <= n:
        return [int(index) for index in indices]
    return [int(indices[k]) for k in np.linspace(0, len(indices) - 1, n).astype(int)]


def _pixels(data: LabelledImages) -> Groups:
    size = int(np.prod(data.images.shape[1:]))
    n = max(1, _SAMPLED_PIXELS // size)
    return [(caption, np.concatenate([data.images[k].ravel() for k in _spread(some, n)])) for caption, some in
            _rows(data) if len(some)]  # fmt: skip


def _quantities(data: LabelledImages, parts: Parts | None) -> Iterator[tuple[str, str, Groups]]:
    columns = [(name, found.unit, found.values) for name, found in data.attributes.items()]
    if isinstance(data.task, Regression):
        values = np.asarray(data.targets, dtype=np.float64)
        columns = [(one.name, one.unit, values[:, k]) for k, one in enumerate(data.task.targets)] + columns
    for name, unit, found in columns:
        if np.isfinite(found).any():
            yield name, unit, [(part, found[some]) for part, some in indices_by_part(data, parts).items()]
