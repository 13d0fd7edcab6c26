"""Writes an HDF5 file of the layout of Galaxy10, with made colour images that differ by class.

python -m tests.plugins.images.galaxy10_file Galaxy10_DECals.h5 400 256
"""

from __future__ import annotations

import sys
from pathlib import Path

import h5py
import numpy as np

from benchmarker import Stream

N_CLASSES = 10


def write_galaxy10(path: Path, n: int, *, size: int, attributes: bool = True) -> Path:
    """Write a file of ``n`` images and return its path; the class shows as the axis ratio and the colour of a blob."""
    rng = Stream("made-galaxy10").generator()
    classes = (np.arange(n) % N_CLASSES).astype(np.uint8)
    y, x = (np.mgrid[:size, :size] - (size - 1) / 2) / size
    with h5py.File(path, "w") as file:
        pixels = file.create_dataset("images", (n, size, size, 3), np.uint8, chunks=(1, size, size, 3))
        for k, label in enumerate(classes):
            angle = rng.uniform(0, np.pi)
            along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
            blob = np.exp(-((along / 0.2) ** 2 + (across / (0.03 + 0.017 * label)) ** 2))
            colour = np.array([1 - 0.06 * label, 0.8, 0.4 + 0.06 * label])
            noise = rng.normal(0, 6, (size, size, 3))
            pixels[k] = np.clip(220 * blob[..., None] * colour + 12 + noise, 0, 255).astype(np.uint8)
        file["ans"] = classes
        if attributes:
            file["ra"], file["dec"] = rng.uniform(0, 360, n), rng.uniform(-20, 32, n)
            file["redshift"], file["pxscale"] = rng.uniform(0, 0.2, n), np.full(n, 0.262)
    return path


if __name__ == "__main__":
    write_galaxy10(Path(sys.argv[1]), int(sys.argv[2]), size=int(sys.argv[3]))
