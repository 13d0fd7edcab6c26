"""`benchmarker predict` on a trained study."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.table import Table

from benchmarker import open_results
from benchmarker.cli import main

pytestmark = pytest.mark.long


def rows_of(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="") as stream:
        return {row["id"]: row for row in csv.DictReader(line for line in stream if not line.startswith("#"))}


def test_new_images_get_the_probabilities_of_the_run(trained: Path, fits_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "raw.csv"
    words = ["--model", "mcrgnet/real", "--seed", "8901", "--data", str(fits_folder), "--out", str(out), "--raw"]
    assert main(["predict", str(trained), *words]) == 0
    found = {name.rpartition("/")[2]: row for name, row in rows_of(out).items()}
    results = open_results(trained)
    (cell,) = (each for each in results.cells if each.name == "mcrgnet/real/8901")
    stored = results.predictions(cell)
    assert stored is not None
    for source, probabilities in zip(stored.source_ids, stored.values, strict=True):
        row = found[source.rpartition("/")[2]]
        given = [float(row[f"p_{name}"]) for name in results.classes]
        assert given == pytest.approx(probabilities.tolist(), abs=1e-6)
    assert cell.manifest is not None
    assert f"# key_8901: {cell.key}\n" in out.read_text()


def test_ensemble_gives_sets_spread_and_flags(trained: Path, fits_folder: Path, tmp_path: Path) -> None:
    images = Path(shutil.copytree(fits_folder, tmp_path / "images"))
    (images / "broken.fits").write_bytes(b"SIMPLE")
    np.save(images / "large.npy", np.eye(40))
    out = tmp_path / "types.ecsv"
    words = ["predict", str(trained), "--model", "mcrgnet/real", "--data", str(images), "--out", str(out)]
    assert main(words) == 0
    table = Table.read(out)
    assert len(table) == 24
    assert table.meta["seeds"] == "8901 1826"
    assert np.isfinite(table["spread_FRI"]).all()
    assert {str(each) for each in table["set"]} <= {"", "FRI", "FRII", "FRI;FRII"}
    skipped = {row["file"]: row["reason"] for row in csv.DictReader((tmp_path / "types.skipped.csv").open())}
    assert sorted(skipped) == ["broken.fits", "large.npy"]
    assert "40 x 40" in skipped["large.npy"]
    assert not list(tmp_path.glob(".types.ecsv.partial"))
    assert main(words) == 2  # it is there already


def test_a_folder_of_unusable_images_is_an_error(trained: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    np.save(images / "large.npy", np.eye(40))
    out = tmp_path / "none.csv"
    assert main(["predict", str(trained), "--model", "mcrgnet/real", "--data", str(images), "--out", str(out)]) == 1
    assert not out.exists()
    assert "40 x 40" in (tmp_path / "none.skipped.csv").read_text()


def test_interrupted_prediction_continues(
    trained: Path,
    fits_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from benchmarker import StorageError
    from benchmarker_serving.prediction import command

    def full_disk(*_: Any, **__: Any) -> None:
        raise StorageError("the disk is full")

    out = tmp_path / "out.csv"
    words = ["predict", str(trained), "--model", "mcrgnet/real", "--seed", "8901", "--data", str(fits_folder)]
    words += ["--out", str(out), "--raw"]
    with monkeypatch.context() as patch:
        patch.setattr(command, "_write", full_disk)
        assert main(words) == 1
    (part,) = tmp_path.glob(".out.csv.partial/part-*.json")
    content = json.loads(part.read_text())
    content["rows"][0]["identifier"] = "kept from the first call"
    part.write_text(json.dumps(content))
    assert main(words) == 0
    assert "Continuing" in capsys.readouterr().err
    assert "kept from the first call" in rows_of(out)
