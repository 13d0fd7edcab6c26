"""Seeds and times that the comparisons of a stored study need, against the same numbers put together by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from benchmarker import comparison_settings, open_results
from benchmarker.statistics import study_power as module
from benchmarker.statistics.comparison import ComparisonSettings
from benchmarker.statistics.network_results import NetworkResults, read_network_results
from benchmarker.statistics.pairing import paired_difference, pooled_variance
from benchmarker.statistics.power import expected, plan_seeds, smallest_detectable
from benchmarker.statistics.study_power import StudyPower, study_power
from tests.statistics.material import SOURCES, fill, finish

if TYPE_CHECKING:
    from benchmarker import StudyResults
    from tests.conftest import StudyFiles

SECONDS = 61.5
"""Training time of every run of the stored study."""
SKILLS = {("good", "real"): 0.85, ("poor", "real"): 0.55, ("good", "gan"): 0.9, ("poor", "gan"): 0.6}
PAIRS = [
    ("good/gan", "good/real"),
    ("poor/gan", "poor/real"),
    ("good/real", "poor/real"),
    ("good/gan", "poor/gan"),
]


class Filled:
    """A stored study of two networks in two arms under four seeds."""

    def __init__(self, study: StudyFiles) -> None:
        fill(study, SKILLS)
        self.results: StudyResults = open_results(study.folder)
        self.settings: ComparisonSettings = comparison_settings(self.results)
        found = read_network_results(self.results, self.settings.metric, "best")
        self.rows: dict[str, NetworkResults] = {row.label: row for row in found}

    def power(self, delta: float, target: float = 0.8) -> StudyPower:
        return study_power(self.results, self.settings, delta, target=target)


@pytest.fixture
def filled(study: StudyFiles) -> Filled:
    return Filled(study)


@pytest.mark.parametrize("target", [0.8, 0.95])
def test_every_comparison_is_planned_from_its_own_variance(filled: Filled, target: float) -> None:
    found = filled.power(12, target)
    assert {(each.first, each.second) for each in found.comparisons} == set(PAIRS)
    assert [(each.first, each.second) for each in found.comparisons[:2]] == PAIRS[:2]
    assert found.left_out == 0
    pool = pooled_variance(list(filled.rows.values()), filled.settings)
    for each in found.comparisons:
        pair = (filled.rows[each.first], filled.rows[each.second])
        estimate = paired_difference(*pair, filled.settings, pool=pool).estimate
        assert estimate is not None
        components = expected(estimate.components)
        level = 1 - (1 - filled.settings.level) / 2  # each of both tables has two comparisons
        assert each.difference == pytest.approx(estimate.value)
        assert each.plan == plan_seeds(12, components, target=target, level=level)
        assert each.smallest_detectable == pytest.approx(smallest_detectable(components, target=target, level=level))
        assert each.n_sources == SOURCES
        assert each.plan.more is not None
        assert each.seconds == pytest.approx(each.plan.more * 2 * SECONDS)


def test_comparisons_are_corrected_for_those_of_their_own_table(study: StudyFiles) -> None:
    """Three pairs of networks, and one of arms."""
    skills = {("good", "real"): 0.85, ("poor", "real"): 0.55, ("fair", "real"): 0.7, ("good", "gan"): 0.9}
    fill(study, skills)
    results = open_results(study.folder)
    found = study_power(results, comparison_settings(results), 12, target=0.8)
    levels = {(each.first, each.second): each.plan.level for each in found.comparisons}
    assert levels.pop(("good/gan", "good/real")) == pytest.approx(0.95)
    assert len(levels) == 3
    assert list(levels.values()) == pytest.approx([1 - 0.05 / 3] * 3)


def test_the_most_demanding_comparison_sets_the_seeds_of_every_row(filled: Filled) -> None:
    found = filled.power(9)
    needed = [each.plan.needed for each in found.comparisons]
    assert None not in needed
    assert found.seeds == max(n for n in needed if n is not None)
    assert found.seeds is not None
    assert found.seeds > 4
    assert found.seconds == pytest.approx(4 * max(0, found.seeds - 4) * SECONDS)


def test_seeds_that_are_enough_cost_nothing_more(filled: Filled) -> None:
    found = filled.power(90)
    assert found.seeds is not None
    assert found.seeds <= 4
    assert found.seconds == 0
    assert {each.seconds for each in found.comparisons} == {0}


def test_difference_that_no_number_of_seeds_finds_has_no_time(filled: Filled) -> None:
    found = filled.power(0.01)
    assert (found.seeds, found.seconds) == (None, None)
    assert {each.seconds for each in found.comparisons} == {None}


def _without(name: str, *labels: str, **changes: Any) -> Any:
    """Return a reader of results that forgets costs, or changes something else, of some rows."""

    def read(*arguments: Any, **options: Any) -> list[NetworkResults]:
        rows = read_network_results(*arguments, **options)
        costs = {row.label: {k: v for k, v in row.costs.items() if k != name} for row in rows}
        return [replace(row, costs=costs[row.label], **changes) if row.label in labels else row for row in rows]

    return read


def test_time_is_unknown_where_a_row_was_not_timed(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "read_network_results", _without("training_seconds", "poor/gan"))
    found = filled.power(12)
    assert found.seeds is not None
    assert found.seconds is None
    times = {(each.first, each.second): each.seconds for each in found.comparisons}
    assert {pair for pair, seconds in times.items() if seconds is None} == {
        ("poor/gan", "poor/real"),
        ("good/gan", "poor/gan"),
    }


def test_seeds_in_one_program_take_its_time_together(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = filled.power(9)
    monkeypatch.setattr(module, "read_network_results", _without("", *filled.rows, seeds_at_once=4))
    found = filled.power(9)
    assert found.seeds is not None
    assert found.seconds == pytest.approx(4 * math.ceil((found.seeds - 4) / 4) * SECONDS)
    assert alone.seconds == pytest.approx(4 * (found.seeds - 4) * SECONDS)
    for each in found.comparisons:
        assert each.plan.more is not None
        assert each.seconds == pytest.approx(2 * math.ceil(each.plan.more / 4) * SECONDS)


def test_rows_with_different_numbers_of_seeds_are_filled_up(study: StudyFiles) -> None:
    filled = Filled(study)
    one, two, *_ = filled.rows["poor/real"].seeds
    filled.rows["poor/real"] = filled.rows["poor/real"].only(one, two)
    rows = list(filled.rows.values())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "read_network_results", lambda *_: rows)
        found = filled.power(9)
    assert found.seeds is not None
    assert found.seeds > 4
    missing = 3 * max(0, found.seeds - 4) + max(0, found.seeds - 2)
    assert found.seconds == pytest.approx(missing * SECONDS)


def test_comparisons_with_one_shared_seed_are_left_out(study: StudyFiles) -> None:
    for model, skill in (("good", 0.85), ("poor", 0.55)):
        for seed in (1, 2, 3):
            finish(study, study.cell(model, seed), skill)
    finish(study, study.cell("single", 1), 0.7)
    results = open_results(study.folder)
    found = study_power(results, comparison_settings(results), 12, target=0.8)
    assert [(each.first, each.second) for each in found.comparisons] == [("good/real", "poor/real")]
    assert found.left_out == 2


def test_study_with_nothing_to_compare_needs_nothing(study: StudyFiles) -> None:
    fill(study, {("good", "real"): 0.8})
    results = open_results(study.folder)
    assert study_power(results, comparison_settings(results), 5, target=0.8) == StudyPower(
        comparisons=(), left_out=0, seeds=None, seconds=None
    )


def test_test_sources_are_unknown_without_predictions(study: StudyFiles) -> None:
    for (model, arm), skill in SKILLS.items():
        for seed in (1, 2, 3):
            study.finish(study.cell(model, seed, arm=arm), 100 * skill + seed * (1 + (model == "good")))
    results = open_results(study.folder)
    found = study_power(results, comparison_settings(results), 12, target=0.8)
    assert {each.n_sources for each in found.comparisons} == {0}
