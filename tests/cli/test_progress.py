"""What a run shows while it works."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from benchmarker import SkippedImage
from benchmarker.cli.output import duration
from benchmarker.cli.progress import LiveObserver, PlainObserver, observer, skipped_lines
from benchmarker.study.observer import CellOutcome, CellView, DataSummary, Observer
from tests.study.material import cell_metrics

CELLS = [
    CellView(key=str(number) * 64, model=model, architecture=model, arm="real", seed=8901)
    for number, model in enumerate(("convxpress", "mcrgnet", "alexnet"))
]
SKIPPED = tuple(SkippedImage(name=f"image{number}.fits", reason="every pixel is NaN") for number in range(14))
METRICS = cell_metrics(best=91.25, final=90.0)
COLLAPSED = cell_metrics(best=25.0, final=90.0, collapsed="FRI")


def play(watching: Observer) -> None:
    watching.data_progress("preparing synthetic-radio", 10, 400)
    parts = {"train": 240, "validation": 80, "test": 160}
    watching.data_ready(
        DataSummary(name="synthetic-radio", n_images=480, shape=(64, 64, 1), skipped=SKIPPED, parts=parts)
    )
    watching.study_started(CELLS, 1)
    watching.message("one source is in two parts")
    watching.cell_finished(CELLS[0], CellOutcome(status="ok", metrics=METRICS, reused=True))
    for cell, outcome in (
        (CELLS[1], CellOutcome(status="ok", metrics=METRICS)),
        (CELLS[2], CellOutcome(status="failed", kind="configuration", message="needs 195 pixels,\nnot 64")),
    ):
        watching.cell_started(cell)
        watching.cell_step(cell, 1, 1, 8)
        values = {"loss": 0.51234, "validation_loss": 0.61234, "images_per_second": 1234.5}
        watching.cell_epoch(cell, 1, 2, values)
        watching.cell_step(cell, 2, 4, 8)
        watching.cell_finished(cell, outcome)


def test_plain_observer_writes_a_line_for_each_event(capsys: pytest.CaptureFixture[str]) -> None:
    play(PlainObserver())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "synthetic-radio: 480 images of 64x64x1 (240 train, 80 validation, 160 test)"
    assert lines[1] == "skipped 14 images:"
    assert lines[2:16] == [f"  {image.name}: {image.reason}" for image in SKIPPED]
    assert lines[16:] == [
        "plan: 3 cells, 1 finished before",
        "note: one source is in two parts",
        "[1/3] convxpress/real/8901: finished before, MPCA % best 91.2, final 90.0",
        "[2/3] mcrgnet/real/8901: started",
        "[2/3] mcrgnet/real/8901: epoch 1/2, loss 0.5123, validation loss 0.6123, 1,234 images/s",
        "[2/3] mcrgnet/real/8901: ok in 0 s, MPCA % best 91.2, final 90.0",
        "[3/3] alexnet/real/8901: started",
        "[3/3] alexnet/real/8901: epoch 1/2, loss 0.5123, validation loss 0.6123, 1,234 images/s",
        "[3/3] alexnet/real/8901: failed (configuration): needs 195 pixels, not 64",
    ]


def test_live_observer_prints_finished_cells() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80, color_system=None, highlight=False)
    with LiveObserver(Path("results/mine"), console) as watching:
        play(watching)
    out = stream.getvalue()
    assert "  image9.fits: every pixel is NaN" in out
    assert "image10.fits" not in out
    assert "  ... 4 more: benchmarker show results/mine" in out
    assert "[2/3] mcrgnet/real/8901: ok in 0 s, MPCA % best 91.2, final 90.0" in out
    assert "failed (configuration): needs 195 pixels, not 64" in out


def test_live_observer_shows_epochs_losses_and_speed() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None, highlight=False)
    watching = LiveObserver(Path("results/mine"), console)
    watching.study_started(CELLS, 0)
    watching.cell_started(CELLS[0])
    watching.cell_epoch(CELLS[0], 1, 4, {"loss": 0.5, "validation_loss": 0.25, "images_per_second": 99.0})
    watching.cell_step(CELLS[0], 2, 4, 8)
    with console.capture() as capture:
        console.print(watching)
    drawn = capture.get()
    assert "all cells" in drawn
    assert "0/3" in drawn
    assert "epoch 2/4" in drawn
    assert "loss 0.5000, validation loss 0.2500, 99 images/s" in drawn
    assert max(map(len, drawn.splitlines())) <= 80


def test_live_observer_shows_a_bar_for_each_running_cell() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None, highlight=False)
    watching = LiveObserver(Path("results/mine"), console)
    watching.study_started(CELLS, 0)
    for cell in CELLS[:2]:
        watching.cell_started(cell)
        watching.cell_epoch(cell, 1, 4, {"loss": 0.5})
    watching.cell_step(CELLS[1], 2, 4, 8)
    watching.cell_finished(CELLS[0], CellOutcome(status="ok"))
    watching.cell_started(CELLS[2])
    watching.cell_step(CELLS[0], 2, 4, 8)  # this event comes late: the bar of the cell is gone
    with console.capture() as capture:
        console.print(watching)
    lines = capture.get().splitlines()
    assert [line.split()[0] for line in lines] == ["all", "mcrgnet/real/8901", "alexnet/real/8901"]
    assert "1/3" in lines[0]
    assert "epoch 2/4" in lines[1]


def test_plain_observer_keeps_the_number_of_a_cell(capsys: pytest.CaptureFixture[str]) -> None:
    watching = PlainObserver()
    watching.study_started(CELLS, 0)
    watching.cell_started(CELLS[1])
    watching.cell_started(CELLS[0])
    watching.cell_finished(CELLS[0], CellOutcome(status="failed", kind="plugin", message="no", reused=True))
    watching.cell_finished(CELLS[1], CellOutcome(status="ok", metrics=COLLAPSED))
    assert capsys.readouterr().out.splitlines()[1:] == [
        "[1/3] mcrgnet/real/8901: started",
        "[2/3] convxpress/real/8901: started",
        "[2/3] convxpress/real/8901: failed before (plugin): no",
        "[1/3] mcrgnet/real/8901: ok in 0 s, MPCA % best 25.0, final 90.0, collapsed to one class, FRI",
    ]


def test_output_into_a_file_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    with observer(Path("results/mine")) as watching:
        assert isinstance(watching, PlainObserver)
    assert capsys.readouterr().out == ""


def test_skipped_lines_are_counted_and_limited() -> None:
    assert skipped_lines(()) == []
    assert skipped_lines(SKIPPED[:1], 10) == ["skipped 1 image:", "  image0.fits: every pixel is NaN"]
    assert len(skipped_lines(SKIPPED[:10], 10, "more")) == 11


@pytest.mark.parametrize(
    ("seconds", "text"), [(4.4, "4 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (150, "2 min 30 s"), (7260, "2 h 01 min")]
)
def test_duration_has_readable_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text
