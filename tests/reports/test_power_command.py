"""The command ``benchmarker power``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from benchmarker import comparison_settings, open_results, study_power
from benchmarker_reports.commands.power_command import command as power_command
from benchmarker_reports.commands.power_command import described
from tests.statistics.material import fill

if TYPE_CHECKING:
    from tests.conftest import StudyFiles


def test_power_prints_seeds_and_training_time(study: StudyFiles) -> None:
    fill(study, {("good", "real"): 0.8, ("poor", "real"): 0.6})
    out = CliRunner().invoke(power_command, [str(study.folder), "--delta", "10"])
    assert out.exit_code == 0, out.output
    assert "difference of 10 pp in mean_per_class_accuracy with a chance of 80%" in out.output
    assert "good/real - poor/real" in out.output
    assert "seeds in every row" in out.output
    tiny = CliRunner().invoke(power_command, [str(study.folder), "--delta", "0.1"])
    assert "160 test sources are too few" in tiny.output


def test_power_counts_the_comparisons_of_a_table(study: StudyFiles) -> None:
    """Six pairs need more seeds than one; the level of each is that of Bonferroni's correction."""
    fill(study, {(name, "real"): 0.6 + 0.05 * k for k, name in enumerate("abcd")})
    results = open_results(study.folder)
    settings = comparison_settings(results)
    found = study_power(results, settings, 15, target=0.8)
    assert {round(each.plan.level, 6) for each in found.comparisons} == {round(1 - 0.05 / 6, 6)}
    alone = study_power(results, replace(settings, level=1 - 6 * 0.05), 15, target=0.8)
    assert [each.plan.level for each in alone.comparisons] == [pytest.approx(0.95)] * 6
    for corrected, single in zip(found.comparisons, alone.comparisons, strict=True):
        assert corrected.smallest_detectable > single.smallest_detectable


def test_power_of_one_network_has_nothing_to_compare(study: StudyFiles) -> None:
    fill(study, {("good", "real"): 0.8})
    out = CliRunner().invoke(power_command, [str(study.folder)])
    assert "nothing to compare" in out.output


def test_power_names_overlapping_splits_where_more_sources_do_not_help(study: StudyFiles) -> None:
    fill(study, {("good", "real"): 0.8, ("poor", "real"): 0.6})
    results = open_results(study.folder)
    settings = comparison_settings(results)
    found = study_power(results, settings, 10, target=0.8)
    pairs = tuple(
        replace(each, plan=replace(each.plan, needed=None, sources_factor=None)) for each in found.comparisons
    )
    text = described(replace(found, comparisons=pairs, seeds=None), settings, 10, 0.8)
    assert "overlap" in text
    assert "too few" not in text
    assert "more sources" not in text
