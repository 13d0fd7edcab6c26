"""The HTML page in a real browser: without errors or overflow, light and dark, on a phone and in print."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from benchmarker import ReportOptions, open_results
from benchmarker_reports.formats.html import render

WIDTHS = (360, 1280)
SCHEMES = ("light", "dark")
_OVERFLOWING = """
const wide = document.documentElement.clientWidth;
const scrolls = (node) => node && (getComputedStyle(node).overflowX !== "visible" || scrolls(node.parentElement));
return [document.documentElement.scrollWidth, innerWidth].concat(Array.from(document.querySelectorAll("body *"))
  .filter((node) => node.getBoundingClientRect().right > wide + 1 && !scrolls(node.parentElement)
          && !node.classList.contains("skip"))
  .map((node) => node.outerHTML.slice(0, 120)));
"""


@pytest.fixture(scope="module")
def first_folder(shared_data: Path, tmp_path_factory: pytest.TempPathFactory, command_line: Any) -> Path:
    """A study of FIRST images: a network trained for one epoch at two learning rates."""
    folder = tmp_path_factory.mktemp("first")
    registry = {
        "title": "FIRST radio galaxies, published split",
        "dataset": {
            "name": "first-radio-galaxies",
            "path": str(shared_data / "first_radio_galaxies" / "galaxy_data.zip"),
            "preparation": {"crop": 150, "resize": 64},
            "split": {"published": True},
        },
        "seeds": [8901],
        "training": {"threads": 1},
        "models": [
            {"architecture": "mcrgnet", "learning_rate": 1e-3, "epochs": 1},
            {"architecture": "mcrgnet", "name": "mcrgnet-slow", "learning_rate": 1e-4, "epochs": 1},
        ],
    }
    (folder / "first.yaml").write_text(json.dumps(registry))
    done = command_line.run("run", "first.yaml", "-p", "study", "--jobs", "2", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "study"


@pytest.fixture(scope="module", params=["stored", pytest.param("first", marks=pytest.mark.shared)])
def address(request: pytest.FixtureRequest, study_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a page: of a study written by hand, with arms and a generator, and of a trained one."""
    folder = study_folder if request.param == "stored" else request.getfixturevalue("first_folder")
    return _saved(folder, tmp_path_factory.mktemp("page"))


def _saved(study: Path, folder: Path) -> str:
    path = folder / "report.html"
    path.write_text(render(open_results(study), ReportOptions()), encoding="utf-8")
    return path.as_uri()


def _open(driver: Any, address: str, width: int, scheme: str = "light") -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    driver.get(address)


def _errors(driver: Any) -> list[str]:
    return [entry["message"] for entry in driver.get_log("browser")]


def _screenshot(driver: Any, path: Path) -> bytes:
    """Take a picture of the page; the environment variable ``BENCHMARKER_SCREENSHOTS`` names a folder to keep it in."""
    size = driver.execute_script("return [innerWidth, Math.min(document.documentElement.scrollHeight, 6000)]")
    clip = {"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1}
    shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
    png = base64.b64decode(shot["data"])
    path.write_bytes(png)
    return png


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_page_has_no_errors_and_no_overflow(driver: Any, address: str, width: int, scheme: str, tmp_path: Path) -> None:
    _open(driver, address, width, scheme)
    assert _errors(driver) == []
    found = driver.execute_script(_OVERFLOWING)
    assert found[0] <= found[1] == width
    assert found[2:] == []
    kept = Path(os.environ.get("BENCHMARKER_SCREENSHOTS", tmp_path))
    title = driver.title.split()[0].lower()
    assert len(_screenshot(driver, kept / f"report_{title}_{width}_{scheme}.png")) > 20_000
    dark = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (dark == "rgb(18, 22, 27)") == (scheme == "dark")


def test_a_phone_shows_the_score_of_each_network_in_each_arm(driver: Any, study_folder: Path, tmp_path: Path) -> None:
    _open(driver, _saved(study_folder, tmp_path), 360)
    edges = driver.execute_script("""
        const table = document.querySelector("#leaderboard table");
        const edge = table.closest(".scroll").getBoundingClientRect().right;
        const heads = Array.from(table.tHead.rows[0].cells).map((cell) => cell.innerText.trim());
        const score = heads.findIndex((head) => head.startsWith("MPCA"));
        return Array.from(table.rows).map((row) => edge - row.cells[score].getBoundingClientRect().right);
    """)
    assert len(edges) > 8
    assert min(edges) >= 0


def test_page_tables_sort_by_click_and_by_key(driver: Any, address: str) -> None:
    from selenium.webdriver.common.keys import Keys

    _open(driver, address, 1280)
    table = driver.find_element("css selector", "#leaderboard table.sortable")
    heads = table.find_elements("css selector", "thead th")
    column = next(k for k, head in enumerate(heads) if head.text.strip().startswith("params"))

    def values() -> list[float | None]:
        cells = driver.execute_script(
            "return Array.from(arguments[0].tBodies[0].rows).map((row) => row.cells[arguments[1]].dataset.sort)",
            table,
            column,
        )
        return [float(cell) if cell else None for cell in cells]

    before = values()
    button = heads[column].find_element("css selector", "button")
    button.click()
    assert heads[column].get_attribute("aria-sort") == "descending"
    known = [value for value in before if value is not None]
    missing: list[float | None] = [None] * (len(before) - len(known))
    assert values() == sorted(known, reverse=True) + missing
    button.send_keys(Keys.ENTER)
    assert heads[column].get_attribute("aria-sort") == "ascending"
    assert values() == sorted(known) + missing
    network = next(head for head in heads if head.text.strip().startswith("network"))
    network.find_element("css selector", "button").click()
    assert heads[column].get_attribute("aria-sort") is None
    names = driver.execute_script(
        "return Array.from(arguments[0].tBodies[0].rows).map((row) => row.querySelector('th').textContent)", table
    )
    assert names == sorted(names)
    assert len(before) == len(names) >= 2
    assert _errors(driver) == []


def test_page_runs_no_hostile_name(driver: Any, hostile_folder: Path, tmp_path: Path) -> None:
    _open(driver, _saved(hostile_folder, tmp_path), 360)
    assert _errors(driver) == []
    found = driver.execute_script(_OVERFLOWING)
    assert found[0] <= found[1]
    assert found[2:] == []
    assert driver.execute_script("return document.scripts.length") == 1
    assert "<script>alert(1)</script>" in driver.find_element("css selector", "h1").text


def test_page_prints_without_navigation(driver: Any, address: str) -> None:
    _open(driver, address, 1280)
    printed = driver.execute_cdp_cmd("Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.69})
    assert base64.b64decode(printed["data"]).startswith(b"%PDF")
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert driver.execute_script("return getComputedStyle(document.querySelector('nav')).display") == "none"
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert _errors(driver) == []


def test_page_shaded_cells_have_enough_contrast(driver: Any, address: str) -> None:
    """Every shaded cell has a contrast of at least 4.5 to 1 (WCAG 2.2, success criterion 1.4.3)."""
    script = """
    const parse = (text) => text.match(/[\\d.]+/g).map(Number);
    const light = (rgb) => { const [r, g, b] = rgb.slice(0, 3).map((v) => v / 255)
      .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126*r + 0.7152*g + 0.0722*b; };
    const over = (top, below) => { const a = top.length > 3 ? top[3] : 1;
      return [0, 1, 2].map((k) => a * top[k] + (1 - a) * below[k]); };
    const card = parse(getComputedStyle(document.querySelector(".card")).backgroundColor);
    return Array.from(document.querySelectorAll("td[class*=h]")).map((cell) => {
      const style = getComputedStyle(cell);
      const ground = light(over(parse(style.backgroundColor), card)), ink = light(parse(style.color));
      return (Math.max(ground, ink) + 0.05) / (Math.min(ground, ink) + 0.05); });
    """
    for scheme in SCHEMES:
        _open(driver, address, 1280, scheme)
        contrasts = driver.execute_script(script)
        assert len(contrasts) > 20  # one network of four classes has sixteen cells in its matrix alone
        assert min(contrasts) >= 4.5, scheme
