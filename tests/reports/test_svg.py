"""Drawings of the page: coordinates, axes and escaping."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarker_reports.content.charts import Panel, Series, as_floats
from benchmarker_reports.formats.html_charts import line_chart
from benchmarker_reports.formats.svg import Drawing, Scale, number, round_ticks, tick_text


@pytest.mark.parametrize(
    ("value", "text"), [(0.04, "0"), (-0.04, "0"), (1.26, "1.3"), (10.0, "10"), (-3.0, "-3"), (100.04, "100")]
)
def test_coordinates_are_short(value: float, text: str) -> None:
    assert number(value) == text


def test_ticks_are_round() -> None:
    assert round_ticks(0, 1) == (0, 0.5, 1)
    assert round_ticks(61.2, 68.9) == (62, 64, 66, 68)
    assert Scale(low=900, high=2_000_000, start=0, end=1, log=True).ticks() == (1e3, 1e4, 1e5, 1e6)
    assert round_ticks(2, 2) == (2,)
    assert round_ticks(0.52, 1.46) == (0.6, 0.8, 1, 1.2, 1.4)
    assert Scale(low=1, high=2, start=0, end=1, whole=True).ticks() == (1, 2)
    assert [tick_text(value) for value in (0.25, 20, 12_000, 2e6, 3e9)] == ["0.25", "20", "12 k", "2 M", "3 G"]


def test_scale_keeps_within_its_ends() -> None:
    scale = Scale(low=0, high=10, start=100, end=0)
    assert [scale.at(value) for value in (-5, 0, 5, 20)] == [100, 100, 50, 0]


def test_drawings_escape_and_gaps_divide_lines() -> None:
    drawing = Drawing(10, 10, '"><script>')
    drawing.text(1, 1, "<b>&")
    assert str(drawing.markup()) == (
        '<svg class="chart" viewBox="0 0 10 10" role="img" aria-label="&#34;&gt;&lt;script&gt;">'
        '<text x="1" y="1">&lt;b&gt;&amp;</text></svg>'
    )
    values = as_floats([1, 2, np.nan, 3, 4])
    series = Series(name="a", x=as_floats(range(5)), y=values)
    chart = str(line_chart(Panel(title="t", series=(series,), x_label="x", y_label="y")))
    assert chart.count('class="line s0"') == 2
    assert "nan" not in chart
