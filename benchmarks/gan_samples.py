"""Memory for ten thousand generated images against memory for one thousand."""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.measure import Figure, hand_over

THREADS = 2
SIZE = 64
FEW = 1_000
MANY = 10_000
LIMIT = 1.1


def peak_bytes(n: int) -> int:
    """Return the peak resident memory of a process that draws ``n`` images."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gan_samples", str(n)], check=True, stdout=subprocess.PIPE, text=True
    )
    return int(json.loads(done.stdout.splitlines()[-1]))


def draw(n: int) -> int:
    """Draw images of four classes in turns, as for quality and training sets, and return the peak resident memory."""
    import numpy as np

    from benchmarker import ConditionSpace, Stream
    from benchmarker.backends import chosen, load
    from benchmarker.discovery import installed, options_model, resolve
    from benchmarker.evaluation.costs import peak_memory_bytes
    from benchmarker.generation.sampling import Sampler
    from benchmarks.material import TASK

    load(chosen()).configure(THREADS, seed=0)
    generator = installed().generator("cgan")
    options = options_model(generator)
    space = ConditionSpace(classes=TASK.classes)
    shape = (SIZE, SIZE, 1)
    model = resolve(generator.builder)(shape, space, 0, options() if options else None)
    conditions = space.encode(np.arange(n) % len(TASK.classes), {})
    drawn = 0
    for images in Sampler(model, shape)(conditions, Stream("benchmark samples")):
        drawn += len(images)
    if drawn != n:
        raise RuntimeError(f"{drawn} images were drawn, not {n}")
    return peak_memory_bytes()


def main() -> None:
    """Measure."""
    few, many = peak_bytes(FEW), peak_bytes(MANY)
    figure = Figure(
        name=f"peak memory, {MANY:,} generated images / {FEW:,}, {SIZE} px",
        rival=f"the same generator, {FEW:,} images",
        ratio=many / few,
        bound="at most",
        limit=LIMIT,
        measured={"peak_bytes": many, "small_peak_bytes": few, "images_bytes": 4 * MANY * SIZE * SIZE},
    )
    hand_over([figure])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.stdout.write(f"{draw(int(sys.argv[1]))}\n")
    else:
        main()
