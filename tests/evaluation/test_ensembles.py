"""Predictions of several networks combined into one."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarker import Classification, Regression, RegressionTarget, Stream, combine
from benchmarker.evaluation.ensembles import Rule, ensemble_scores, rules

ANGLE = Regression(targets=(RegressionTarget(name="inclination", unit="deg", minimum=45, maximum=90),))


def test_rules_depend_on_the_task() -> None:
    assert rules(Classification(classes=("FRI", "FRII"))) == ("average", "majority")
    assert rules(ANGLE) == ("median", "mean")


def test_combine_breaks_ties_of_votes_by_the_average() -> None:
    members = np.array([[[0.9, 0.1, 0.0]], [[0.2, 0.5, 0.3]]])
    assert combine(members, "majority").argmax(axis=1).tolist() == [0]


@pytest.mark.parametrize("rule", ["average", "majority"])
def test_combine_returns_shares_that_sum_to_one(rule: Rule) -> None:
    drawn = Stream("test-ensemble").generator().dirichlet([1, 1, 1], size=(5, 20))
    assert combine(drawn, rule).sum(axis=1) == pytest.approx(np.ones(20))


def test_combine_gives_the_class_with_most_votes() -> None:
    drawn = Stream("test-ensemble").generator().dirichlet([1, 1, 1], size=(7, 200))
    votes = np.stack([(drawn.argmax(axis=2) == k).sum(axis=0) for k in range(3)], axis=1)
    winner = combine(drawn, "majority").argmax(axis=1)
    assert (votes[np.arange(200), winner] == votes.max(axis=1)).all()


def test_median_ignores_a_member_that_fails() -> None:
    members = np.array([[[60.0]], [[62.0]], [[4000.0]]])
    assert combine(members, "median").tolist() == [[62.0]]
    found, beside = ensemble_scores(ANGLE, np.array([[62.0]]), combine(members, "median"), "median")
    assert found["mean_absolute_error"] == 0
    assert beside.per_target is not None


def test_combine_refuses_a_single_table() -> None:
    with pytest.raises(ValueError, match="n_members"):
        combine(np.ones((3, 2)), "average")
