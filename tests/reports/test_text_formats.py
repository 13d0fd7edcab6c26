"""Formats of text: terminal, Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from rich.console import Console

from benchmarker import ReportOptions, StudyResults, open_results
from benchmarker.cli.output import plain_text
from benchmarker.discovery import installed, resolve

if TYPE_CHECKING:
    from tests.conftest import StudyFiles

FORMATS = ("comparisons", "csv", "json", "markdown", "terminal", "tidy")
SEEDS = (8901, 1826, 4915)


@pytest.fixture
def results(study: StudyFiles) -> StudyResults:
    for arm in ("real", "rotations-15"):
        for model, accuracy in (("convxpress", 93.1), ("radio_galaxy_zoo", 90.7)):
            for number, seed in enumerate(SEEDS):
                study.finish(study.cell(model, seed, arm=arm), accuracy + number / 3, accuracy - number / 7)
    broken = study.cell("mcrgnet", 8901)
    study.fail(broken, "diverged", "the loss | of epoch 3 is not finite")
    study.finish(study.cell("mcrgnet", 1826), 85.0)
    study.cell("mcrgnet", 4915)
    return open_results(study.folder)


def render(name: str, results: StudyResults, **options: Any) -> str:
    rendered = resolve(installed().report(name).renderer)(results, ReportOptions(**options))
    return rendered if isinstance(rendered, str) else plain_text(rendered)


def on_terminal(results: StudyResults, width: int) -> list[str]:
    console = Console(width=width, force_terminal=True, color_system=None, file=io.StringIO())
    console.print(resolve(installed().report("terminal").renderer)(results, ReportOptions()))
    return cast("io.StringIO", console.file).getvalue().splitlines()


def test_formats_are_registered() -> None:
    names = [entry.plugin.name for entry in installed().all("report")]
    assert [name for name in names if name in FORMATS] == list(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_formats_have_the_same_bytes_for_the_same_study(name: str, results: StudyResults, study: StudyFiles) -> None:
    again = open_results(study.folder)
    assert render(name, results) == render(name, again)
    assert "\x1b" not in render(name, results)


@pytest.mark.parametrize("name", ["terminal", "markdown"])
def test_readable_formats_show_k_of_n_and_failures(name: str, results: StudyResults) -> None:
    text = render(name, results)
    assert "13 of 15 cells finished, 1 failed, 1 pending." in text
    assert "diverged" in text
    assert "93.4 ± 0.3" in text
    assert "not ranked" in text


def test_terminal_fits_eighty_columns(results: StudyResults) -> None:
    lines = on_terminal(results, 80)
    assert max(map(len, lines)) <= 80
    table = "\n".join(lines)
    assert "radio_galaxy_zoo  rotations-15" in table
    assert "MPCA %" in table
    assert "3/3" in table
    assert "1/3*" in table
    assert "FLOPs" not in table


def test_terminal_shows_more_columns_if_there_is_room(results: StudyResults) -> None:
    assert "FLOPs" in "\n".join(on_terminal(results, 130))


def test_terminal_keeps_seeds_on_narrow_screens(results: StudyResults) -> None:
    lines = on_terminal(results, 60)
    assert max(map(len, lines)) <= 60
    assert any("1/3*" in line for line in lines)


def test_terminal_of_one_line_needs_no_heavy_library(study: StudyFiles) -> None:
    study.finish(study.cell("convxpress", 1), 90)
    show = f"""
import sys
from benchmarker.cli import main
assert main(["leaderboard", {str(study.folder)!r}]) == 0
loaded = {{"scipy", "sklearn", "pandas", "matplotlib", "jinja2", "keras", "tensorflow"}} & set(sys.modules)
assert not loaded, loaded
"""
    done = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_terminal_of_one_arm_has_no_arm_column(study: StudyFiles) -> None:
    study.finish(study.cell("convxpress", 1), 90)
    assert " arm " not in render("terminal", open_results(study.folder))


@pytest.fixture
def uneven(study: StudyFiles) -> StudyResults:
    """Three networks that differ clearly, one of which lacks a seed."""
    for number, (model, accuracy) in enumerate((("mcrgnet", 80.0), ("convxpress", 93.0), ("fr_deep", 85.0))):
        for seed in SEEDS if model != "fr_deep" else SEEDS[:2]:
            lucky = accuracy + seed / 1e4 * (1 + number)
            study.finish(study.cell(model, seed), lucky, costs={"flops": 10.0 ** (9 - number)})
    study.cell("fr_deep", SEEDS[2])
    return open_results(study.folder)


def test_terminal_says_the_message_first_and_ends_with_the_leaderboard(uneven: StudyResults) -> None:
    lines = [line.rstrip() for line in on_terminal(uneven, 80)]
    assert max(map(len, lines)) <= 80
    first = " ".join(lines[3:7])
    assert "convxpress leads with a mean per-class accuracy of 94.0 %" in first
    assert "significantly better than mcrgnet, but it cannot be told from fr_deep yet" in first
    assert [line.split()[1] for line in lines[-3:]] == ["convxpress", "mcrgnet", "fr_deep"]


def test_terminal_shows_nothing_that_does_not_apply(study: StudyFiles) -> None:
    study.finish(study.cell("convxpress", 1), 90.0)
    study.finish(study.cell("mcrgnet", 1), 80.0)
    text = render("terminal", open_results(study.folder))
    for part in ("0 pairs", "0 comparisons", "interval", "Published", "failed"):
        assert part not in text
    assert "One seed is too few" in text


@pytest.mark.parametrize("width", [24, 40])
def test_terminal_keeps_scores_seeds_and_names_on_narrow_screens(width: int, uneven: StudyResults) -> None:
    lines = on_terminal(uneven, width)
    table = "\n".join(lines[-8:])
    assert max(len(line.rstrip()) for line in lines) <= width
    for part in ("94.0 ± 0.7", "86.6 ± 1.5", "2/3*", "convxpress", "fr_deep"):
        assert part in table


def test_markdown_compares_networks_and_costs(uneven: StudyResults) -> None:
    markdown = render("markdown", uneven)
    assert "| mcrgnet | convxpress | -13.5 |" in markdown
    assert "convxpress - fr_deep: 2 of 3 seeds finished" in markdown
    pairs = json.loads(render("json", uneven))
    assert [line["model"] for line in pairs["pareto"]] == ["convxpress"]  # the others are worse or not ranked
    assert len(pairs["comparisons"]["tables"][0]["rows"]) == 3


def test_every_comparison_is_a_line_of_csv(uneven: StudyResults) -> None:
    rows = list(csv.DictReader(io.StringIO(render("comparisons", uneven))))
    assert {row["table"] for row in rows} == {"networks"}
    assert (rows[0]["first_network"], rows[0]["second_network"], len(rows)) == ("mcrgnet", "convxpress", 3)
    assert float(rows[0]["low_adjusted"]) < float(rows[0]["difference"]) < float(rows[0]["high_adjusted"]) < 0


def test_comparisons_across_environments_have_a_caveat(study: StudyFiles) -> None:
    for model, threads in (("mcrgnet", 1), ("convxpress", 4)):
        for seed in SEEDS:
            study.finish(study.cell(model, seed), 80 + seed / 1e4, fingerprint={"threads": threads})
    results = open_results(study.folder)
    for name in ("terminal", "markdown", "html"):
        assert "fingerprints differ: " in " ".join(render(name, results).split()), name


def test_terminal_shows_the_sorted_metric(results: StudyResults, study: StudyFiles) -> None:
    assert "ratio accuracy" in render("terminal", results, sort="ratio_accuracy")
    assert "ratio accuracy" not in render("terminal", open_results(study.folder))


def test_json_numbers_round_trip(results: StudyResults) -> None:
    value = json.loads(render("json", results))
    assert value["cells"] == {"planned": 15, "ok": 13, "failed": 1, "pending": 1}
    for row, written in zip(results.leaderboard().rows, value["rows"], strict=True):
        for name, summary in row.metrics.items():
            assert written["metrics"][name]["mean"] == summary.mean
            assert written["metrics"][name]["values"] == {str(s): v for s, v in summary.values.items()}
    assert [row["rank"] for row in value["rows"] if row["checkpoint"] == "best"] == [1, 2, 3, 4, None]


def test_csv_has_one_line_for_each_row(results: StudyResults) -> None:
    rows = list(csv.DictReader(io.StringIO(render("csv", results))))
    assert len(rows) == len(results.leaderboard().rows) == 10
    first = rows[0]
    assert (first["rank"], first["model"], first["seeds"], first["planned_seeds"]) == ("1", "convxpress", "3", "3")
    assert (
        float(first["mean_per_class_accuracy_mean"])
        == results.leaderboard().rows[0].metrics["mean_per_class_accuracy"].mean
    )
    incomplete = next(row for row in rows if row["model"] == "mcrgnet")
    assert (incomplete["rank"], incomplete["mean_per_class_accuracy_standard_deviation"]) == ("", "")


def test_tidy_has_one_line_for_each_number(results: StudyResults) -> None:
    rows = list(csv.DictReader(io.StringIO(render("tidy", results))))
    wanted: dict[str, Any] = {"model": "mcrgnet", "checkpoint": "best", "metric": "mean_per_class_accuracy"}
    (row,) = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    assert (row["seed"], float(row["value"])) == ("1826", 85.0)


def test_markdown_escapes_what_would_break_the_table(results: StudyResults) -> None:
    text = render("markdown", results)
    assert "the loss \\| of epoch 3" in text
    tables = [[line for line in part.splitlines() if line.startswith("|")] for part in text.split("\n###")]
    # The leaderboard, averages over networks and over arms, the arms against `real`, pairs of networks (three in
    # `real`, one in the other arm), the front.
    assert [len(table) for table in tables] == [2 + 5, 2 + 1, 2 + 1, 2 + 2, 2 + 4, 2 + 2]
    assert all(len({line.replace("\\|", "").count("|") for line in table}) == 1 for table in tables)


def test_ensembles_are_unranked_rows_below_the_networks(study_folder: Path) -> None:
    results = open_results(study_folder)
    lines = render("terminal", results, checkpoints=("best",)).splitlines()
    table = [line for line in lines if " in 1 " in line or "average of 4 of 5 networks" in line]
    assert table
    assert all(line.split()[0] == "-" for line in table)
    value = json.loads(render("json", results, checkpoints=("best",)))
    assert all(row["n"] > 0 and "ensemble" not in row["model"] for row in value["rows"] if row["rank"])
    seeds = next(each for each in value["ensembles"] if each["network"] == "mcrgnet" and each["rule"] == "average")
    assert (seeds["over"], seeds["size"], seeds["planned"], len(seeds["rows"])) == ("seeds", 3, 3, 1)
    assert seeds["interval"][0] < seeds["rows"][0]["metrics"]["mean_per_class_accuracy"]["mean"] < seeds["interval"][1]
    assert seeds["gain"]["low"] < seeds["gain"]["value"] < seeds["gain"]["high"]


def test_ensembles_enter_no_comparison(study_folder: Path) -> None:
    value = json.loads(render("json", open_results(study_folder)))
    named = json.dumps(value["comparisons"]) + json.dumps(value["pareto"]) + json.dumps(value["averages"])
    assert value["ensembles"]
    assert not any(word in named for word in ("average of", "majority of"))


def test_csv_names_ensembles_in_their_own_column(study_folder: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(render("csv", open_results(study_folder)))))
    named = [row for row in rows if row["ensemble"]]
    assert {row["rank"] for row in named} == {""}
    assert ("mcrgnet, majority of 3 seeds", "3", "mcrgnet") in {
        (row["ensemble"], row["members"], row["model"]) for row in named
    }
    assert all(row["members"] == "" for row in rows if not row["ensemble"])
