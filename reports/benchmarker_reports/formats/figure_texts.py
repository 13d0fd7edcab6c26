"""Texts of figures: measured before they are drawn, so that they are shortened, wrapped or placed where they fit.

Widths are in points, and do not depend on how large a figure is drawn later.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache, lru_cache

from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.lines import Line2D
from matplotlib.textpath import TextPath
from matplotlib.transforms import Bbox

FONT = "DejaVu Sans"
"""Font of all figures; it comes with matplotlib, so that every machine draws the same."""

_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
_LINE_HEIGHT = 1.25
_GAP = 1.5
_RADII = (5.0, 10.0, 16.0, 24.0, 34.0)
_NEAR = 6.0
_ANGLES = 12


def plain(text: str) -> str:
    """Return text on one line in which no dollar sign begins a formula; characters that the font lacks are escaped.

    Fonts of the machine would draw them, but other machines would draw other bytes.
    """
    line = "".join(c if c.isprintable() else " " for c in text)
    drawn = "".join(c if ord(c) in _glyphs() else c.encode("unicode_escape").decode() for c in line)
    return drawn.replace("$", r"\$")


@lru_cache(maxsize=4096)
def width_of(text: str, size: float) -> float:
    """Return the width of a text of a font size, in points."""
    if not text.strip():
        return 0.0
    path = TextPath((0, 0), text.replace(r"\$", "S"), size=size, prop=FontProperties(family=FONT))
    return float(path.get_extents().width)


def shortened(text: str, size: float, room: float) -> str:
    """Return a text, with an ellipsis in its middle where it is wider than the room in points."""
    if width_of(text, size) <= room:
        return text
    for kept in range(len(text) - 1, 1, -1):
        start = -(-kept // 2)
        short = f"{text[:start].rstrip()}{_ELLIPSIS}{text[len(text) - (kept - start) :].lstrip()}".rstrip("\\")
        if width_of(short, size) <= room:
            return short
    return text[:1]


def wrapped(text: str, size: float, room: float, most: int = 2) -> str:
    """Return a text on as many lines, up to `most`, as the room in points makes necessary; long ones are shortened."""
    lines: list[str] = []
    for word in text.split(" "):
        if lines and width_of(f"{lines[-1]} {word}", size) <= room:
            lines[-1] = f"{lines[-1]} {word}"
        else:
            lines.append(word)
    if len(lines) > most:
        lines = [*lines[: most - 1], " ".join(lines[most - 1 :])]
    return "\n".join(shortened(line, size, room) for line in lines)


def most_columns(labels: Sequence[str], size: float, room: float, handle: float, most: int = 4) -> int:
    """Return how many columns of a legend fit into the room in points, at least one.

    Parameters
    ----------
    labels : sequence of str
        Entries of the legend, which fills its columns from top to bottom.
    size : float
        Size of the font.
    room : float
        Width of the figure.
    handle : float
        Width of what stands beside each label, with its gaps.
    most : int
        Largest number of columns.
    """
    for columns in range(min(most, len(labels)), 1, -1):
        rows = -(-len(labels) // columns)
        groups = [labels[k : k + rows] for k in range(0, len(labels), rows)]
        if sum(max(width_of(label, size) for label in group) + handle for group in groups) <= room:
            return columns
    return 1


def place_labels(
    axes: Axes, points: Sequence[tuple[float, float]], labels: Sequence[str], *, size: float, avoid: Sequence[Bbox] = ()
) -> bool:
    """Write a label beside each point where it covers no other label and no point; tell whether all had room.

    Nothing is written if one of them has no room within the axes. The layout of the figure must be final.

    Parameters
    ----------
    axes : Axes
    points : sequence of (float, float)
        Places in data coordinates.
    labels : sequence of str
    size : float
        Size of the font in points.
    avoid : sequence of Bbox
        Further boxes, in pixels, that labels must not cover.
    """
    figure = axes.get_figure()
    scale = figure.dpi / 72 if figure is not None else 1.0
    frame = axes.get_window_extent()
    centres = [tuple(axes.transData.transform(point)) for point in points]
    taken = [*avoid, *(_box(x, y, _NEAR * scale, _NEAR * scale) for x, y in centres)]
    found: list[tuple[float, float, Bbox]] = []
    for (x, y), label in zip(centres, labels, strict=True):
        width, height = (width_of(label, size) + _GAP) * scale, size * _LINE_HEIGHT * scale
        box = next((each for each in _around(x, y, width, height, scale) if _free(each, frame, taken)), None)
        if box is None:
            return False
        taken.append(box)
        found.append((x, y, box))
    back = axes.transData.inverted()
    for label, (x, y, box) in zip(labels, found, strict=True):
        middle = ((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2)
        place_x, place_y = back.transform(middle)
        axes.text(place_x, place_y, label, size=size, ha="center", va="center", in_layout=False)
        nearest = (min(max(x, box.x0), box.x1), min(max(y, box.y0), box.y1))
        if math.dist(nearest, (x, y)) > _NEAR * scale:
            ends = back.transform([(x, y), nearest])
            axes.add_line(Line2D(ends[:, 0], ends[:, 1], color="#8a929b", linewidth=0.5, zorder=1))
    return True


def _around(x: float, y: float, width: float, height: float, scale: float) -> list[Bbox]:
    """Return boxes around a place, the nearest first; above comes before below and the sides."""
    boxes = []
    for radius in _RADII:
        for step in range(_ANGLES):
            # 90 degrees first, then to both sides in turn.
            turn = (step + 1) // 2 * (1 if step % 2 else -1)
            angle = math.pi / 2 + turn * 2 * math.pi / _ANGLES
            dx, dy = math.cos(angle), math.sin(angle)
            boxes.append(
                _box(x + dx * (radius * scale + width / 2), y + dy * (radius * scale + height / 2), width, height)
            )
    return boxes


def _box(x: float, y: float, width: float, height: float) -> Bbox:
    return Bbox.from_extents(x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def _free(box: Bbox, frame: Bbox, taken: Sequence[Bbox]) -> bool:
    inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
    return inside and not any(box.overlaps(other) for other in taken)


@cache
def _glyphs() -> frozenset[int]:
    return frozenset(get_font(findfont(FONT, fallback_to_default=False)).get_charmap())
