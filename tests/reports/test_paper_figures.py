"""Figures for papers: their widths, and texts that neither meet each other nor leave the figure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from benchmarker import ReportOptions, figure_style, open_results, read_picture
from benchmarker_reports.content.charts import PALETTE, Panel, Series, as_floats
from benchmarker_reports.content.study_content import StudyContent
from benchmarker_reports.formats import figures as drawing
from benchmarker_reports.formats.figure_texts import FONT, most_columns, shortened, width_of, wrapped
from tests.reports.material import DocumentStudy

NETWORKS = (
    "alexnet_tang", "atlas_x", "cnn_ma2019", "convxpress", "fr_deep", "hosenie", "lukic_convnet4", "mcrgnet",
    "radio_galaxy_zoo", "simple_classifier", "first_classifier", "toothless", "vgg16_like_wu2018",
    "inception_resnet_small", "mobilenet_v3_small_rgz",
)  # fmt: skip
_MM = 25.4


def drawn(study: Path, journal: drawing.Journal = drawing.MNRAS) -> Iterator[tuple[str, Figure]]:
    """Yield a study's figures by name, with their final layout."""
    content = StudyContent(open_results(study), ReportOptions(checkpoints=("best",)))
    with figure_style(drawing.STYLE):
        for name, figure in drawing.figures(content, journal).items():
            figure.draw_without_rendering()
            yield name, figure


def texts(figure: Figure) -> list[tuple[str, Bbox]]:
    """Return every text that a figure shows, with its box in pixels."""
    ticks = [
        each for axes in figure.axes if axes.get_visible() for axis in (axes.xaxis, axes.yaxis) for each in labels(axis)
    ]
    hidden = {id(each) for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for each in all_labels(axis)}
    hidden |= {id(each) for axes in figure.axes if not axes.get_visible() for each in axes.findobj(Text)}
    others = [each for each in figure.findobj(Text) if isinstance(each, Text) and id(each) not in hidden]
    return [(each.get_text(), each.get_window_extent()) for each in (*ticks, *others) if each.get_text().strip()]


def all_labels(axis: Axis) -> Iterator[Text]:
    """Yield the labels of all ticks, and the corner text, of an axis."""
    for tick in (*axis.majorTicks, *axis.minorTicks):
        yield from (tick.label1, tick.label2)
    yield axis.get_offset_text()


def labels(axis: Axis) -> list[Text]:
    """Return the labels of the ticks that lie within an axis."""
    low, high = sorted(axis.get_view_interval())
    room = 1e-9 * (high - low)
    return [tick.label1 for tick in axis.get_major_ticks() if low - room <= tick.get_loc() <= high + room]


def check(name: str, figure: Figure, journal: drawing.Journal) -> None:
    """Fail if a figure has another width, or a text of it leaves the figure or meets another one."""
    width, height = figure.get_size_inches() * _MM
    assert any(width == pytest.approx(known) for known in (journal.column, journal.page)), name
    assert height < 235, f"{name} is higher than a page"
    frame, pixel = figure.bbox, figure.dpi / 100
    found = texts(figure)
    assert len(found) > 5, name
    for text, box in found:
        room = 0.5 * pixel
        inside = min(box.x0, box.y0) >= -room and box.x1 <= frame.x1 + room and box.y1 <= frame.y1 + room
        assert inside, f"{name}: {text!r} leaves the figure: {box} of {frame}"
    for (first, one), (second, other) in combinations(found, 2):
        shared = min(one.x1, other.x1) - max(one.x0, other.x0), min(one.y1, other.y1) - max(one.y0, other.y0)
        assert min(shared) <= 0.6 * pixel, f"{name}: {first!r} meets {second!r}"
    for axes in figure.axes:
        if axes.get_visible() and not axes.images:
            assert len(labels(axes.xaxis)) >= 3, name
            named = axes.yaxis_inverted()  # rows of names instead of numbers
            assert named or len(labels(axes.yaxis)) >= 3, name
            assert axes.get_xlabel() or figure.get_supxlabel(), name


def test_figures_fit_and_their_texts_keep_apart(study_folder: Path) -> None:
    for name, figure in drawn(study_folder):
        check(name, figure, drawing.MNRAS)


@pytest.mark.parametrize("render", [drawing.render, drawing.render_wide])
@pytest.mark.long
def test_no_ink_of_a_saved_figure_touches_its_edges(
    study_folder: Path, render: Callable[..., dict[str, bytes]]
) -> None:
    files = render(open_results(study_folder), ReportOptions(checkpoints=("best",)))
    pictures = {name: content for name, content in files.items() if name.endswith(".png")}
    assert len(pictures) > 5
    for name, content in pictures.items():
        pixels = read_picture(content, colour="grey")
        edges = (pixels[:2], pixels[-2:], pixels[:, :2], pixels[:, -2:])
        assert [int(edge.min()) for edge in edges] == [255] * 4, name


@pytest.mark.long
@pytest.mark.parametrize("journal", [drawing.MNRAS, drawing.ASTRONOMY_AND_ASTROPHYSICS])
def test_figures_of_fifteen_networks_in_three_arms_fit(tmp_path: Path, journal: drawing.Journal) -> None:
    study = DocumentStudy(tmp_path / "study").add(
        NETWORKS, (1, 2, 3), ("real", "rotations-and-reflections", "dcgan-1.0")
    )
    for name, figure in drawn(study.write(), journal):
        check(name, figure, journal)


@pytest.mark.long
def test_figures_of_forty_classes_fit(tmp_path: Path) -> None:
    classes = tuple(f"class {k:02d} of spirals" for k in range(40))
    study = DocumentStudy(tmp_path / "study", classes=classes, n_test=400).add(NETWORKS[:3], (1, 2, 3))
    for name, figure in drawn(study.write()):
        check(name, figure, drawing.MNRAS)


def test_pdf_figures_embed_their_fonts(study_folder: Path) -> None:
    _, figure = next(drawn(study_folder))
    with figure_style(drawing.STYLE):
        pdf = drawing.saved(figure, "pdf")
    assert b"/FontFile2" in pdf  # TrueType, as it was
    assert b"/Type3" not in pdf


def test_curves_of_all_colours_have_their_own_stroke() -> None:
    x = as_floats([1, 2])
    series = tuple(Series(name=f"network {k}", x=x, y=x + k, colour=k) for k in range(len(PALETTE)))
    with figure_style(drawing.STYLE):
        figure = drawing.panel_figure([Panel(title="loss", series=series)])
    strokes = [line._unscaled_dash_pattern for line in figure.axes[0].lines]  # type: ignore[attr-defined]
    assert len(set(map(str, strokes))) == len(PALETTE)


def test_widths_are_those_that_matplotlib_draws() -> None:
    figure = Figure(dpi=72)
    for text in ("lukic_convnet4 / real", "MPCA %"):
        shown = figure.text(0, 0, text, size=7, family=FONT).get_window_extent()
        assert width_of(text, 7) == pytest.approx(shown.width, rel=0.08, abs=1)


def test_texts_are_shortened_and_wrapped_to_their_room() -> None:
    name = "mobilenet_v3_small_rgz / rotations-and-reflections"
    short = shortened(name, 7, 80)
    assert width_of(short, 7) <= 80
    assert short.startswith("mobile")
    assert short.endswith("ions")
    assert shortened("fr_deep", 7, 80) == "fr_deep"
    lines = wrapped("floating-point operations for one image", 7, 90).split("\n")
    assert " ".join(lines) == "floating-point operations for one image"
    assert max(width_of(line, 7) for line in lines) <= 90
    assert len(wrapped("one two three four five six", 7, 20).split("\n")) == 2


def test_legend_has_as_many_columns_as_fit() -> None:
    labels = ["real", "rotations", "dcgan-1.0", "cgan-1.0"]
    assert most_columns(labels, 6, 400, 30) == 4
    assert most_columns(labels, 6, 60, 30) == 1
    wide = most_columns(labels, 6, 150, 30)
    assert 1 < wide < 4


# Machado, Oliveira & Fernandes 2009, IEEE TVCG 15, 1291, doi:10.1109/TVCG.2009.113: complete deuteranopia.
_DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)


def _apart(colours: Sequence[str]) -> dict[tuple[int, int], float]:
    """Return CIEDE2000 of each pair of colours as somebody with complete deuteranopia sees them."""
    from skimage.color import deltaE_ciede2000, rgb2lab

    rgb = np.array([[int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)] for colour in colours])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ _DEUTERANOPIA.T, 0, 1)
    shown = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    lab = rgb2lab(shown[None])[0]
    return {(a, b): float(deltaE_ciede2000(lab[a], lab[b])) for a, b in combinations(range(len(colours)), 2)}


def _palettes() -> list[list[str]]:
    """Return the colours of series on the page, for light screens, dark screens and paper."""
    css = (files("benchmarker_reports") / "formats" / "templates" / "html" / "style.css").read_text(encoding="utf-8")
    found = re.findall(r"--c(\d): (#[0-9a-f]{6});", css)
    assert [number for number, _ in found] == [str(k) for k in range(8)] * (len(found) // 8)
    return [[colour for _, colour in found[start : start + 8]] for start in range(0, len(found), 8)]


def test_figures_have_the_colours_of_the_page() -> None:
    assert _palettes()[0] == _palettes()[-1] == list(PALETTE)


@pytest.mark.parametrize("number", [0, 1])
def test_colours_keep_apart_under_deuteranopia(number: int) -> None:
    """Neighbours, and the first four among each other, by colour alone; later pairs have line styles besides."""
    apart = _apart(_palettes()[number])
    assert min(distance for (a, b), distance in apart.items() if b == a + 1) > 12
    assert min(distance for (_, b), distance in apart.items() if b < 4) > 10
    assert min(apart.values()) > 6
