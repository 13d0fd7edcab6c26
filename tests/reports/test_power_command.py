"""The command ``benchmarker power``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click.testing import CliRunner

from benchmarker_reports.commands.power_command import command as power_command
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


def test_power_of_one_network_has_nothing_to_compare(study: StudyFiles) -> None:
    fill(study, {("good", "real"): 0.8})
    out = CliRunner().invoke(power_command, [str(study.folder)])
    assert "nothing to compare" in out.output
