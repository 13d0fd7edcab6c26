"""The critical-difference diagram as a picture that papers can use: SVG with explicit colours, and nothing to load."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from benchmarker_reports.statistics.ranks import RankDiagram

_WIDTH, _SIDE = 640.0, 170.0
_ROW, _TOP = 18.0, 62.0
_INK, _BAR = "#1c2126", "#0b62a8"
_LETTER = 6.2


def rank_svg(diagram: RankDiagram) -> str:
    """Draw mean ranks on an axis, the best on the left; bars join what cannot be told apart.

    Parameters
    ----------
    diagram : RankDiagram
        As `statistics.ranks.rank_diagram` gives it.

    Returns
    -------
    str
        A whole SVG file; the same diagram gives the same text.

    References
    ----------
    Demšar 2006, J. Mach. Learn. Res. 7, 1, https://jmlr.org/papers/v7/demsar06a.html.
    """
    n = len(diagram.networks)
    half = (n + 1) // 2
    side = max(_SIDE, 14 + _LETTER * max(len(name) + 6 for name in diagram.networks))
    width = _WIDTH - 2 * _SIDE + 2 * side
    start, end = side, width - side
    bars = _TOP + 14
    first = bars + 8 * len(diagram.groups) + 16
    height = first + _ROW * half

    def at(rank: float) -> float:
        return start + (rank - 1) / (n - 1) * (end - start)

    parts = [_line(start, _TOP, end, _TOP)]
    for whole in range(1, n + 1):
        parts += [_line(at(whole), _TOP - 5, at(whole), _TOP), _text(at(whole), _TOP - 9, str(whole), "middle")]
    reach = min(1 + diagram.critical_difference, float(n))
    words = f"critical difference {diagram.critical_difference:.2f}"
    words += " (longer than the axis)" if 1 + diagram.critical_difference > n else ""
    parts += [
        _line(at(1), 24, at(reach), 24, thickness=2),
        _line(at(1), 20, at(1), 28),
        _line(at(reach), 20, at(reach), 28),
    ]
    parts.append(_text(at(1), 14, words, "start"))
    ranks = dict(zip(diagram.networks, diagram.mean_ranks, strict=True))
    for k, (name, rank) in enumerate(ranks.items()):
        left = k < half
        y = first + _ROW * (k if left else n - 1 - k)
        x = start - 8 if left else end + 8
        parts += [_line(at(rank), _TOP, at(rank), y), _line(at(rank), y, x, y)]
        parts.append(_text(x - 4 if left else x + 4, y + 4, f"{name}  {rank:.2f}", "end" if left else "start"))
    for k, group in enumerate(diagram.groups):
        y = bars + 8 * k
        parts.append(_line(at(ranks[group[0]]) - 4, y, at(ranks[group[-1]]) + 4, y, thickness=4, colour=_BAR))
    title = (
        f"Mean ranks over {len(diagram.datasets)} datasets ({', '.join(diagram.datasets)}); bars join networks whose "
        f"ranks differ by less than {diagram.critical_difference:.2f}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" font-family="DejaVu Sans, Helvetica, sans-serif" '
        f'font-size="11">\n<title>{escape(title)}</title>\n<rect width="100%" height="100%" fill="#ffffff"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _line(x1: float, y1: float, x2: float, y2: float, *, thickness: float = 1, colour: str = _INK) -> str:
    return (
        f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{colour}" stroke-width="{thickness:g}" '
        'stroke-linecap="round"/>'
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{_INK}">{escape(text)}</text>'
