"""Train a small network on JAX in a separate process and print digests as JSON; started by test_jax.py.

Arguments: number of cores to use (0 for all), number of threads that one operation may use, folder for snapshots. The
first process that is given a folder trains two of three epochs there, the next one continues.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

EPOCHS = 3


def main(cores: int, threads: int, folder: Path) -> dict[str, Any]:
    if cores:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    from benchmarker import backends
    from benchmarker.digests import digest_arrays
    from benchmarker.training.snapshots import Snapshots

    backend = backends.load("jax")
    backend.configure(threads, 8901)
    (folder / "scratch").mkdir(exist_ok=True)
    Snapshots(folder / "scratch", "here").clear()
    again = bool(list(folder.glob("snapshot-*.npz")))
    full = _fit(folder / "scratch", EPOCHS)
    parted = _fit(folder, EPOCHS if again else EPOCHS - 1)
    found = {
        "cores": len(os.sched_getaffinity(0)),
        "described": dict(backend.describe()),
        "tensorflow": "tensorflow" in sys.modules,
        **{name: digest_arrays([(str(k), a) for k, a in enumerate(full[name])]) for name in ("best", "final")},
        **{key: full[key] for key in ("links", "head", "history", "best_epoch")},
        "parted_links": parted["links"],
        "parted_best": digest_arrays([(str(k), a) for k, a in enumerate(parted["best"])]),
    }
    try:
        backend.configure(threads + 1, 8901)
    except Exception as error:  # noqa: BLE001 - the test checks its type
        found["configured_too_late"] = [type(error).__name__, str(error)]
    return found


def _fit(folder: Path, epochs: int) -> dict[str, Any]:
    import numpy as np

    from benchmarker import Architecture, Augmentation, Classification, LabelledImages, Stream, Training
    from benchmarker.trail import Trail
    from benchmarker.training.batches import FixedBatches, OrderedBatches
    from benchmarker.training.build import build_model
    from benchmarker.training.fit import compile_model, fit
    from benchmarker.training.sets import AppliedAugmentation, PartSet, transforms
    from benchmarker.training.snapshots import Snapshots

    n, seed = 44, 8901
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
    _import_networks()
    architecture = Architecture(name="probe", builder="determinism_probe:build", citation="none")
    model = build_model(architecture, None, (32, 32, 1), task, seed=seed)
    # A plateau from the first epoch on, so that the learning rate is part of the restored state.
    training = Training.model_validate({"batch_size": 16, "plateau": {"patience": 1, "minimum_delta": 5.0}})
    compile_model(model, task, training, 1e-3)
    jitter = Augmentation(name="jitter", kind="transform", builder="determinism_probe:jitter", draws_per_image=1)
    snapshots = Snapshots(folder, "here")
    resumed = snapshots.restore(model)
    trail = Trail(resumed[1].trail if resumed else ())
    train = OrderedBatches(
        PartSet(data, np.arange(32)),
        batch_size=16,
        epochs=epochs,
        order=Stream("order", seed=seed),
        transforms=transforms([AppliedAugmentation(augmentation=jitter, options=None)], seed),
        first_epoch=resumed[1].epoch if resumed else 0,
    )
    fitted = fit(
        model,
        training,
        epochs=epochs,
        train=train,
        validation=FixedBatches(PartSet(data, np.arange(32, n)), batch_size=16, targets=True),
        trail=trail,
        snapshots=snapshots,
        resumed=resumed,
    )
    return {
        "best": fitted.best,
        "final": fitted.final,
        "history": fitted.progress.history,
        "best_epoch": fitted.progress.best_epoch,
        "links": trail.to_json(),
        "head": trail.head,
    }


def _import_networks() -> None:
    """Import the network of the other probe by its path, since tests are not an installed package."""
    name = "determinism_probe"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        if spec is None or spec.loader is None:
            raise ImportError(name)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))))
