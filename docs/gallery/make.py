"""Draws the gallery from a study: every report format, as small pictures and excerpts.

    python docs/gallery/make.py results/quickstart

Needs Chromium with its driver, pdflatex and pdftoppm; a format whose programs are missing keeps its old picture.
"""

from __future__ import annotations

import argparse
import base64
import io
import logging
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console
from selenium import webdriver

from benchmarker import ReportOptions, StudyResults, open_results
from benchmarker.discovery import installed, resolve

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "reference" / "gallery.md"
WIDEST = 1000
_COLOURS = 256
_VIEWS = (
    ("page_light", 1180, 1150, "light", ""),
    ("page_dark", 1280, 900, "dark", "#classes"),
    ("page_phone", 360, 720, "light", ""),
)
_LOG = logging.getLogger("gallery")


def main() -> None:
    """Draw everything from the study that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", type=Path, help="folder of a finished study")
    results = open_results(parser.parse_args().study)
    options = ReportOptions(checkpoints=("best",))
    _LOG.addHandler(logging.StreamHandler())
    _LOG.setLevel(logging.INFO)
    _draw_page(results, options)
    _draw_latex(results, options)
    _draw_figures(results, options)
    PAGE.write_text(_text(results, options), encoding="utf-8")
    size = sum(path.stat().st_size for path in HERE.glob("*.png"))
    _LOG.info("%s and %d kB of pictures", PAGE, size // 1000)


def _draw_page(results: StudyResults, options: ReportOptions) -> None:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        _LOG.warning("no Chromium with its driver: the pictures of the page stay as they are")
        return
    chosen = webdriver.ChromeOptions()
    chosen.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
        chosen.add_argument(argument)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        page.write_text(_rendered("html", results, options), encoding="utf-8")
        browser = webdriver.Chrome(options=chosen, service=webdriver.ChromeService(driver))
        try:
            for name, width, height, scheme, anchor in _VIEWS:
                metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
                browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
                features = [{"name": "prefers-color-scheme", "value": scheme}]
                browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
                browser.get("about:blank")
                browser.get(page.as_uri() + anchor)
                shot = browser.execute_cdp_cmd("Page.captureScreenshot", {})
                _save(base64.b64decode(shot["data"]), name)
        finally:
            browser.quit()


def _draw_latex(results: StudyResults, options: ReportOptions) -> None:
    if not (shutil.which("pdflatex") and shutil.which("pdftoppm")):
        _LOG.warning("no pdflatex with pdftoppm: the picture of the document stays as it is")
        return
    with tempfile.TemporaryDirectory() as folder:
        for name, text in _rendered("latex", results, options).items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        for command in (
            ["pdflatex", "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "report.tex"],
            ["pdftoppm", "-r", "90", "-png", "-singlefile", "report.pdf", "page"],
        ):
            subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        _save((Path(folder) / "page.png").read_bytes(), "latex")


def _draw_figures(results: StudyResults, options: ReportOptions) -> None:
    files: Mapping[str, bytes] = _rendered("figures", results, options)
    for name in ("leaderboard", "costs", "roc"):
        if f"{name}.png" in files:
            _save(files[f"{name}.png"], f"figure_{name}")


def _save(png: bytes, name: str) -> None:
    """Write a picture small: at most `WIDEST` pixels wide, with few colours."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    if picture.width > WIDEST:
        picture = picture.resize((WIDEST, round(picture.height * WIDEST / picture.width)), Image.Resampling.LANCZOS)
    picture.quantize(_COLOURS, dither=Image.Dither.NONE).save(HERE / f"{name}.png", optimize=True)


def _rendered(name: str, results: StudyResults, options: ReportOptions) -> Any:
    return resolve(installed().report(name).renderer)(results, options)


def _plain(name: str, results: StudyResults, options: ReportOptions) -> str:
    """Return a format as it looks on a terminal of a hundred columns."""
    content = _rendered(name, results, options)
    if isinstance(content, str):
        return content
    stream = io.StringIO()
    Console(width=100, file=stream, color_system=None).print(content)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


def _text(results: StudyResults, options: ReportOptions) -> str:
    def excerpt(name: str, lines: int, language: str = "text") -> str:
        whole = _plain(name, results, options).splitlines()
        shown = [line if len(line) <= 110 else f"{line[:107]}..." for line in whole]
        more = ["..."] if len(whole) > lines else []
        return "\n".join([f"```{language}", *shown[:lines], *more, "```"])

    numbers = _rendered("latex", results, options)["numbers.tex"].splitlines()[:6]
    return f"""# Gallery

Every report format, drawn by `make gallery` from the study "{results.title}".
`benchmarker report STUDY --format NAME` writes one of them; [Report formats](report_formats.md) says what they contain.

## html

![The page, light](../gallery/page_light.png)

![Classes and confusion matrices, dark](../gallery/page_dark.png)

![The same page on a phone](../gallery/page_phone.png)

## terminal

{excerpt("terminal", 40)}

## latex

![The document](../gallery/latex.png)

`numbers.tex` begins with:

```latex
{chr(10).join(numbers)}
```

## figures

![Leaderboard](../gallery/figure_leaderboard.png)

![Costs](../gallery/figure_costs.png)

![Receiver operating characteristic](../gallery/figure_roc.png)

## markdown

{excerpt("markdown", 12, "markdown")}

## csv and tidy

{excerpt("csv", 3)}

{excerpt("tidy", 4)}

## json

{excerpt("json", 12)}
"""


if __name__ == "__main__":
    main()
