"""Memory of `benchmarker predict` for 10,000 and 100,000 images, and whether it resumes after a kill to the same bytes.

Not part of `make bench`, because it takes some minutes: ``python -m benchmarks.predicting``. The images are small, so
that whatever is kept for each of them would show.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarker import Stream
from benchmarks.measure import Figure, print_figures

SIZE, FEW, MANY = 32, 10_000, 100_000
LIMIT = 1.1
REGISTRY = f"""
dataset:
  name: synthetic-radio
  options: {{images_per_class: 40, size: 64}}
  preparation: {{resize: {SIZE}}}
  split: {{train: 20, validation: 10}}
arms: [real]
seeds: [8901]
models:
  - {{architecture: mcrgnet, learning_rate: 1e-3, epochs: 2}}
"""


def write_images(folder: Path, n: int) -> None:
    """Write images of noise with a bright source as NumPy files."""
    rng = Stream("predicting").generator()
    folder.mkdir()
    for k in range(n):
        image = rng.random((SIZE, SIZE), dtype=np.float32)
        image[14:18, 14:18] += 20
        np.save(folder / f"{k:06d}.npy", image)


def predict(work: Path, images: Path, out: str) -> list[str]:
    """Return the command that predicts a folder of images."""
    words = ["predict", str(work / "study"), "--data", str(images), "--out", str(work / out)]
    return [sys.executable, "-m", "benchmarker", *words]


def measured(work: Path, n: int) -> tuple[float, float]:
    """Predict ``n`` images in a process of its own; return the peak memory in MB of its largest child, and seconds."""
    images = work / f"images-{n}"
    write_images(images, n)
    start = time.perf_counter()
    words = [sys.executable, "-m", "benchmarks.predicting", *predict(work, images, f"{n}.csv")]
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout), time.perf_counter() - start


def peak_megabytes(words: list[str]) -> float:
    """Run a command, and return the peak memory of the largest of its processes."""
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def resumed(work: Path) -> bool:
    """Whether a call that is killed half-way and repeated writes the same table as one that is not."""
    words = predict(work, work / f"images-{FEW}", "killed.csv")
    with subprocess.Popen(words, start_new_session=True, stdout=subprocess.DEVNULL) as process:
        while len(list(work.glob(".killed.csv.partial/part-*.json"))) < FEW // 2048:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    left = len(list(work.glob(".killed.csv.partial/part-*.json")))
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return left > 0 and (work / "killed.csv").read_bytes() == (work / f"{FEW}.csv").read_bytes()


def main() -> None:
    """Measure, kill, resume and compare."""
    with tempfile.TemporaryDirectory() as text:
        work = Path(text)
        (work / "tiny.yaml").write_text(REGISTRY)
        words = ["run", str(work / "tiny.yaml"), "-p", str(work / "study")]
        subprocess.run([sys.executable, "-m", "benchmarker", *words], check=True, stdout=subprocess.DEVNULL)
        few, seconds = measured(work, FEW)
        same = resumed(work)
        many, longer = measured(work, MANY)
    figures = {"few_megabytes": few, "many_megabytes": many, "few_seconds": seconds, "many_seconds": longer}
    print_figures(
        Figure(name="peak memory of 100,000 predictions", rival="10,000 predictions", ratio=many / few, bound="at most",
               limit=LIMIT, measured=figures),
        Figure(name="equal tables after a kill", rival="a call without one", ratio=float(same), bound="at least",
               limit=1.0),
    )  # fmt: skip


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.stdout.write(f"{peak_megabytes(sys.argv[1:])}\n")
    else:
        main()
