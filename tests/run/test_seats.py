"""Who runs beside whom: seeds that share a program, and how many seats everything needs."""

from __future__ import annotations

import pytest

from benchmarker.run.lanes import LaneProgram
from benchmarker.run.seats import Seats, by_program, describe_programs, in_order_of_programs, most_at_once
from tests.study.material import of_lanes, planned_cell


def test_seeds_of_one_configuration_share_a_seat() -> None:
    seats = Seats(1)
    found = [seats.take(of_lanes(seed)) for seed in (1, 2, 3)]
    assert [seat and seat.lane and seat.lane.number for seat in found] == [1, 2, 3]
    assert len({id(seat.lane.program) for seat in found if seat and seat.lane}) == 1


def test_a_lane_is_taken_once_and_other_configurations_sit_elsewhere() -> None:
    seats = Seats(1)
    first = seats.take(of_lanes(1))
    assert first is not None
    assert seats.take(of_lanes(5)) is None  # the place of seed 1
    assert seats.take(of_lanes(2, threads=2)) is None
    assert seats.take(planned_cell()) is None
    with first:
        pass
    assert seats.take(of_lanes(5)) is not None


def test_a_seat_is_free_again_when_the_last_seed_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LaneProgram, "has_had", lambda _program, _number: True)
    seats = Seats(1)
    first, second = seats.take(of_lanes(1)), seats.take(of_lanes(2))
    assert first is not None
    assert second is not None
    with first:
        pass
    assert seats.take(of_lanes(5)) is None  # one cell in each lane of a process
    with second:
        pass
    seat = seats.take(planned_cell())
    assert seat is not None
    assert (seat.number, seat.lane) == (0, None)


def test_a_seed_that_stood_up_without_a_process_may_join_later() -> None:
    """As one that another run works on, until that is killed."""
    seats = Seats(1)
    first, second = seats.take(of_lanes(1)), seats.take(of_lanes(2))
    assert first is not None
    assert second is not None
    with second:
        pass
    again = seats.take(of_lanes(2))
    assert again is not None
    assert again.lane is not None
    assert first.lane is not None
    assert again.lane.program is first.lane.program


def test_cells_whose_weights_are_tested_share_nothing() -> None:
    seats = Seats(2, together=False)
    assert [seats.take(of_lanes(seed)) is not None for seed in (1, 2, 3)] == [True, True, False]


def test_jobs_have_different_numbers() -> None:
    seats = Seats(2)
    found = [seats.take(planned_cell(seed=seed)) for seed in (1, 2)]
    assert [seat and seat.number for seat in found] == [0, 1]


def test_programs_are_counted() -> None:
    assert by_program([]) == []
    assert len(by_program([planned_cell(seed=1), planned_cell(seed=2)])) == 2
    assert len(by_program([of_lanes(seed) for seed in range(4)])) == 1
    # All but seed 2 have the same place.
    grouped = by_program([of_lanes(seed) for seed in (1, 5, 9, 2)])
    assert [[each.seed for each in group] for group in grouped] == [[1, 2], [5], [9]]
    assert len(by_program([*(of_lanes(seed) for seed in (1, 2)), of_lanes(1, threads=2)])) == 2
    assert most_at_once([planned_cell(), of_lanes(1)]) == 4


def test_users_learn_how_well_programs_are_filled() -> None:
    assert describe_programs([planned_cell(seed=1), planned_cell(seed=2)]) == ""
    assert describe_programs([planned_cell(), *(of_lanes(seed) for seed in range(4))]) == (
        "4 cells in 1 program, which has places for 4 seeds of a network and counts as one cell here"
    )
    five = [of_lanes(seed, threads=threads) for seed in range(5) for threads in (1, 2)]
    assert describe_programs(five) == (
        "10 cells in 4 programs, each of which has places for 4 seeds of a network and counts as one cell here; "
        "6 of 16 places stay empty"
    )
    assert describe_programs([of_lanes(seed) for seed in (1, 5, 9)]).endswith(
        "; 9 of 12 places stay empty, and consecutive seeds would need 1"
    )


def test_seeds_of_one_configuration_are_begun_together() -> None:
    cells = [of_lanes(seed, threads=threads) for seed in (1, 2) for threads in (1, 2)]
    assert [(cell.seed, cell.spec.threads) for cell in in_order_of_programs(cells)] == [(1, 1), (2, 1), (1, 2), (2, 2)]
    alone = [planned_cell("fr_deep"), planned_cell(), planned_cell("fr_deep", seed=1)]
    assert in_order_of_programs(alone) == alone
