"""Studies as one HTML page that needs no other file and no network.

Everything that comes from a study is escaped. Besides, the page may load and run nothing but its own style and script.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from benchmarker import ReportOptions, StudyResults, __version__, metric_label, read_ordinary
from benchmarker_reports.content.charts import Floats, Panel, Series
from benchmarker_reports.content.study_content import StudyContent
from benchmarker_reports.content.values import sentence
from benchmarker_reports.formats import html_charts

MOST_TRAININGS = 12
"""Trainings of generators that are shown."""
MOST_WRITTEN = 40
"""Classes of a confusion matrix whose numbers are written; a larger one is a picture."""
_MATRIX_PIXELS = 360
_MOST_PICTURE_BYTES = 400_000
_SHADES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One figure that stands out at the top of the page."""

    title: str
    value: str
    more: str


def render(results: StudyResults, options: ReportOptions) -> str:
    """Return a study as one HTML page: no other file, no network, no time stamp; the same study gives the same bytes.

    Parameters
    ----------
    results : StudyResults
        The study.
    options : ReportOptions
        Choices of whoever asked for the report.
    """
    content = StudyContent(results, options)
    style, script = _file("style.css"), _file("sort.js")
    # No style attributes and no scripts but these two: code that got past the escaping would still do nothing.
    policy = (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_digest(style)}'; script-src '{_digest(script)}'"
    )
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            content=content,
            sections=sections(content),
            cards=tuple(cards(content)),
            domain=html_charts.domain_of(content.table_lines),
            write=metric_label(content.board.sort).write,
            most_trainings=MOST_TRAININGS,
            refresh=options.refresh_seconds,
            version=__version__,
            style=Markup(style),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own file
            policy=policy,
        )
    )


def sections(content: StudyContent) -> dict[str, str]:
    """Return the titles of the sections that have something to show, by their anchors."""
    known = (
        ("leaderboard", "Leaderboard", True),
        ("comparisons", "Comparisons", content.comparison_sections),
        ("classes", "Classes", content.class_scores or content.confusions),
        ("learning", "Learning", content.learning),
        ("probabilities", "Probabilities", content.probabilities),
        ("costs", "Costs", content.cost_charts),
        ("attributes", "Attributes", content.attributes),
        ("examples", "Examples", content.examples),
        ("doubts", "Label doubts", content.label_doubts),
        ("generators", "Generators", content.trainings),
        ("published", "Published", content.published),
        ("reproduce", "Reproduce", True),
    )
    return {anchor: title for anchor, title, shown in known if shown}


def cards(content: StudyContent) -> Iterator[Card]:
    """Yield the figures at the top of the page; none without a result."""
    board = content.board
    leader = next((line for line in content.lines if line.first.rank is not None), None)
    if leader is None or leader.estimate is None:
        return
    label, estimate, row = metric_label(board.sort), leader.estimate, leader.first
    yield Card(title="Leader", value=leader.label, more=f"arm {leader.arm}, seeds {row.n}/{row.planned}")
    interval = "one seed: no interval"
    if estimate.low is not None and estimate.high is not None:
        scope = " for new galaxies" if estimate.covers_sources else ""
        ends = f"{label.write(estimate.low)} to {label.write(estimate.high)}"
        interval = f"{content.level} interval{scope} {ends}"
    yield Card(title=sentence(label.long), value=label.write(estimate.mean), more=interval)
    if content.comparisons is not None and content.comparisons.tables:
        verdicts = [row.verdict for _, row in content.comparisons.rows() if row.scope == "overall"]
        resolved = sum(verdict in {"better", "worse"} for verdict in verdicts)
        more = f"{verdicts.count('equivalent')} equivalent, {verdicts.count('undecided')} undecided"
        yield Card(title="Significant differences", value=f"{resolved} of {len(verdicts)}", more=more)
    unfinished = f"{len(board.failed)} failed, {board.pending} pending"
    yield Card(title="Cells finished", value=f"{board.ok} of {board.planned}", more=unfinished)


def breakable(name: str) -> Markup:
    """Return a name, escaped, that a narrow screen breaks after a separator rather than within a word."""
    return Markup(re.sub(r"([_/.,-])(?=\w)", r"\1<wbr>", str(escape(name))))  # noqa: S704 - escaped


def heat(share: float) -> str:
    """Return the class of a cell whose share of its row is between 0 and 1."""
    return f"h{round(min(max(float(share), 0.0), 1.0) * _SHADES)}"


def data_uri(picture: bytes | Path) -> str:
    """Return a PNG as an address that holds it; empty for a file that is missing or large."""
    if isinstance(picture, Path):
        if not picture.is_file() or picture.stat().st_size > _MOST_PICTURE_BYTES:
            return ""
        picture = read_ordinary(picture)
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


def matrix_picture(shares: Floats) -> bytes:
    """Return a confusion matrix of many classes as PNG: white for 0, dark for 1.

    Parameters
    ----------
    shares : ndarray of shape (n_classes, n_classes), float64
        Shares of each row, between 0 and 1.
    """
    from PIL import Image

    dark = np.array([11, 98, 168])
    pixels = (255 - np.clip(shares, 0, 1)[:, :, None] * (255 - dark)).round().astype(np.uint8)
    factor = max(1, _MATRIX_PIXELS // len(pixels))
    stream = io.BytesIO()
    Image.fromarray(pixels.repeat(factor, axis=0).repeat(factor, axis=1)).save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def legend_of(panels: tuple[Panel, ...]) -> tuple[Series, ...]:
    """Return one series for each name among panels, in the order of their colours."""
    found = {series.name: series for panel in panels for series in panel.series}
    return tuple(sorted(found.values(), key=lambda series: series.colour))


def _with_unit(value: object) -> object:
    """Keep the sign of per cent in the line of its number."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return value.replace(" %", "\N{NO-BREAK SPACE}%")
    return value


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("benchmarker_reports.formats", "templates/html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_with_unit,
    )
    environment.globals.update(
        line_chart=html_charts.line_chart,
        cost_chart=html_charts.cost_chart,
        interval_bar=html_charts.interval_bar,
        difference_bar=html_charts.difference_bar,
        published_bar=html_charts.published_bar,
        domain_axis=html_charts.domain_axis,
        legend_of=legend_of,
        heat=heat,
        data_uri=data_uri,
        matrix_picture=matrix_picture,
        most_written=MOST_WRITTEN,
    )
    environment.filters["sentence"] = sentence
    environment.filters["breakable"] = breakable
    return environment


def _file(name: str) -> str:
    return files("benchmarker_reports.formats").joinpath("templates", "html", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
