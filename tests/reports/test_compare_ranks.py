"""The command ``benchmarker compare`` on several datasets: ranks, their diagram, and errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from autorank import autorank
from click.testing import CliRunner
from scikit_posthocs import posthoc_nemenyi_friedman

from benchmarker import ConfigurationError
from benchmarker.statistics.ranks import RankDiagram, RanksError
from benchmarker_reports.commands.compare_command import command
from benchmarker_reports.commands.rank_picture import rank_svg
from benchmarker_reports.commands.ranking import described, ranked
from benchmarker_reports.commands.selection import select
from tests.conftest import StudyFiles

SURVEYS: Mapping[str, Mapping[str, float]] = {
    "first": {"convxpress": 90, "mcrgnet": 80, "fr_deep": 82, "alexnet": 60},
    "mirabest": {"convxpress": 88, "mcrgnet": 85, "fr_deep": 84, "alexnet": 61},
    "galaxy10": {"convxpress": 70, "mcrgnet": 71, "fr_deep": 65, "alexnet": 50},
    "lotss": {"convxpress": 77, "mcrgnet": 70, "fr_deep": 69, "alexnet": 40},
    "gama": {"convxpress": 66, "mcrgnet": 60, "fr_deep": 58, "alexnet": 51},
    "hst": {"convxpress": 91, "mcrgnet": 89, "fr_deep": 88, "alexnet": 80},
}


def write(folder: Path, name: str, values: Mapping[str, float], digest: str = "") -> str:
    study = StudyFiles(folder / name)
    study.plan["dataset"] = {**study.plan["dataset"], "name": name.partition("-")[0], "digest": digest or name}
    for network, value in values.items():
        for seed, luck in ((1, -0.25), (2, 0.25)):
            study.finish(study.cell(network, seed), value + luck)
    return str(study.folder)


@pytest.fixture
def studies(tmp_path: Path) -> list[str]:
    return [write(tmp_path, name, values) for name, values in SURVEYS.items()]


def test_ranks_groups_and_difference_are_those_of_autorank_and_posthocs(studies: list[str]) -> None:
    found = ranked([select(text) for text in studies]).diagram
    wide = pd.DataFrame(SURVEYS).T.astype(float)
    theirs = autorank(wide, alpha=0.05, force_mode="nonparametric")
    assert found.critical_difference == pytest.approx(theirs.cd, rel=1e-3)
    assert dict(zip(found.networks, found.mean_ranks, strict=True)) == theirs.rankdf["meanrank"].to_dict()
    p = posthoc_nemenyi_friedman(wide)
    for one in found.networks:
        for other in found.networks:
            together = one == other or any({one, other} <= set(group) for group in found.groups)
            assert together == (p.loc[one, other] >= 0.05)


def test_the_command_prints_ranks_and_writes_the_diagram(studies: list[str], tmp_path: Path) -> None:
    picture = tmp_path / "ranks.svg"
    out = CliRunner().invoke(command, [*studies[:3], "--svg", str(picture)])
    assert out.exit_code == 0, out.output
    assert "4 networks on 3 datasets, by mean_per_class_accuracy" in out.output
    assert re.search(r"convxpress +1\.33 +90\.0 +70\.0 +88\.0", out.output)
    assert "only 3 datasets" in out.output
    assert "critical difference" in out.output
    assert max(map(len, out.output.replace(str(picture), "").splitlines())) <= 80
    assert ">convxpress  1.33</text>" in picture.read_text(encoding="utf-8")
    assert picture.read_text(encoding="utf-8") == rank_svg(ranked([select(text) for text in studies[:3]]).diagram)


def test_networks_without_a_result_on_some_dataset_are_left_out(studies: list[str], tmp_path: Path) -> None:
    more = write(tmp_path, "radio", {"convxpress": 80, "mcrgnet": 79, "toothless": 78})
    found = ranked([select(text) for text in (*studies[:2], more)])
    assert found.diagram.networks == ("convxpress", "mcrgnet")
    assert set(found.left_out) == {"fr_deep", "alexnet", "toothless"}
    assert "Left out" in described(found, 0.95)


def test_the_same_images_twice_are_an_error(studies: list[str], tmp_path: Path) -> None:
    again = write(tmp_path, "again", SURVEYS["first"], digest="first")
    out = CliRunner().invoke(command, [*studies[:2], again])
    assert isinstance(out.exception, ConfigurationError)
    assert "use the same images" in str(out.exception)
    smaller = write(tmp_path, "first-small", SURVEYS["first"])
    assert "Several studies use first" in "; ".join(ranked([select(text) for text in (*studies[:2], smaller)]).caveats)


def test_two_studies_are_ranked_with_an_option_only(studies: list[str], tmp_path: Path) -> None:
    assert "4 networks on 2" in CliRunner().invoke(command, [*studies[:2], "--ranks"]).output
    out = CliRunner().invoke(command, [*studies[:2], "--svg", str(tmp_path / "x.svg")])
    assert out.exit_code == 2
    assert "Add --ranks" in out.output
    alone = write(tmp_path, "alone", {"toothless": 50})
    out = CliRunner().invoke(command, [*studies[:2], alone])
    assert isinstance(out.exception, RanksError)


def test_names_in_the_picture_are_inert_and_many_fit() -> None:
    names = ("<script>alert(1)</script>", *(f"network {k}" for k in range(11)))
    ranks = tuple(float(rank) for rank in np.arange(1, 13))
    found = RankDiagram(
        networks=names, mean_ranks=ranks, datasets=("a & b", "c"), chi_squared=1.0, p=0.5, critical_difference=20.0,
        groups=(names,), level=0.95,
    )  # fmt: skip
    picture = rank_svg(found)
    assert "<script>" not in picture
    assert "a &amp; b" in picture
    width = float(re.findall(r'<svg .*? width="(\d+)"', picture)[0])
    for x, anchor, text in re.findall(r'<text x="(.*?)" .*? text-anchor="(.*?)" .*?>(.*?)</text>', picture):
        reach = 6.2 * len(unescape(text))
        assert float(x) - (reach if anchor == "end" else 0) >= 0
        assert float(x) + (reach if anchor == "start" else 0) <= width
