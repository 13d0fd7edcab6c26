"""The page for people, driven by Streamlit's own test harness."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image
from streamlit.testing.v1 import AppTest

from benchmarker_serving.page import command
from benchmarker_serving.page.pictures import archive, fits_file, png, shown
from benchmarker_serving.page.sources import FolderSource
from tests.plugins.serving import onnx_models
from tests.plugins.serving.onnx_models import SIZE

SCRIPT = Path(command.__file__).with_name("app.py")


def page(source: Path, monkeypatch: pytest.MonkeyPatch, *, classic: bool = False) -> AppTest:
    monkeypatch.setenv("BENCHMARKER_PAGE", json.dumps({"source": str(source), "classic": classic}))
    app = AppTest.from_file(str(SCRIPT), default_timeout=60).run()
    assert not app.exception
    return app


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    onnx_models.generator(tmp_path)
    onnx_models.network(tmp_path)
    return tmp_path


def test_galaxies_are_drawn_for_a_class_and_a_seed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(folder, monkeypatch)
    assert app.title[0].value == "Draw galaxies"
    assert any("synthetic" in each.value for each in app.caption)
    app.sidebar.selectbox(key="class").set_value("FRII")
    app.slider(key="number").set_value(6)
    app.run()
    assert not app.exception
    assert len(app.get("image")) == 6
    assert len(app.get("download_button")) == 2


def test_classic_page_draws_another_galaxy_on_each_press(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(folder, monkeypatch, classic=True)
    assert len(app.get("image")) == 0
    for press in range(2):
        app.button(key="generate").click().run()
        assert not app.exception
        assert app.session_state["drawn"] == press
        assert len(app.get("image")) == 2  # as a figure and in grey
    assert "synthetic" in app.caption[0].value


def test_view_for_classification_waits_for_an_image(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(folder, monkeypatch)
    app.sidebar.radio(key="view").set_value("Classify an image").run()
    assert not app.exception
    assert app.info


def test_uploaded_array_is_classified(folder: Path) -> None:
    source = FolderSource(folder)
    stream = io.BytesIO()
    image = np.zeros((SIZE, SIZE))
    image[: SIZE // 4] = 7  # prepared to 1
    np.save(stream, image)
    found = source.classify("brightness/1", "image.npy", stream.getvalue())
    assert found.values == {"bright": pytest.approx(0.25), "faint": pytest.approx(0.75)}


def test_downloads_carry_what_the_images_were_drawn_for() -> None:
    pixels = np.linspace(0, 1, SIZE * SIZE, dtype=np.float32).reshape(SIZE, SIZE, 1)
    facts = {"seed": 5, "condition FRII": 1.0, "generator": "dcgan/generator/8901"}
    hdu = fits.open(io.BytesIO(fits_file(pixels, facts)))[0]
    assert np.array_equal(hdu.data, pixels[..., 0])
    assert hdu.header["SYNTHET"] is True
    assert hdu.header["SEED"] == 5
    assert hdu.header["CONDITION FRII"] == 1.0
    picture = Image.open(io.BytesIO(png(shown(pixels, 0, 1, "magma"), facts)))
    assert picture.size == (SIZE, SIZE)
    assert picture.text["seed"] == "5"  # type: ignore[attr-defined]
    assert "synthetic" in picture.text["Comment"]  # type: ignore[attr-defined]
    assert zipfile.ZipFile(io.BytesIO(archive({"a": b"b"}))).read("a") == b"b"
