"""Does everything that can be done with what was trained, on small data: ``make demo``.

It trains the example, exports and prunes what was trained, predicts a folder of FITS files, serves the models and asks
by HTTP, opens the page in Chromium, and lets Airflow run the example as a DAG. Each step must give what it should, or
the demonstration ends. ``AIRFLOW`` names the environment in which Airflow is installed.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from benchmarker import BenchmarkerError, Stream

HERE = Path(__file__).resolve().parent
PORT, PAGE_PORT = 8511, 8512
logger = logging.getLogger("demo")


class DemoError(BenchmarkerError):
    """A step of the demonstration did not give what it should."""


def benchmarker(*words: str, cwd: Path) -> None:
    """Run a command of the benchmarker."""
    subprocess.run([sys.executable, "-m", "benchmarker", *words], cwd=cwd, check=True)


@contextmanager
def started(*words: str, cwd: Path, address: str) -> Iterator[None]:
    """Run a server until the block ends; it must answer at an address within two minutes."""
    process = subprocess.Popen([sys.executable, "-m", "benchmarker", *words], cwd=cwd, start_new_session=True)
    try:
        for _ in range(240):
            time.sleep(0.5)
            try:
                urllib.request.urlopen(address, timeout=2).close()  # noqa: S310 - an address of this machine
            except OSError:
                if process.poll() is not None:
                    raise DemoError(f"`benchmarker {words[0]}` ended at once") from None
            else:
                break
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def ask(model: str, body: bytes, kind: str) -> bytes:
    """Ask the server for predictions."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{PORT}/v1/models/{model}:predict", data=body, headers={"Content-Type": kind}
    )
    with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310
        answer: bytes = reply.read()
    return answer


def write_images(folder: Path) -> None:
    """Write twenty FITS files of single and double sources."""
    folder.mkdir()
    y, x = np.mgrid[:64, :64]
    for k in range(20):
        rng = Stream("demo", k=k).generator()
        image = rng.normal(0, 0.02, (64, 64))
        for side in (-1, 1):
            image += np.exp(-((x - 32 - side * 8 * (k % 2)) ** 2 + (y - 32) ** 2) / 12)
        fits.PrimaryHDU(image.astype(">f4")).writeto(folder / f"source{k:02d}.fits")


def require(condition: bool, what: str) -> None:
    """End the demonstration unless something is as it should be."""
    if not condition:
        raise DemoError(what)


def train(work: Path) -> None:
    """Train the example's generator and network."""
    benchmarker("validate", "registry.yaml", cwd=work)
    benchmarker("gan", "train", "registry.yaml", "-p", "generator", cwd=work)
    benchmarker("run", "registry.yaml", "-p", "network", cwd=work)


def export(work: Path) -> None:
    """Export both."""
    for run, name, words in (
        ("painter/generator/8901", "painter", ("--to", "savedmodel")),
        ("mcrgnet/real/8901", "mcrgnet", ("--with-preparation", "--input-size", "64")),
    ):
        chosen = ("--model", run, "--to", "onnx", *words, "--name", name, "--version", "1", "--out", "models")
        study = "generator" if name == "painter" else "network"
        benchmarker("model", "export", study, *chosen, cwd=work)


def prune(work: Path) -> None:
    """Remove half of the generator's channels."""
    words = ("--model", "painter/generator/8901", "--sparsity", "0.5", "--fine-tune", "5", "--out", "pruned")
    benchmarker("model", "prune", "generator", *words, cwd=work)
    rows = list(csv.DictReader((work / "pruned" / "table.csv").open()))
    require(int(rows[1]["bytes"]) < int(rows[0]["bytes"]), "the pruned generator is not smaller")


def predict(work: Path) -> None:
    """Predict a folder of FITS files."""
    write_images(work / "cutouts")
    benchmarker("predict", "network", "--model", "mcrgnet", "--data", "cutouts", "--out", "types.csv", cwd=work)
    lines = [line for line in (work / "types.csv").read_text().splitlines() if not line.startswith("#")]
    require(len(lines) == 21, f"20 predictions and a heading were expected, not {len(lines)} lines")


def serve(work: Path) -> None:
    """Serve the models, and ask for predictions and for images."""
    with started("serve", "models", "--port", str(PORT), cwd=work, address=f"http://127.0.0.1:{PORT}/readyz"):
        image = fits.getdata(work / "cutouts" / "source00.fits").astype(np.float32)[None, :, :, None]
        stream = io.BytesIO()
        np.save(stream, image)
        found = np.load(io.BytesIO(ask("mcrgnet", stream.getvalue(), "application/x-npy")))
        require(abs(float(found.sum()) - 1) < 1e-4, "the probabilities do not add up to 1")
        body = {"signature_name": "seeded", "inputs": {"seed": [1, 2, 3]}}
        drawn = json.loads(ask("painter", json.dumps(body).encode(), "application/json"))["outputs"]
        require(np.shape(drawn) == (3, 32, 32, 1), f"three images were expected, not {np.shape(drawn)}")


def page(work: Path) -> None:
    """Open the page in Chromium, and wait for images."""
    from selenium import webdriver
    from selenium.webdriver.common.by import By

    options = webdriver.ChromeOptions()
    for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1000,1300"):
        options.add_argument(word)
    # A driver that is named keeps Selenium from asking its makers for one.
    driver = shutil.which("chromedriver")
    service = None if driver is None else webdriver.ChromeService(driver)
    address = f"http://127.0.0.1:{PAGE_PORT}"
    with started("page", "models", "--port", str(PAGE_PORT), cwd=work, address=f"{address}/_stcore/health"):
        browser = webdriver.Chrome(options=options, service=service)
        try:
            browser.get(address)
            for _ in range(120):
                if len(browser.find_elements(By.CSS_SELECTOR, "[data-testid=stImage] img")) >= 4:
                    break
                time.sleep(0.5)
            else:
                raise DemoError("the page shows no images")
            browser.save_screenshot(str(work / "page.png"))
        finally:
            browser.quit()


def dag(work: Path) -> None:
    """Write the example as a DAG, and let Airflow run it."""
    benchmarker("airflow", "registry.yaml", "--out", "dags", "-p", "airflow/example", cwd=work)
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "AIRFLOW_HOME": str(work / "airflow" / "home"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(work / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    airflow = str(Path(os.environ["AIRFLOW"], "bin", "airflow"))
    for words in (["db", "migrate"], ["dags", "test", "registry"]):
        with (work / "airflow.log").open("ab") as log:
            done = subprocess.run(
                [airflow, *words], cwd=work, env=environment, stdout=log, stderr=subprocess.STDOUT, check=False
            )
        require(done.returncode == 0, f"`airflow {' '.join(words)}` failed; see {work / 'airflow.log'}")
    require((work / "airflow" / "models" / "mcrgnet-real" / "1" / "model.onnx").is_file(), "the DAG exported nothing")


STEPS: tuple[Callable[[Path], Any], ...] = (train, export, prune, predict, serve, page, dag)


def main() -> int:
    """Do all steps in a new folder, or in the one that is named."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    work = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="benchmarker-demo-")).absolute()
    work.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "registry.yaml", work)
    for step in STEPS:
        start = time.perf_counter()
        step(work)
        logger.info("== %s took %.0f s", step.__name__, time.perf_counter() - start)
    logger.info("Everything is in %s", work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
