"""The page that follows a study: driven by Streamlit's own test harness."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from streamlit.testing.v1 import AppTest

from benchmarker import StorageError, open_results
from benchmarker_reports.content.confused import confused_images
from benchmarker_reports.content.pictures import STRETCHES, stretched
from benchmarker_reports.dashboard import command
from benchmarker_reports.dashboard.live import LiveStudy, curve_metrics, curve_points
from tests.reports.material import DocumentStudy

SCRIPT = Path(command.__file__).with_name("app.py")


def begin(study: DocumentStudy, model: str, seed: int, epochs: int, lines: tuple[str, ...] = ()) -> str:
    """Plan a cell that is in training and has ended some epochs; return its name."""
    cell = study.cell(model, "real", seed)
    folder = study.folder / "runs" / f".{cell['key'][:16]}.partial"
    folder.mkdir(parents=True)
    events = [
        {
            "event": "epoch",
            "epoch": k,
            "epochs": 10,
            "values": {"loss": 2 / k, "validation_loss": 3 / k, "seconds": 1.0},
        }
        for k in range(1, epochs + 1)
    ]
    (folder / "events.jsonl").write_text("\n".join([*map(json.dumps, events), *lines]), encoding="utf-8")
    study.write()
    return f"{model}/real/{seed}"


@pytest.fixture
def running(tmp_path: Path) -> DocumentStudy:
    """A study with a finished network, one that trains and one that waits."""
    study = DocumentStudy(tmp_path / "study")
    study.add(("convxpress",), (1, 2))
    begin(study, "mcrgnet", 1, 4, ('{"event": "epoch", "epo',))
    return study.pending("toothless", 1)


def page(study: Path, monkeypatch: pytest.MonkeyPatch, view: str = "Progress") -> AppTest:
    monkeypatch.setenv("BENCHMARKER_PAGE", json.dumps({"study": str(study), "every": 5}))
    app = AppTest.from_file(str(SCRIPT), default_timeout=60).run()
    assert not app.exception
    if view != "Progress":
        app.segmented_control(key="view").set_value(view).run()
        assert not app.exception
    return app


def test_progress_counts_epochs_of_runs_that_train(running: DocumentStudy) -> None:
    live = LiveStudy(open_results(running.folder))
    assert dict(live.counts) == {"training": 1, "waiting": 1, "finished": 2}
    assert [(row.name, row.state, row.share) for row in live.rows[:2]] == [
        ("mcrgnet/real/1", "training", 0.4),
        ("toothless/real/1", "waiting", None),
    ]
    assert live.share == pytest.approx((1 + 1 + 0.4 + 0) / 4)


def test_learning_curves_hold_the_epochs_of_a_run_that_trains(running: DocumentStudy) -> None:
    live = LiveStudy(open_results(running.folder))
    assert next(iter(live.curved)) == "mcrgnet/real/1"
    histories = live.histories(["mcrgnet/real/1", "convxpress/real/1"])
    assert curve_metrics(histories) == ["loss", "accuracy", "learning_rate"]
    points = curve_points(histories, "loss")
    training = [(p.epoch, p.value) for p in points if p.run == "mcrgnet/real/1" and p.part == "validation"]
    assert training == [(1, 3.0), (2, 1.5), (3, 1.0), (4, 0.75)]
    assert {p.epoch for p in points if p.run == "convxpress/real/1"} == set(range(1, 13))


def test_stamp_changes_only_when_a_run_ends(running: DocumentStudy) -> None:
    before = LiveStudy(open_results(running.folder)).stamp
    events = next(running.folder.glob("runs/.*.partial/events.jsonl"))
    events.write_text(json.dumps({"event": "epoch", "epoch": 5, "epochs": 10, "values": {}}) + "\n")
    assert LiveStudy(open_results(running.folder)).stamp == before
    running.finish(running.plan["cells"][-1], skill=0.5, cost=1.0)
    assert LiveStudy(open_results(running.folder)).stamp != before


def test_confused_images_add_up_to_the_confusion_matrix(study_folder: Path) -> None:
    results = open_results(study_folder)
    runs = [cell for cell in results.cells if cell.name.startswith("mcrgnet/real/")]
    counts = results.confusion(runs)
    assert counts is not None
    for truth, predicted in np.ndindex(counts.shape):
        found = confused_images(results, runs, "best", truth=truth, predicted=predicted)
        assert sum(len(each.seeds) for each in found) == counts[truth, predicted]
        assert [len(each.seeds) for each in found] == sorted((len(each.seeds) for each in found), reverse=True)


def test_page_shows_progress_and_the_leaderboard_so_far(
    running: DocumentStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = page(running.folder, monkeypatch)
    assert {each.label: each.value for each in app.metric} == {"Training": "1", "Waiting": "1", "Finished": "2"}
    assert app.dataframe[0].value["run"].tolist()[0] == "mcrgnet/real/1"
    app.segmented_control(key="view").set_value("Leaderboard").run()
    assert not app.exception
    assert "convxpress" in app.dataframe[0].value["model"].tolist()
    assert any("convxpress" in each.value for each in app.text)
    app.segmented_control(key="view").set_value("Learning curves").run()
    assert not app.exception
    assert app.multiselect(key="runs").value[0] == "mcrgnet/real/1"
    assert len(app.get("vega_lite_chart")) == 1


def test_page_of_a_study_that_has_ended_begins_with_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = DocumentStudy(tmp_path / "study").add(("convxpress", "mcrgnet"), (1, 2), ("real", "rotations"))
    app = page(study.folder, monkeypatch)
    assert app.segmented_control(key="view").value == "Leaderboard"
    assert app.text[0].value.startswith("Averaged over 2 arms, ")


def test_page_shows_the_images_behind_a_confusion_cell(study_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(study_folder, monkeypatch, "Images")
    counts = app.dataframe[0].value
    truth, predicted = app.selectbox(key="truth").value, app.selectbox(key="predicted").value
    errors = counts.to_numpy() - np.diag(np.diag(counts))
    assert truth != predicted
    assert errors[counts.index.get_loc(truth), counts.columns.get_loc(predicted)] == errors.max() > 0
    assert len(app.get("image")) > 0
    app.selectbox(key="predicted").set_value(truth).run()
    app.selectbox(key="stretch").set_value("zscale").run()
    assert not app.exception
    assert any(f"of class {truth}, predicted as {truth}" in each.value for each in app.text)


def test_page_of_a_study_without_results_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = DocumentStudy(tmp_path / "study").pending("mcrgnet", 1)
    for view in ("Learning curves", "Leaderboard", "Images"):
        assert page(study.folder, monkeypatch, view).info


def test_page_renders_no_markup_of_a_hostile_study(hostile_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(hostile_folder, monkeypatch)
    for view in ("Progress", "Learning curves", "Leaderboard", "Images"):
        app.segmented_control(key="view").set_value(view).run()
        assert not app.exception, view
        # Streamlit renders these as Markdown; text and tables are shown as they are.
        rendered = [each.value for several in (app.title, app.caption, app.markdown, app.info) for each in several]
        assert rendered, view
        assert not [text for text in rendered if "<script" in text.replace(r"\<", "")], view


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_events_that_no_run_writes_are_not_opened(running: DocumentStudy, tmp_path: Path, kind: str) -> None:
    events = next(running.folder.glob("runs/.*.partial/events.jsonl"))
    secret = events.rename(tmp_path / "secret")
    if kind == "link":
        events.symlink_to(secret)
    else:
        os.mkfifo(events)  # reading it would wait for ever
    live = LiveStudy(open_results(running.folder))
    assert next(row for row in live.rows if row.state == "training").epochs == ""
    assert live.histories(["mcrgnet/real/1"]) == {}


def test_command_refuses_a_folder_that_is_no_study(tmp_path: Path) -> None:
    found = CliRunner().invoke(command.command, [str(tmp_path)])
    assert isinstance(found.exception, StorageError)


def test_stretches_keep_the_order_of_pixels_and_the_ends() -> None:
    image = np.linspace(-3, 5, 64, dtype=np.float32).reshape(8, 8, 1)
    for stretch in STRETCHES:
        found = stretched(image, stretch).ravel()
        assert found[0] == 0, stretch
        assert found[-1] == pytest.approx(1), stretch
        assert (np.diff(found) >= 0).all(), stretch
    shown = {stretch: float(stretched(image, stretch)[4, 0, 0]) for stretch in STRETCHES}
    assert shown["auto"] == shown["sqrt"] > shown["linear"]
    assert shown["log"] > shown["asinh"] > shown["linear"]
    assert not stretched(np.full_like(image, np.nan)).any()
