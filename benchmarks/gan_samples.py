"""Memory for ten thousand generated images, against memory for one thousand."""

from __future__ import annotations

import sys

from benchmarks.measure import Figure, peak_bytes, print_figures

MODULE = "benchmarks.gan_samples"
THREADS = 2
SIZE = 64
FEW = 1_000
MANY = 10_000
LIMIT = 1.1


def generate(n: int) -> int:
    """Generate ``n`` images of four classes, and return the peak resident memory in bytes."""
    import numpy as np

    from benchmarker import ConditionSpace, Stream
    from benchmarker.backends import chosen, load
    from benchmarker.discovery import installed, options_model, resolve
    from benchmarker.evaluation.costs import peak_memory_bytes
    from benchmarker.generation.model import Sampler
    from benchmarks.inputs import TASK

    load(chosen()).configure(THREADS, seed=0)
    generator = installed().generator("cgan")
    options = options_model(generator)
    space = ConditionSpace(classes=TASK.classes)
    shape = (SIZE, SIZE, 1)
    model = resolve(generator.builder)(shape, space, 0, options() if options else None)
    conditions = space.encode(np.arange(n) % len(TASK.classes), {})
    generated = sum(len(images) for images in Sampler(model, shape)(conditions, Stream("benchmark samples")))
    if generated != n:
        raise RuntimeError(f"{generated} images were generated, not {n}")
    return peak_memory_bytes()


def main() -> None:
    """Measure."""
    few, many = peak_bytes(MODULE, FEW), peak_bytes(MODULE, MANY)
    print_figures(
        Figure(
            name=f"peak memory, {MANY:,} generated images / {FEW:,}, {SIZE} px",
            rival=f"the same generator, {FEW:,} images",
            ratio=many / few,
            bound="at most",
            limit=LIMIT,
            measured={"peak_bytes": many, "small_peak_bytes": few, "images_bytes": 4 * MANY * SIZE * SIZE},
        )
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.stdout.write(f"{generate(int(sys.argv[1]))}\n")
    else:
        main()
