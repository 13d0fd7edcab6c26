"""Trains the documented generator on JAX in a process of its own, whole and interrupted; prints digests as JSON."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarker import backends, digest_file
from benchmarker.contracts.generation import ConditionSpace
from benchmarker.generation.training import Trainer
from benchmarker.trail import Trail
from benchmarker.training.sets import PartSet


class KilledError(Exception):
    """Stands for the end of a process."""


def main(folder: Path) -> dict[str, Any]:
    backends.load("jax").configure(1, 1)
    images = _conftest().make_images(48)
    part = PartSet(images, np.arange(48))
    space = ConditionSpace(classes=("left", "right"))

    def train(name: str, end_after: int = 0) -> str:
        from their_gan_model import TheirOptions, build  # type: ignore[import-not-found]

        def emit(event: Mapping[str, Any]) -> None:
            if event["event"] == "epoch" and event["epoch"] == end_after:
                raise KilledError

        (folder / name).mkdir(exist_ok=True)
        trainer = Trainer(
            model=build(part.image_shape, space, 7, TheirOptions(latent=4)),
            images=part,
            conditions=space,
            seed=1,
            epochs=3,
            folder=folder / name,
            fingerprint="here",
            emit=emit,
            trail=Trail(),
        )
        try:
            trainer.train()
        except KilledError:
            return ""
        return trainer.trail.head

    heads = [train("whole"), train("parted", end_after=2), train("parted")]
    files = [[digest_file(folder / name / "losses.csv") for name in ("whole", "parted")]]
    return {"heads": heads, "losses": files, "tensorflow": "tensorflow" in sys.modules}


def _conftest() -> Any:
    spec = importlib.util.spec_from_file_location("conftest", Path(__file__).with_name("conftest.py"))
    if spec is None or spec.loader is None:
        raise ImportError("conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]))))
