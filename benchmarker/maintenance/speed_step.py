"""Trains a network for some steps on noise, in the process of a probe, and says how fast that was."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from benchmarker import backends
from benchmarker.contracts.images import LabelledImages
from benchmarker.contracts.tasks import Classification, Task
from benchmarker.discovery import discover
from benchmarker.randomness import Stream
from benchmarker.registry.options import validated_options
from benchmarker.study.fingerprint import fingerprint
from benchmarker.study.specs import CellSpec

if TYPE_CHECKING:
    from benchmarker.study.fingerprint import Fingerprint

_EPOCHS = 3
_LEARNING_RATE = 1e-6  # on noise a network must not diverge; the rate does not change the speed
_BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}


def refusal(found: Fingerprint) -> str:
    """Return why a precision is of no use on this machine, or an empty string.

    Parameters
    ----------
    found : Fingerprint
        What a worker would record, with the precision.
    """
    devices = getattr(found.backend, "devices", None) or ()
    on_processor = all("CPU" in str(device).upper() for device in devices)
    if found.precision != "mixed_bfloat16" or not on_processor or _BFLOAT16 & set(found.isa):
        return ""
    return "refused: this processor has no arithmetic in bfloat16 (avx512_bf16, amx_bf16 or bf16), so it emulates it"


def train_steps(spec: CellSpec, shape: tuple[int, int, int], task: Task, steps: int) -> Mapping[str, Any]:
    """Train the network of a cell on noise, without its augmentations.

    Parameters
    ----------
    spec : CellSpec
        The cell, with the backend of this process.
    shape : tuple of int
        Height and width in pixels, and channels of an image.
    task : Task
        What the network predicts.
    steps : int
        Gradient steps of each epoch.

    Returns
    -------
    mapping of str to float or str
        ``images_per_second`` of the fastest epoch after the first, ``start_seconds`` until the end of the first, and
        ``refused``.
    """
    threads, precision = spec.threads, spec.training.precision
    backends.load(spec.backend).configure(threads, spec.seed)
    if refused := refusal(fingerprint(spec.backend, threads, precision, {})):
        return {"refused": refused}
    # Keras may only be imported once its backend is configured.
    from benchmarker.training.batches import FixedBatches, OrderedBatches
    from benchmarker.training.build import build_model
    from benchmarker.training.fit import compile_model, fit
    from benchmarker.training.sets import PartSet

    started = time.perf_counter()
    n = steps * spec.training.batch_size
    data = _noise(n, shape, task)
    architecture = discover().architecture(spec.model.architecture)
    options = validated_options(architecture, spec.model.options)
    model = build_model(architecture, options, shape, task, seed=spec.seed, precision=precision)
    compile_model(model, task, spec.training, _LEARNING_RATE)
    images = PartSet(data, _positions(n))
    order = Stream("speed", seed=spec.seed)
    batches = OrderedBatches(images, batch_size=spec.training.batch_size, epochs=_EPOCHS, order=order)
    few = PartSet(data, _positions(spec.training.batch_size))
    validation = FixedBatches(few, batch_size=spec.training.batch_size, targets=True)
    ends: list[float] = []
    fitted = fit(
        model,
        spec.training,
        epochs=_EPOCHS,
        train=batches,
        validation=validation,
        on_epoch=lambda _epoch, _values: ends.append(time.perf_counter()),
    )
    seconds = fitted.progress.seconds
    return {"images_per_second": n / min(seconds[1:] or seconds), "start_seconds": ends[0] - started, "refused": ""}


def _positions(n: int) -> Any:
    import numpy as np

    return np.arange(n)


def _noise(n: int, shape: tuple[int, int, int], task: Task) -> LabelledImages:
    import numpy as np

    rng = Stream("speed images").generator()
    if isinstance(task, Classification):
        targets: Any = np.arange(n) % task.n_outputs
    else:
        low = np.array([target.minimum for target in task.targets])
        high = np.array([target.maximum for target in task.targets])
        targets = low + (high - low) * rng.random((n, len(task.targets)))
    return LabelledImages(
        task=task,
        images=rng.random((n, *shape), np.float32),
        targets=targets,
        source_ids=tuple(map(str, range(n))),
        parts=(None,) * n,
        attributes={},
        skipped=(),
        digest="",
    )
