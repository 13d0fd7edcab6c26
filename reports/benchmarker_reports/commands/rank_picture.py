"""The critical-difference diagram as a picture for papers: SVG with explicit colours and no external files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from benchmarker import RankDiagram

_WIDTH, _SIDE = 640.0, 170.0
_ROW, _TOP = 18.0, 62.0
_INK, _BAR = "#1c2126", "#0b62a8"
_LETTER = 6.2


def rank_svg(diagram: RankDiagram) -> str:
    """Draw mean ranks on an axis, the best on the left, with bars over groups without a significant difference.

    Parameters
    ----------
    diagram : RankDiagram
        Result of `rank_diagram`.

    Returns
    -------
    str
        A complete SVG file; the same diagram gives the same bytes.

    References
    ----------
    Demšar 2006, J. Mach. Learn. Res. 7, 1, https://jmlr.org/papers/v7/demsar06a.html.
    """
    layout = _Layout.of(diagram)
    parts = [*_axis(layout), *_critical_difference(layout, diagram), *_networks(layout, diagram)]
    parts += _groups(layout, diagram)
    title = (
        f"Mean ranks over {len(diagram.datasets)} datasets ({', '.join(diagram.datasets)}); bars join networks whose "
        f"ranks differ by less than {diagram.critical_difference:.2f}"
    )
    width, height = f"{layout.width:.0f}", f"{layout.height:.0f}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" font-family="DejaVu Sans, Helvetica, sans-serif" '
        f'font-size="11">\n<title>{escape(title)}</title>\n<rect width="100%" height="100%" fill="#ffffff"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Positions in the picture, in SVG user units."""

    networks: int
    width: float
    start: float
    bars: float
    first: float

    @classmethod
    def of(cls, diagram: RankDiagram) -> _Layout:
        side = max(_SIDE, 14 + _LETTER * max(len(name) + 6 for name in diagram.networks))
        bars = _TOP + 14
        return cls(
            networks=len(diagram.networks),
            width=_WIDTH - 2 * _SIDE + 2 * side,
            start=side,
            bars=bars,
            first=bars + 8 * len(diagram.groups) + 16,
        )

    @property
    def half(self) -> int:
        """Number of names on the left."""
        return (self.networks + 1) // 2

    @property
    def end(self) -> float:
        return self.width - self.start

    @property
    def height(self) -> float:
        return self.first + _ROW * self.half

    def at(self, rank: float) -> float:
        """Return the position of a rank on the axis."""
        return self.start + (rank - 1) / (self.networks - 1) * (self.end - self.start)


def _axis(layout: _Layout) -> Iterator[str]:
    yield _line(layout.start, _TOP, layout.end, _TOP)
    for whole in range(1, layout.networks + 1):
        x = layout.at(whole)
        yield _line(x, _TOP - 5, x, _TOP)
        yield _text(x, _TOP - 9, str(whole), "middle")


def _critical_difference(layout: _Layout, diagram: RankDiagram) -> Iterator[str]:
    longest = 1 + diagram.critical_difference
    start, end = layout.at(1), layout.at(min(longest, float(layout.networks)))
    yield _line(start, 24, end, 24, thickness=2)
    yield _line(start, 20, start, 28)
    yield _line(end, 20, end, 28)
    words = f"critical difference {diagram.critical_difference:.2f}"
    yield _text(start, 14, words + (" (longer than the axis)" if longest > layout.networks else ""), "start")


def _networks(layout: _Layout, diagram: RankDiagram) -> Iterator[str]:
    """Draw a line from each mean rank to its network's name: the better half on the left, the others on the right."""
    for k, (name, rank) in enumerate(zip(diagram.networks, diagram.mean_ranks, strict=True)):
        left = k < layout.half
        y = layout.first + _ROW * (k if left else layout.networks - 1 - k)
        x = layout.start - 8 if left else layout.end + 8
        yield _line(layout.at(rank), _TOP, layout.at(rank), y)
        yield _line(layout.at(rank), y, x, y)
        yield _text(x - 4 if left else x + 4, y + 4, f"{name}  {rank:.2f}", "end" if left else "start")


def _groups(layout: _Layout, diagram: RankDiagram) -> Iterator[str]:
    """Draw a bar over each group without a significant difference."""
    ranks = dict(zip(diagram.networks, diagram.mean_ranks, strict=True))
    for k, group in enumerate(diagram.groups):
        y = layout.bars + 8 * k
        best, worst = layout.at(ranks[group[0]]), layout.at(ranks[group[-1]])
        yield _line(best - 4, y, worst + 4, y, thickness=4, colour=_BAR)


def _line(x1: float, y1: float, x2: float, y2: float, *, thickness: float = 1, colour: str = _INK) -> str:
    return (
        f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{colour}" stroke-width="{thickness:g}" '
        'stroke-linecap="round"/>'
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{_INK}">{escape(text)}</text>'
