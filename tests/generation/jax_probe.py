"""Trains `cgan` on JAX for two steps, an epoch each, into the given folders; prints digests as JSON.

A training resumes in a folder with snapshots. The model is built once, because compiling its steps takes long: every
training but the first begins with the initial weights set again.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarker import backends, digest_arrays, digest_file
from benchmarker.contracts.generation import ConditionSpace
from benchmarker.discovery import installed
from benchmarker.generation.model import build_generator
from benchmarker.generation.training import Trainer
from benchmarker.study.protocol import EpochDone, Event, Resumed
from benchmarker.study.specs import GeneratorChoice, GeneratorSpec, GeneratorTraining, TrainingPartSpec
from benchmarker.trail import Trail
from benchmarker.training.sets import PartSet
from benchmarker.training.snapshots import to_array

IMAGES = 16
"""As many as a batch of the default preset."""


def _spec(part: PartSet) -> GeneratorSpec:
    return GeneratorSpec(
        backend="jax",
        seed=1,
        training=GeneratorTraining(threads=1, precision="float32"),
        data=TrainingPartSpec(digest="0" * 64, images=len(part), shape=part.image_shape, task=part.task),
        generator=GeneratorChoice(name="cgan", options={}, epochs=2),
        conditions=("class",),
    )


def main(folders: list[Path]) -> dict[str, Any]:
    backends.load("jax").configure(1, 1)
    images = _conftest().make_images(IMAGES)
    part = PartSet(images, np.arange(IMAGES))
    space = ConditionSpace(classes=("left", "right"))
    model = build_generator(installed(), _spec(part), space, part.image_shape)
    initial = [to_array(variable) for variable in model.variables]

    def train(folder: Path) -> dict[str, Any]:
        for variable, array in zip(model.variables, initial, strict=True):
            variable.assign(array)
        events = []

        def send(event: Event) -> None:
            if isinstance(event, EpochDone | Resumed):
                events.append([event.event, event.epoch])

        trainer = Trainer(
            model=model,
            images=part,
            conditions=space,
            pixel_range=(0.0, 1.0),
            seed=1,
            epochs=2,
            folder=folder,
            fingerprint="here",
            send=send,
            trail=Trail(),
        )
        trainer.train()
        losses = folder / "losses.csv"
        return {"head": trainer.trail.head, "losses": digest_file(losses), "events": events}

    return {
        "initial": digest_arrays([(str(k), array) for k, array in enumerate(initial)]),
        "trained": [train(folder) for folder in folders],
        "tensorflow": "tensorflow" in sys.modules,
    }


def _conftest() -> Any:
    spec = importlib.util.spec_from_file_location("conftest", Path(__file__).with_name("conftest.py"))
    if spec is None or spec.loader is None:
        raise ImportError("conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main([Path(name) for name in sys.argv[1:]])))
