"""Draws the diagrams of the documentation beside this file: ``python docs/images/draw.py``."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from PIL import Image

from benchmarker import VarianceComponents
from benchmarker.data.preparation import prepare_image
from benchmarker.discovery import installed, resolve

HERE = Path(__file__).resolve().parent

INK, FAINT, PAPER = "#1b2733", "#5b6b7a", "#ffffff"
BLUE, GREEN, ORANGE, GREY = "#dbe9f6", "#dcefe1", "#fbe7d3", "#eef1f4"
LINES = ("#0b6e99", "#b3541e", "#4b7f52", "#6a4c93")

# Of the curves of `seeds_and_sources`: share of the sources that two networks disagree about, the part of the resulting
# variance that all seeds have in common, and the scatter over seeds in percentage points.
DISAGREEMENT, SHARED, SCATTER = 0.2, 0.5, 1.0


def main() -> None:
    """Draw all diagrams."""
    mpl.rcParams |= {"svg.hashsalt": "galaxy-benchmarker", "font.family": "DejaVu Sans", "font.size": 10}
    for name, draw in (("data_flow", data_flow), ("trail", trail), ("seeds_and_sources", seeds_and_sources)):
        figure = draw()
        figure.savefig(HERE / f"{name}.svg", metadata={"Date": None}, facecolor=PAPER)
        pyplot.close(figure)
    synthetic_radio()


class _Context:
    """Lets a dataset write its images into a folder."""

    path = None

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def produce(self, _name: str, _key: Any, write: Callable[[Path], None]) -> Path:
        """Write the images."""
        write(self._folder)
        return self._folder


def synthetic_radio(columns: int = 8, size: int = 64) -> None:
    """Draw some sources of each class of the dataset synthetic-radio, prepared as by default."""
    dataset = installed().dataset("synthetic-radio")
    options = resolve(str(dataset.options))(images_per_class=columns, size=size)
    rows: dict[int, list[Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        contents = resolve(dataset.loader)(options, _Context(Path(folder)))
        for record in contents.records():
            rows.setdefault(record.target, []).append(prepare_image(record.image, dataset.preparation))
    step = size + 2
    picture = np.ones((len(rows) * step - 2, columns * step - 2))
    for y, images in enumerate(rows.values()):
        for x, image in enumerate(images):
            picture[y * step :, x * step :][:size, :size] = np.sqrt(image[..., 0])
    grey = Image.fromarray((picture * 255).astype("uint8"))
    grey.quantize(64).save(HERE / "synthetic_radio.png", optimize=True)


def data_flow() -> Any:
    """Draw how a registry becomes a report."""
    figure, axes = _canvas(9.4, 5.2)
    for x, y, text, colour in (
        (0.2, 4.25, "registry.yaml\ndataset, arms,\nseeds, networks", GREY),
        (3.7, 4.25, "prepared images\none file in the cache,\nread by all cells", BLUE),
        (7.2, 4.25, "plan.json\nevery cell:\nmodel \N{MULTIPLICATION SIGN} arm \N{MULTIPLICATION SIGN} seed", GREY),
        (7.2, 0.35, "run folders\nmetrics, predictions,\nweights, trail", GREEN),
        (4.85, 0.35, "study read back\ntables, verdicts", ORANGE),
        (2.5, 0.35, "reports\nterminal, HTML, LaTeX,\nCSV, figures", ORANGE),
        (0.2, 0.35, "audit\ntrain again,\ncompare trails", ORANGE),
    ):
        _box(axes, (x, y, 2.0, 0.85), text, colour)
    axes.add_patch(FancyBboxPatch((0.2, 1.75), 9.0, 1.9, boxstyle="round,pad=0,rounding_size=0.08", fc="#f7f9fb",
                                  ec=FAINT, lw=0.8, ls=(0, (4, 3))))  # fmt: skip
    axes.text(0.32, 3.43, "one fresh process for each cell", color=FAINT, fontsize=9, va="center")
    steps = ("split\nby source", "generated images\nof the arm", "augmentation\nof the arm", "network\nfrom its stream",
             "training\nin a fixed order", "test\nbest and final")  # fmt: skip
    for k, text in enumerate(steps):
        _box(axes, (0.35 + 1.48 * k, 2.0, 1.28, 0.95), text, BLUE if k < 3 else GREEN)
        if k:
            _arrow(axes, (0.35 + 1.48 * k - 0.2, 2.47), (0.35 + 1.48 * k, 2.47))
    _arrow(axes, (2.2, 4.67), (3.7, 4.67))
    _arrow(axes, (5.7, 4.67), (7.2, 4.67))
    _arrow(axes, (4.7, 4.25), (4.7, 3.65))
    _arrow(axes, (8.2, 4.25), (8.2, 3.65))
    _arrow(axes, (8.2, 1.75), (8.2, 1.2))
    _arrow(axes, (7.2, 0.77), (6.85, 0.77))
    _arrow(axes, (4.85, 0.77), (4.5, 0.77))
    axes.plot([8.2, 8.2, 1.2], [0.35, 0.12, 0.12], color=INK, lw=1.1)
    _arrow(axes, (1.2, 0.12), (1.2, 0.35))
    return figure


def trail() -> Any:
    """Draw the chain of digests of a run."""
    figure, axes = _canvas(9.4, 3.5)
    first = ("cell", "fingerprint", "data", "split", "training set", "initial weights")
    second = ("epoch 1", "epoch 2", "...", "best and final\nweights", "predictions", "metrics")
    for row, (names, y, colour) in enumerate(((first, 2.45, BLUE), (second, 0.95, GREEN))):
        for k, name in enumerate(names):
            x = 0.15 + 1.55 * k
            _box(axes, (x, y, 1.3, 0.75), name, colour)
            if k:
                _arrow(axes, (x - 0.25, y + 0.37), (x, y + 0.37))
        if row == 0:
            axes.plot([9.2, 9.33, 9.33, 0.03, 0.03], [2.82, 2.82, 2.08, 2.08, 1.32], color=INK, lw=1.1)
            _arrow(axes, (0.03, 1.32), (0.15, 1.32))
    axes.text(0.15, 3.32, "digest = SHA-256 of (previous digest, name, content)", color=FAINT, fontsize=9, va="center")
    axes.text(0.15, 0.55, "each epoch: order → draws → weights → random state → optimiser → metrics", color=FAINT,
              fontsize=9, va="center")  # fmt: skip
    axes.text(9.2, 0.55, "head", color=INK, fontsize=10, ha="right", va="center", weight="bold")
    _arrow(axes, (8.9, 0.7), (8.6, 0.95))
    return figure


def seeds_and_sources() -> Any:
    """Draw the half width of an interval against the number of seeds, for four sizes of the test part."""
    figure, axes = pyplot.subplots(figsize=(7.2, 4.0))
    seeds = list(range(3, 31))
    for n, colour in zip((100, 200, 1000, 5000), LINES, strict=True):
        widths = [_half_width(n, count) for count in seeds]
        axes.plot(seeds, widths, color=colour, lw=1.8)
        axes.annotate(f"{n:,} test sources", (30, widths[-1]), xytext=(4, 0), textcoords="offset points", color=colour,
                      va="center", fontsize=9)  # fmt: skip
    axes.set(xlabel="seeds", ylabel="half width of the interval [percentage points]", xlim=(3, 30), ylim=(0, None))
    axes.set_xticks([3, 5, 10, 15, 20, 25, 30])
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e5e9ed", lw=0.6)
    figure.subplots_adjust(left=0.08, right=0.82, bottom=0.12, top=0.97)
    return figure


def _half_width(n_sources: int, n_seeds: int) -> float:
    drawn = DISAGREEMENT / n_sources * 100**2  # variance of a difference under one seed, in squared points
    own = (1 - SHARED) * drawn
    variance = VarianceComponents(n=n_seeds, seeds=SCATTER**2 + own, floor=own, sources=SHARED * drawn,
                                  sources_degrees_of_freedom=n_sources - 4)  # fmt: skip
    return variance.half_width(0.05)


def _canvas(width: float, height: float) -> tuple[Any, Axes]:
    figure = pyplot.figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.axis("off")
    return figure, axes


def _box(axes: Axes, place: tuple[float, float, float, float], text: str, colour: str) -> None:
    x, y, width, height = place
    axes.add_patch(FancyBboxPatch((x, y), width, height, boxstyle="round,pad=0,rounding_size=0.08", fc=colour, ec=INK,
                                  lw=0.8))  # fmt: skip
    title, _, rest = text.partition("\n")
    lines = rest.count("\n") + 1 if rest else 0
    axes.text(x + width / 2, y + height / 2 + 0.09 * lines, title, ha="center", va="center", color=INK, fontsize=8.5,
              weight="bold")  # fmt: skip
    if rest:
        axes.text(x + width / 2, y + height / 2 - 0.11, rest, ha="center", va="center", color=INK, fontsize=8)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=10, color=INK, lw=1.1, shrinkA=0,
                                   shrinkB=0))  # fmt: skip


if __name__ == "__main__":
    main()
