"""One row of a table of comparisons: its margin within a class, and the same row seen from the other side."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarker.statistics.comparison import Comparison, ComparisonSettings, Side
from benchmarker.statistics.verdicts import PooledMcNemar, Verdict

FIRST = Side(network="one", arm="real", mean=80.0, standard_deviation=1.0, finished=2, planned=3)
SECOND = Side(network="two", arm="real", mean=78.0, standard_deviation=2.0, finished=3, planned=3)
ROW = Comparison(
    first=FIRST,
    second=SECOND,
    scope="overall",
    metric="accuracy",
    unit="pp",
    higher_is_better=True,
    seeds=(1, 2),
    differences=(1.5, 2.5),
    n_sources=90,
    difference=2.0,
    level=0.95,
    verdict="better",
    method="seeds and sources",
    low=0.5,
    high=3.5,
    p=0.01,
    mcnemar=PooledMcNemar(first_only=9, second_only=4, p=0.27),
)


def test_reversed_comparison_exchanges_sides_and_signs() -> None:
    other = ROW.reversed
    assert (other.first, other.second) == (SECOND, FIRST)
    assert other.differences == (-1.5, -2.5)
    assert (other.difference, other.low, other.high) == (-2.0, -3.5, -0.5)
    assert other.mcnemar == PooledMcNemar(first_only=4, second_only=9, p=0.27)
    assert (other.verdict, other.sign) != (ROW.verdict, ROW.sign)
    assert (other.p, other.n, other.seeds) == (0.01, 2, (1, 2))
    assert other.reversed == ROW


def test_reversed_comparison_keeps_what_is_unknown() -> None:
    unknown = replace(ROW, difference=None, low=None, high=None, mcnemar=None, verdict="undecided")
    other = unknown.reversed
    assert (other.difference, other.low, other.high, other.mcnemar, other.verdict) == (None,) * 4 + ("undecided",)


@pytest.mark.parametrize(
    ("verdict", "opposite"),
    [("better", "worse"), ("worse", "better"), ("equivalent", "equivalent"), ("undecided", "undecided")],
)
def test_verdict_of_a_reversed_comparison(verdict: Verdict, opposite: Verdict) -> None:
    assert replace(ROW, verdict=verdict).reversed.verdict == opposite


@pytest.mark.parametrize(
    ("unit", "scope_metric", "margin", "index", "expected"),
    [
        ("", "recall", 0.02, 0, 2.0),  # recalls are percentages, a fraction of the metric is not
        ("", "recall", 0.02, None, 0.02),
        ("pp", "recall", 2.0, 0, 2.0),
        ("deg", "mean_absolute_error", 0.5, 1, 0.5),
        ("", "recall", None, 0, None),
    ],
)
def test_margin_within_a_class_is_in_the_unit_of_the_recall(
    unit: str, scope_metric: str, margin: float | None, index: int | None, expected: float | None
) -> None:
    settings = ComparisonSettings(
        metric="macro_f1", unit=unit, higher_is_better=True, level=0.95, margin=margin, scope_metric=scope_metric
    )
    assert settings.scope_margin(index) == expected
