"""Comparisons of pairs and their correction over a table, against the same numbers put together by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarker.statistics.comparing import adjusted_interval, compare_pair, corrected_table
from benchmarker.statistics.multiple_testing import holm
from benchmarker.statistics.paired import VarianceComponents
from benchmarker.statistics.pairing import paired_difference
from benchmarker.statistics.power import expected, smallest_detectable
from benchmarker.statistics.verdicts import equivalence_p, pooled_mcnemar
from tests.statistics.rows import TRUTH, guesses, network, plain, run, settings, skilled
from tests.study.material import some_fingerprint

VARIANCE = VarianceComponents(n=4, seeds=4.0)
HALF = VARIANCE.half_width(0.1)


@pytest.mark.parametrize(
    ("difference", "verdict", "margin", "interval"),
    [
        (9.0, "undecided", None, (9 - HALF, 9 + HALF)),
        (9.0, "better", None, (9 - HALF, 9 + HALF)),
        (0.5, "better", None, (0.0, 0.5 + HALF)),
        (0.5, "undecided", None, (0.5 - HALF, 0.5 + HALF)),
        (-0.5, "worse", None, (-0.5 - HALF, 0.0)),
        (-9.0, "worse", None, (-9 - HALF, -9 + HALF)),
        (-0.5, "better", None, (-0.5 - HALF, 0.0)),  # of an error, where less is better
        (0.5, "equivalent", 1.0, (-1.0, 1.0)),
        (0.5, "equivalent", 2.5, (0.5 - HALF, 2.5)),
        (0.5, "equivalent", 90.0, (0.5 - HALF, 0.5 + HALF)),
        (0.5, "undecided", 1.0, (0.5 - HALF, 0.5 + HALF)),
        (0.5, "equivalent", None, (0.5 - HALF, 0.5 + HALF)),
    ],
)
def test_interval_agrees_with_the_verdict(
    difference: float, verdict: Any, margin: float | None, interval: tuple[float, float]
) -> None:
    assert 2 < HALF < 3
    found = adjusted_interval(difference, VARIANCE, verdict, tests=1, level=0.9, margin=margin)
    assert found == pytest.approx(interval)


@pytest.mark.parametrize("tests", [0, 1, 2, 30])
def test_interval_is_widened_for_the_number_of_comparisons(tests: int) -> None:
    half = VARIANCE.half_width(0.05 / max(1, tests))
    assert adjusted_interval(20.0, VARIANCE, "undecided", tests=tests) == pytest.approx((20 - half, 20 + half))


def test_comparison_has_the_numbers_of_its_pair() -> None:
    first, second = skilled("a", 0.9), skilled("b", 0.6, planned=4)
    found = compare_pair(first, second, settings(margin=3.0))
    paired = paired_difference(first, second, settings())
    estimate = paired.estimate
    assert estimate is not None
    assert (found.first.label, found.second.label) == ("a/real", "b/real")
    assert (found.scope, found.metric, found.unit) == ("overall", "mean_per_class_accuracy", "pp")
    assert (found.seeds, found.differences, found.method) == (paired.seeds, paired.differences, paired.method)
    assert found.difference == pytest.approx(np.mean(paired.differences))
    assert (found.low, found.high, found.p) == (estimate.low, estimate.high, estimate.p)
    assert found.standard_error == estimate.components.standard_error
    assert found.degrees_of_freedom == estimate.components.seeds_degrees_of_freedom
    assert (found.n_sources, found.level, found.margin, found.verdict) == (30, 0.9, 3.0, "undecided")
    values = [first.seeds[seed].value for seed in (1, 2, 3)]
    assert found.first.mean == pytest.approx(np.mean(values))
    assert found.first.standard_deviation == pytest.approx(np.std(values, ddof=1))
    assert (found.first.finished, found.second.finished, found.second.planned) == (3, 3, 4)
    assert found.caveats == ("3 of 4 seeds finished",)


def test_equivalence_reckons_with_what_the_test_sources_cannot_show() -> None:
    first, second = skilled("a", 0.9), skilled("b", 0.85)
    found = compare_pair(first, second, settings(margin=20.0))
    paired = paired_difference(first, second, settings())
    assert paired.estimate is not None
    components = paired.estimate.components
    cautious = replace(components, sources=components.sources + paired.agreement)
    assert paired.agreement > 0
    assert found.p_equivalence == pytest.approx(equivalence_p(replace(paired.estimate, components=cautious), 20.0))
    assert compare_pair(first, second, settings()).p_equivalence is None


def test_comparison_of_a_class_has_no_mcnemar_test_and_is_in_percentage_points() -> None:
    found = compare_pair(skilled("a", 0.9), skilled("b", 0.6), settings(), 1)
    assert (found.scope, found.metric, found.unit, found.mcnemar) == ("FRI", "recall", "pp", None)
    other = replace(settings(), unit="deg", scope_metric="mean_absolute_error")
    regression = plain("a", {1: 1.0, 2: 2.0})
    assert compare_pair(regression, regression, other).unit == "deg"


def test_mcnemar_counts_all_images_of_all_seeds_with_the_same_sources() -> None:
    first, second = skilled("a", 0.9), skilled("b", 0.6)
    ours, theirs = (
        np.concatenate([guesses(name, seed, skill) == TRUTH for seed in (1, 2, 3)])
        for name, skill in (("a", 0.9), ("b", 0.6))
    )
    assert compare_pair(first, second, settings()).mcnemar == pooled_mcnemar(ours, theirs)
    seeds = dict(second.seeds)
    seeds[2] = replace(seeds[2], correct=None)
    seeds[3] = replace(seeds[3], image_sources=tuple(reversed(seeds[3].image_sources)))
    partly = compare_pair(first, network("b", seeds), settings())
    assert partly.mcnemar == pooled_mcnemar(ours[:30], theirs[:30])
    assert compare_pair(plain("a", {1: 1.0}), plain("b", {1: 2.0}), settings()).mcnemar is None


def test_number_of_test_sources_is_the_mean_over_seeds_that_share_them() -> None:
    def parts(name: str, skill: float) -> Any:
        sizes = {1: 30, 2: 27, 3: 24}
        return network(
            name,
            {
                seed: run(guesses(name, seed, skill)[:n], tuple(f"{seed} {k}" for k in range(n)), TRUTH[:n])
                for seed, n in sizes.items()
            },
        )

    first, second = parts("a", 0.9), parts("b", 0.6)
    assert compare_pair(first, second, settings()).n_sources == 27
    seeds = dict(second.seeds) | {3: replace(second.seeds[3], sums=None)}
    assert compare_pair(first, network("b", seeds), settings()).n_sources == round(57 / 2)
    assert compare_pair(plain("a", {1: 1.0}), plain("b", {1: 2.0}), settings()).n_sources == 0


def test_sides_without_a_shared_seed_have_no_difference() -> None:
    found = compare_pair(plain("a", {1: 1.0}), plain("b", {2: 2.0}), settings(margin=1.0))
    assert (found.difference, found.low, found.p, found.variance, found.p_equivalence) == (None,) * 5
    assert (found.first.mean, found.first.standard_deviation) == (None, None)
    assert found.caveats == ("0 of 1 seeds finished",)


def test_environments_that_differ_are_counted() -> None:
    def fingerprinted(name: str, *prints: Any) -> Any:
        seeds = plain(name, {1: 1.0 + len(name), 2: 2.0, 3: 4.0}).seeds
        return network(name, {k: replace(seeds[k], fingerprint=f) for k, f in zip(seeds, prints, strict=True)})

    here, alike = some_fingerprint(net="1"), some_fingerprint(net="1")
    there = replaced(here)
    same = compare_pair(fingerprinted("a", here, here, alike), fingerprinted("bb", alike, None, here), settings())
    assert not [text for text in same.caveats if "fingerprints" in text]
    for changed in (fingerprinted("bb", here, there, here), fingerprinted("bb", None, None, there)):
        found = compare_pair(fingerprinted("a", here, here, here), changed, settings())
        assert "fingerprints differ: 2 environments" in found.caveats


def replaced(fingerprint: Any) -> Any:
    """Return a fingerprint of one more thread."""
    return fingerprint.model_copy(update={"threads": fingerprint.threads + 1})


def test_table_is_corrected_for_the_comparisons_that_were_tested() -> None:
    rows = [skilled("a", 0.95), skilled("b", 0.3), skilled("c", 0.85)]
    pairs = [(rows[0], rows[1]), (rows[0], rows[2]), (rows[2], rows[1]), (rows[0], plain("d", {1: 1.0}))]
    compared = [compare_pair(*pair, settings(margin=60.0)) for pair in pairs]
    table = corrected_table("networks", "Title", "Caption", compared, 0.9)
    assert (table.name, table.title, table.caption, table.tests) == ("networks", "Title", "Caption", 3)
    assert [row.p_adjusted for row in table.rows] == holm([row.p for row in compared])
    assert [row.p_equivalence_adjusted for row in table.rows] == holm([row.p_equivalence for row in compared])
    assert [row.verdict for row in table.rows] == ["better", "equivalent", "better", "undecided"]
    for row in table.rows[:3]:
        assert row.difference is not None
        assert row.variance is not None
        expected_bounds = adjusted_interval(row.difference, row.variance, row.verdict, tests=3, level=0.9, margin=60.0)
        assert (row.low_adjusted, row.high_adjusted) == expected_bounds
        detectable = smallest_detectable(expected(row.variance), level=1 - 0.1 / 3)
        assert row.smallest_detectable == pytest.approx(detectable)
    last = table.rows[3]
    assert (last.low_adjusted, last.high_adjusted, last.smallest_detectable) == (None, None, None)


def test_table_without_comparisons_is_empty() -> None:
    table = corrected_table("networks", "", "", [], 0.95)
    assert (table.rows, table.tests) == ((), 0)
