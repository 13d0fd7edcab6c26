"""The command ``benchmarker compare`` on two studies, networks or runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from benchmarker import ConfigurationError, compare_study, open_results
from benchmarker_reports.commands.compare_command import command as compare_command
from benchmarker_reports.commands.power_command import command as power_command
from tests.statistics.material import SEEDS, fill, finish

if TYPE_CHECKING:
    from tests.conftest import StudyFiles


def test_compare_shows_configuration_before_results(study: StudyFiles) -> None:
    for seed in SEEDS:
        finish(study, study.cell("good", seed, epochs=30), 0.9)
        finish(study, study.cell("poor", seed), 0.5, fingerprint={"threads": 4})
    out = CliRunner().invoke(compare_command, [f"{study.folder}:good", f"{study.folder}:poor/real"])
    assert out.exit_code == 0, out.output
    lines = out.output.splitlines()
    at = {name: next(k for k, line in enumerate(lines) if line.startswith(name)) for name in ("Conf", "Env", "Res")}
    assert at["Conf"] < at["Env"] < at["Res"]
    assert any(line.split() == ["model.epochs", "30", "16"] for line in lines)
    assert any(line.split() == ["threads", "2", "4"] for line in lines)
    assert next(line for line in lines if line.startswith("good/real - poor/real")).endswith("better")


def test_compare_of_a_study_with_itself_and_of_single_runs(study: StudyFiles) -> None:
    fill(study, {("good", "real"): 0.9, ("poor", "real"): 0.5})
    same = CliRunner().invoke(compare_command, [str(study.folder), str(study.folder)])
    assert "Configuration: the same" in same.output
    assert same.output.count("equivalent") == 2
    pair = [f"{study.folder}:{model}/real/8901" for model in ("good", "poor")]
    runs = CliRunner().invoke(compare_command, pair)
    assert "for these two trainings only" in runs.output
    assert "undecided" in runs.output


@pytest.mark.parametrize(
    ("chosen", "message"),
    [("typo", "no cell 'typo'"), ("good/real/x", "did you mean good/real/1"), ("a/b/c/d", "no cell 'a/b/c/d'")],
)
def test_compare_of_an_unknown_selection_is_an_error(study: StudyFiles, chosen: str, message: str) -> None:
    fill(study, {("good", "real"): 0.9}, seeds=(1,))
    out = CliRunner().invoke(compare_command, [f"{study.folder}:{chosen}", str(study.folder)])
    assert isinstance(out.exception, ConfigurationError)
    assert message in str(out.exception)


@pytest.mark.parametrize("command", [compare_command, power_command])
def test_help_has_examples_on_separate_lines(command: Any) -> None:
    lines = CliRunner().invoke(command, ["--help"]).output.splitlines()
    assert sum(line.strip().startswith(f"$ benchmarker {command.name} results/") for line in lines) >= 2


def test_compare_gives_the_verdicts_of_the_reports(study: StudyFiles) -> None:
    """A pair alone is significant, but not among the six pairs of the study: one pair has one verdict."""
    fill(study, {("a", "real"): 0.75, ("b", "real"): 0.72, ("c", "real"): 0.69, ("d", "real"): 0.66})
    study_rows = compare_study(open_results(study.folder)).table("networks")
    assert study_rows is not None
    for row in study_rows.rows:
        first, second = row.first.network, row.second.network
        out = CliRunner().invoke(compare_command, [f"{study.folder}:{first}/real", f"{study.folder}:{second}/real"])
        line = next(line for line in out.output.splitlines() if line.startswith(f"{first}/real - {second}/real"))
        assert line.endswith(row.verdict)
        assert row.p_adjusted is not None
        assert f"{row.p_adjusted:.3f}" in line or "< 0.001" in line


def test_a_pair_that_reports_do_not_compare_is_corrected_alone(study: StudyFiles) -> None:
    fill(study, {(name, arm): 0.6 for name in ("a", "b") for arm in ("real", "gan")})
    out = CliRunner().invoke(compare_command, [f"{study.folder}:a/real", f"{study.folder}:b/gan"])
    assert out.exit_code == 0, out.output
    assert "a/real - b/gan" in out.output
