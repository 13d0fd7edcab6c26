"""Trains every network and every generator for one step on the backend of this process, in one precision.

Arguments: precision, and where the outcomes go, a JSON file that maps names to errors (null for none). Each
combination goes the way of a cell or of a generator's run, except for the process: built, trained, sampled from or
asked for predictions.
"""

from __future__ import annotations

import json
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from benchmarker import (
    Architecture,
    Classification,
    ConditionSpace,
    Generator,
    LabelledImages,
    Regression,
    RegressionTarget,
    Stream,
    Task,
    Training,
    backends,
)
from benchmarker.discovery import installed, options_model
from benchmarker.generation.model import build_generator, load_weights, save_weights
from benchmarker.generation.training import Trainer
from benchmarker.run.scoring import predict
from benchmarker.study.specs import GeneratorChoice, GeneratorSpec, GeneratorTraining, TrainingPartSpec
from benchmarker.trail import Trail
from benchmarker.training.batches import encode_targets
from benchmarker.training.build import build_model
from benchmarker.training.fit import compile_model
from benchmarker.training.sets import PartSet

CLASSES = Classification(classes=("compact", "FRI"))
INCLINATION = Regression(targets=(RegressionTarget(name="inclination", unit="deg", minimum=45, maximum=90),))
OF_REGRESSIONS = ("axis_ratio", "inclinet_model4", "inclinet_model5", "inclinet_model6")
Precision = Literal["float32", "mixed_bfloat16"]
SMALLEST = 16
SEED, IMAGES = 8901, 4


def combinations() -> Iterator[tuple[str, Callable[[Precision], None]]]:
    """Yield every network and every preset of every generator by name, with what exercises it in a precision."""
    for owner in installed().all("architecture"):
        network = owner.plugin
        if isinstance(network, Architecture):
            yield network.name, partial(_network, network)
    for owner in installed().all("generator"):
        generator = owner.plugin
        if isinstance(generator, Generator):
            for preset in presets(generator):
                name = f"{generator.name} {preset}"
                yield name, partial(_generator, generator, preset)


def presets(generator: Generator) -> tuple[str, ...]:
    """Return the presets that the options of a generator offer."""
    options = options_model(generator)
    return get_args(options.model_fields["preset"].annotation) if options is not None else ()


def _images(task: Task, size: int, channels: int) -> LabelledImages:
    rng = Stream("combinations", size=size).generator()
    numbers = np.arange(IMAGES) % 2
    return LabelledImages(
        task=task,
        images=rng.random((IMAGES, size, size, channels), dtype=np.float32),
        targets=numbers if isinstance(task, Classification) else 50.0 + 30.0 * numbers[:, None],
        source_ids=tuple(map(str, range(IMAGES))),
        parts=(None,) * IMAGES,
        attributes={},
        skipped=(),
        digest="",
    )


def _network(network: Architecture, precision: Precision) -> None:
    task = INCLINATION if network.name in OF_REGRESSIONS else CLASSES
    part = PartSet(_images(task, max(network.minimum_size, SMALLEST), 1), np.arange(IMAGES))
    offered = options_model(network)
    options = offered() if offered is not None else None
    model = build_model(network, options, part.image_shape, task, seed=SEED, precision=precision)
    compile_model(model, task, Training(optimiser="sgd"), 1e-3)
    before = [np.array(weight) for weight in model.get_weights()]
    # Not by `fit`, which compiles another step for the validation. XLA takes longer for that than for all the rest.
    loss, *_ = model.train_on_batch(part.batch(np.arange(IMAGES)), encode_targets(task, part.targets))
    _require(bool(np.isfinite(loss)), f"the loss is {loss}")
    after = model.get_weights()
    _require(any((old != new).any() for old, new in zip(before, after, strict=True)), "the step changed no weight")
    _require({array.dtype for array in after} == {np.dtype("float32")}, "weights are not kept in float32")
    computed = {str(layer.compute_dtype) for layer in model.layers}
    expected = "float32" if precision == "float32" or network.name == "axis_ratio" else "bfloat16"
    _require(expected in computed, f"its layers compute in {computed}")
    found = predict(model, part, IMAGES)
    _require(found.shape == (IMAGES, task.n_outputs), f"predictions have the shape {found.shape}")


def _generator(generator: Generator, preset: str, precision: Precision) -> None:
    conditional = generator.name == "cgan" or preset == "small"
    space = ConditionSpace(classes=CLASSES.classes if conditional else ())
    part = PartSet(_images(CLASSES, SMALLEST, 3 if preset == "colour" else 1), np.arange(IMAGES))
    spec = GeneratorSpec(
        backend=backends.chosen(),
        seed=SEED,
        training=GeneratorTraining(threads=2, precision=precision),
        data=TrainingPartSpec(digest="0" * 64, images=IMAGES, shape=part.image_shape, task=CLASSES),
        generator=GeneratorChoice(
            name=generator.name, options={"preset": preset, "filters": 4, "batch_size": IMAGES}, epochs=1
        ),
        conditions=("class",) if conditional else (),
    )
    model = build_generator(installed(), spec, space, part.image_shape)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model=model,
            images=part,
            conditions=space,
            pixel_range=(0.0, 1.0),
            seed=SEED,
            epochs=1,
            folder=Path(folder),
            fingerprint="here",
            send=lambda _event: None,
            trail=Trail(),
        )
        trainer.train()  # draws samples, and refuses those that are not finite
        weights = Path(folder) / "weights.npz"
        save_weights(model, weights)
        load_weights(model, weights)
    kinds = {str(variable.dtype) for variable in model.sampling_variables}
    _require("bfloat16" not in kinds, f"variables are of {kinds}")


def _require(kept: bool, complaint: str) -> None:
    if not kept:
        raise ValueError(complaint)


def main(precision: Precision, outcomes: Path) -> None:
    backends.load(backends.chosen()).configure(2, SEED)
    found: dict[str, Any] = {}
    for name, exercise in combinations():
        try:
            exercise(precision)
            found[name] = None
        except Exception:  # noqa: BLE001 - the test shows it
            found[name] = traceback.format_exc()
    outcomes.write_text(json.dumps(found))


if __name__ == "__main__":
    main("mixed_bfloat16" if sys.argv[1] == "mixed_bfloat16" else "float32", Path(sys.argv[2]))
