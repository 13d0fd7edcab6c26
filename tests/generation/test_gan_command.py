"""``benchmarker gan``: sample and grid, as a user types them; `train` is tested with whole studies."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarker.cli.entry import main
from benchmarker.generation import drawing, on_request
from benchmarker.generation.drawing import IMAGES_FILE, REQUEST_FILE, DrawingJob, Request
from benchmarker.generation.job import train_generator
from tests.generation.conftest import MakeJob


@pytest.fixture(scope="module")
def run(job: MakeJob, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a generator with the conditions class and flux, and the weights of two epochs; read only."""
    folder = tmp_path_factory.mktemp("run")
    train_generator(job(folder, epochs=2), lambda _event: None)
    return folder


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Requests to the drawing process, whose images hold their numbers."""
    asked: list[dict[str, Any]] = []

    def draw(run: Path, folder: Path, request: Request, shape: tuple[int, ...], **named: Any) -> None:
        n = len(request.targets)
        asked.append({"run": run, "request": request, **named})
        images = np.broadcast_to((np.arange(n) / n).astype("<f4")[:, None, None, None], (n, *shape))
        (folder / IMAGES_FILE).write_bytes(images.tobytes())

    monkeypatch.setattr(on_request, "draw_in_process", draw)
    return asked


def draw_here(run: Path, folder: Path, request: Request, shape: tuple[int, int, int], **named: Any) -> None:
    """Draw in this process, as another one takes seconds to start."""
    with (folder / REQUEST_FILE).open("wb") as file:
        request.save(file)
    drawing.draw(DrawingJob(run=run, folder=folder, shape=shape, stream=named["stream"], epoch=named["epoch"]))


def arguments(*words: str | Path) -> list[str]:
    return ["gan", *map(str, words)]


def test_fits_headers_hold_conditions_and_origin(run: Path, tmp_path: Path, drawn: list[dict[str, Any]]) -> None:
    from astropy.io import fits

    out = tmp_path / "out"
    assert main(arguments("sample", run, "5", "-c", "class=RIGHT", "-c", "flux=0.2:0.6", "--out", out)) == 0
    names = [f"their-gan-8901-epoch0002-draw0-{k:06d}.fits" for k in range(5)]
    assert sorted(path.name for path in out.iterdir()) == names
    with fits.open(out / names[3]) as file:
        header, image = file[0].header, file[0].data
        assert image.shape == (16, 16)
        assert image[0, 0] == np.float32(0.6)
        assert header["CONDITION class"] == "right"
        assert header["CONDITION flux"] == pytest.approx(0.5)
        assert header.comments["CONDITION flux"] == "[Jy]"
        assert (header["GENERATR"], header["GENEPOCH"], header["GENSEED"]) == ("their-gan", 2, 8901)
        links = json.loads((run / "trail.json").read_text())["links"]
        assert header["GENWGHTS"] == links[-1]["content"]["digest"]
        assert header["SYNTHET"] is True
    assert drawn[0]["request"].targets.tolist() == [1] * 5
    assert drawn[0]["environment"]["KERAS_BACKEND"] == "tensorflow"


def test_png_files_come_with_a_table(run: Path, tmp_path: Path, drawn: list[dict[str, Any]]) -> None:
    from PIL import Image

    out = tmp_path / "out"
    words = arguments("sample", run, "6", "--format", "png", "--epoch", "1", "--draw", "3", "--out", out)
    assert main(words) == 0
    with (out / "conditions.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["file", "class", "flux [Jy]"]
    assert len(rows) == 6
    with Image.open(out / rows[3]["file"]) as image:
        low, high = json.loads((run / "training.json").read_text())["pixel_range"]
        assert high < 1  # of the training part, which is shown as white
        expected = round((0.5 - low) / (high - low) * 255)
        assert (image.mode, image.size, image.getpixel((0, 0))) == ("L", (16, 16), expected)
    # What is not asked for is that of real images, kept together.
    real = Request.read(run / "conditions.npz")
    pairs = set(zip(real.targets.tolist(), real.attributes["flux"].tolist(), strict=True))
    request = drawn[0]["request"]
    assert set(zip(request.targets.tolist(), request.attributes["flux"].tolist(), strict=True)) <= pairs
    assert drawn[0]["epoch"] == 1
    assert main([*words[:-1], str(tmp_path / "again")]) == 0
    assert np.array_equal(drawn[1]["request"].targets, request.targets)


def test_grid_shows_drawn_images(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    monkeypatch.setattr(on_request, "draw_in_process", draw_here)
    assert main(arguments("grid", run, "-c", "class=left", "--side", "3", "--out", tmp_path / "g.png")) == 0
    with Image.open(tmp_path / "g.png") as grid:
        assert grid.size == (3 * 48 + 4, 3 * 48 + 4)
        assert len(set(np.asarray(grid).ravel().tolist())) > 9


def test_unconditional_generator_is_trained_and_drawn_from(
    job: MakeJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from astropy.io import fits

    run = tmp_path / "unconditional"
    run.mkdir()
    train_generator(job(run, epochs=1, conditions=()), lambda _event: None)
    monkeypatch.setattr(on_request, "draw_in_process", draw_here)
    assert main(arguments("sample", run, "3", "--out", tmp_path / "out")) == 0
    files = sorted((tmp_path / "out").iterdir())
    headers = [fits.getheader(path) for path in files]
    assert len(headers) == 3
    assert not [name for header in headers for name in header if "CONDITION" in name]
    assert main(arguments("sample", run, "3", "-c", "class=left", "--out", tmp_path / "classes")) == 2
    assert "there is no condition 'class'; this generator knows: none" in capsys.readouterr().err


@pytest.mark.usefixtures("drawn")
def test_existing_files_are_overwritten_only_with_force(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    for words in (("sample", run, "2", "--out", out), ("grid", run, "--out", out / "mine.txt")):
        assert main(arguments(*words)) == 2
        assert "--force to overwrite" in capsys.readouterr().err
        assert (out / "mine.txt").read_text() == "mine"
    assert main(arguments("sample", run, "2", "--out", out, "--force")) == 0
    assert len(list(out.iterdir())) == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-c", "mass=3"], "there is no condition 'mass'; this generator knows: class, flux"),
        (["-c", "class=upper"], "there is no class 'upper'; known are: left, right"),
        (["-c", "flux=bright"], "a number, or two with a colon between them, was expected. Received: 'bright'"),
        (["-c", "flux=nan"], "a number, or two with a colon between them"),
        (["-c", "flux"], "takes NAME=VALUE. Received: 'flux'"),
        (["--epoch", "7"], "the weights of epoch 7 were not kept; there are those of: 1, 2"),
    ],
)
def test_impossible_request_is_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(arguments("grid", run, "--out", tmp_path / "grid.png", *words)) == 2
    assert message in capsys.readouterr().err.replace("\n", " ")
    assert not (tmp_path / "grid.png").exists()


def test_folder_without_a_generator_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments("grid", tmp_path, "--out", tmp_path / "grid.png")) == 1
    assert "trail.json: there is no trail" in capsys.readouterr().err


def test_missing_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gan", "sample", str(tmp_path / "nowhere"), "4", "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert "nowhere: there is no such folder; give a study" in told
    assert len(told.strip().splitlines()) == 1
