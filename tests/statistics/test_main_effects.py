"""Averages over networks and over arms, and interactions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarker import Stream, open_results
from benchmarker.statistics.main_effects import crossed_rows
from benchmarker.statistics.study_comparison import compare_study
from tests.statistics.crossed import Crossed, decided, false_effects, oracle_power_of_arms, power_of_arms, tables
from tests.statistics.material import SEEDS, fill, finish

if TYPE_CHECKING:
    from tests.conftest import StudyFiles

STUDIES = 1000
TOLERATED = 0.06


def test_an_arm_that_helps_every_network_is_found() -> None:
    """Six networks gain six points each."""
    world = Crossed(networks=6, arms=2, seeds=4, gain=(0.0, 0.31), luck=0.2)
    rows = world.rows(Stream("main effects").generator())
    arms, networks, interactions = tables(rows)
    (row,) = arms.rows
    assert row.verdict == "better"
    means = np.array([[row.seeds[seed].value for seed in range(4)] for row in rows]).reshape(6, 2, 4)
    by_hand = (means[:, 1] - means[:, 0]).mean(axis=0)
    assert row.differences == pytest.approx(tuple(by_hand))
    assert row.difference == pytest.approx(by_hand.mean())
    assert row.variance is not None
    assert row.variance.seeds == pytest.approx(np.var(by_hand, ddof=1))  # two arms are too few to pool
    assert (len(networks.rows), len(interactions.rows)) == (15, 6)
    assert not any(decided(interactions))


def test_a_network_that_an_arm_harms_is_named_as_an_interaction(study: StudyFiles) -> None:
    skills = {(name, "real"): 0.7 for name in "abcd"} | {(name, "gan"): 0.8 for name in "abc"} | {("d", "gan"): 0.35}
    table = fill(study, skills).table("interactions")
    assert table is not None
    assert [(row.first.network, row.verdict) for row in table.rows if row.verdict == "worse"] == [("d", "worse")]
    assert {row.scope for row in table.rows} == {"interaction"}


def test_an_interaction_is_the_effect_minus_that_on_the_other_networks() -> None:
    rows = Crossed(networks=3, arms=2).rows(Stream("interactions").generator())
    means = np.array([[row.seeds[seed].value for seed in range(3)] for row in rows]).reshape(3, 2, 3)
    effects = means[:, 1] - means[:, 0]
    found = tables(rows)[2].rows[1]
    assert found.differences == pytest.approx(tuple(effects[1] - effects[[0, 2]].mean(axis=0)))
    assert found.variance is not None
    assert found.variance.seeds >= 1.5 * np.var(effects, axis=1, ddof=1).mean() - 1e-9  # v (1 + 1 / 2)


def test_networks_without_all_runs_are_left_out_of_averages_and_named(study: StudyFiles) -> None:
    for model, arm in (("a", "real"), ("a", "gan"), ("b", "real"), ("b", "gan"), ("c", "real"), ("c", "gan")):
        for seed in SEEDS:
            cell = study.cell(model, seed, arm=arm)
            if (model, arm, seed) != ("c", "gan", SEEDS[0]):
                finish(study, cell, 0.7)
    table = compare_study(open_results(study.folder)).table("main_arms")
    assert table is not None
    assert "averaged over 2 networks" in table.title
    assert table.caption.endswith("Left out, because runs of them are missing: c.")


def test_one_arm_or_one_network_has_no_averages() -> None:
    generator = Stream("one arm").generator()
    assert crossed_rows(Crossed(arms=1).rows(generator), "arm 0") is None
    assert crossed_rows(Crossed(networks=1).rows(generator), "arm 0") is None
    assert crossed_rows(Crossed().rows(generator), "another arm") is None


def test_rows_that_were_decided_early_take_part_in_averages_with_their_first_seeds() -> None:
    rows = Crossed(seeds=4).rows(Stream("unequal numbers of seeds").generator())
    (first, *_), *_ = (table.rows for table in tables([row.only(0, 1, 2) for row in rows]))
    shorter = [row.only(0, 1, 2) if k % 2 else row for k, row in enumerate(rows)]
    (same, *_), *_ = (table.rows for table in tables(shorter))
    assert same.seeds == (0, 1, 2)
    assert same.differences == pytest.approx(first.differences)
    apart = [row.only(0, 1) if k % 2 else row.only(2, 3) for k, row in enumerate(rows)]
    assert crossed_rows(apart, "arm 0") is None


WORLDS = {
    "five networks, three arms, 3 seeds": Crossed(),
    "10 seeds": Crossed(seeds=10),
    "two networks, two arms": Crossed(networks=2, arms=2),
    "40 sources": Crossed(classes=(10,) * 4),
    "luck 0.6": Crossed(luck=0.6),
    "arms favour other sources": Crossed(taste=0.3),
    "networks of an arm share the luck of a generator": Crossed(generator=0.3),
}


@pytest.mark.statistics
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", WORLDS)
def test_false_main_effects(name: str) -> None:
    slack = 2 * np.sqrt(TOLERATED * (1 - TOLERATED) / STUDIES)  # the error of a simulated rate
    assert max(false_effects(WORLDS[name], STUDIES)) <= TOLERATED + slack


@pytest.mark.statistics
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("luck", [0.1, 0.3])
def test_an_effect_of_six_points_over_fifteen_networks_is_found(luck: float) -> None:
    world = Crossed(networks=15, arms=6, seeds=5, gain=(0.0,) * 5 + (0.322,), luck=luck)
    assert 5.8 < world.truth(arm=5) - world.truth() < 6.2
    assert power_of_arms(world, STUDIES) >= 0.95


@pytest.mark.statistics
def test_no_method_finds_six_points_where_single_runs_scatter_by_ten() -> None:
    """The ceiling that docs/explanation/pooled-variance.md shows: the true variances are known here."""
    worlds = [Crossed(networks=15, arms=6, seeds=5, gain=(0.0,) * 5 + (0.322,), luck=luck) for luck in (0.3, 0.6)]
    stable, unstable = (oracle_power_of_arms(world, STUDIES) for world in worlds)
    assert stable >= 0.99
    assert 0.65 <= unstable <= 0.80
