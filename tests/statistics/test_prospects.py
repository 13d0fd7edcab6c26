"""Comparisons that more seeds may decide, those that are out of reach, and the rows that get more seeds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from benchmarker import Stream
from benchmarker.statistics.comparison import Comparison, ComparisonTable, Side, TableName
from benchmarker.statistics.main_effects import ALL_ARMS, ALL_NETWORKS
from benchmarker.statistics.paired import VarianceComponents
from benchmarker.statistics.prospects import chance_of_verdict, look_at
from benchmarker.statistics.verdicts import Verdict
from benchmarker.study.rounds import RoundsRecord

DRAWS = 20_000
FIRST, ALL = 5, 10
CLOSE, CLEARER = 0.1, 4.0
NAMES = {(network, arm): f"{network}/{arm}" for network in "ab" for arm in ("real", "gan")}


@pytest.mark.parametrize("difference", [0.0, 1.5, 3.0, 5.0])
def test_the_chance_of_a_verdict_is_the_share_of_simulated_studies_that_reach_one(difference: float) -> None:
    """With a known variance: further runs are drawn about a truth that is as uncertain as the first ones leave it."""
    generator = Stream("prospects", difference=difference).generator()
    variance = VarianceComponents(n=FIRST, seeds=6.0, sources=0.5, pooled_degrees_of_freedom=1e6)
    truth = difference + np.sqrt(6.0 / FIRST) * generator.standard_normal(DRAWS)
    further = truth + np.sqrt(6.0 / (ALL - FIRST)) * generator.standard_normal(DRAWS)
    final = (FIRST * difference + (ALL - FIRST) * further) / ALL
    half, inside = (-special.ndtri(p / 2) * np.sqrt(6.0 / ALL + 0.5) for p in (0.01, 0.02))
    found = (np.abs(final) > half).mean()
    assert chance_of_verdict(difference, variance, ALL, 0.01) == pytest.approx(found, abs=0.01)
    found += (np.abs(final) < 4.0 - inside).mean()
    assert chance_of_verdict(difference, variance, ALL, 0.01, margin=4.0) == pytest.approx(found, abs=0.01)


def side(network: str, arm: str) -> Side:
    return Side(network=network, arm=arm, mean=80.0, standard_deviation=1.0, finished=FIRST, planned=FIRST)


def row(first: tuple[str, str], second: tuple[str, str], difference: float, verdict: Verdict) -> Comparison:
    return Comparison(
        first=side(*first),
        second=side(*second),
        scope="overall",
        metric="mean_per_class_accuracy",
        unit="pp",
        higher_is_better=True,
        seeds=tuple(range(FIRST)),
        differences=(difference,) * FIRST,
        n_sources=200,
        difference=difference,
        level=0.95,
        verdict=verdict,
        method="pooled seeds and sources",
        p=0.5,
        variance=VarianceComponents(n=FIRST, seeds=4.0, pooled_degrees_of_freedom=20.0),
    )


def table(name: TableName, *rows: Comparison) -> ComparisonTable:
    return ComparisonTable(name=name, title="", caption="", rows=rows, tests=len(rows))


def begin() -> RoundsRecord:
    return RoundsRecord.begin(range(ALL), FIRST, NAMES.values())


def test_rows_go_on_only_for_comparisons_that_more_seeds_may_decide() -> None:
    arms = table(
        "arms",
        row(("a", "gan"), ("a", "real"), CLOSE, "undecided"),
        row(("b", "gan"), ("b", "real"), CLEARER, "undecided"),
    )
    networks = table("networks", row(("a", "real"), ("b", "real"), 9.0, "better"))
    found = look_at([arms, networks], 0.95, begin(), NAMES)
    assert (found.pairs, found.decided, found.out_of_reach) == (3, 1, 1)
    assert found.rows == {"b/gan", "b/real"}


@pytest.mark.parametrize(
    ("average", "difference", "rows"),
    [("main_arms", CLEARER, set(NAMES.values())), ("main_arms", CLOSE, set()), ("main_networks", CLEARER, set())],
)
def test_rows_out_of_reach_go_on_for_an_average_that_may_be_decided(
    average: TableName, difference: float, rows: set[str]
) -> None:
    """Network b is decided in both arms, so that it is given no seeds for an average of networks over arms."""
    pairs = [row((name, "gan"), (name, "real"), CLOSE, "undecided") for name in "ab"]
    if average == "main_arms":
        means = row((ALL_NETWORKS, "gan"), (ALL_NETWORKS, "real"), difference, "undecided")
    else:
        pairs[1] = row(("b", "gan"), ("b", "real"), 9.0, "better")
        means = row(("a", ALL_ARMS), ("b", ALL_ARMS), difference, "undecided")
    assert look_at([table(average, means), table("arms", *pairs)], 0.95, begin(), NAMES).rows == rows


def test_a_comparison_without_a_variance_stays_within_reach() -> None:
    pair = row(("a", "gan"), ("a", "real"), CLOSE, "undecided")
    unknown = Comparison(**{name: getattr(pair, name) for name in pair.__slots__} | {"variance": None, "p": None})
    assert look_at([table("arms", unknown)], 0.95, begin(), NAMES).rows == {"a/gan", "a/real"}
