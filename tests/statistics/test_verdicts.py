"""Correction, equivalence, verdicts and McNemar's test against statsmodels."""

from __future__ import annotations

import pytest
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_paired

from benchmarker import Stream
from benchmarker.statistics.multiple_testing import holm
from benchmarker.statistics.paired import paired_t
from benchmarker.statistics.verdicts import equivalence_p, pooled_mcnemar, verdict

VALUES = Stream("statistics test").generator().normal(80, 3, 12)
OTHERS = VALUES + Stream("other statistics test").generator().normal(0.8, 1, 12)


def test_mcnemar_is_that_of_statsmodels() -> None:
    draws = Stream("mcnemar").generator()
    first, second = draws.random((3, 50)) < 0.8, draws.random((3, 50)) < 0.6
    table = [[(first & second).sum(), (first & ~second).sum()], [(~first & second).sum(), (~first & ~second).sum()]]
    ours = pooled_mcnemar(first, second)
    assert ours.p == pytest.approx(statsmodels_mcnemar(table, exact=True).pvalue, rel=1e-12)
    assert (ours.first_only, ours.second_only) == (table[0][1], table[1][0])
    assert pooled_mcnemar([True], [True]).p == 1
    assert pooled_mcnemar([True, False], [False, True]).p == 1
    with pytest.raises(ValueError, match="same images"):
        pooled_mcnemar([True], [True, False])


def test_holm_is_that_of_statsmodels() -> None:
    p = [0.04, 0.001, 0.03, 0.8, 0.0101, 0.01]
    assert holm([*p, None])[:-1] == pytest.approx(multipletests(p, method="holm")[1].tolist())
    assert holm([0.02, None, 0.5]) == [0.04, None, 0.5]
    assert holm([]) == []
    assert holm([0.0, 1.0]) == [0.0, 1.0]
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([1.2])


@pytest.mark.parametrize("margin", [0.5, 1.0, 2.0])
def test_equivalence_is_that_of_statsmodels(margin: float) -> None:
    difference = paired_t(OTHERS - VALUES)
    assert difference is not None
    ours = equivalence_p(difference, margin)
    assert ours == pytest.approx(ttost_paired(OTHERS, VALUES, -margin, margin)[0], rel=1e-8)


@pytest.mark.parametrize(
    ("difference", "p", "same", "higher", "expected"),
    [
        (2.0, 0.01, 0.9, True, "better"),
        (2.0, 0.01, 0.9, False, "worse"),
        (-2.0, 0.01, 0.9, True, "worse"),
        (-2.0, 0.01, None, False, "better"),
        (-0.5, 0.01, None, True, "worse"),
        (0.5, 0.01, None, True, "better"),
        (0.0, 0.01, None, True, "undecided"),
        (0.2, 0.01, 0.01, True, "equivalent"),
        (0.2, 0.3, 0.01, True, "equivalent"),
        (2.0, 0.06, 0.9, True, "undecided"),
        (None, None, None, True, "undecided"),
        (2.0, None, None, True, "undecided"),
    ],
)
def test_verdict_follows_p_values_and_direction(
    difference: float | None, p: float | None, same: float | None, higher: bool, expected: str
) -> None:
    assert verdict(difference, p, same, higher_is_better=higher) == expected
