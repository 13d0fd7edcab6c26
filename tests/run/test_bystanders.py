"""A cell whose process was ended for another one goes on, and none of its retries is used up."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarker.run.policy import Policy
from benchmarker.run.processes import Conditions
from benchmarker.run.runner import Runner
from benchmarker.run.seats import Seats
from benchmarker.study.observer import CellOutcome
from tests.study.material import of_lanes

BYSTANDER = CellOutcome(status="failed", message="ended for another seed", retriable=True, bystander=True)
KILLED = CellOutcome(status="failed", message="killed", retriable=True)
SUSPECTED = CellOutcome(status="failed", message="crashed", retriable=True, suspected=True)
OK = CellOutcome(status="ok")


@pytest.mark.parametrize(
    ("retries", "outcomes", "last"),
    [
        (0, [BYSTANDER, BYSTANDER, OK], OK),
        (1, [BYSTANDER, KILLED, BYSTANDER, OK], OK),
        (1, [KILLED, BYSTANDER, KILLED], KILLED),
        (0, [KILLED], KILLED),
    ],
)
def test_only_attempts_of_its_own_are_counted(
    tmp_path: Path, retries: int, outcomes: list[CellOutcome], last: CellOutcome
) -> None:
    found, launches, _ = _run(tmp_path, retries, outcomes)
    assert found == last
    assert len(launches) == len(outcomes)


def test_a_bystander_keeps_its_place_and_a_suspect_does_not(tmp_path: Path) -> None:
    _, launches, messages = _run(tmp_path, 1, [BYSTANDER, SUSPECTED, OK])
    assert [conditions.lane is not None for conditions in launches] == [True, True, False]
    assert "goes on in another one" in messages[0]
    assert "without other seeds" in messages[1]


def _run(folder: Path, retries: int, outcomes: list[CellOutcome]) -> tuple[CellOutcome, list[Conditions], list[str]]:
    """Return how a cell ended whose attempts end in a given way, their conditions, and what was reported."""
    messages: list[str] = []
    launches: list[Conditions] = []
    study: Any = SimpleNamespace(folder=folder, plugins=None, uses=())
    observer: Any = SimpleNamespace(message=messages.append)
    runner: Any = Runner(study, [], observer, Policy(retries=retries), force=False)

    def launch(_job: object, conditions: Conditions, **_: object) -> CellOutcome:
        launches.append(conditions)
        return outcomes[len(launches) - 1]

    runner._launch = launch
    cell = of_lanes(1)
    seat = Seats(1).take(cell)
    assert seat is not None
    conditions = Conditions(lane=seat.lane)
    return runner._run_job(SimpleNamespace(planned=cell), conditions, seat, alone=False), launches, messages
