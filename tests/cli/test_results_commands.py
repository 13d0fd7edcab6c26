"""``benchmarker leaderboard`` and ``show`` on a study written by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarker.cli import main

if TYPE_CHECKING:
    from tests.conftest import StudyFiles


@pytest.fixture
def filled(study: StudyFiles) -> StudyFiles:
    study.plan["dataset"]["skipped"] = [{"name": f"image{k}.fits", "reason": "every pixel is NaN"} for k in range(14)]
    for seed in (8901, 1826):
        study.finish(study.cell("convxpress", seed), 93.0 + seed / 1e4, 91.0)
    study.fail(study.cell("mcrgnet", 8901), "diverged", "the loss is not finite")
    study.cell("mcrgnet", 1826)
    return study


def test_leaderboard_into_a_file_is_plain_text(filled: StudyFiles, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["leaderboard", str(filled.folder)]) == 0
    out = capsys.readouterr().out
    assert "2 of 4 cells finished, 1 failed, 1 pending." in out.splitlines()
    assert "\x1b" not in out
    assert not any(line.endswith(" ") for line in out.splitlines())


def test_leaderboard_writes_what_it_prints(
    filled: StudyFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("terminal", "csv", "tidy", "json", "markdown"):
        output = tmp_path / name
        assert main(["leaderboard", str(filled.folder), "--format", name, "--output", str(output)]) == 0
        assert capsys.readouterr().out == ""
        main(["leaderboard", str(filled.folder), "--format", name])
        assert capsys.readouterr().out == output.read_text(encoding="utf-8")


def test_leaderboard_applies_its_options(filled: StudyFiles, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["leaderboard", str(filled.folder), "--format", "json", "--sort", "loss", "--checkpoint", "final"]
    assert main([*arguments, "--include-incomplete"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["sort"] == {"metric": "loss", "higher_is_better": False}
    assert {row["checkpoint"] for row in value["rows"]} == {"final"}


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["--sort", "macro_f2"], 2, "did you mean 'macro_f1'"),
        (["--format", "cvs"], 2, "did you mean 'csv'"),
        (["--output", "/no/such/folder/table.csv"], 1, "/no/such/folder/table.csv: No such file or directory"),
    ],
)
def test_leaderboard_refuses_wrong_arguments(
    filled: StudyFiles, arguments: list[str], code: int, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["leaderboard", str(filled.folder), *arguments]) == code
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize("command", ["leaderboard", "show"])
def test_folder_without_a_plan_is_refused(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, str(tmp_path)]) == 1
    assert "holds no plan.json" in capsys.readouterr().err


def test_show_lists_the_cells_of_a_study(filled: StudyFiles, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(filled.folder)]) == 0
    out = capsys.readouterr().out
    lines = [line.split() for line in out.splitlines()]
    assert ["convxpress", "real", "8901", "ok", "93.9", "91.0", filled.cells[0]["key"][:8]] in lines
    assert ["mcrgnet", "real", "1826", "pending", "-", "-", filled.cells[3]["key"][:8]] in lines
    assert "failed (diverged): mcrgnet/real/8901: the loss is not finite" in out
    assert "skipped 14 images" in out
    assert "image13.fits: every pixel is NaN" in out
    assert "240 train, 80 validation, 160 test" in out


def test_show_describes_a_run(filled: StudyFiles, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(filled.folder), "convxpress/real/8901"]) == 0
    out = capsys.readouterr().out
    assert filled.cells[0]["key"] in out
    assert "1 min 30 s" in out
    assert ["FRII", "1", "(0.03)", "5", "(0.12)", "34", "(0.85)", "0", "(0.00)"] in [
        line.split() for line in out.splitlines()
    ]
    assert "weights_best" not in out
    assert str(filled.run_folder(filled.cells[0]) / "history.csv") in out.replace("\n", "")
    by_key = filled.cells[0]["key"][:10]
    assert main(["show", str(filled.folder), by_key]) == 0
    assert capsys.readouterr().out == out


def test_show_describes_failed_and_pending_runs(filled: StudyFiles, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(filled.folder), "mcrgnet/real/8901"]) == 0
    out = capsys.readouterr().out
    assert "diverged: the loss is not finite" in out
    assert "Traceback" in out
    assert main(["show", str(filled.folder), "mcrgnet/real/1826"]) == 0
    assert "run the registry again" in capsys.readouterr().out


def test_show_refuses_ambiguous_and_unknown_cells(filled: StudyFiles, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(filled.folder), "convxpress"]) == 2
    assert "may be 2 cells: convxpress/real/8901" in capsys.readouterr().err
    assert main(["show", str(filled.folder), "convxpress/real/8902"]) == 2
    assert "did you mean convxpress/real/8901" in capsys.readouterr().err


def test_show_describes_a_run_of_a_regression(study: StudyFiles, capsys: pytest.CaptureFixture[str]) -> None:
    folder = study.finish(study.cell("inclinet", 1), 90)
    metrics = json.loads((folder / "metrics.json").read_text())
    errors = {"unit": "deg", "mean_absolute_error": 2.12, "root_mean_squared_error": 3.0}
    errors |= {"median_absolute_error": 1.5, "bias": -0.5, "loss": 9.0}
    for checkpoint in ("best", "final"):
        del metrics[checkpoint]["per_class"], metrics[checkpoint]["confusion_matrix"]
        metrics[checkpoint]["per_target"] = {"inclination": errors}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    assert main(["show", str(study.folder), "inclinet"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["inclination", "deg", "2.120", "3.000", "1.500", "-0.500", "9.000"] in lines
