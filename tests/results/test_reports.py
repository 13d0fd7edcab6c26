"""Formats of leaderboards."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any, cast

import pytest
from rich.console import Console

from benchmarker import Leaderboard
from benchmarker.cli.base import plain_text
from benchmarker.discovery import installed, resolve
from benchmarker.results.ranking import build_leaderboard
from benchmarker.results.study import read_study

if TYPE_CHECKING:
    from tests.conftest import StudyFiles

FORMATS = ("csv", "json", "markdown", "terminal", "tidy")
SEEDS = (8901, 1826, 4915)


@pytest.fixture
def board(study: StudyFiles) -> Leaderboard:
    for arm in ("real", "rotations-15"):
        for model, accuracy in (("convxpress", 93.1), ("radio_galaxy_zoo", 90.7)):
            for number, seed in enumerate(SEEDS):
                study.finish(study.cell(model, seed, arm=arm), accuracy + number / 3, accuracy - number / 7)
    broken = study.cell("mcrgnet", 8901)
    study.fail(broken, "diverged", "the loss | of epoch 3 is not finite")
    study.finish(study.cell("mcrgnet", 1826), 85.0)
    study.cell("mcrgnet", 4915)
    return build_leaderboard(read_study(study.folder))


def render(name: str, board: Leaderboard) -> str:
    rendered = resolve(installed().report(name).renderer)(board)
    return rendered if isinstance(rendered, str) else plain_text(rendered)


def on_terminal(board: Leaderboard, width: int) -> list[str]:
    console = Console(width=width, force_terminal=True, color_system=None, file=io.StringIO())
    console.print(resolve(installed().report("terminal").renderer)(board))
    return cast("io.StringIO", console.file).getvalue().splitlines()


def test_every_format_is_registered() -> None:
    names = [entry.plugin.name for entry in installed().all("report")]
    assert [name for name in names if name in FORMATS] == list(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_same_study_same_bytes(name: str, board: Leaderboard, study: StudyFiles) -> None:
    again = build_leaderboard(read_study(study.folder))
    assert render(name, board) == render(name, again)
    assert "\x1b" not in render(name, board)


@pytest.mark.parametrize("name", ["terminal", "markdown"])
def test_readable_formats_say_k_of_n_and_what_failed(name: str, board: Leaderboard) -> None:
    text = render(name, board)
    assert "13 of 15 cells finished, 1 failed, 1 pending." in text
    assert "diverged" in text
    assert "93.4 ± 0.3" in text
    assert "not ranked" in text


def test_terminal_fits_eighty_columns(board: Leaderboard) -> None:
    lines = on_terminal(board, 80)
    assert max(map(len, lines)) <= 80
    table = "\n".join(lines)
    assert "radio_galaxy_zoo  rotations-15" in table
    assert "MPCA %" in table
    assert "3/3" in table
    assert "1/3*" in table
    assert "FLOPs" not in table


def test_terminal_shows_more_where_there_is_room(board: Leaderboard) -> None:
    assert "FLOPs" in "\n".join(on_terminal(board, 130))


def test_terminal_keeps_the_denominator_on_narrow_ones(board: Leaderboard) -> None:
    lines = on_terminal(board, 60)
    assert max(map(len, lines)) <= 60
    assert any("1/3*" in line for line in lines)


def test_one_arm_needs_no_column(study: StudyFiles) -> None:
    study.finish(study.cell("convxpress", 1), 90)
    assert " arm " not in render("terminal", build_leaderboard(read_study(study.folder)))


def test_the_sorted_metric_is_shown(board: Leaderboard, study: StudyFiles) -> None:
    by_ratio = build_leaderboard(read_study(study.folder), sort="ratio_accuracy")
    assert "ratio accuracy" in render("terminal", by_ratio)
    assert "ratio accuracy" not in render("terminal", board)


def test_json_numbers_round_trip(board: Leaderboard) -> None:
    value = json.loads(render("json", board))
    assert value["cells"] == {"planned": 15, "ok": 13, "failed": 1, "pending": 1}
    for row, written in zip(board.rows, value["rows"], strict=True):
        for name, summary in row.metrics.items():
            assert written["metrics"][name]["mean"] == summary.mean
            assert written["metrics"][name]["values"] == {str(s): v for s, v in summary.values.items()}
    assert [row["rank"] for row in value["rows"] if row["checkpoint"] == "best"] == [1, 2, 3, 4, None]


def test_csv_has_one_line_for_each_row(board: Leaderboard) -> None:
    rows = list(csv.DictReader(io.StringIO(render("csv", board))))
    assert len(rows) == len(board.rows) == 10
    first = rows[0]
    assert (first["rank"], first["model"], first["seeds"], first["planned_seeds"]) == ("1", "convxpress", "3", "3")
    assert float(first["mean_per_class_accuracy_mean"]) == board.rows[0].metrics["mean_per_class_accuracy"].mean
    incomplete = next(row for row in rows if row["model"] == "mcrgnet")
    assert (incomplete["rank"], incomplete["mean_per_class_accuracy_standard_deviation"]) == ("", "")


def test_tidy_has_one_line_for_each_number(board: Leaderboard) -> None:
    rows = list(csv.DictReader(io.StringIO(render("tidy", board))))
    wanted: dict[str, Any] = {"model": "mcrgnet", "checkpoint": "best", "metric": "mean_per_class_accuracy"}
    (row,) = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    assert (row["seed"], float(row["value"])) == ("1826", 85.0)


def test_markdown_escapes_what_would_break_the_table(board: Leaderboard) -> None:
    text = render("markdown", board)
    assert "the loss \\| of epoch 3" in text
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 2 + 5
    assert len({line.count("|") for line in table}) == 1
