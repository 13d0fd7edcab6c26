"""Studies that the tests of reports share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarker import LabelledImages, Preparation
from benchmarker.data.loading import Context
from benchmarker.data.prepared import prepare
from benchmarker.discovery import installed
from benchmarker.registry.options import validated_options
from benchmarker_reports.content.pictures import png
from tests.reports.material import HOSTILE, DocumentStudy

SEEDS = (8901, 1826, 4915)


@pytest.fixture(scope="session")
def radio_images() -> LabelledImages:
    """Forty synthetic radio galaxies, prepared in the tests' own cache."""
    dataset = installed().dataset("synthetic-radio")
    options = validated_options(dataset, {"images_per_class": 10, "size": 48})
    return prepare(dataset, options, Preparation(), Context(dataset=dataset.name))[0]


@pytest.fixture(scope="session")
def make_study(radio_images: LabelledImages, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Write a study of four networks in two arms under three seeds, with a generator; each call another copy."""

    def make() -> Path:
        truth = np.asarray(radio_images.targets, dtype=np.int64)
        folder = tmp_path_factory.mktemp("study") / "study"
        study = DocumentStudy(folder, digest=radio_images.digest, truth=truth)
        study.add(("convxpress", "radio_galaxy_zoo", "mcrgnet", "fr_deep"), SEEDS, ("real", "rotations"))
        study.pending("toothless", 8901)
        study.generator("dcgan", 8901, png(radio_images.images[0], 64))
        return study.write()

    return make


@pytest.fixture(scope="session")
def study_folder(make_study: Callable[[], Path]) -> Path:
    """One such study."""
    return make_study()


@pytest.fixture(scope="session")
def hostile_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study in which every name looks like code."""
    folder = tmp_path_factory.mktemp("hostile") / "study"
    study = DocumentStudy(folder, title=HOSTILE[0] + HOSTILE[1] + HOSTILE[2], classes=(*HOSTILE, "plain"), n_test=24)
    study.add(HOSTILE, (1, 2), ("real", HOSTILE[0]))
    for file in folder.glob("registry.yaml"):
        file.write_text("\n".join(HOSTILE) + "\n</pre></textarea><script>alert(2)</script>", encoding="utf-8")
    study.pending(HOSTILE[1], 3)
    return study.write()


def _browser() -> tuple[str, str]:
    """Return the browser and its driver; in CI their absence is a failure."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if program and driver:
        return program, driver
    message = "needs a browser: apt-get install --no-install-recommends chromium chromium-driver"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless browser."""
    program, chromedriver = _browser()
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        f"--user-data-dir={tmp_path_factory.mktemp('browser')}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver))
    yield browser
    browser.quit()
