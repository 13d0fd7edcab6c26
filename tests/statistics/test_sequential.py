"""Verdicts after every round of seeds: the error rate is spent once, and decided comparisons stay decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from benchmarker import Stream
from benchmarker.statistics.comparison import ComparisonTable
from benchmarker.statistics.network_results import NetworkResults
from benchmarker.statistics.sequential import sequential_tables
from benchmarker.study.rounds import Look, RoundsRecord
from tests.statistics.characteristics import Table
from tests.statistics.crossed import SETTINGS, as_row
from tests.statistics.sequential import networks, oracle_saved, outcome, run

STUDIES = 1000
TOLERATED = 0.06
CLEAR = Table((0.1,) * 5, seeds=10, gain=(-2.0, -1.45, -0.95, -0.45, 0.05))


def test_a_study_with_a_single_look_is_judged_as_any_other() -> None:
    right = CLEAR.draw(Stream("single look").generator())[:, :3]
    rows = [as_row(one, CLEAR.classes, f"network {k}", "real") for k, one in enumerate(right)]
    rounds = RoundsRecord.begin(range(3), 3, [f"{row.model}/{row.arm}" for row in rows])
    (found,), (plain,) = sequential_tables(rows, SETTINGS.level, rounds, networks), networks(rows)
    assert [row.p_adjusted for row in found.rows] == [row.p_adjusted for row in plain.rows]
    assert [row.verdict for row in found.rows] == [row.verdict for row in plain.rows]
    for row, other in zip(found.rows, plain.rows, strict=True):
        assert (row.low_adjusted, row.high_adjusted) == pytest.approx((other.low_adjusted, other.high_adjusted))


def test_each_look_sees_the_seeds_of_its_round() -> None:
    rows = [as_row(np.ones((6, 8)), (4, 4), name, "real") for name in "ab"]
    rounds = RoundsRecord.begin(range(6), 3, ("a/real", "b/real"))
    rounds = rounds.after(Look(pairs=1, decided=0, rows=frozenset({"a/real"})))
    seen = []

    def watch(kept: Sequence[NetworkResults]) -> list[ComparisonTable]:
        seen.append(([len(row.seeds) for row in kept], [row.planned for row in kept]))
        return []

    sequential_tables(rows, SETTINGS.level, rounds, watch)
    assert seen == [([3, 3], [3, 3]), ([4, 3], [4, 3])]


def test_a_decided_comparison_keeps_its_verdict_and_its_numbers() -> None:
    generator = Stream("decided stays decided").generator()
    found, rounds = run(replace(CLEAR, gain=(0.0, 0.05, 2.0, 2.05, 2.1)).draw(generator), CLEAR)
    early = [row for row in found.rows if row.n == 3]
    late = [row for row in found.rows if row.n > 3]
    assert early
    assert late
    assert all(row.verdict in {"better", "worse"} for row in early)
    for row in (*early, *late):
        assert row.low_adjusted is not None
        assert row.high_adjusted is not None
        assert (row.verdict == "undecided") == (row.low_adjusted < 0 < row.high_adjusted)
    assert rounds.spent <= rounds.planned


EQUAL = {
    "five networks": Table((0.1,) * 5, seeds=10),
    "two networks": Table((0.1,) * 2, seeds=10),
    "luck 0.6": Table((0.6,) * 5, seeds=10),
    "40 sources": Table((0.1,) * 5, seeds=10, classes=(10,) * 4),
    "classes of 150, 40, 7 and 3": Table((0.1,) * 5, seeds=10, classes=(150, 40, 7, 3)),
    "heavy-tailed luck": Table((0.2,) * 5, seeds=10, heavy=True),
    "luck shared by all networks of a seed": Table((0.1,) * 5, seeds=10, shared=0.3),
    "one of five spreads fourfold": Table((0.15,) * 4 + (0.6,), seeds=10),
    "three of five spread fourfold": Table((0.15,) * 2 + (0.6,) * 3, seeds=10),
    "at most 5 seeds": Table((0.1,) * 5, seeds=5),
    "two equal networks among clear ones": replace(CLEAR, gain=(-2.0, -2.0, -0.95, -0.45, -0.45)),
}


@pytest.mark.statistics
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", EQUAL)
def test_false_verdicts_of_studies_that_run_until_decided(name: str) -> None:
    found = outcome(EQUAL[name], STUDIES)
    slack = 2 * np.sqrt(TOLERATED * (1 - TOLERATED) / STUDIES)  # the error of a simulated rate
    assert found.tables <= TOLERATED + slack
    assert found.pairs <= TOLERATED


@pytest.mark.statistics
@pytest.mark.timeout(1800)
def test_at_least_half_of_the_runs_are_saved_where_differences_are_clear() -> None:
    found = outcome(CLEAR, STUDIES)
    assert found.saved >= 0.5
    assert found.found >= 0.99


GROUPS = {
    "five networks, 12 points apart": (Table((0.1,) * 5, seeds=10, gain=(0.0, 0.0, 0.0, -0.54, -0.54)), STUDIES),
    "fifteen networks, 14 points apart": (Table((0.1,) * 15, seeds=10, gain=(0.0,) * 10 + (-0.68,) * 5), 200),
}


@pytest.mark.statistics
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", GROUPS)
def test_at_least_half_of_the_runs_are_saved_where_two_groups_of_equal_networks_differ(name: str) -> None:
    """Comparisons within a group are out of reach, so they do not use up all seeds."""
    world, studies = GROUPS[name]
    found = outcome(world, studies)
    assert found.saved >= 0.5
    assert found.found >= 0.99
    assert found.tables <= TOLERATED


@pytest.mark.statistics
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("luck", "bound"), [(0.1, 0.69), (0.2, 0.50), (0.3, 0.23)])
def test_runs_saved_come_close_to_what_known_variances_would_save(luck: float, bound: float) -> None:
    """With a luck of 0.2 a study that knows all variances saves half, and with 0.3 less."""
    world = replace(CLEAR, luck=(luck,) * 5)
    found = outcome(world, STUDIES)
    best, _ = oracle_saved(world, STUDIES)
    assert best == pytest.approx(bound, abs=0.03)
    assert found.saved >= 0.6 * best
