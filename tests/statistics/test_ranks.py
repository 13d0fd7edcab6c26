"""Ranks over datasets against scipy, autorank and scikit-posthocs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from autorank import autorank
from scikit_posthocs import posthoc_nemenyi_friedman
from scipy import stats

from benchmarker import Stream
from benchmarker.statistics.ranks import RanksError, critical_difference, rank_diagram

NETWORKS = ["convxpress", "mcrgnet", "fr_deep", "alexnet"]


@pytest.fixture
def wide() -> pd.DataFrame:
    draws = Stream("ranks").generator()
    values = np.array([80, 78, 70, 79]) + draws.normal(0, 3, (9, 4))
    return pd.DataFrame(values, columns=NETWORKS, index=[f"survey {k}" for k in range(9)])


def tidy(wide: pd.DataFrame) -> pd.DataFrame:
    return wide.rename_axis("dataset").reset_index().melt("dataset", var_name="network", value_name="accuracy")


def test_friedman_and_ranks_are_those_of_scipy(wide: pd.DataFrame) -> None:
    diagram = rank_diagram(tidy(wide), "accuracy", higher_is_better=True)
    theirs = stats.friedmanchisquare(*wide.to_numpy().T)
    assert (diagram.chi_squared, diagram.p) == pytest.approx((theirs.statistic, theirs.pvalue))
    ranks = wide.rank(axis=1, ascending=False).mean().sort_values()
    assert dict(zip(diagram.networks, diagram.mean_ranks, strict=True)) == pytest.approx(ranks.to_dict())
    assert list(diagram.networks) == list(ranks.index)


def test_ties_share_their_rank_as_in_scipy(wide: pd.DataFrame) -> None:
    rounded = (wide / 5).round()
    diagram = rank_diagram(tidy(rounded), "accuracy", higher_is_better=False)
    assert diagram.chi_squared == pytest.approx(stats.friedmanchisquare(*rounded.to_numpy().T).statistic)


def test_critical_difference_is_that_of_autorank_and_groups_those_of_scikit_posthocs(wide: pd.DataFrame) -> None:
    diagram = rank_diagram(tidy(wide), "accuracy", higher_is_better=True)
    theirs = autorank(wide, alpha=0.05, force_mode="nonparametric")
    assert diagram.critical_difference == pytest.approx(theirs.cd, rel=1e-3)
    p = posthoc_nemenyi_friedman(wide)
    for one in NETWORKS:
        for other in NETWORKS:
            together = any(one in group and other in group for group in diagram.groups)
            assert one == other or together == (p.loc[one, other] > 0.05)
    assert critical_difference(5, 30) == pytest.approx(2.728 * np.sqrt(30 / 180), abs=1e-3)  # Demsar 2006, table 5


def test_seeds_in_place_of_datasets_are_an_error(wide: pd.DataFrame) -> None:
    table = tidy(wide)
    with pytest.raises(RanksError, match="never over seeds"):
        rank_diagram(pd.concat([table, table]), "accuracy", higher_is_better=True)
    with pytest.raises(RanksError, match="Seeds are not datasets"):
        rank_diagram(table.rename(columns={"dataset": "seed"}), "accuracy", higher_is_better=True)
    with pytest.raises(RanksError, match="on every dataset"):
        rank_diagram(table.iloc[1:], "accuracy", higher_is_better=True)
    with pytest.raises(RanksError, match="two networks on two datasets"):
        rank_diagram(table[table["dataset"] == "survey 0"], "accuracy", higher_is_better=True)


def test_few_datasets_are_a_caveat(wide: pd.DataFrame) -> None:
    few = rank_diagram(tidy(wide.iloc[:3]), "accuracy", higher_is_better=True)
    assert few.caveats == ("Ranks over only 3 datasets say little; use 5 or more.",)
    assert rank_diagram(tidy(wide), "accuracy", higher_is_better=True).caveats == ()
