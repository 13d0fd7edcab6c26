"""Commands that run some cells of a registry: by name, by share, or none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from benchmarker.errors import ConfigurationError
from benchmarker.run import Chosen, Share
from benchmarker.run.seats import by_program
from tests.study.material import of_lanes, planned_cell

if TYPE_CHECKING:
    from tests.run.conftest import QuickStudy

FIVE = ("one", "two", "three", "four", "five")


def test_shares_cover_every_cell_once() -> None:
    cells = [planned_cell(name) for name in FIVE]
    shares = [Chosen(share=Share(number, 3)).of(cells, [], where="a registry")[0] for number in (1, 2, 3)]
    assert [len(share) for share in shares] == [2, 2, 1]
    assert sorted(cell.key for share in shares for cell in share) == sorted(cell.key for cell in cells)


def test_a_share_has_whole_programs() -> None:
    cells = [of_lanes(seed, threads=threads) for seed in range(8) for threads in (1, 2)]
    shares = [Share(number, 3).take(cells) for number in (1, 2, 3)]
    assert [len(by_program(share)) for share in shares] == [2, 1, 1]
    assert sorted(cell.key for share in shares for cell in share) == sorted(cell.key for cell in cells)


@pytest.mark.parametrize("text", ["", "3", "0/2", "3/2", "1/0", "a/b", "1/2/3"])
def test_share_must_be_one_of_its_number(text: str) -> None:
    with pytest.raises(ConfigurationError, match="--share"):
        Share.parse(text)


def test_command_runs_the_chosen_cells_of_the_whole_plan(quick: QuickStudy) -> None:
    quick.script(**{name: ["ok"] for name in FIVE})
    done = quick.run("--cells", "two,four/real")
    assert done.returncode == 0, done.stderr
    assert quick.endings == {"two": "ok", "four": "ok"}
    assert "2 of 2 cells ok" in done.stdout
    assert len(json.loads((quick.path / "plan.json").read_text())["cells"]) == len(FIVE)
    plan = (quick.path / "plan.json").stat()
    done = quick.run("--share", "1/2", "--cells", "one,three,five")
    assert (quick.path / "plan.json").stat() == plan  # not written again: a thousand tasks would wait for each other
    assert quick.endings == dict.fromkeys(("one", "two", "four", "five"), "ok")
    wrong = quick.run("--cells", "six")
    assert wrong.returncode == 2
    assert "no cell 'six'" in wrong.stderr


def test_plan_is_written_without_training(quick: QuickStudy) -> None:
    quick.script(**{name: ["ok"] for name in FIVE})
    done = quick.run("--plan-only")
    assert done.returncode == 0, done.stderr
    assert "5 cells planned" in done.stdout
    assert quick.attempts == []
    assert len(json.loads((quick.path / "plan.json").read_text())["cells"]) == len(FIVE)
