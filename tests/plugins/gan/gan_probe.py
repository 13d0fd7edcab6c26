"""Trains tiny GANs for two steps on the backend of this process, and prints the outcome as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from keras.ops import convert_to_numpy as to_numpy

from benchmarker import ConditionSpace, GenerativeModel, Stream, digest_arrays
from benchmarker.backends import chosen, load
from benchmarker_gan import cgan, dcgan
from benchmarker_gan.presets import CganOptions, DcganOptions

MIXED = ConditionSpace(
    classes=("disc", "bulge"), attributes=("redshift",), units=("",), means=(0.2,), deviations=(0.3,)
)
CLASSES = ConditionSpace(classes=("FRI", "FRII"))
UNCONDITIONAL = ConditionSpace()

TWICE = ("dcgan",)
"""One model is trained again; all models share the code that makes this reproducible."""

Build = Callable[[], GenerativeModel]

MODELS: Mapping[str, tuple[Build, ConditionSpace, tuple[int, int, int]]] = {
    "cgan": (lambda: cgan.build((18, 18, 3), MIXED, 7, CganOptions(filters=4)), MIXED, (18, 18, 3)),
    "published": (
        lambda: cgan.build((16, 16, 1), MIXED, 8, CganOptions(preset="published", filters=4)),
        MIXED,
        (16, 16, 1),
    ),
    "dcgan": (lambda: dcgan.build((8, 8, 1), CLASSES, 7, DcganOptions(filters=4)), CLASSES, (8, 8, 1)),
    "radio": (
        lambda: dcgan.build((16, 16, 1), UNCONDITIONAL, 7, DcganOptions(preset="radio", filters=4)),
        UNCONDITIONAL,
        (16, 16, 1),
    ),
}


def trained(build: Build, space: ConditionSpace, shape: tuple[int, int, int]) -> dict[str, Any]:
    """Train on eight images for two steps."""
    rng = Stream("probe").generator()
    images = rng.random((8, *shape), dtype=np.float32)
    conditions = space.encode(np.arange(8) % 2, {"redshift": rng.random(8)})
    model = build()
    before = [to_numpy(variable) for variable in model.variables]
    measured = [
        {name: float(value) for name, value in model.train_step(images, conditions, model.draw(rng, 8)).items()}
        for _ in range(2)
    ]
    after = [to_numpy(variable) for variable in model.variables]
    unchanged = [
        variable.path
        for variable, old, new in zip(model.variables, before, after, strict=True)
        if np.array_equal(old, new)
    ]
    noise = model.noise(rng, 8)
    samples = np.asarray(model.sample(noise, conditions))
    return {
        "digest": digest_arrays([(str(k), array) for k, array in enumerate(after)]),
        "samples": digest_arrays([("samples", samples)]),
        "unchanged": unchanged,
        "measured": measured,
        "finite": bool(np.isfinite(samples).all()),
        "range": [float(samples.min()), float(samples.max())],
        "shape": list(samples.shape),
        "independent": bool(np.array_equal(np.asarray(model.sample(noise[3:5], conditions[3:5])), samples[3:5])),
    }


def main() -> None:
    load(chosen()).configure(2, seed=1)
    found = {}
    for name in sys.argv[1:]:
        found[name] = trained(*MODELS[name])
        found[name]["again"] = trained(*MODELS[name])["digest"] if name in TWICE else found[name]["digest"]
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
