"""The HTML page under axe-core, in a real browser: no finding, light and dark, wide and narrow."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from benchmarker import ReportOptions, open_results
from benchmarker_reports.formats.html import render
from tests.reports.material import DocumentStudy

pytestmark = pytest.mark.long
AXE = Path("build/axe/node_modules/axe-core/axe.min.js")
"""Where `make test-pages` puts axe-core, below the checkout."""
_FINDINGS = """
const done = arguments[arguments.length - 1];
const place = (node) => `${node.target} ${node.any[0]?.message ?? ""}`;
axe.run(document, {resultTypes: ["violations"]}).then((found) => done(
  found.violations.map((rule) => `${rule.id}: ${rule.nodes.slice(0, 3).map(place).join("; ")}`)));
"""


@pytest.fixture(scope="module")
def axe(checkout: Path) -> str:
    """The script of axe-core."""
    path = Path(os.environ.get("BENCHMARKER_AXE", checkout / AXE))
    if not path.is_file():
        pytest.skip("needs axe-core: make test-pages")
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module", params=["arms", "one-row"])
def page(request: pytest.FixtureRequest, study_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of the page of a study of several arms with a generator, and of one with a single run."""
    folder = tmp_path_factory.mktemp("page")
    study = study_folder
    if request.param == "one-row":
        study = DocumentStudy(folder / "study").add(("convxpress",), (1,)).write()
    path = folder / "report.html"
    path.write_text(render(open_results(study), ReportOptions()), encoding="utf-8")
    return path.as_uri()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_page_has_no_finding_of_axe(driver: Any, axe: str, page: str, width: int, scheme: str) -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": features})
    driver.get(page)
    driver.execute_script("for (const each of document.querySelectorAll('details')) each.open = true;")
    driver.execute_script(axe)
    driver.set_script_timeout(120)
    found = driver.execute_async_script(_FINDINGS)
    assert not found, "\n".join(found)
