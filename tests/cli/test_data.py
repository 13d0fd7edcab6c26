"""``benchmarker data``: what it shows and finds on small folders of images, as users type it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from benchmarker import Stream
from benchmarker.cli import main
from tests.registries import model, write_registry


def write_galaxies(folder: Path, n: int = 6, size: int = 20) -> Path:
    """Write ``n`` different PNG images of each of two classes."""
    generator = Stream("test").generator()
    for label in ("round", "spiral"):
        (folder / label).mkdir(parents=True)
        for k in range(n):
            pixels = generator.integers(10, 240, (size, size), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{k}.png")
    return folder


def test_data_show_counts_classes_by_part_and_describes_the_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_galaxies(tmp_path / "galaxies")
    Image.fromarray(np.full((20, 20), 7, np.uint8)).save(folder / "round" / "flat.png")
    assert main(["data", "show", "images-folder", "-d", str(folder), "--json", "--out", str(tmp_path / "out")]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == json.loads((tmp_path / "out" / "overview.json").read_text())
    assert shown["parts"] == {
        "train": {"round": 4, "spiral": 4}, "validation": {"round": 1, "spiral": 1}, "test": {"round": 1, "spiral": 1},
    }  # fmt: skip
    assert shown["published"]["sizes"] == {"20 x 20": 13}
    assert shown["published"]["types"] == {"uint8": 13}
    assert (shown["published"]["minimum"], shown["published"]["maximum"]) == (7, 239)
    assert shown["skipped"] == {"every pixel has the same value": 1}
    for picture in ("contact_sheet.png", "histograms.png"):
        with Image.open(tmp_path / "out" / picture) as image:
            assert np.asarray(image.convert("L")).std() > 0


def test_data_show_uses_the_settings_of_a_registry(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_galaxies(tmp_path / "galaxies")
    settings = {"preparation": {"crop": 16}, "split": {"train": 3, "validation": 1}}
    dataset = {"name": "images-folder", "path": str(folder), **settings}
    registry = write_registry(tmp_path / "mine.yaml", dataset=dataset, seeds=[7], models=[model()])
    assert main(["data", "show", str(registry)]) == 0
    out = capsys.readouterr().out
    assert "class (seed 7)" in out
    assert "16 x 16 x 1" in out
    assert out.split("\nround", 1)[1].split()[:4] == ["3", "1", "2", "6"]


@pytest.mark.parametrize(
    ("colour", "weights"), [("as-it-is", [[1, 0, 0], [0, 1, 0], [0, 0, 1]]), ("radio-framework", [[0.3, 0.59, 0.11]])]
)
def test_fits_files_of_three_planes_are_prepared_as_colour_images(
    colour: str, weights: list[list[float]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cubes = Stream("test").generator().uniform(size=(8, 3, 16, 16)).astype(np.float32)
    for k, cube in enumerate(cubes):
        path = tmp_path / "cubes" / ("FRI" if k % 2 else "FRII") / f"{k}.fits"
        path.parent.mkdir(parents=True, exist_ok=True)
        fits.PrimaryHDU(cube).writeto(path)
    dataset = {
        "name": "fits-manifest",
        "path": str(tmp_path / "cubes"),
        "options": {"planes": "all", "colour": colour},
        "preparation": {"clip_sigma": None, "normalise": False},
        "split": {"train": 2, "validation": 1},
    }
    registry = write_registry(tmp_path / "mine.yaml", dataset=dataset, models=[model()])
    assert main(["data", "show", str(registry), "--array", str(tmp_path / "all.npy")]) == 0
    assert f"16 x 16 x {len(weights)}" in capsys.readouterr().out
    images = np.load(tmp_path / "all.npy")
    expected = np.einsum("ncyx,kc->nyxk", cubes[[1, 3, 5, 7, 0, 2, 4, 6]], np.asarray(weights, np.float32))
    np.testing.assert_allclose(images.reshape(expected.shape), expected, rtol=1e-6)


def test_data_show_names_what_is_neither_a_dataset_nor_a_registry(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "show", "nosuch"]) == 2
    assert "nosuch: no such registry and no such dataset" in capsys.readouterr().err


def test_data_audit_fails_on_copies_across_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_galaxies(tmp_path / "galaxies")
    for label in ("round", "spiral"):
        for k in range(6):
            part = "test" if k > 3 else "train"
            (folder / part / label).mkdir(parents=True, exist_ok=True)
            (folder / label / f"{k}.png").rename(folder / part / label / f"{k}.png")
        (folder / label).rmdir()
    arguments = ["data", "audit", "images-folder", "-d", str(folder), "--out", str(tmp_path / "out")]
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["findings"] == []
    with Image.open(folder / "train" / "round" / "0.png") as image:
        image.transpose(Image.Transpose.ROTATE_90).save(folder / "test" / "round" / "5.png")
    assert main(arguments) == 1
    out = capsys.readouterr().out
    assert "error: copies-across-parts" in out
    assert (tmp_path / "out" / "copies-across-parts.png").is_file()
    assert main([*arguments, "--fail-on", "never"]) == 0
