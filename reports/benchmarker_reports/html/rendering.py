"""Fills the templates: everything that comes from a study is escaped, and the page may load and run nothing else."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from benchmarker_reports.html import charts
from benchmarker_reports.html.page import Page

_SHADES = 10


def render_page(page: Page, *, refresh: int | None = None) -> str:
    """Return a page as HTML.

    Parameters
    ----------
    page : Page
        What it shows.
    refresh : int, optional
        Seconds after which browsers load it again.
    """
    style, script = _file("style.css"), _file("sort.js")
    # No style attributes and no scripts but these two: what slipped through escaping would still do nothing.
    policy = (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_digest(style)}'; script-src '{_digest(script)}'"
    )
    return (
        _environment()
        .get_template("report.html.j2")
        .render(page=page, refresh=refresh, style=Markup(style), script=Markup(script), policy=policy)  # noqa: S704
    )


def heat(share: float) -> str:
    """Return the style of a table's cell whose share of its line is between 0 and 1."""
    return f"h{round(min(max(float(share), 0.0), 1.0) * _SHADES)}"


def data_uri(png: bytes) -> str:
    """Return a picture as an address that holds it."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("benchmarker_reports.html", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(
        line_chart=charts.line_chart,
        cost_chart=charts.cost_chart,
        interval_bar=charts.interval_bar,
        domain_axis=charts.domain_axis,
        heat=heat,
        data_uri=data_uri,
    )
    return environment


def _file(name: str) -> str:
    return files("benchmarker_reports.html").joinpath("templates", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
