"""Watching a training changes its pictures and what is kept, but no bit; more epochs continue from the state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarker.cli.entry import main
from benchmarker.contracts.generation import ConditionSpace
from benchmarker.errors import ConfigurationError
from benchmarker.generation.choosing import chosen_epoch
from benchmarker.generation.conditions import fixed_condition
from benchmarker.generation.drawing import IMAGES_FILE
from benchmarker.generation.job import train_generator
from benchmarker.generation.run_files import saved_epochs
from benchmarker.generation.watch import Display
from benchmarker.registry.models import Watch
from benchmarker.study.protocol import Event, Resumed
from tests.generation.conftest import MakeJob

WATCH = Watch(
    points=9,
    every_epochs=1,
    every_steps=2,
    condition={"class": "right"},
    colour_map="magma",
    scaling="image",
    animations=("png", "gif"),
    keep_every=1,
    keep_state=True,
)
MAGMA_BLACK = (0, 0, 3)
"""First colour of the map in 8 bits, rounded down as Matplotlib does."""


@pytest.fixture(scope="module")
def runs(job: MakeJob, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of one generator: two epochs that are watched, four that continue from them, and four from the start."""
    folder = tmp_path_factory.mktemp("runs")
    for name, settings in (
        ("two", {"epochs": 2, "watch": WATCH, "cache": True}),
        ("four", {"epochs": 4, "cache": True}),
        ("alone", {"epochs": 4}),
    ):
        (folder / name).mkdir()
        events: list[Event] = []
        train_generator(job(folder / name, **settings), events.append)
        resumed = [event.epoch for event in events if isinstance(event, Resumed)]
        assert resumed == ([2] if name == "four" else [])
    return folder


def contents(run: Path) -> dict[str, Any]:
    return {link["name"]: link["content"] for link in json.loads((run / "trail.json").read_text())["links"]}


def test_pictures_are_those_that_were_asked_for(runs: Path) -> None:
    samples = runs / "two" / "samples"
    assert {path.name for path in samples.iterdir()} == {
        *("real.png", "animation.png", "animation.gif", "fixed-animation.png", "fixed-animation.gif"),
        *("epoch-0001.png", "epoch-0002.png", "fixed-epoch-0001.png", "fixed-epoch-0002.png"),
        *("step-000002.png", "step-000004.png", "fixed-step-000002.png", "fixed-step-000004.png"),
    }
    with Image.open(samples / "epoch-0002.png") as grid, Image.open(samples / "animation.gif") as animation:
        assert grid.mode == "RGB"
        assert grid.size == animation.size == (3 * 48 + 4, 3 * 48 + 4)
        assert MAGMA_BLACK in set(grid.getdata())  # of the darkest pixel of each image
        assert getattr(animation, "n_frames", 1) == 2
    assert saved_epochs(runs / "two") == [1, 2]


def test_watching_changes_no_bit(runs: Path) -> None:
    watched, alone = contents(runs / "two"), contents(runs / "alone")
    for name in ("training part", "initial weights", "epoch 1", "epoch 2"):
        assert watched[name] == alone[name]


def test_more_epochs_continue_to_the_bits_of_one_training(runs: Path) -> None:
    assert (runs / "four" / "trail.json").read_bytes() == (runs / "alone" / "trail.json").read_bytes()
    for name in ("losses.csv", "history.csv"):
        assert (runs / "four" / name).read_bytes() == (runs / "alone" / name).read_bytes()
    assert saved_epochs(runs / "four") == [1, 2, 3, 4]
    assert not (runs / "alone" / "state").exists()


def test_fewer_epochs_continue_from_a_state_of_a_longer_training_that_failed(
    job: MakeJob, runs: Path, tmp_path: Path
) -> None:
    longer, shorter = tmp_path / "five", tmp_path / "four"
    longer.mkdir()
    shorter.mkdir()
    watch = Watch(points=4, every_epochs=1, every_steps=2, keep_every=1, keep_state=3)
    train_generator(job(longer, epochs=5, watch=watch), lambda _: None)
    assert {path.name for path in (longer / "state").iterdir()} == {"snapshot-000003.npz", "snapshot-000005.npz"}
    failed = longer.rename(tmp_path / "five.failed")
    (failed / "trail.json").unlink()
    events: list[Event] = []
    train_generator(job(shorter, epochs=4, watch=watch, cache=True), events.append)
    assert [event.epoch for event in events if isinstance(event, Resumed)] == [3]
    for name in ("trail.json", "losses.csv", "history.csv"):
        assert (shorter / name).read_bytes() == (runs / "alone" / name).read_bytes(), name
    assert saved_epochs(shorter) == [1, 2, 3, 4]
    assert not (shorter / "samples" / "epoch-0005.png").exists()
    assert not (shorter / "samples" / "step-000010.png").exists()
    assert (shorter / "samples" / "step-000008.png").exists()
    assert {path.name for path in (shorter / "state").iterdir()} == {"snapshot-000003.npz", "snapshot-000004.npz"}


@pytest.mark.parametrize(
    ("keep_state", "kept"), [(False, []), (True, [32]), (15, [15, 30, 32]), (32, [32]), (1, [*range(1, 33)])]
)
def test_states_are_kept_at_the_intervals_that_were_asked_for(keep_state: bool | int, kept: list[int]) -> None:
    watch = Watch.model_validate({"keep_state": keep_state})
    assert [epoch for epoch in range(1, 33) if watch.keeps_state(epoch, 32)] == kept
    assert Watch.model_validate_json(watch.model_dump_json()) == watch


def test_chosen_epoch_is_recorded_and_used(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarker.generation import on_request

    run, page = runs / "two", tmp_path / "page.html"
    assert main(["gan", "choose", str(run), "--out", str(page)]) == 0
    text = page.read_text()
    assert text.count("data:image/png;base64,") == 1 + 2 * 2  # real images; two epochs, each with its fixed condition
    assert "chosen" not in text.split("</style>")[1]
    assert main(["gan", "choose", str(run), "--epoch", "7", "--out", str(page), "--force"]) == 2
    assert "the weights of epoch 7 were not kept; there are those of: 1, 2" in capsys.readouterr().err
    assert chosen_epoch(run) is None
    assert main(["gan", "choose", str(run), "--epoch", "1", "--out", str(page), "--force"]) == 0
    assert chosen_epoch(run) == 1
    assert "chosen" in page.read_text().split("</style>")[1]
    drawn: list[int | None] = []

    def draw(_run: Path, folder: Path, request: Any, shape: tuple[int, ...], **named: Any) -> None:
        drawn.append(named["epoch"])
        images = np.zeros((len(request.targets), *shape), "<f4")
        (folder / IMAGES_FILE).write_bytes(images.tobytes())

    monkeypatch.setattr(on_request, "draw_in_process", draw)
    assert main(["gan", "grid", str(run), "--out", str(tmp_path / "a.png")]) == 0
    assert main(["gan", "grid", str(run), "--epoch", "2", "--out", str(tmp_path / "b.png")]) == 0
    assert drawn == [1, 2]
    assert "epoch 1: " in capsys.readouterr().out


SPACE = ConditionSpace(classes=("left", "right"), attributes=("flux",), units=("Jy",), means=(0.5,), deviations=(0.25,))


@pytest.mark.parametrize(
    ("given", "row"),
    [({}, [1, 0, 0]), ({"class": "RIGHT"}, [0, 1, 0]), ({"flux": 1}, [1, 0, 2])],
)
def test_fixed_condition_fills_in_the_first_class_and_the_mean(given: dict[str, Any], row: list[float]) -> None:
    assert fixed_condition(SPACE, given).tolist() == row


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"mass": 1}, "no condition 'mass'; the generator has: class, flux"),
        ({"class": "upper"}, "no class 'upper'; known are: left, right"),
        ({"flux": "bright"}, "flux: a number was expected. Received: 'bright'"),
    ],
)
def test_wrong_fixed_condition_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        fixed_condition(SPACE, given)


def test_each_image_has_its_own_scale_if_asked_for() -> None:
    images = np.array([[[[0.2], [0.4]]], [[[0.4], [1.0]]], [[[0.3], [0.3]]]], np.float32)
    assert Display(per_image=True).pixels(images)[..., 0].tolist() == [[[0, 255]], [[0, 255]], [[0, 0]]]
    assert Display().pixels(images)[..., 0].tolist() == [[[51, 102]], [[102, 255]], [[76, 76]]]
