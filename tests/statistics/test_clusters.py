"""Clusters of test sources that are not independent of each other."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarker import (
    ConfigurationError,
    StorageError,
    Stream,
    clusters_by_position,
    clusters_by_value,
    open_results,
    read_clusters,
)
from benchmarker.statistics.network_results import classification_sums, score
from benchmarker.statistics.study_comparison import compare_study
from benchmarker_reports.commands.clusters_command import command
from tests.statistics.fields import Fields, false_tables_of_fields
from tests.statistics.material import CLASSES, SEEDS, SOURCES, fill, finish

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import StudyFiles


def test_jackknife_leaves_out_whole_clusters() -> None:
    sums = classification_sums(["a", "b", "c", "d"], np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), classes=2)
    found = score(sums.clustered({"a": "north", "d": "north"}), "mean_per_class_accuracy")
    assert found is not None
    assert found.value == 75.0
    assert found.left_out.tolist() == [50.0, 100.0, 75.0]  # without a and d, without b, without c


def test_sources_are_linked_by_chains_of_neighbours_also_across_zero_hours() -> None:
    ra = [359.99, 0.005, 0.02, 10.0, 10.0, np.nan]
    dec = [0.0, 0.0, 0.0, 60.0, 60.1, 0.0]
    found = clusters_by_position(list("abcdef"), ra, dec, radius=1.0)
    assert found == {"a": "a", "b": "a", "c": "a", "d": "d", "e": "e", "f": "f"}
    assert clusters_by_position(list("de"), ra[3:5], dec[3:5], radius=6.1) == {"d": "d", "e": "d"}
    with pytest.raises(ConfigurationError, match="positive"):
        clusters_by_position(["a"], [0.0], [0.0], radius=0.0)


def test_sources_with_the_same_attribute_are_a_cluster() -> None:
    assert clusters_by_value(["a", "a", "b", "c"], [1.0, 1.0, 1.0, np.nan]) == {"a": "1", "b": "1", "c": "c"}
    with pytest.raises(ConfigurationError, match="images of a"):
        clusters_by_value(["a", "a"], [1.0, 2.0])


@pytest.mark.parametrize(
    ("text", "message"),
    [("source_id\na\n", "no column 'cluster'"), ("source_id,cluster\na,1\na,2\n", "line 3: a is in two"),
     ("source_id,cluster\n,1\n", "line 2")],
)  # fmt: skip
def test_damaged_files_of_clusters_are_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "clusters.csv").write_text(text, encoding="utf-8")
    with pytest.raises(StorageError, match=message):
        read_clusters(tmp_path / "clusters.csv")


def test_clusters_of_a_study_widen_intervals_until_they_are_removed(study: StudyFiles, tmp_path: Path) -> None:
    plain = fill(study, {("a", "real"): 0.75, ("b", "real"): 0.65, ("c", "real"): 0.7})
    rows = [f"source {k:03d},field {k // 40}" for k in range(SOURCES)]
    (tmp_path / "fields.csv").write_text("\n".join(["source_id,cluster", *rows]) + "\n", encoding="utf-8")
    out = CliRunner().invoke(command, [str(study.folder), "--file", str(tmp_path / "fields.csv")])
    assert "160 sources in 4 clusters" in out.output
    found = compare_study(open_results(study.folder))
    assert "clusters.csv puts those of the study into 4 clusters" in found.caveats[0]
    assert [row.n_sources for row in found.tables[0].rows] == [4] * 3
    assert {row.variance.sources_degrees_of_freedom for row in found.tables[0].rows if row.variance} == {3.0}
    CliRunner().invoke(command, [str(study.folder), "--remove"])
    assert compare_study(open_results(study.folder)).frame().equals(plain.frame())


def test_a_class_in_a_single_cluster_gives_no_verdict(study: StudyFiles) -> None:
    for model, skill in (("a", 0.9), ("b", 0.5)):
        for seed in SEEDS:
            finish(study, study.cell(model, seed), skill)
    lines = [f"source {k:03d},{'all FRII' if k % 4 == 2 else k}" for k in range(SOURCES)]
    (study.folder / "clusters.csv").write_text("\n".join(["source_id,cluster", *lines]), encoding="utf-8")
    (row,) = compare_study(open_results(study.folder)).tables[0].rows
    assert row.verdict == "undecided"
    assert CLASSES[2] in row.caveats[0]


def test_the_command_needs_one_kind_of_cluster(study: StudyFiles) -> None:
    study.finish(study.cell("a", 1), 90.0)
    for arguments in ([], ["--radius", "1", "--attribute", "field"]):
        assert CliRunner().invoke(command, [str(study.folder), *arguments]).exit_code == 2


def test_fields_with_a_shared_quirk_are_judged_falsely_unless_they_are_declared() -> None:
    """A quick check of the simulation; `make test-statistics` measures the rates."""
    rows = Fields().rows(Stream("fields").generator(), declared=True)
    tested = {len(row.seeds[0].sums.sources) for row in rows if row.seeds[0].sums is not None}
    assert tested == {20}
    assert len(list(combinations(rows, 2))) == 10


@pytest.mark.statistics
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seeds", [3, 10])
@pytest.mark.parametrize("fields", [10, 20, 50])
def test_false_verdicts_with_declared_fields(fields: int, seeds: int) -> None:
    world = Fields(fields=fields, seeds=seeds)
    assert false_tables_of_fields(world, 1000, declared=True) <= 0.06 + 2 * np.sqrt(0.06 * 0.94 / 1000)
