"""Train a small network in a separate process and print digests as JSON; started by test_determinism.py.

Arguments: number of cores to use (0 for all), number of threads that one operation may use, seeds to train with.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import Any


def main(cores: int, threads: int, seeds: list[int]) -> dict[str, Any]:
    if cores:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    from benchmarker import backends

    backend = backends.load("tensorflow")
    backend.configure(threads, 8901)
    found: dict[str, Any] = {
        "cores": len(os.sched_getaffinity(0)),
        "fits": [_fit(seed) for seed in seeds],
        "described": dict(backend.describe()),
    }
    try:
        backend.configure(threads + 1, 8901)
    except Exception as error:  # noqa: BLE001 - the test checks its type
        found["configured_too_late"] = [type(error).__name__, str(error)]
    return found


def _fit(seed: int) -> dict[str, Any]:
    import keras
    import numpy as np

    from benchmarker import Architecture, Augmentation, Classification, LabelledImages, Stream, Training
    from benchmarker.training.batches import FixedBatches, OrderedBatches
    from benchmarker.training.build import build_model
    from benchmarker.training.fit import compile_model, digest_weights, fit
    from benchmarker.training.sets import AppliedAugmentation, PartSet, transforms

    n = 48
    task = Classification(classes=("compact", "FRI"))
    data = LabelledImages(
        task=task,
        images=Stream("probe").generator().random((n, 32, 32, 1)).astype(np.float32),
        targets=np.arange(n) % 2,
        source_ids=tuple(map(str, range(n))),
        parts=(None,) * n,
        attributes={},
        skipped=(),
        digest="",
    )
    module = sys.modules[__name__]
    sys.modules["determinism_probe"] = module
    architecture = Architecture(name="probe", builder="determinism_probe:build", citation="none")
    model = build_model(architecture, None, (32, 32, 1), task, seed=seed)
    initial = digest_weights(model)
    training = Training(batch_size=16)
    compile_model(model, task, training, 1e-3)
    jitter = Augmentation(name="jitter", kind="transform", builder="determinism_probe:jitter", draws_per_image=1)
    train = OrderedBatches(
        PartSet(data, np.arange(32)),
        batch_size=16,
        epochs=2,
        order=Stream("order", seed=seed),
        transforms=transforms([AppliedAugmentation(augmentation=jitter, options=None)], seed),
    )
    validation = FixedBatches(PartSet(data, np.arange(32, n)), batch_size=16, targets=True)
    fitted = fit(model, training, epochs=2, train=train, validation=validation)
    keras.utils.set_random_seed(seed + 1)  # must not affect the next fit
    return {"initial": initial, "final": digest_weights(model), "history": fitted.progress.history}


def build(input_shape: tuple[int, int, int], task: Any, seed: int) -> Any:
    import keras

    from benchmarker import layer_seeds

    seeds: Iterator[int] = layer_seeds(seed)
    he = keras.initializers.HeNormal
    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.Conv2D(16, 5, padding="same", activation="relu", kernel_initializer=he(next(seeds))),
            keras.layers.BatchNormalization(),
            keras.layers.Conv2D(32, 3, padding="same", activation="relu", kernel_initializer=he(next(seeds))),
            keras.layers.MaxPooling2D(4),
            keras.layers.Dropout(0.25, seed=next(seeds)),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu", kernel_initializer=he(next(seeds))),
            keras.layers.Dense(task.n_outputs, activation="softmax", kernel_initializer=he(next(seeds))),
        ]
    )


def jitter(images: Any, draws: Any, _options: None) -> Any:
    return (images * (0.5 + draws[:, :, None, None])).astype("float32")


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]), [int(seed) for seed in sys.argv[3:]])))
