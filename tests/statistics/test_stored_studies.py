"""The verdicts that docs/results/first_radio_galaxies.md gives, made anew from the stored predictions of its runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarker.statistics.comparison import Comparison
from benchmarker.statistics.mean_scores import mean_scores
from benchmarker.statistics.network_results import NetworkResults
from benchmarker.statistics.pairing import pooled_variance
from tests.statistics.crossed import SETTINGS, as_row
from tests.statistics.sequential import networks
from tests.statistics.simulator import stored_studies

NAMES = {"network a": "convxpress", "network b": "mcrgnet", "network c": "radio_galaxy_zoo"}
WITH_MARGIN = replace(SETTINGS, margin=1.0)


@pytest.fixture(scope="module")
def rows() -> list[NetworkResults]:
    classes, networks = stored_studies()[0]
    order, counts = np.argsort(classes, kind="stable"), tuple(np.bincount(classes).tolist())
    return [
        as_row(right[:, order].astype(np.float64), counts, NAMES[name], "flips-and-turns")
        for name, right in networks.items()
    ]


def test_stored_predictions_are_those_of_the_page(rows: list[NetworkResults]) -> None:
    means = {row.network: round(float(np.mean(list(row.values.values()))), 1) for row in rows}
    assert means == {"convxpress": 81.2, "radio_galaxy_zoo": 78.3, "mcrgnet": 68.3}


def test_verdicts_of_the_page(rows: list[NetworkResults]) -> None:
    (table,) = networks(rows, WITH_MARGIN)
    assert [_numbers(row) for row in table.rows] == [
        ("convxpress", "mcrgnet", "better", 12.8, 5.5, 20.2),
        ("convxpress", "radio_galaxy_zoo", "undecided", 2.8, -3.8, 9.5),
        ("mcrgnet", "radio_galaxy_zoo", "worse", -10.0, -17.7, -2.3),
    ]
    assert [row.p_adjusted for row in table.rows] == pytest.approx([0.0021, 0.2317, 0.0088], abs=1e-4)
    assert table.rows[1].smallest_detectable == pytest.approx(8.7, abs=0.05)


def test_intervals_of_the_page(rows: list[NetworkResults]) -> None:
    found = mean_scores(rows, WITH_MARGIN, pooled_variance(rows, WITH_MARGIN))
    assert {each.network: (round(each.low or 0, 1), round(each.high or 0, 1)) for each in found} == {
        "convxpress": (75.7, 85.6),
        "radio_galaxy_zoo": (72.1, 83.5),
        "mcrgnet": (62.8, 73.4),
    }


def _numbers(row: Comparison) -> tuple[str, str, str, float, float, float]:
    assert row.difference is not None
    assert row.low_adjusted is not None
    assert row.high_adjusted is not None
    numbers = (round(value, 1) for value in (row.difference, row.low_adjusted, row.high_adjusted))
    return (row.first.network, row.second.network, row.verdict, *numbers)  # type: ignore[return-value]
