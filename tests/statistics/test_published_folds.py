"""Published folds count once each, however many seeds repeat them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarker import Stream, compare_study, open_results
from benchmarker.statistics.network_results import read_network_results
from benchmarker.statistics.published_folds import means_of_folds
from tests.statistics.crossed import METRIC
from tests.statistics.folds import on_one_test_part
from tests.statistics.material import fill

if TYPE_CHECKING:
    from tests.conftest import StudyFiles

CELLS = (8901_01, 8901_02, 1826_01, 1826_02)


def test_cells_of_a_fold_are_averaged_over_seeds() -> None:
    (row,) = on_one_test_part(1, 2, Stream("means of folds").generator(), folds=3, size=8)
    found = means_of_folds(row)
    assert (found.planned, sorted(found.seeds)) == (3, [101, 102, 103])
    for fold in (1, 2, 3):
        cells = [row.score(100 * seed + fold, METRIC) for seed in (1, 2)]
        score = found.score(100 + fold, METRIC)
        assert score is not None
        assert found.values[100 + fold] == pytest.approx(np.mean([cell.value for cell in cells if cell]))
        assert score.value == pytest.approx(found.values[100 + fold])
        assert score.left_out == pytest.approx(np.mean([cell.left_out for cell in cells if cell], axis=0))


def test_folds_with_unfinished_cells_are_left_out() -> None:
    (row,) = on_one_test_part(1, 2, Stream("means of folds").generator(), folds=3, size=8)
    kept = {seed: result for seed, result in row.seeds.items() if seed != 202}
    found = means_of_folds(replace(row, seeds=kept))
    assert (found.planned, sorted(found.seeds)) == (3, [101, 103])


def test_rows_without_published_folds_or_with_one_seed_stay_as_they_are() -> None:
    (once,) = on_one_test_part(1, 1, Stream("means of folds").generator(), folds=3, size=8)
    (twice,) = on_one_test_part(1, 2, Stream("means of folds").generator(), folds=3, size=8)
    drawn = replace(twice, published_folds=0)
    assert means_of_folds(once) is once
    assert means_of_folds(drawn) is drawn


def test_comparisons_of_a_study_count_published_folds(study: StudyFiles) -> None:
    fill(study, {("good", "real"): 0.9, ("bad", "real"): 0.5}, seeds=CELLS, split={"published": True, "folds": 2})
    results = open_results(study.folder)
    row = read_network_results(results, METRIC, "best")[0]
    assert (row.published_folds, row.planned) == (2, 4)
    assert row.overlap > 0
    (pair,) = [pair for table in compare_study(results).tables if table.name == "networks" for pair in table.rows]
    assert (pair.n, pair.method, pair.first.planned) == (2, "folds and sources", 2)
