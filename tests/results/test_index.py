"""The cache of what was read of a study's runs: faster, and never wrong."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarker import CellRecord, StorageError, open_results
from benchmarker.cli import main
from benchmarker.results import index
from benchmarker.results import study as reading
from benchmarker.results.index import INDEX_FILE, state_of
from benchmarker.results.study import read_study

if TYPE_CHECKING:
    from tests.conftest import StudyFiles


@pytest.fixture
def large(study: StudyFiles, monkeypatch: pytest.MonkeyPatch) -> StudyFiles:
    """A study that counts as large, whose files changed long enough ago to be trusted."""
    monkeypatch.setattr(index, "FEWEST_RUNS", 3)
    monkeypatch.setattr(reading, "FEWEST_RUNS", 3)
    monkeypatch.setattr(index, "_SETTLED_NS", 0)
    for arm in ("real", "rotations"):
        for seed in (8901, 1826, 4915):
            study.finish(study.cell("convxpress", seed, arm=arm), 90 + seed / 1e4, 88.0)
    study.fail(study.cell("mcrgnet", 8901), "diverged", "the loss is not finite")
    study.cell("mcrgnet", 1826)
    return study


def described(cell: CellRecord) -> dict[str, Any]:
    return {
        "named": (cell.name, cell.key, cell.status, cell.kind, cell.message, cell.folder),
        "files": [dict(table) for table in (cell.manifest, cell.metrics, cell.costs)],
        "scores": {name: dict(table) for name, table in cell.evaluations.items()},
        "costs": dict(cell.cost_values),
        "fingerprint": dict(cell.fingerprint),
        "collapsed": dict(cell.collapsed),
    }


def forbid_reading(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the runs that are read from their folders from now on."""
    seen: list[str] = []
    finished, failed = reading._finished, reading._failed

    def watched(cell: CellRecord, folder: Path) -> CellRecord:
        seen.append(cell.name)
        return (finished if (folder / "metrics.json").exists() else failed)(cell, folder)

    monkeypatch.setattr(reading, "_finished", watched)
    monkeypatch.setattr(reading, "_failed", watched)
    return seen


def test_a_second_reading_parses_no_run_and_finds_the_same(large: StudyFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "FEWEST_RUNS", 10**6)
    plain = [described(cell) for cell in read_study(large.folder).cells]
    monkeypatch.setattr(reading, "FEWEST_RUNS", 3)
    assert [described(cell) for cell in read_study(large.folder).cells] == plain
    assert (large.folder / INDEX_FILE).is_file()
    seen = forbid_reading(monkeypatch)
    assert [described(cell) for cell in read_study(large.folder).cells] == plain
    assert seen == []


def test_all_formats_are_the_same_with_and_without_it(large: StudyFiles, tmp_path: Path) -> None:
    for name in ("cold", "warm"):
        formats = "terminal,csv,tidy,json,markdown"
        assert main(["report", str(large.folder), "--format", formats, "--out", str(tmp_path / name)]) == 0
    files = sorted(path.name for path in (tmp_path / "cold").iterdir())
    assert files == ["markdown.md", "report.csv", "report.json", "terminal.txt", "tidy.csv"]
    for name in files:
        assert (tmp_path / "cold" / name).read_bytes() == (tmp_path / "warm" / name).read_bytes()


@pytest.mark.parametrize("disguised", [False, True])
def test_an_edited_run_is_noticed(large: StudyFiles, disguised: bool) -> None:
    read_study(large.folder)
    path = large.run_folder(large.cells[1]) / "metrics.json"
    before = path.stat()
    text = path.read_text()
    value = json.loads(text)["best"]["test"]["mean_per_class_accuracy"]
    edited = text.replace(str(value), "9" * len(str(value)))  # as long as before
    path.write_text(edited)
    if disguised:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    cell = read_study(large.folder).cells[1]
    assert cell.evaluations["best"]["mean_per_class_accuracy"] == float("9" * len(str(value)))


def test_a_run_that_comes_or_goes_is_noticed(large: StudyFiles) -> None:
    state = state_of(large.folder)
    assert [cell.status for cell in read_study(large.folder).cells] == ["ok"] * 6 + ["failed", "pending"]
    large.finish(large.cells[7], 80)
    assert state_of(large.folder) != state
    (large.run_folder(large.cells[0]) / "manifest.json").unlink()
    cells = read_study(large.folder).cells
    assert [cell.status for cell in cells] == ["unreadable", *["ok"] * 5, "failed", "ok"]
    assert "manifest.json is missing" in cells[0].message


def test_a_failed_run_that_succeeds_later_is_noticed(large: StudyFiles) -> None:
    read_study(large.folder)
    large.finish(large.cells[6], 81)
    assert read_study(large.folder).cells[6].status == "ok"


def test_files_that_were_just_written_are_read_again(large: StudyFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "_SETTLED_NS", 3_600_000_000_000)
    read_study(large.folder)
    assert not (large.folder / INDEX_FILE).exists()


@pytest.mark.parametrize("damage", ["half", "bit", "empty", "nonsense", "version"])
def test_a_damaged_index_is_not_used(large: StudyFiles, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [described(cell) for cell in read_study(large.folder).cells]
    path = large.folder / INDEX_FILE
    content = path.read_bytes()
    path.write_bytes(
        {
            "half": content[: len(content) // 2],
            "bit": content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
            "empty": b"",
            "nonsense": b"\x80\x04nonsense\n" + content,
            "version": content.replace(b'"format": 2', b'"format": 1', 1),
        }[damage]
    )
    seen = forbid_reading(monkeypatch)
    assert [described(cell) for cell in read_study(large.folder).cells] == wanted
    assert len(seen) == 7


def test_a_copied_study_does_not_trust_the_copied_index(large: StudyFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    read_study(large.folder)
    copy = large.folder.with_name("copy")
    shutil.copytree(large.folder, copy)
    seen = forbid_reading(monkeypatch)
    assert read_study(copy).count("ok") == 6
    assert len(seen) == 7


def test_small_studies_keep_no_index(study: StudyFiles) -> None:
    study.finish(study.cell("convxpress", 1), 90)
    read_study(study.folder)
    assert sorted(path.name for path in study.folder.iterdir()) == ["plan.json", "runs"]


def test_what_changes_while_it_is_looked_at_is_told(large: StudyFiles) -> None:
    read_study(large.folder)
    cell = read_study(large.folder).cells[0]
    assert cell.folder is not None
    (cell.folder / "metrics.json").write_text("[]")
    with pytest.raises(StorageError, match="changed while it was read"):
        dict(cell.metrics)


def test_cells_of_one_configuration_share_a_row(large: StudyFiles) -> None:
    for cell in large.cells:
        cell["configuration"] = f"{cell['model']}-{cell['arm']}"
    large.write_plan()
    board = open_results(large.folder).leaderboard("best")
    assert [(row.model, row.arm, row.n, row.planned) for row in board.rows] == [
        ("convxpress", "real", 3, 3),
        ("convxpress", "rotations", 3, 3),
        ("mcrgnet", "real", 0, 2),
    ]
