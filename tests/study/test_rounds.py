"""Rounds of seeds: which rows go on, what is recorded, and what a registry may change later."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from benchmarker.errors import ConfigurationError
from benchmarker.registry import Registry, UntilDecided
from benchmarker.study.plan_growth import with_rounds
from benchmarker.study.rounds import Look, RoundsRecord
from tests.study.material import planned_cell, write_plan

ROWS = ("a/real", "b/real", "c/real")


def begin() -> RoundsRecord:
    return RoundsRecord.begin((11, 12, 13, 14), 2, ROWS)


def look(*rows: str) -> Look:
    return Look(pairs=3, decided=3 - len(rows) // 2, rows=frozenset(rows))


def test_rows_of_undecided_comparisons_get_another_seed() -> None:
    rounds = begin().after(look("a/real", "c/real"))
    assert [(each.seeds, each.rows) for each in rounds.rounds] == [(2, ROWS), (3, ("a/real", "c/real"))]
    assert [rounds.seeds_of(row) for row in ROWS] == [(11, 12, 13), (11, 12), (11, 12, 13)]
    assert rounds.stopped is None
    assert (rounds.spent, rounds.planned) == (8, 12)


def test_a_study_stops_when_everything_is_decided() -> None:
    rounds = begin().after(look())
    assert rounds.stopped == "decided"
    assert (rounds.rounds[-1].pairs, rounds.rounds[-1].decided) == (3, 3)
    assert (rounds.spent, rounds.planned) == (6, 12)


def test_a_study_stops_when_what_is_left_is_out_of_reach() -> None:
    rounds = begin().after(Look(pairs=3, decided=2, out_of_reach=1, rows=frozenset()))
    assert rounds.stopped == "out of reach"
    assert (rounds.rounds[-1].decided, rounds.rounds[-1].out_of_reach) == (2, 1)
    assert "too close" in rounds.summary.rpartition(";")[2]


def test_a_study_stops_when_its_seeds_are_spent() -> None:
    rounds = begin()
    while rounds.stopped is None:
        rounds = rounds.after(look("a/real", "b/real"))
    assert rounds.stopped == "seeds spent"
    assert [each.seeds for each in rounds.rounds] == [2, 3, 4]
    assert rounds.seeds_of("c/real") == (11, 12)


def test_a_row_that_is_undecided_again_catches_up() -> None:
    rounds = begin().after(look("a/real", "b/real")).after(look("b/real", "c/real"))
    assert rounds.seeds_of("c/real") == (11, 12, 13, 14)
    assert rounds.seeds_of("a/real") == (11, 12, 13)
    assert rounds.seeds_of("c/real", 2) == (11, 12)  # what the second look saw


def test_a_new_row_joins_all_rounds_and_reopens_the_study() -> None:
    rounds = begin().after(look()).joined((*ROWS, "d/real"))
    assert rounds.stopped is None
    assert rounds.seeds_of("d/real") == (11, 12)
    assert rounds.joined(ROWS) is rounds


def test_rounds_survive_being_written(tmp_path: Path) -> None:
    for rounds in (begin(), begin().after(look("a/real", "b/real")), begin().after(look())):
        rounds.write(tmp_path / "rounds.json")
        assert RoundsRecord.read(tmp_path / "rounds.json") == rounds


def test_the_summary_says_what_was_planned_and_spent_and_why_it_stopped() -> None:
    text = begin().after(look("a/real", "b/real")).after(look()).summary
    assert "2 for 1 row, 3 for 2 rows, of at most 4" in text
    assert "8 of 12 runs" in text
    assert "decided" in text.rpartition(";")[2]


def registry(**parts: object) -> Registry:
    content = {"dataset": {"name": "mnist"}, "models": [{"architecture": "a", "learning_rate": 0.1, "epochs": 1}]}
    return Registry.model_validate(content | parts)


def test_further_seeds_do_not_depend_on_how_many_are_listed() -> None:
    few = registry(seeds=[1, 2], until_decided={"at_most": 8}).all_seeds
    assert few[:2] == (1, 2)
    assert len(set(few)) == 8
    assert registry(seeds=list(few[:5]), until_decided={"at_most": 8}).all_seeds == few
    assert registry(seeds=[1, 2]).all_seeds == (1, 2)


@pytest.mark.parametrize("settings", [{"at_least": 5, "at_most": 4}, {"at_least": 1}, {"at_most": 101}])
def test_settings_of_rounds_that_make_no_sense_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(ValidationError, match="until_decided"):
        registry(until_decided=settings)


def test_more_seeds_than_may_be_used_are_refused() -> None:
    with pytest.raises(ValidationError, match="at_most"):
        registry(seeds=[1, 2, 3], until_decided={"at_least": 2, "at_most": 2})


def test_rounds_cannot_be_changed_after_a_look(tmp_path: Path) -> None:
    whole = write_plan(tmp_path, [planned_cell(seed=seed) for seed in (11, 12, 13, 14)])
    assert "until_decided" not in whole.to_json()
    settings = UntilDecided(at_least=2, at_most=4)
    first = with_rounds(whole, settings, None, where="study")
    assert first.until_decided is not None
    assert {cell.seed for cell in first.cells} == {11, 12}
    later = first.until_decided.after(Look(pairs=1, decided=0, rows=frozenset({"mcrgnet/real"})))
    assert {cell.seed for cell in with_rounds(whole, settings, later, where="study").cells} == {11, 12, 13}
    with pytest.raises(ConfigurationError, match="until_decided"):
        with_rounds(whole, UntilDecided(at_least=3, at_most=4), later, where="study")
    kept = with_rounds(whole, None, later, where="study")
    assert len(kept.cells) == 4
    assert kept.until_decided == later
