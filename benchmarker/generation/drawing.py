"""Draws the samples of one request into a file; started by `benchmarker.generation.samples` as a process of its own.

The request is one JSON object on standard input. Standard output takes the message of an error, standard error what
libraries print.
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
from benchmarker.data.cache import storage_error
from benchmarker.data.space import require_free
from benchmarker.discovery import installed
from benchmarker.errors import BenchmarkerError
from benchmarker.generation.build import build_generator, space_from_json
from benchmarker.generation.layout import weights_file
from benchmarker.generation.samples import EXIT_CODES, IMAGES_FILE, REQUEST_FILE, generator_links
from benchmarker.generation.sampling import Sampler, load_weights
from benchmarker.randomness import Stream


def main() -> int:
    """Draw what standard input asks for, and return the exit code."""
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not end up in the message
    job = json.load(sys.stdin)
    try:
        draw(job)
    except (BenchmarkerError, OSError) as error:
        told = storage_error(error, Path(job["folder"])) if isinstance(error, OSError) else error
        pipe.write(str(told))
        pipe.close()
        return next((code for kind, code in EXIT_CODES.items() if isinstance(told, kind)), 1)
    return 0


def draw(job: Mapping[str, Any]) -> None:
    """Write the images of a request into its folder, in constant memory."""
    folder, shape = Path(job["folder"]), tuple(job["shape"])
    links = generator_links(Path(job["run"]))
    spec, seed = links["cell"]["spec"], int(links["cell"]["spec"]["seed"])
    with np.load(folder / REQUEST_FILE, allow_pickle=False) as file:
        targets = file["targets"]
        attributes = {name.removeprefix("attribute/"): file[name] for name in file.files if name != "targets"}
    require_free(folder, 4 * len(targets) * math.prod(shape), f"{len(targets):,} synthetic images")
    backends.load(spec["backend"]).configure(int(spec["training"]["threads"]), Stream("backend", seed=seed).seed())
    space = space_from_json(links["conditions"])
    model = build_generator(installed(), spec, space, shape)
    load_weights(model, Path(job["run"]) / weights_file(int(spec["generator"]["epochs"])))
    conditions = space.encode(targets, attributes)
    with (folder / IMAGES_FILE).open("wb") as stream:
        for images in Sampler(model, shape)(conditions, Stream("generated-noise", seed=seed)):
            stream.write(np.ascontiguousarray(images, dtype="<f4").data)


if __name__ == "__main__":
    sys.exit(main())
