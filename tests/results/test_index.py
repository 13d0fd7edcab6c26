"""The cache of a study's runs makes reading faster, and never wrong."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarker import CellRecord, open_results
from benchmarker.cli import main
from benchmarker.results import index
from benchmarker.results import study as reading
from benchmarker.results.index import INDEX_FILE, PackedTable, RunSummary, state_of
from benchmarker.results.study import read_study

if TYPE_CHECKING:
    from tests.conftest import StudyFiles


@pytest.fixture
def large(study: StudyFiles, monkeypatch: pytest.MonkeyPatch) -> StudyFiles:
    """A study that counts as large, whose files changed long enough ago to be cached."""
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
        "files": (cell.manifest, cell.metrics, cell.costs),
        "scores": {name: dict(table) for name, table in cell.evaluations.items()},
        "costs": dict(cell.cost_values),
        "integers": [name for name, value in cell.cost_values.items() if isinstance(value, int)],
        "fingerprint": cell.fingerprint,
        "collapsed": dict(cell.collapsed),
    }


@pytest.fixture
def read_from_folders(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys of the cells whose runs are read from their folders."""
    seen: list[str] = []

    def watched(read: Callable[[str, Path], RunSummary]) -> Callable[[str, Path], RunSummary]:
        def call(key: str, folder: Path) -> RunSummary:
            seen.append(key)
            return read(key, folder)

        return call

    for name in ("summarise_cell", "summarise_failure"):
        monkeypatch.setattr(reading, name, watched(getattr(reading, name)))
    return seen


def test_a_second_reading_parses_no_run_and_finds_the_same(
    large: StudyFiles, monkeypatch: pytest.MonkeyPatch, read_from_folders: list[str]
) -> None:
    monkeypatch.setattr(reading, "FEWEST_RUNS", 10**6)
    plain = [described(cell) for cell in read_study(large.folder).cells]
    monkeypatch.setattr(reading, "FEWEST_RUNS", 3)
    assert [described(cell) for cell in read_study(large.folder).cells] == plain
    assert (large.folder / INDEX_FILE).is_file()
    read_from_folders.clear()
    again = read_study(large.folder).cells
    assert [described(cell) for cell in again] == plain
    assert isinstance(again[0].cost_values, PackedTable)
    assert read_from_folders == []


def test_new_runs_are_added_to_what_is_known(large: StudyFiles, read_from_folders: list[str]) -> None:
    read_study(large.folder)
    large.finish(large.cells[7], 80)
    read_from_folders.clear()
    read_study(large.folder)
    assert read_from_folders == [large.cells[7]["key"]]
    with sqlite3.connect(large.folder / INDEX_FILE) as database:
        assert database.execute("SELECT COUNT(*) FROM runs").fetchone() == (8,)
        # One for finished runs and one for the failed run, however often the index is written.
        assert database.execute("SELECT COUNT(*) FROM shared").fetchone() == (2,)


def test_all_formats_are_the_same_with_and_without_the_index(large: StudyFiles, tmp_path: Path) -> None:
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
    assert "manifest.json: is missing" in cells[0].message


def test_a_failed_run_that_succeeds_later_is_noticed(large: StudyFiles) -> None:
    read_study(large.folder)
    large.finish(large.cells[6], 81)
    assert read_study(large.folder).cells[6].status == "ok"


def test_files_that_were_just_written_are_not_cached(large: StudyFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "_SETTLED_NS", 3_600_000_000_000)
    read_study(large.folder)
    assert not (large.folder / INDEX_FILE).exists()


def execute(statement: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with sqlite3.connect(path) as database:
            database.execute(statement)
        database.close()

    return change


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"\x80\x04nonsense\n" + path.read_bytes()),
        execute("UPDATE version SET format = 2"),
        execute("UPDATE version SET benchmarker = '0.0.1'"),
        execute("UPDATE runs SET numbers = x'00' WHERE status = 'ok'"),
        execute("UPDATE runs SET shared = 7"),
        execute("UPDATE shared SET content = '{}'"),
        execute("DROP TABLE shared"),
    ],
    ids=["half", "empty", "nonsense", "format", "version", "numbers", "reference", "content", "table"],
)
def test_a_damaged_index_is_not_used(
    large: StudyFiles, damage: Callable[[Path], None], read_from_folders: list[str]
) -> None:
    wanted = [described(cell) for cell in read_study(large.folder).cells]
    damage(large.folder / INDEX_FILE)
    read_from_folders.clear()
    assert [described(cell) for cell in read_study(large.folder).cells] == wanted
    assert len(read_from_folders) == 7


def test_a_copied_study_does_not_trust_the_copied_index(large: StudyFiles, read_from_folders: list[str]) -> None:
    import shutil

    read_study(large.folder)
    copy = large.folder.with_name("copy")
    shutil.copytree(large.folder, copy)
    read_from_folders.clear()
    assert read_study(copy).count("ok") == 6
    assert len(read_from_folders) == 7


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_study_that_cannot_be_written_is_read_without_an_index(large: StudyFiles) -> None:
    large.folder.chmod(0o500)
    try:
        assert read_study(large.folder).count("ok") == 6
        assert not (large.folder / INDEX_FILE).exists()
    finally:
        large.folder.chmod(0o700)


def test_small_studies_keep_no_index(study: StudyFiles) -> None:
    study.finish(study.cell("convxpress", 1), 90)
    read_study(study.folder)
    assert sorted(path.name for path in study.folder.iterdir()) == ["plan.json", "runs"]


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
