"""Responses to the ratio of generated images, against the same slopes and intervals computed by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from benchmarker import Stream
from benchmarker.statistics.comparison import ComparisonSettings
from benchmarker.statistics.network_results import NetworkResults, SeedResult, classification_sums, score
from benchmarker.statistics.paired import overlapping_splits_t, paired_t, seeds_and_sources
from benchmarker.statistics.ratios import ratio_responses

ACCURACY = "mean_per_class_accuracy"
SETTINGS = ComparisonSettings(metric=ACCURACY, unit="pp", higher_is_better=True, level=0.9, margin=None)
SOURCES = [f"source {k}" for k in range(24)]
TRUTH = np.arange(24) % 3


def row(
    arm: str, values: Sequence[float], *, generator: str = "", ratio: float | None = None, network: str = "net"
) -> NetworkResults:
    """Results of some seeds without predictions."""
    seeds = {seed: SeedResult(value=value) for seed, value in enumerate(values)}
    return NetworkResults(
        network=network, arm=arm, model=network, planned=len(values), seeds=seeds, generator=generator, ratio=ratio
    )


def predicted(arm: str, skill: float, ratio: float | None = None, sources: Sequence[str] = SOURCES) -> NetworkResults:
    """Results of three seeds with predictions."""
    seeds = {}
    for seed in range(3):
        right = Stream("ratio", arm=arm, seed=seed).generator().random(len(sources)) < skill
        sums = classification_sums(sources, TRUTH, np.where(right, TRUTH, (TRUTH + 1) % 3), 3)
        found = score(sums, ACCURACY)
        assert found is not None
        seeds[seed] = SeedResult(value=found.value, sums=sums)
    generator = "" if ratio is None else "gan"
    return NetworkResults(network="net", arm=arm, model="net", planned=3, seeds=seeds, generator=generator, ratio=ratio)


REAL, HALF, TWICE = (
    row("real", [50, 52, 54]),
    row("half", [53, 53, 58], generator="gan", ratio=0.5),
    row("twice", [60, 59, 68], generator="gan", ratio=2.0),
)
RATIOS = np.array([0, 0.5, 2])
SLOPES = [np.polyfit(RATIOS, values, 1)[0] for values in ([50, 53, 60], [52, 53, 59], [54, 58, 68])]


def test_slope_without_predictions_is_judged_over_seeds() -> None:
    (found,) = ratio_responses([TWICE, REAL, HALF], SETTINGS, "real", ())
    expected = paired_t(SLOPES, 0.9)
    assert expected is not None
    assert (found.network, found.generator, found.n) == ("net", "gan", 3)
    assert [(point.ratio, point.arm) for point in found.points] == [(0, "real"), (0.5, "half"), (2, "twice")]
    assert (found.slope, found.low, found.high, found.p) == pytest.approx(
        (expected.value, expected.low, expected.high, expected.p)
    )
    assert [point.mean for point in found.points] == pytest.approx([52, 164 / 3, 187 / 3])
    assert [point.standard_deviation for point in found.points] == pytest.approx(
        [float(np.std(values, ddof=1)) for values in ([50, 52, 54], [53, 53, 58], [60, 59, 68])]
    )


def test_slope_with_predictions_is_judged_over_seeds_and_sources() -> None:
    rows = [predicted("real", 0.5), predicted("half", 0.7, 0.5), predicted("twice", 0.9, 2.0)]
    (found,) = ratio_responses(rows, SETTINGS, "real", ())
    weights = (RATIOS - RATIOS.mean()) / ((RATIOS - RATIOS.mean()) ** 2).sum()
    scores = [[each.score(seed, ACCURACY) for each in rows] for seed in range(3)]
    left_out = [sum(w * s.left_out for w, s in zip(weights, line, strict=True) if s) for line in scores]
    slopes = [sum(w * s.value for w, s in zip(weights, line, strict=True) if s) for line in scores]
    strata = rows[0].sums(0)
    assert strata is not None
    expected = seeds_and_sources(slopes, np.array(left_out), strata=strata.strata, level=0.9)
    assert expected is not None
    assert (found.slope, found.low, found.high, found.p) == pytest.approx(
        (expected.value, expected.low, expected.high, expected.p)
    )
    alone = paired_t(slopes, 0.9)
    assert alone is not None
    assert found.low != pytest.approx(alone.low)


def test_slope_over_different_test_sources_is_judged_over_seeds() -> None:
    others = [f"other {k}" for k in range(24)]
    rows = [predicted("real", 0.5), predicted("half", 0.7, 0.5), predicted("twice", 0.9, 2.0, others)]
    (found,) = ratio_responses(rows, SETTINGS, "real", ())
    values = [[each.seeds[seed].value for each in rows] for seed in range(3)]
    expected = paired_t([np.polyfit(RATIOS, line, 1)[0] for line in values], 0.9)
    assert expected is not None
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_slope_over_splits_of_each_seed_has_the_corrected_variance() -> None:
    rows = [predicted("real", 0.5), predicted("half", 0.7, 0.5), predicted("twice", 0.9, 2.0)]
    names = [tuple(f"{seed} {name}" for name in SOURCES) for seed in range(3)]
    rows = [
        replace(each, n_train=96, seeds={k: on_sources(each.seeds[k], names[k]) for k in range(3)}) for each in rows
    ]
    (found,) = ratio_responses(rows, SETTINGS, "real", ())
    slopes = [np.polyfit(RATIOS, [each.seeds[seed].value for each in rows], 1)[0] for seed in range(3)]
    expected = overlapping_splits_t(slopes, n_test=24, n_train=96, level=0.9)
    assert expected is not None
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def on_sources(result: SeedResult, names: tuple[str, ...]) -> SeedResult:
    assert result.sums is not None
    return replace(result, sums=replace(result.sums, sources=names), image_sources=names)


def test_two_seeds_are_enough_for_a_slope_and_one_is_not() -> None:
    two, one = ([each.only(*range(n)) for each in (REAL, HALF, TWICE)] for n in (2, 1))
    (found,) = ratio_responses(two, SETTINGS, "real", ())
    assert found.slope == pytest.approx(np.mean(SLOPES[:2]))
    (found,) = ratio_responses(one, SETTINGS, "real", ())
    assert (found.slope, found.low, found.high, found.p, found.n) == (None, None, None, None, 1)
    assert [point.mean for point in found.points] == [50, 53, 60]


def test_seeds_without_every_ratio_do_not_count() -> None:
    (found,) = ratio_responses([REAL, HALF, TWICE.only(0, 2)], SETTINGS, "real", ())
    assert found.n == 2
    assert found.slope == pytest.approx(np.mean([SLOPES[0], SLOPES[2]]))
    (found,) = ratio_responses([REAL, HALF.only(), TWICE], SETTINGS, "real", ())
    assert (found.n, found.slope, found.points[1].mean, found.points[1].standard_deviation) == (0, None, None, None)


def test_only_arms_beside_the_reference_take_part() -> None:
    rows = [
        REAL,
        HALF,
        TWICE,
        row("rotations", [90, 90, 90]),
        row("real", [10, 10, 10], generator="gan"),
        row("balanced", [99, 99, 99], generator="gan"),
        row("half", [1, 2, 3], generator="gan", ratio=0.5, network="alone"),
        row("other", [51, 52, 53], generator="other", ratio=1.0),
    ]
    found = ratio_responses(rows, SETTINGS, "real", ())
    assert [(each.network, each.generator, len(each.points)) for each in found] == [
        ("net", "gan", 3),
        ("net", "other", 2),
    ]
    assert found[0].points[0].mean == 52
    assert found[0].slope == pytest.approx(np.mean(SLOPES))


def test_study_without_generated_images_has_no_response() -> None:
    assert ratio_responses([REAL, row("rotations", [1, 2, 3])], SETTINGS, "real", ()) == ()


def test_equal_ratios_have_no_slope() -> None:
    nothing = row("nothing", [50, 51, 52], generator="gan", ratio=0.0)
    (found,) = ratio_responses([REAL, nothing], SETTINGS, "real", ())
    assert found.slope is None
