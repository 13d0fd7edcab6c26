"""Draws the samples of one request into a file; started by `benchmarker.generation.request` as a process of its own.

The request is one JSON object on standard input. Standard output takes an error as JSON, standard error what libraries
print.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarker import backends
from benchmarker.discovery import installed
from benchmarker.disk import require_free
from benchmarker.errors import BenchmarkerError
from benchmarker.files import storage_error
from benchmarker.generation.conditions import space_from_json
from benchmarker.generation.layout import weights_file
from benchmarker.generation.request import IMAGES_FILE, REQUEST_FILE, Request
from benchmarker.generation.samples import generator_links
from benchmarker.randomness import Stream


def main() -> int:
    """Draw what standard input asks for, and return the exit code."""
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not end up among the words to the parent
    job = json.load(sys.stdin)
    try:
        draw(job)
    except (BenchmarkerError, OSError) as error:
        told = storage_error(error, Path(job["folder"])) if isinstance(error, OSError) else error
        with pipe:
            json.dump({"error": type(told).__name__, "message": str(told)}, pipe)
        return 1
    return 0


def draw(job: Mapping[str, Any]) -> None:
    """Write the images of a request into its folder, in constant memory."""
    folder, shape, run = Path(job["folder"]), tuple(job["shape"]), Path(job["run"])
    links = generator_links(run)
    spec, space = links["cell"]["spec"], space_from_json(links["conditions"])
    request = Request.read(folder / REQUEST_FILE)
    conditions = space.encode(request.targets, request.attributes)
    require_free(folder, 4 * len(conditions) * math.prod(shape), f"{len(conditions):,} synthetic images")
    seed = Stream("backend", seed=int(spec["seed"])).seed()
    backends.load(spec["backend"]).configure(int(spec["training"]["threads"]), seed)

    # Keras starts slowly: what can be told to be wrong without it is told before.
    from benchmarker.generation.build import build_generator
    from benchmarker.generation.sampling import Sampler, load_weights

    model = build_generator(installed(), spec, space, shape)
    load_weights(model, run / weights_file(int(job["epoch"] or spec["generator"]["epochs"])))
    purpose, axes = job["stream"]
    with (folder / IMAGES_FILE).open("wb") as stream:
        for images in Sampler(model, shape)(conditions, Stream(purpose, **axes)):
            stream.write(np.ascontiguousarray(images, dtype="<f4").data)


if __name__ == "__main__":
    sys.exit(main())
