"""Runs that stop when their comparisons are decided; everything is real but the training."""

from __future__ import annotations

import signal
from collections import Counter

import pytest

from benchmarker import compare_study, open_results
from benchmarker.study.plan import Plan, read_plan
from benchmarker.study.rounds import RoundsRecord
from tests.run.conftest import QuickStudy

UNTIL = ("--until-decided", "--at-most", "5")
CLEAR, CLOSE, CLOSER = "clear", "close", "closer"
SCRIPT = {CLEAR: ["ok=90:2"], CLOSE: ["ok=20:2"], CLOSER: ["ok=20.2:2"]}


def plan_of(quick: QuickStudy) -> tuple[Plan, RoundsRecord]:
    plan = read_plan(quick.path)
    assert plan is not None
    assert plan.until_decided is not None
    return plan, plan.until_decided


def seeds_of(plan: Plan) -> dict[str, int]:
    return dict(Counter(cell.model for cell in plan.cells))


def test_rows_that_are_decided_get_no_more_seeds_also_after_an_interruption(quick: QuickStudy) -> None:
    quick.script(**SCRIPT | {CLOSER: ["until=later ok=20.2:2"]})
    process = quick.start(*UNTIL)
    quick.await_attempts(3)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    plan, rounds = plan_of(quick)
    assert seeds_of(plan) == {CLEAR: 3, CLOSE: 3, CLOSER: 3}
    assert rounds.rounds[0].pairs is None

    quick.let("later")
    done = quick.run(*UNTIL)
    assert done.returncode == 0, done.stderr
    plan, rounds = plan_of(quick)
    assert seeds_of(plan) == {CLEAR: 3, CLOSE: 4, CLOSER: 4}
    assert [each.seeds for each in rounds.rounds] == [3, 4]
    assert [(each.pairs, each.decided, each.out_of_reach) for each in rounds.rounds] == [(3, 2, 0), (3, 2, 1)]
    assert rounds.stopped == "out of reach"
    assert len(quick.attempts) == 12  # one of them was interrupted
    assert "2 of 3 pairs decided, 1 out of reach" in done.stdout
    assert rounds.summary in " ".join(done.stdout.split())

    results = open_results(quick.path)
    board = results.leaderboard("best").rows
    assert {row.model: (row.n, row.planned) for row in board} == {CLEAR: (3, 3), CLOSE: (4, 4), CLOSER: (4, 4)}
    found = compare_study(results)
    assert rounds.summary in found.caveats
    pair = found.pair((CLEAR, "real"), (CLOSE, "real"))
    assert pair is not None
    assert (pair.verdict, pair.n) == ("better", 3)


@pytest.mark.long
def test_shares_run_one_round_and_planning_adds_the_next(quick: QuickStudy) -> None:
    quick.script(**SCRIPT)
    for share in ("1/2", "2/2"):
        assert quick.run(*UNTIL, "--share", share).returncode == 0
    assert len(plan_of(quick)[1].rounds) == 1
    assert quick.run(*UNTIL, "--plan-only").returncode == 0
    plan, rounds = plan_of(quick)
    assert [each.seeds for each in rounds.rounds] == [3, 4]
    assert seeds_of(plan) == {CLEAR: 3, CLOSE: 4, CLOSER: 4}
    assert len(quick.attempts) == 9
    assert quick.run(*UNTIL).returncode == 0
    before = (quick.path / "plan.json").read_bytes()
    assert quick.run(*UNTIL).returncode == 0
    assert len(quick.attempts) == 11
    assert plan_of(quick)[1].stopped == "out of reach"
    assert (quick.path / "plan.json").read_bytes() == before
    changed = quick.run("--until-decided", "--at-most", "6", "--plan-only")
    assert changed.returncode != 0
    assert "until_decided" in changed.stderr
