"""A comparison from FITS files to test scores, against the steps of the radio framework of Becker et al. (2021).

The rival does what that framework does, written anew: each training and validation image is normalised, clipped,
rotated and written as a FITS file; a generator reads the copies one by one in every epoch; `keras.Model.fit` trains one
network after the other in one process; the best and the final weights are tested, and the test part is read and
predicted five times to time it. Both sides start in new processes, and train the same networks on the same images for
the same number of epochs.

What both must compute, the gradient steps and the predictions of the validation part, bounds the ratio: no side can be
faster than the processor time of these steps, with images in memory, divided by the number of cores. It is measured in
the same run. On a processor with arithmetic in bfloat16, `benchmarker run` is timed with this precision, too, which
gives other weights; the rival keeps to float32, as the framework does.

``python -m benchmarks.radio_framework --rival FOLDER`` is the rival alone, ``--arithmetic`` the bound.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarker import Stream
from benchmarks.measure import Figure, print_figures

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIZE, STEP = 150, 15
PER_CLASS, TRAIN, VALIDATION = 60, 40, 10
TYPES = {"COMP": 1, "FRI": 2, "FRII": 3, "BENT": 4}
NETWORKS = ("mcrgnet", "convxpress")
EPOCHS, LEARNING_RATE, BATCH = 2, 1e-4, 32
PASSES = 5
LIMITS = {"float32": 1.1, "bfloat16": 1.5}
"""The goal of 3 is beyond what the arithmetic of both sides allows: see docs/explanation/speed.md."""
WARM_UP, MEASURED = 3, 20
"""Gradient steps before the arithmetic is measured, and while it is."""
MANIFEST = "manifest.csv"


def write_images(folder: Path) -> None:
    """Write noise with one to three blobs as FITS files in a folder for each class, and their manifest."""
    import numpy as np
    from astropy.io import fits

    rng = Stream("radio framework").generator()
    y, x = np.mgrid[:SIZE, :SIZE]
    rows = []
    for name, number in TYPES.items():
        (folder / name).mkdir(parents=True)
        for index in range(PER_CLASS):
            image = rng.normal(0, 0.02, (SIZE, SIZE))
            for _ in range(1 + number // 2):
                row, column = rng.uniform(0.3 * SIZE, 0.7 * SIZE, 2)
                image += rng.uniform(0.5, 1) * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * 4.0**2))
            fits.writeto(folder / name / f"{name}-{index}.fits", image.astype(np.float32))
            rows.append((f"{name}-{index}.fits", str(number)))
    with (folder / MANIFEST).open("w", newline="") as stream:
        csv.writer(stream).writerows([("Name", "Type"), *rows])


def prepared(path: Path) -> NDArray[np.float32]:
    """Return an image with values from 0 to 1 whose pixels below the mean and three standard deviations are 0."""
    import numpy as np
    from astropy.io import fits

    image: NDArray[np.float32] = np.nan_to_num(np.asarray(fits.getdata(path, memmap=False), dtype=np.float32))
    image = (image - image.min()) / (image.max() - image.min())
    image[image < image.mean() + 3 * image.std()] = 0
    return image


def write_copies(folder: Path, out: Path) -> dict[str, list[tuple[Path, int]]]:
    """Write the rotated copies, and return the files of each part with the numbers of their classes."""
    import numpy as np
    from astropy.io import fits
    from skimage.transform import rotate

    parts: dict[str, list[tuple[Path, int]]] = {"train": [], "validation": [], "test": []}
    out.mkdir()
    for label, name in enumerate(TYPES):
        for index, path in enumerate(sorted((folder / name).glob("*.fits"))):
            part = "train" if index < TRAIN else "validation" if index < TRAIN + VALIDATION else "test"
            if part == "test":
                parts[part].append((path, label))
                continue
            image = prepared(path)
            for angle in range(0, 360, STEP):
                copy = out / f"{path.stem}-{angle}.fits"
                fits.writeto(copy, rotate(image, angle, order=1).astype(np.float32))
                parts[part].append((copy, label))
    return parts


def batches(files: list[tuple[Path, int]], *, test: bool = False) -> Any:
    """Return a generator of Keras that reads the images of a batch one by one."""
    import keras
    import numpy as np
    from astropy.io import fits

    class Files(keras.utils.PyDataset):  # type: ignore[misc]
        def __len__(self) -> int:
            return math.ceil(len(files) / BATCH)

        def __getitem__(self, index: int) -> tuple[Any, Any]:
            chosen = files[BATCH * index : BATCH * (index + 1)]
            read = [prepared(path) if test else np.asarray(fits.getdata(path, memmap=False)) for path, _ in chosen]
            return np.stack(read)[..., None], keras.utils.to_categorical([label for _, label in chosen], len(TYPES))

    return Files()


def rival(folder: Path) -> None:
    """Do what the radio framework does."""
    import keras

    from benchmarker import Training
    from benchmarks.inputs import compiled_network

    parts = write_copies(folder, folder.parent / "copies")
    for network in NETWORKS:
        model = compiled_network(network, SIZE, Training(batch_size=BATCH))
        best = folder.parent / f"{network}-best.weights.h5"
        model.fit(
            batches(parts["train"]),
            validation_data=batches(parts["validation"]),
            epochs=EPOCHS,
            verbose=0,
            callbacks=[
                keras.callbacks.ModelCheckpoint(best, monitor="val_loss", save_best_only=True, save_weights_only=True),
                keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=3, min_delta=0.01, min_lr=1e-12),
            ],
        )
        model.save_weights(folder.parent / f"{network}-final.weights.h5")
        for _ in range(PASSES):
            model.predict(batches(parts["test"], test=True), verbose=0)
        model.evaluate(batches(parts["test"], test=True), verbose=0)
        model.load_weights(best)
        model.evaluate(batches(parts["test"], test=True), verbose=0)


def arithmetic() -> float:
    """Return the processor time in seconds of all steps that both sides compute, with images in memory.

    One thread computes, so that none waits for another.
    """
    import keras
    import numpy as np

    from benchmarker import Training
    from benchmarker.backends import load
    from benchmarks.inputs import compiled_network

    load("tensorflow").configure(1, 1)
    rng = Stream("radio framework").generator()
    images = rng.random((BATCH, SIZE, SIZE, 1), np.float32)
    classes = keras.utils.to_categorical(np.arange(BATCH) % len(TYPES), len(TYPES))
    turns = 360 // STEP * len(TYPES)
    trained, validated = (math.ceil(n * turns / BATCH) for n in (TRAIN, VALIDATION))
    total = 0.0
    for name in NETWORKS:
        model = compiled_network(name, SIZE, Training(batch_size=BATCH))
        for step, steps in ((model.train_on_batch, trained), (model.test_on_batch, validated)):
            for _ in range(WARM_UP):
                step(images, classes)
            started = time.process_time()
            for _ in range(MEASURED):
                step(images, classes)
            total += EPOCHS * steps * (time.process_time() - started) / MEASURED
    return total


def run(*command: str | Path, cwd: Path, cache: Path) -> tuple[float, str]:
    """Run one side in a new process with the variables of a user's shell; return its processor time and its output."""
    kept = ("PATH", "HOME", "LANG", "VIRTUAL_ENV")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment |= {"BENCHMARKER_CACHE": str(cache), "PYTHONPATH": str(Path.cwd()), "TF_CPP_MIN_LOG_LEVEL": "3"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, *map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stdout}{done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def main() -> None:
    """Measure, or be the rival."""
    parser = argparse.ArgumentParser(description="Compare with the steps of the radio framework.")
    parser.add_argument("--rival", type=Path, metavar="FOLDER", help="do what the radio framework does, and end")
    parser.add_argument("--arithmetic", action="store_true", help="measure what both sides must compute, and end")
    arguments = parser.parse_args()
    if arguments.rival is not None:
        rival(arguments.rival)
    elif arguments.arithmetic:
        sys.stdout.write(json.dumps(arithmetic()) + "\n")
    else:
        print_figures(*compare())


def compare() -> list[Figure]:
    """Measure all sides and the bound of their ratio, one after the other."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images, registry, study = folder / "images", folder / "list.txt", folder / "study"
        write_images(images)
        registry.write_text("".join(f"{network},{LEARNING_RATE},{EPOCHS}\n" for network in NETWORKS), encoding="utf-8")
        options = ("-r", str(STEP), "-t", str(TRAIN), "-v", str(VALIDATION), "-s", "1", "-p", study)
        this = ("-m", "benchmarks.radio_framework")
        ours = ("-m", "benchmarker", "run")
        sides: dict[str, tuple[str | Path, ...]] = {
            "the rival": (*this, "--rival", images),
            "float32": (*ours, registry, "-d", images, "-f", MANIFEST, *options),
            "the arithmetic": (*this, "--arithmetic"),
        }
        if has_bfloat16():
            shorter = folder / "bfloat16" / "list.yaml"
            sides["bfloat16"] = (*ours, shorter, "-p", folder / "shorter")
        wall, processor, printed = {}, {}, {}
        for side, command in sides.items():
            if side == "bfloat16":  # the study has a registry with the options of its command line
                shorter.parent.mkdir()
                text = (study / "registry.yaml").read_text(encoding="utf-8")
                shorter.write_text(f"{text}training:\n  precision: mixed_bfloat16\n", encoding="utf-8")
            started = time.perf_counter()
            processor[side], printed[side] = run(*command, cwd=folder, cache=folder / f"cache of {side}")
            wall[side] = time.perf_counter() - started
    bound = json.loads(printed["the arithmetic"].splitlines()[-1])
    return [figure(precision, wall, processor, bound) for precision in LIMITS if precision in sides]


def figure(precision: str, wall: dict[str, float], processor: dict[str, float], bound: float) -> Figure:
    """Return the ratio of the rival's time and that of one precision."""
    return Figure(
        name=f"time of the steps of the radio framework / time of `benchmarker run` in {precision}, from FITS files to "
        "test scores",
        rival="rotate, write and read FITS copies, and fit with a generator, in one process, in float32",
        ratio=wall["the rival"] / wall[precision],
        bound="at least",
        limit=LIMITS[precision],
        measured={
            "seconds": wall[precision],
            "seconds_of_the_rival": wall["the rival"],
            "processor_seconds": processor[precision],
            "processor_seconds_of_the_rival": processor["the rival"],
            "processor_seconds_of_the_arithmetic": bound,
            "cores": os.cpu_count() or 0,
        },
    )


def has_bfloat16() -> bool:
    """Whether this processor computes in bfloat16."""
    flags = Path("/proc/cpuinfo")
    return flags.exists() and not {"avx512_bf16", "amx_bf16"}.isdisjoint(flags.read_text().split())


if __name__ == "__main__":
    main()
