"""Every kind of set of images that astronomers have, from its files to a leaderboard."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from benchmarker import Stream
from tests.plugins.images.galaxy10_file import write_galaxy10
from tests.registries import model, write_registry

pytestmark = [pytest.mark.shared, pytest.mark.long]

Settings = dict[str, Any]
PUBLISHED = {"published": True}
DRAWN = {"train": 4, "validation": 2}
_MIRABEST_NAME = re.compile(
    r"\d{3}_(?P<ra>\d{3}\.\d{3})(?P<dec>[+-]\d{3}\.\d{3})_(?P<z>[\d.]+)_(?P<size>\d+\.\d+)\.fits"
)


def mirabest(variant: str) -> Callable[[Path, Path], Settings]:
    def settings(shared: Path, _folder: Path) -> Settings:
        path = str(shared / "mirabest" / f"MiraBest_{variant}_batches.tar.gz")
        return {"name": "mirabest", "path": path, "options": {"confidence": "certain"}, "split": DRAWN}

    return settings


def fold(shared: Path, _folder: Path) -> Settings:
    path = str(shared / "first_radio_galaxies")
    return {"name": "first-radio-galaxies-folds", "path": path, "options": {"fold": 3}, "split": PUBLISHED}


def mirabest_fits(shared: Path, folder: Path) -> Settings:
    """Return the FITS images of MiraBest with a catalogue of their names, which hold position, redshift and size."""
    rows = []
    for path in sorted((shared / "mirabest_fits").rglob("*.fits.gz")):
        named = _MIRABEST_NAME.match(path.name)
        assert named
        rows.append(f"{path.parent.name}/{path.name};{path.parent.name};{';'.join(named.groups())}")
    (folder / "sources.csv").write_text("\n".join(["File;Type;RA;Dec;z;LAS", *rows]))
    columns = {
        "file": "File",
        "label": "Type",
        "ra": "RA",
        "dec": "Dec",
        "attributes": {"redshift": "z", "size": "LAS"},
    }
    options = {"catalogue": str(folder / "sources.csv"), "columns": columns, "units": {"size": "arcsec"}}
    return {
        "name": "fits-cutouts",
        "path": str(shared / "mirabest_fits"),
        "options": options,
        "split": {"train": 3, "validation": 1},
    }


def pictures(_shared: Path, folder: Path) -> Settings:
    for label, level in (("faint", 40), ("bright", 160)):
        for number in range(9):
            pixels = Stream("test", label=label, number=number).generator().integers(level, level + 60, (40, 40))
            path = folder / "pictures" / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(path)
    return {"name": "images-folder", "path": str(folder / "pictures"), "split": DRAWN}


def galaxy10(_shared: Path, folder: Path) -> Settings:
    path = str(write_galaxy10(folder / "Galaxy10_DECals.h5", 80, size=48))
    return {"name": "galaxy10-decals", "path": path, "split": DRAWN}


def cubes(shared: Path, folder: Path) -> Settings:
    with fits.open(shared / "fits_more" / "cube3rgb.fits") as hdus:
        original = np.asarray(hdus[0].data, dtype=np.float32)
    rows = ["Name,Type"]
    for number in range(16):
        order = [0, 1, 2] if number % 2 else [2, 1, 0]
        (folder / "cubes").mkdir(exist_ok=True)
        fits.PrimaryHDU(np.roll(original[order], number, axis=-1)).writeto(folder / "cubes" / f"{number}.fits")
        rows.append(f"{number},{'rgb' if number % 2 else 'bgr'}")
    (folder / "cubes" / "sources.csv").write_text("\n".join(rows))
    options = {"catalogue": "sources.csv", "columns": {"id": "Name", "label": "Type"}, "planes": "all"}
    return {"name": "fits-cutouts", "path": str(folder / "cubes"), "options": options, "split": DRAWN}


def odd_files(shared: Path, folder: Path) -> Settings:
    """Return the FITS files of all odd kinds, in two classes that mean nothing."""
    paths = sorted(path for name in ("fits_more", "fits_edge_cases") for path in (shared / name).glob("*.fits"))
    rows = [f"{path.relative_to(shared)},{'even' if number % 2 else 'odd'}" for number, path in enumerate(paths)]
    (folder / "odd.csv").write_text("\n".join(["File,Type", *rows]))
    columns = {"file": "File", "label": "Type"}
    options = {"catalogue": str(folder / "odd.csv"), "columns": columns, "planes": "all", "colour": "radio-framework"}
    preparation = {"crop": 20, "resize": 32}
    return {"name": "fits-cutouts", "path": str(shared), "options": options, "preparation": preparation, "split": DRAWN}


SETS = {
    "mirabest-792": (mirabest("792"), 786, 6, 1),
    "mirabest-full": (mirabest("full"), 833, 0, 1),
    "fold-3": (fold, 2157, 1, 1),
    "mirabest-fits": (mirabest_fits, 18, 0, 1),
    "pictures": (pictures, 18, 0, 1),
    "galaxy10": (galaxy10, 80, 0, 3),
    "cubes": (cubes, 16, 0, 3),
    "odd-files": (odd_files, 17, 8, 1),
}


@pytest.mark.parametrize("name", SETS)
def test_real_sets_run_from_their_files_to_a_leaderboard(name: str, shared_data: Path, tmp_path: Path) -> None:
    settings, images, skipped, channels = SETS[name]
    registry = write_registry(
        tmp_path / "mine.yaml",
        dataset={"preparation": {"resize": 32}, **settings(shared_data, tmp_path)},
        seeds=[8901],
        training={"threads": 1},
        models=[model(epochs=1)],
    )
    words = ["run", str(registry), "-p", str(tmp_path / "study"), "-j", "1", "--offline"]
    done = subprocess.run([sys.executable, "-m", "benchmarker", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    plan = json.loads((tmp_path / "study" / "plan.json").read_text())
    assert plan["dataset"]["images"] == images
    assert plan["dataset"]["shape"] == [32, 32, channels]
    assert len(plan["dataset"]["skipped"]) == skipped
    assert "mcrgnet" in done.stdout
    assert done.stderr.count("is not the published file") == int(name == "galaxy10")
