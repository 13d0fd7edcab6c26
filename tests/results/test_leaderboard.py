"""Leaderboards average over seeds, keep the planned denominator, and rank complete rows."""

from __future__ import annotations

import json
import statistics
from typing import TYPE_CHECKING, Any

import pytest

from benchmarker import (
    Leaderboard,
    LeaderboardRow,
    ReportOptions,
    Summary,
    metric_label,
    open_results,
    write_summary,
)
from benchmarker.cli.output import plain_text
from benchmarker.discovery import installed, resolve
from benchmarker.errors import ConfigurationError
from benchmarker.results.leaderboard import build_leaderboard
from benchmarker.results.metrics import higher_is_better
from benchmarker.results.study import read_study

if TYPE_CHECKING:
    from tests.conftest import StudyFiles

SEEDS = (8901, 1826, 4915)


def board(study: StudyFiles, **options: Any) -> Leaderboard:
    return build_leaderboard(read_study(study.folder), **options)


def best(study: StudyFiles, **options: Any) -> list[LeaderboardRow]:
    return list(board(study, checkpoints=("best",), **options).rows)


def test_rows_hold_mean_and_sample_deviation_over_seeds(study: StudyFiles) -> None:
    values = {8901: 91.25, 1826: 88.5, 4915: 90.0}
    for seed, value in values.items():
        study.finish(study.cell("convxpress", seed), value, value - 1)
    first, final = board(study).rows
    summary = first.metrics["mean_per_class_accuracy"]
    assert summary.mean == pytest.approx(statistics.mean(values.values()), abs=1e-12)
    assert summary.standard_deviation == pytest.approx(statistics.stdev(values.values()), abs=1e-12)
    assert (summary.n, summary.planned) == (3, 3)
    assert dict(summary.values) == dict(sorted(values.items()))
    assert (first.checkpoint, final.checkpoint) == ("best", "final")
    assert final.metrics["mean_per_class_accuracy"].mean == pytest.approx(summary.mean - 1)
    assert first.costs["flops"].mean == 2.4e9


def test_rows_of_a_cross_validation_say_what_they_are_means_of(study: StudyFiles) -> None:
    for seed in (890101, 890102, 182601, 182602):
        cell = study.cell("convxpress", seed)
        cell["spec"]["split"] = {"folds": 2}
        study.finish(cell, 90 + seed % 100)
    found = board(study)
    assert any("2 folds x 2 seeds" in note for note in found.notes)
    assert found.rows[0].metrics["mean_per_class_accuracy"].n == 4
    (run,) = [line for line in open_results(study.folder).commands if "benchmarker run" in line]
    assert "-s 8901,1826" in run


def test_one_seed_has_no_deviation(study: StudyFiles) -> None:
    study.finish(study.cell("convxpress", 8901), 90)
    (row,) = best(study)
    assert row.metrics["mean_per_class_accuracy"].standard_deviation is None
    assert write_summary("mean_per_class_accuracy", row.metrics["mean_per_class_accuracy"]) == "90.0"


def test_the_order_of_seeds_changes_no_bit() -> None:
    values = {1: 0.1, 2: 0.2, 3: 0.3, 4: 1e16}
    assert Summary.of(values, planned=4) == Summary.of(dict(reversed(values.items())), planned=4)


def test_rows_with_fewer_seeds_than_planned_are_not_ranked(study: StudyFiles) -> None:
    for seed in SEEDS:
        study.finish(study.cell("mcrgnet", seed), 80)
    lucky = [study.cell("convxpress", seed) for seed in SEEDS]
    study.finish(lucky[0], 99)
    study.fail(lucky[1], "diverged", "the loss is not finite")
    table = board(study, checkpoints=("best",))
    assert [(row.model, row.rank, row.n, row.planned) for row in table.rows] == [
        ("mcrgnet", 1, 3, 3),
        ("convxpress", None, 1, 3),
    ]
    assert table.denominator == "4 of 6 cells finished, 1 failed, 1 pending"
    assert [(cell.model, cell.seed, cell.kind) for cell in table.failed] == [("convxpress", 1826, "diverged")]
    asked = best(study, include_incomplete=True)
    assert [(row.model, row.rank) for row in asked] == [("convxpress", 1), ("mcrgnet", 2)]
    assert not asked[0].complete


def test_a_model_without_any_result_stays_in_the_table(study: StudyFiles) -> None:
    study.finish(study.cell("mcrgnet", 8901), 80)
    study.fail(study.cell("alexnet", 8901), "configuration", "needs 195 pixels")
    assert [(row.model, row.rank, row.n) for row in best(study, include_incomplete=True)] == [
        ("mcrgnet", 1, 1),
        ("alexnet", None, 0),
    ]


def test_an_unreadable_run_is_not_counted(study: StudyFiles) -> None:
    (study.finish(study.cell("convxpress", 8901), 90) / "costs.json").write_text("{")
    table = board(study)
    assert (table.ok, table.planned, table.pending) == (0, 1, 0)
    assert table.failed[0].kind == "unreadable"


def test_ties_are_broken_by_name(study: StudyFiles) -> None:
    for model in ("b", "c", "a"):
        study.finish(study.cell(model, 8901), 90)
    assert [row.model for row in best(study)] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("metric", "expected"),
    [("mean_per_class_accuracy", "big"), ("loss", "big"), ("flops", "small"), ("inference_images_per_second", "small")],
)
def test_rows_are_sorted_by_any_metric(study: StudyFiles, metric: str, expected: str) -> None:
    study.finish(study.cell("big", 8901), 95)
    study.finish(study.cell("small", 8901), 85, costs={"flops": 10, "inference_images_per_second": 9000.0})
    assert best(study, sort=metric)[0].model == expected


def test_training_times_of_programs_are_noted(study: StudyFiles) -> None:
    study.finish(study.cell("convxpress", 1), 90)
    assert not any("program" in note for note in board(study).notes)
    study.finish(study.cell("mcrgnet", 1), 90, fingerprint={"seeds_at_once": 8})
    assert any("up to 8 seeds were trained in one program" in note for note in board(study).notes)


def test_an_unknown_metric_gets_a_suggestion(study: StudyFiles) -> None:
    study.finish(study.cell("convxpress", 8901), 95)
    with pytest.raises(ConfigurationError, match=r"'macro_f2'.*did you mean 'macro_f1'"):
        board(study, sort="macro_f2")


def test_backends_are_never_averaged(study: StudyFiles) -> None:
    study.finish(study.cell("convxpress", 1), 90)
    study.finish(study.cell("convxpress", 2), 80, fingerprint={"backend": {"name": "jax"}})
    rows = best(study)
    assert [(row.backend, row.n, row.planned, row.rank) for row in rows] == [
        ("jax", 1, 2, None),
        ("tensorflow", 1, 2, None),
    ]
    assert [row.label for row in rows] == ["convxpress [jax]", "convxpress [tensorflow]"]


def test_precisions_are_never_averaged(study: StudyFiles) -> None:
    study.finish(study.cell("convxpress", 1), 90)
    study.finish(study.cell("convxpress", 2), 80, fingerprint={"precision": "mixed_bfloat16"})
    assert [(row.environment, row.precision) for row in best(study)] == [
        ("float32", "float32"),
        ("mixed_bfloat16", "mixed_bfloat16"),
    ]


def test_cells_that_differ_in_more_than_the_seed_are_never_averaged(study: StudyFiles) -> None:
    study.finish(study.cell("convxpress", 1), 90)
    study.finish(study.cell("convxpress", 2, epochs=30), 95)
    assert [row.label for row in best(study)] == ["convxpress (epochs=30)", "convxpress (epochs=16)"]


def test_generators_of_other_seeds_share_a_row(study: StudyFiles) -> None:
    for seed, generator in ((1, "a" * 64), (2, "b" * 64)):
        cell = study.cell("convxpress", seed, arm="dcgan-1")
        cell["spec"]["arm"] = {
            "augmentations": [],
            "augment_validation": False,
            "generated": {"ratio": 1.0, "generator": generator, "configuration": "c"},
        }
        study.finish(cell, 80.0 + seed)
    study.write_plan()
    (row,) = build_leaderboard(read_study(study.folder), checkpoints=("best",)).rows
    assert (row.n, row.planned, row.variant) == (2, 2, "")


def test_environments_are_never_averaged(study: StudyFiles) -> None:
    for seed, version in ((1, "3.15.0"), (2, "3.15.1"), (3, "3.15.1")):
        study.finish(study.cell("convxpress", seed), 90 + seed, fingerprint={"packages": {"keras": version}})
    study.cell("convxpress", 4)
    table = board(study, checkpoints=("best",))
    assert [(row.label, row.rank, row.n, row.planned) for row in table.rows] == [
        ("convxpress [keras 3.15.0]", None, 1, 4),
        ("convxpress [keras 3.15.1]", None, 2, 4),
    ]
    assert dict(table.rows[1].metrics["mean_per_class_accuracy"].values) == {2: 92, 3: 93}
    assert table.denominator == "3 of 4 cells finished, 1 pending"
    (note,) = table.notes
    assert "convxpress in arm real. They differ in: keras (3.15.0 / 3.15.1)" in note
    asked = best(study, include_incomplete=True)
    assert [(row.rank, row.n, row.environment) for row in asked] == [(1, 2, "keras 3.15.1"), (2, 1, "keras 3.15.0")]


def test_only_the_bug_fix_number_of_python_is_left_out(study: StudyFiles) -> None:
    for seed, version in ((1, "3.12.3"), (2, "3.12.11")):
        study.finish(study.cell("convxpress", seed), 90, fingerprint={"python": version})
    (row,) = best(study)
    assert (row.n, row.rank, row.environment) == (2, 1, "")
    study.finish(study.cell("convxpress", 3), 90, fingerprint={"python": "3.13.1"})
    assert [(row.environment, row.n) for row in best(study)] == [("python 3.12", 2), ("python 3.13", 1)]


def test_networks_of_different_sizes_are_never_averaged(study: StudyFiles) -> None:
    """Even if nothing else tells them apart."""
    for seed, size in zip(SEEDS, (1200, 1200, 4300), strict=True):
        parameters = {"total": size, "trainable": size, "convolutional": 0, "dense": size}
        study.finish(study.cell("convxpress", seed), 90 + size / 1000, costs={"parameters": parameters})
    found = board(study, checkpoints=("best",))
    assert [(row.environment, row.n, row.planned, row.rank) for row in found.rows] == [
        ("1,200 parameters", 2, 3, None),
        ("4,300 parameters", 1, 3, None),
    ]
    (note,) = found.notes
    assert "convxpress in arm real (1,200 / 4,300 parameters)" in note


def test_rows_of_different_environments_are_noted(study: StudyFiles) -> None:
    for model, devices in (("convxpress", ["CPU"]), ("mcrgnet", ["NVIDIA H200"])):
        plugins = {"plugins": {f"architecture {model}": "somebody 1.0"}}
        backend = {"backend": {"name": "tensorflow", "devices": devices}}
        study.finish(study.cell(model, 1), 90, fingerprint=plugins | backend)
    table = board(study)
    assert {row.label for row in table.rows} == {"convxpress", "mcrgnet"}
    assert table.notes == (
        "rows come from 2 environments, so their times and rates cannot be compared: devices (CPU / NVIDIA H200)",
    )


def test_regressions_are_better_with_smaller_errors(study: StudyFiles) -> None:
    target = {"name": "inclination", "unit": "deg", "minimum": 45, "maximum": 90}
    study.plan["dataset"]["task"] = {"kind": "regression", "targets": [target]}
    study.plan["primary"] = {"name": "mean_absolute_error", "higher_is_better": False}
    for model, error in (("good", 2.1), ("bad", 5.0)):
        folder = study.finish(study.cell(model, 1), 90)
        text = (
            (folder / "metrics.json")
            .read_text()
            .replace('"mean_per_class_accuracy": 90', f'"mean_absolute_error": {error}')
        )
        (folder / "metrics.json").write_text(text)
    table = board(study)
    assert [row.model for row in table.at("best")] == ["good", "bad"]
    assert (table.primary, table.higher_is_better, table.unit(table.primary)) == ("mean_absolute_error", False, "deg")


def test_direction_follows_from_the_name() -> None:
    assert higher_is_better("recall_FRI")
    assert higher_is_better("training_images_per_second")
    assert not higher_is_better("validation_loss")
    assert not higher_is_better("root_mean_squared_error")
    assert not higher_is_better("trainable_parameters")


@pytest.mark.parametrize(
    ("value", "text"),
    [(876, "876"), (9_999, "9999"), (10_000, "10.0 k"), (999_960, "1.0 M"), (4_300_000, "4.3 M"), (2.44e9, "2.4 G"),
     (138_357_544, "138 M"), (15.4e12, "15400 G")],
)  # fmt: skip
def test_counts_are_written_with_prefixes(value: float, text: str) -> None:
    assert metric_label("parameters").write(value) == text


def test_rows_name_their_cells(study: StudyFiles) -> None:
    for seed in SEEDS:
        study.finish(study.cell("convxpress", seed), 90)
        study.finish(study.cell("convxpress", seed, epochs=30), 90)  # the same results, and no other cell's
    study.fail(study.cell("mcrgnet", 8901), "diverged", "the loss is not finite")
    results = open_results(study.folder)
    short, long, failed = results.leaderboard("best").rows
    for row, epochs in ((short, 16), (long, 30)):
        cells = results.cells_of(row)
        assert [cell.seed for cell in cells] == sorted(SEEDS)
        assert {cell.spec.model.epochs for cell in cells} == {epochs}
    assert results.cells_of(failed) == ()


def test_tests_of_saved_weights_are_marked_and_never_averaged_with_trained_runs(study: StudyFiles) -> None:
    for seed in SEEDS:
        folder = study.finish(study.cell("convxpress", seed), 60 if seed == 1826 else 90)
        study.finish(study.cell("mcrgnet", seed), 80)
        if seed == 1826:
            manifest = json.loads((folder / "manifest.json").read_text())
            (folder / "manifest.json").write_text(json.dumps({**manifest, "trained": False}))
    table = board(study, checkpoints=("best",))
    assert [(row.rank, row.label, row.n, row.untrained) for row in table.rows] == [
        (1, "mcrgnet", 3, 0),
        (None, "convxpress", 2, 0),
        (None, "convxpress [saved weights]", 1, 1),
    ]
    means = [row.metrics["mean_per_class_accuracy"].mean for row in table.rows]
    assert means == [80, 90, 60]
    (note,) = table.notes
    assert note.startswith("saved weights were tested")
    assert note.endswith(": convxpress/real/1826")
    results = open_results(study.folder)
    for name in ("terminal", "markdown", "html", "latex"):
        shown = resolve(installed().report(name).renderer)(results, ReportOptions())
        text = shown["report.tex"] + shown["table_leaderboard.tex"] if isinstance(shown, dict) else shown
        text = text if isinstance(text, str) else plain_text(text)
        said = " ".join(text.translate(str.maketrans("", "", "\\{}")).split())  # without escapes
        for told in ("1/3* -o", "2/3*", "convxpress [saved weights]", "saved weights were tested"):
            assert told in said, name
    tidy = resolve(installed().report("tidy").renderer)(results, ReportOptions()).splitlines()
    assert {line.rpartition(",")[2] for line in tidy if ",1826," in line and line.startswith("convxpress")} == {"no"}
    assert {line.rpartition(",")[2] for line in tidy[1:] if ",1826," not in line} == {"yes"}


def test_a_row_of_saved_weights_only_is_marked_and_ranked(study: StudyFiles) -> None:
    for seed in SEEDS:
        folder = study.finish(study.cell("convxpress", seed), 90)
        manifest = json.loads((folder / "manifest.json").read_text())
        (folder / "manifest.json").write_text(json.dumps({**manifest, "trained": False}))
    [row] = board(study, checkpoints=("best",)).rows
    assert (row.rank, row.label, row.n, row.untrained) == (1, "convxpress [saved weights]", 3, 3)
