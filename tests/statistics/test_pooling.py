"""The variance over seeds that the rows of a table share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats
from statsmodels.regression.linear_model import OLS

from benchmarker import PooledVariance, Stream, agreement_variance, open_results
from benchmarker.statistics.pooling import STANDS_OUT
from benchmarker.statistics.study_comparison import compare_study
from tests.statistics.characteristics import Table, false_equivalence, false_tables, power
from tests.statistics.material import CLASSES, SEEDS, finish

if TYPE_CHECKING:
    from tests.conftest import StudyFiles

STUDIES = 1000
TOLERATED = 0.06
"""Share of tables with a false verdict that is accepted at a nominal 5 %."""


def table(spreads: list[float], seeds: int = 3) -> dict[str, dict[int, float]]:
    """Return rows whose sample variances are the squares of the spreads."""
    found = {}
    for k, spread in enumerate(spreads):
        draws = Stream("rows", k=k).generator().standard_normal(seeds)
        draws = (draws - draws.mean()) / draws.std(ddof=1)
        found[f"row {k}"] = {seed: 70.0 + spread * float(value) for seed, value in enumerate(draws)}
    return found


def test_equal_variances_are_pooled_with_all_degrees_of_freedom() -> None:
    found = PooledVariance(table([2.0] * 5)).pair("row 0", "row 3")
    assert found.value == pytest.approx(8.0)
    assert found.degrees_of_freedom == pytest.approx(10.0)


def test_pooled_variance_is_that_of_a_one_way_analysis_of_variance() -> None:
    rows = table([1.0, 1.5, 2.0, 1.2], seeds=4)
    groups = [list(row.values()) for row in rows.values()]
    between = sum(4 * (np.mean(group) - np.mean(groups)) ** 2 for group in groups) / 3
    f = stats.f_oneway(*groups).statistic
    within = np.mean([np.var(group, ddof=1) for group in groups])
    assert between / within == pytest.approx(f)
    # rows 0 and 3 show less than the pool
    assert PooledVariance(rows).pair("row 0", "row 3").value == pytest.approx(2 * within)


def test_a_pair_is_never_judged_by_less_than_it_shows() -> None:
    pool = PooledVariance(table([0.5, 0.5, 0.5, 2.5, 2.5]))
    assert pool.pair("row 3", "row 4").value == pytest.approx(12.5)
    assert pool.outstanding == ()


def test_unequal_variances_have_fewer_degrees_of_freedom() -> None:
    """(1 + 2 / nu) (sum nu s^2)^2 / sum nu s^4 with nu = 2; never more than there are."""
    pool = PooledVariance(table([0.5, 0.5, 0.5, 2.5, 2.5]))
    expected = 2 * (2 * (3 * 0.25 + 2 * 6.25)) ** 2 / (2 * (3 * 0.25**2 + 2 * 6.25**2))
    assert pool.pair("row 0", "row 1").degrees_of_freedom == pytest.approx(expected)
    assert expected < 10
    nearly_equal = PooledVariance(table([1.0, 1.0, 1.0, 1.1]))
    assert nearly_equal.pair("row 0", "row 1").degrees_of_freedom == 8


def test_rows_that_never_vary_are_pooled() -> None:
    found = PooledVariance(table([0.0] * 3)).pair("row 0", "row 1")
    assert (found.value, found.degrees_of_freedom, found.own) == (0.0, 6.0, ())
    lucky = PooledVariance(table([0.0] * 3 + [1e-3]))
    assert lucky.outstanding == ("row 3",)  # the only one that varies at all


def test_a_row_that_stands_out_is_judged_by_its_own_variance() -> None:
    pool = PooledVariance(table([1.0] * 6 + [12.0]))
    assert pool.outstanding == ("row 6",)
    found = pool.pair("row 0", "row 6")
    pooled = (6 * 1 + 144) / 7
    assert found.own == ("row 6",)
    assert found.value == pytest.approx(pooled + 144)
    assert found.degrees_of_freedom == pytest.approx((pooled + 144) ** 2 / (pooled**2 / 14 + 144**2 / 2))
    assert pool.pair("row 0", "row 1").own == ()
    assert pool.pair("row 0", "row 1").value == pytest.approx(2 * pooled)


@pytest.mark.parametrize(("spread", "outstanding"), [(2.3, ()), (2.4, ("row 5",))])
def test_a_row_stands_out_by_an_f_test_corrected_for_the_number_of_rows(
    spread: float, outstanding: tuple[str, ...]
) -> None:
    """The F test of one row of six against the other five, at the guard's level divided by six."""
    p = stats.f.sf(spread**2, 2, 10)
    assert bool(p < STANDS_OUT / 6) is bool(outstanding)
    assert PooledVariance(table([1.0] * 5 + [spread])).outstanding == outstanding


def test_two_rows_are_too_few_to_find_one_that_stands_out() -> None:
    pool = PooledVariance(table([1.0, 100.0]))
    assert (pool.outstanding, pool.usable) == ((), False)
    assert PooledVariance(table([1.0, 1.0, 1.0])).usable
    assert PooledVariance(table([1.0, 1.0, 1000.0])).outstanding == ("row 2",)


def test_rows_with_a_single_seed_are_left_out() -> None:
    rows = table([1.0, 2.0, 3.0]) | {"single": {0: 1.0}}
    assert PooledVariance(rows).names == ("row 0", "row 1", "row 2")
    assert PooledVariance(table([1.0, 1.0], seeds=2)).names == ("row 0", "row 1")


def test_a_seed_of_one_row_alone_says_nothing_where_rows_share_splits() -> None:
    rows = table([1.0, 2.0, 1.5], seeds=4)
    longer = rows | {"row 0": rows["row 0"] | {99: 1e3}}
    found, alone = (PooledVariance(each, paired=True).pair("row 0", "row 1") for each in (longer, rows))
    assert found.value == pytest.approx(alone.value)
    assert found.degrees_of_freedom == pytest.approx(alone.degrees_of_freedom)
    apart = {"a": {1: 1.0, 2: 2.0}, "b": {2: 1.0, 3: 2.0}}
    assert PooledVariance(apart, paired=True).names == ()
    assert PooledVariance({"a": {1: 1.0, 2: 2.0}}, paired=True).names == ()
    assert PooledVariance({}, paired=True).names == ()
    assert PooledVariance({"a": {1: 1.0, 2: 2.0}, "b": {1: 1.0, 2: 4.0}}, paired=True).names == ("a", "b")


def test_residuals_of_rows_with_unequal_numbers_of_seeds_are_those_of_least_squares() -> None:
    """Rows that were decided early have fewer seeds; statsmodels fits row and seed effects to what there is."""
    rows = table([1.0, 2.0, 1.5, 1.2], seeds=6)
    kept = {name: {seed: row[seed] for seed in list(row)[: 6 - k]} for k, (name, row) in enumerate(rows.items())}
    cells = [(k, seed, value) for k, row in enumerate(kept.values()) for seed, value in row.items()]
    design = np.array([[float(k == a) for a in range(4)] + [float(s == b) for b in range(1, 6)] for k, s, _ in cells])
    fitted = OLS(np.array([value for *_, value in cells]), design).fit()
    leverage = fitted.get_influence().hat_matrix_diag
    pool = PooledVariance(kept, paired=True)
    for number, name in enumerate(kept):
        own = np.array([k == number for k, *_ in cells])
        assert pool._freedom[name] == pytest.approx((1 - leverage[own]).sum())
        assert pool._variance[name] * pool._freedom[name] == pytest.approx((fitted.resid[own] ** 2).sum())


def test_seed_means_are_taken_out_where_seeds_share_their_split() -> None:
    rows = table([1.0] * 4, seeds=5)
    shifted = {name: {seed: value + 10 * seed for seed, value in row.items()} for name, row in rows.items()}
    plain, paired = PooledVariance(rows, paired=True), PooledVariance(shifted, paired=True)
    assert paired.pair("row 0", "row 1").value == pytest.approx(plain.pair("row 0", "row 1").value)
    residual = np.array([list(row.values()) for row in rows.values()])
    residual = residual - residual.mean(axis=1, keepdims=True) - residual.mean(axis=0) + residual.mean()
    assert sum(plain._variance.values()) * plain._freedom["row 0"] == pytest.approx((residual**2).sum())
    assert sum(plain._freedom.values()) == pytest.approx((4 - 1) * (5 - 1))


def test_two_rows_are_not_pooled(study: StudyFiles) -> None:
    for seed in SEEDS:
        finish(study, study.cell("a", seed), 0.8)
        finish(study, study.cell("b", seed), 0.6)
    (row,) = compare_study(open_results(study.folder)).tables[0].rows
    assert (row.method, row.degrees_of_freedom) == ("seeds and sources", 3)


def test_three_seeds_tell_networks_apart_in_a_table_where_a_pair_alone_does_not(study: StudyFiles) -> None:
    skills = {"a": 0.62, "b": 0.72, "c": 0.64, "d": 0.66, "e": 0.68}
    for model, skill in skills.items():
        for seed in SEEDS[:3]:
            finish(study, study.cell(model, seed), skill)
    networks = compare_study(open_results(study.folder)).table("networks")
    assert networks is not None
    row = next(row for row in networks.rows if (row.first.network, row.second.network) == ("a", "b"))
    assert row.verdict == "worse"
    assert row.degrees_of_freedom is not None
    assert row.degrees_of_freedom > 4


def test_a_class_with_one_test_source_gives_no_verdict(study: StudyFiles) -> None:
    sources = [f"source {k:03d}" for k in range(60) if k % 4 != 2] + ["source 002"]
    for model, skill in (("a", 0.9), ("b", 0.5), ("c", 0.7)):
        for seed in SEEDS:
            finish(study, study.cell(model, seed), skill, sources=sources)
    networks = compare_study(open_results(study.folder)).table("networks")
    assert networks is not None
    assert {row.verdict for row in networks.rows} == {"undecided"}
    assert all(CLASSES[2] in row.caveats[0] for row in networks.rows)


def test_agreement_on_few_sources_is_no_equivalence() -> None:
    assert agreement_variance([0] * 10 + [1] * 10, 100.0) > 4  # a standard error above two points
    assert agreement_variance([0] * 400 + [1] * 400, 100.0) < 0.1
    assert agreement_variance([0, 0, 1], 100.0, index=1) == pytest.approx(1e4 * 2 / 3)


def test_tables_of_equal_networks_are_rarely_judged_falsely() -> None:
    assert false_tables(Table((0.1,) * 5), 100, "quick")[0] <= 0.11


WORLDS = {
    "equal spreads, 3 seeds": Table((0.1,) * 5),
    "equal spreads, 5 seeds": Table((0.1,) * 5, seeds=5),
    "equal spreads, 10 seeds": Table((0.1,) * 5, seeds=10),
    "large luck": Table((0.6,) * 5),
    "20 sources": Table((0.1,) * 5, classes=(5,) * 4),
    "40 sources": Table((0.1,) * 5, classes=(10,) * 4),
    "400 sources": Table((0.1,) * 5, classes=(100,) * 4),
    "150, 40, 7 and 3 sources of a class": Table((0.1,) * 5, classes=(150, 40, 7, 3)),
    "heavy-tailed luck": Table((0.2,) * 5, heavy=True),
    "luck shared by seed": Table((0.1,) * 5, shared=0.3),
    "one of five spreads fourfold": Table((0.1,) * 4 + (0.4,)),
    "one of five spreads fourfold, 5 seeds": Table((0.1,) * 4 + (0.4,), seeds=5),
    "three of five spread fourfold": Table((0.1, 0.1, 0.4, 0.4, 0.4)),
    "one of three spreads fourfold": Table((0.1, 0.1, 0.4)),
    "spreads from one to fourfold": Table((0.1, 0.15, 0.2, 0.3, 0.4)),
    "large quirks": Table((0.1,) * 5, quirk=0.6),
    "fifteen networks": Table((0.1,) * 15),
    "two of fifteen spread fourfold": Table((0.1,) * 13 + (0.4,) * 2),
    "seven of fifteen spread fourfold": Table((0.1,) * 8 + (0.4,) * 7),
}


@pytest.mark.statistics
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", WORLDS)
def test_false_verdicts_of_tables(name: str) -> None:
    tables, pairs = false_tables(WORLDS[name], STUDIES)
    slack = 2 * np.sqrt(TOLERATED * (1 - TOLERATED) / STUDIES)  # the error of a simulated rate
    assert tables <= TOLERATED + slack
    assert pairs <= TOLERATED


FIVE = Table((0.1,) * 5, gain=(0.0, 0.15, 0.3, 0.55, 0.75))
FIFTEEN = Table((0.1,) * 15, gain=tuple(0.075 * k for k in range(15)))


@pytest.mark.statistics
@pytest.mark.timeout(1800)
def test_power_of_tables() -> None:
    assert power(FIVE, 9, 12, STUDIES) >= 0.60
    assert power(FIFTEEN, 12, 16, 300) >= 0.85


EQUIVALENCE = {
    "right on the same sources, 40": Table((0.02, 0.02), gain=(0.1, 0.0), quirk=0.0, noise=0.0, classes=(10,) * 4),
    "right on the same sources, 200": Table((0.02, 0.02), gain=(0.1, 0.0), quirk=0.0, noise=0.0),
    "right on the same sources, 1000": Table((0.02, 0.02), gain=(0.1, 0.0), quirk=0.0, noise=0.0, classes=(250,) * 4),
    "small quirks, 200": Table((0.02, 0.02), gain=(0.1, 0.0), quirk=0.2, noise=0.2),
}


@pytest.mark.statistics
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", EQUIVALENCE)
def test_false_equivalence_at_the_margin(name: str) -> None:
    assert false_equivalence(EQUIVALENCE[name], STUDIES) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / STUDIES)
