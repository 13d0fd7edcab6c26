"""Prepares a made set of many small images, and prints the bytes of memory that this took at most.

python -m tests.data.prepare_many arrays|files N FOLDER

Only anonymous memory counts, and only what is added to that at the start: pages of mapped files are given back whenever
the system needs them.
"""

from __future__ import annotations

import io
import sys
import threading
from pathlib import Path

import h5py
import numpy as np

from benchmarker.contracts.settings import Preparation
from benchmarker.data.loading import Context
from benchmarker.data.prepared import prepare
from benchmarker.discovery import installed, options_model

SIDE = 32
_BLOCK = 1000


def _image(number: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Return an image that differs from all others."""
    return np.roll(np.linspace(0, 1, SIDE * SIDE, dtype=np.float32), number).reshape(SIDE, SIDE) + np.float32(number)


def _write_arrays(folder: Path, n: int) -> dict[str, object]:
    with h5py.File(folder / "set.h5", "w") as file:
        images = file.create_dataset("images", (n, SIDE, SIDE), np.float32, chunks=(64, SIDE, SIDE))
        for start in range(0, n, _BLOCK):
            stop = min(n, start + _BLOCK)
            images[start:stop] = np.stack([_image(number) for number in range(start, stop)])
        file["labels"] = np.arange(n) % 2
        file["redshift"] = np.linspace(0, 1, n)
    return {"classes": ["even", "odd"], "attributes": {"redshift": ""}}


def _write_files(folder: Path, n: int) -> dict[str, object]:
    rows = ["Name,Type,z"]
    for number in range(n):
        place = folder / f"{number // _BLOCK}"
        place.mkdir(exist_ok=True)
        stream = io.BytesIO()
        np.save(stream, _image(number))
        (place / f"{number}.npy").write_bytes(stream.getvalue())
        rows.append(f"{number},{'odd' if number % 2 else 'even'},{number / n}")
    (folder / "sources.csv").write_text("\n".join(rows))
    return {"catalogue": "sources.csv", "columns": {"id": "Name", "label": "Type", "attributes": {"redshift": "z"}}}


def _anonymous_bytes() -> int:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return 1024 * int(next(line for line in status.splitlines() if line.startswith("RssAnon")).split()[1])


def _largest_while(work: threading.Thread) -> int:
    largest = 0
    work.start()
    while work.is_alive():
        largest = max(largest, _anonymous_bytes())
        work.join(0.02)
    return largest


def measure(kind: str, n: int, folder: Path) -> int:
    """Write a set, prepare it, and return how much more memory that took than the start, in bytes."""
    folder.mkdir()
    given = _write_arrays(folder, n) if kind == "arrays" else _write_files(folder, n)
    name, path = ("arrays", folder / "set.h5") if kind == "arrays" else ("fits-cutouts", folder)
    dataset = installed().dataset(name)
    model = options_model(dataset)
    options = model.model_validate(given) if model else None
    context = Context(dataset=name, path=path)
    root = folder.with_name(f"{folder.name}-prepared")
    done: list[int] = []

    def work() -> None:
        prepared, _ = prepare(dataset, options, Preparation(), context, root=root)
        done.append(len(prepared))

    before = _anonymous_bytes()
    largest = _largest_while(threading.Thread(target=work))
    if done != [n]:
        raise SystemExit(f"{done} images were prepared instead of {n}")
    return largest - before


if __name__ == "__main__":
    sys.stdout.write(f"{measure(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))}\n")
