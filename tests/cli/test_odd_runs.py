"""One run whose files are damaged or hold odd values hides no other run from any command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarker import StorageError
from benchmarker.cli import main
from benchmarker.study.links import read_trail
from tests.statistics.material import finish

if TYPE_CHECKING:
    from tests.conftest import StudyFiles

Change = Callable[[Any], None]
TABLES = ("history.csv", "predictions_best.csv", "metrics.json")


@pytest.fixture
def filled(study: StudyFiles) -> StudyFiles:
    """A study of two networks under three seeds, with histories, predictions and a generator."""
    for model in ("convxpress", "mcrgnet"):
        for seed in (1, 2, 3):
            cell = study.cell(model, seed)
            finish(study, cell, 0.9)
            history = "epoch,loss,validation_loss\n1,0.5,0.75\n2,0.25,0.625\n"
            (study.run_folder(cell) / "history.csv").write_text(history)
    study.train(study.generator("dcgan", 1))
    return study


def written(change: Change) -> Callable[[Path], None]:
    """Return a function that changes the content of a JSON file."""

    def damage(path: Path) -> None:
        content = json.loads(path.read_text(encoding="utf-8"))
        change(content)
        path.write_text(json.dumps(content), encoding="utf-8")

    return damage


def half(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2 - 1])


def binary(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00\x80" * 10)


def late(content: Any) -> None:
    content["finished"] = "yesterday"


def without_zone(content: Any) -> None:
    content["started"] = "2026-01-02T03:04:05"


def bracket(content: Any) -> None:
    content["fingerprint"]["system"] = "[odd"


def huge(content: Any) -> None:
    content["best"]["test"]["mean_per_class_accuracy"] = 1e308


def huge_whole_number(content: Any) -> None:
    content["best"]["confusion_matrix"][0][0] = 10**400


def ragged(content: Any) -> None:
    content["best"]["confusion_matrix"][0] = []


def slow(content: Any) -> None:
    content["training_seconds"] = 1e308


def negative(content: Any) -> None:
    content["parameters"]["total"] = -1


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        *((name, damage) for name in TABLES for damage in (half, binary)),
        *(("manifest.json", written(change)) for change in (late, without_zone, bracket)),
        *(("metrics.json", written(change)) for change in (huge, huge_whole_number, ragged)),
        *(("costs.json", written(change)) for change in (slow, negative)),
    ],
)  # fmt: skip
def test_commands_show_all_runs_but_a_damaged_one(
    name: str, damage: Callable[[Path], None], filled: StudyFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(filled.run_folder(filled.cells[4]) / name)
    study, out = str(filled.folder), str(tmp_path / "out")
    for command in (
        ["leaderboard", study],
        ["show", study],
        ["show", study, "mcrgnet/real/2"],
        ["compare", f"{study}:convxpress", f"{study}:mcrgnet"],
        ["power", study],
        ["report", study, "--format", "html,latex", "--out", out],
        ["export", study, "--to", "tensorboard", "--out", out],
    ):
        assert main(command) == 0, capsys.readouterr().err
    assert "convxpress" in capsys.readouterr().out
    assert len([path for path in Path(out).rglob("events*") if path.is_file()]) >= 6


def test_export_and_report_leave_out_damaged_histories_of_generators(filled: StudyFiles, tmp_path: Path) -> None:
    (generator,) = filled.plan["generators"]
    binary(filled.run_folder(generator) / "history.csv")
    assert main(["report", str(filled.folder), "--format", "html", "--out", str(tmp_path / "out")]) == 0
    assert main(["export", str(filled.folder), "--to", "tensorboard", "--out", str(tmp_path / "logs")]) == 0


def test_deeply_nested_json_is_a_damaged_file(tmp_path: Path) -> None:
    (tmp_path / "trail.json").write_text("[" * 100_000)
    with pytest.raises(StorageError, match=r"trail.json: cannot be read"):
        read_trail(tmp_path)
