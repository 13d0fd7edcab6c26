"""Copies that `benchmarker data audit` finds among those planted in named sets, and the time it takes.

Not part of `make bench`, because it needs real images: ``python -m benchmarks.planted_copies DATASET[=DATA]...`` prints
the table of docs/results/data_audits.md. DATASET is the name of a dataset or a registry, as for `data audit`, and DATA
the path of its files. With ``--draw N`` other copies are planted than those of every audit; with ``--images N`` a set
is enlarged by turned, mirrored and shifted images.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarker import LabelledImages, Stream
from benchmarker.data.audit.copies import PLANTED, find_copies
from benchmarker.data.audit.objects import apart_on_the_sky
from benchmarker.data.positions import positions
from benchmarker.discovery import installed
from benchmarker.study.images import open_images

HEADING = (
    "| dataset | images | recognisable | copies found | near copies listed | of these at distant positions "
    "| CPU time | time |\n|---|---:|---:|---:|---:|---:|---:|---:|"
)
SHIFT = 3
"""Pixels by which each further copy of an enlarged set is shifted."""


def opened(place: str) -> tuple[LabelledImages, NDArray[Any]]:
    """Return a set and its images without clipping."""
    name, _, path = place.partition("=")
    found = open_images(name, installed(), path=Path(path) if path else None, offline=True)
    unclipped = found.unclipped()
    return found.data, found.data.images if unclipped is None else unclipped


def enlarged(
    data: LabelledImages, images: NDArray[Any], number: int, file: Path
) -> tuple[LabelledImages, NDArray[Any]]:
    """Return a set of the wanted size: its images, and the same ones turned, mirrored, shifted and fainter."""
    found = np.memmap(file, np.float32, "w+", shape=(number, *images.shape[1:]))
    for index in range(number):
        again, original = divmod(index, len(images))
        image = np.rot90(images[original], again % 4)[:, :: -1 if again % 8 >= 4 else 1]
        found[index] = np.roll(image, SHIFT * again, axis=0) * 0.99**again
    source = np.arange(number) % len(images)
    larger = replace(
        data,
        images=found,
        targets=data.targets[source],
        source_ids=tuple(map(str, range(number))),
        parts=(None,) * number,
        attributes={},
    )
    return larger, found


def line(name: str, data: LabelledImages, images: NDArray[Any], copies: int, stream: Stream) -> str:
    """Search for copies, and return a line of the table."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = find_copies(data, images, planted=copies, stream=stream)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    where = positions(data)
    listed = [match for match in found.matches if match.kind == "near"]
    near = [match for match in apart_on_the_sky(found, where).matches if match.kind == "near"]
    distant = "no positions" if where is None else str(len(listed) - len(near))
    return (
        f"| {name} | {len(data):,} | {found.recognisable:,} | {found.found} of {found.planted} | {len(listed)} "
        f"| {distant} | {cpu:.0f} s | {wall:.0f} s |"
    )


def lines(arguments: argparse.Namespace) -> Iterator[str]:
    """Yield the lines of the table."""
    stream = Stream("audit-planted") if arguments.draw is None else Stream("audit-planted", draw=arguments.draw)
    with tempfile.TemporaryDirectory() as folder:
        for number, place in enumerate(arguments.places):
            data, images = opened(place)
            if arguments.images is not None:
                data, images = enlarged(data, images, arguments.images, Path(folder) / str(number))
            yield line(Path(place.partition("=")[0]).stem, data, images, arguments.copies, stream)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.planted_copies", description=__doc__)
    parser.add_argument("places", nargs="+", metavar="DATASET[=DATA]")
    parser.add_argument("--copies", type=int, default=PLANTED, help="number of planted copies of each set")
    parser.add_argument("--draw", type=int, help="number of another draw of copies")
    parser.add_argument("--images", type=int, help="enlarge each set to this number of images")
    sys.stdout.write(f"{HEADING}\n")
    for each in lines(parser.parse_args()):
        sys.stdout.write(f"{each}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
