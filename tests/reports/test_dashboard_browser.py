"""The dashboard in a real browser: it follows a study that changes, and loads nothing from elsewhere."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.reports.material import DocumentStudy
from tests.reports.test_dashboard import begin

pytestmark = pytest.mark.long
VIEWS = ("Progress", "Learning curves", "Leaderboard", "Images")
_PATIENCE = 60


@contextmanager
def dashboard(study: Path) -> Iterator[str]:
    """Show the dashboard of a study by the command, and give its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["dashboard", str(study), "--every", "1", "--port", str(port)]
    process = subprocess.Popen([sys.executable, "-m", "benchmarker", *words], stderr=subprocess.PIPE)
    address = f"http://127.0.0.1:{port}"
    try:
        until(lambda: _answers(f"{address}/_stcore/health"))
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


def _answers(address: str) -> bool:
    try:
        return httpx.get(address).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def until(condition: Callable[[], Any]) -> Any:
    """Wait for a condition, and return its value."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.2)
    pytest.fail(f"{condition} was not met within {_PATIENCE} s")


def _text(driver: Any) -> str:
    return str(driver.execute_script("return document.body.innerText"))


def _choose(driver: Any, view: str) -> None:
    for button in driver.find_elements("css selector", "[data-testid=stButtonGroup] button"):
        if button.text.strip() == view:
            button.click()
            return
    pytest.fail(f"there is no view {view!r}")


def test_dashboard_follows_a_run_that_trains(driver: Any, tmp_path: Path) -> None:
    study = DocumentStudy(tmp_path / "study")
    study.add(("convxpress", "fr_deep"), (1, 2))
    begin(study, "mcrgnet", 1, 4)
    with dashboard(study.folder) as address:
        driver.get(address)
        until(lambda: "88 % of the epochs" in _text(driver))  # (4 + 0.4) / 5
        events = next(study.folder.glob("runs/.*.partial/events.jsonl"))
        event = {"event": "epoch", "epoch": 9, "epochs": 10, "values": {"loss": 0.1, "validation_loss": 0.2}}
        with events.open("a", encoding="utf-8") as stream:
            stream.write("\n" + json.dumps(event) + "\n")
        until(lambda: "98 % of the epochs" in _text(driver))
        _choose(driver, "Learning curves")
        until(lambda: driver.find_elements("css selector", "[data-testid=stVegaLiteChart] canvas, .vega-embed svg"))


def test_dashboard_loads_nothing_from_elsewhere(driver: Any, hostile_folder: Path, tmp_path: Path) -> None:
    with dashboard(hostile_folder) as address:
        driver.get(address)
        until(lambda: "% of the epochs" in _text(driver))
        for view in VIEWS:
            _choose(driver, view)
            time.sleep(1)
            loaded = driver.execute_script("return performance.getEntriesByType('resource').map((each) => each.name)")
            assert loaded
            assert [each for each in loaded if not each.startswith((address, "data:", "blob:"))] == []
            assert not driver.find_elements("css selector", "[data-testid=stException]"), view
        kept = Path(os.environ.get("BENCHMARKER_SCREENSHOTS", tmp_path))
        shot = driver.execute_cdp_cmd("Page.captureScreenshot", {})
        (kept / "dashboard_hostile.png").write_bytes(base64.b64decode(shot["data"]))
