"""One run of a generator: trained or taken from the cache, measured, and written down; in a worker process."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarker import backends
from benchmarker.contracts.generation import ConditionSpace, GenerativeModel, QualityRequest
from benchmarker.contracts.settings import Split
from benchmarker.data.prepared import open_prepared
from benchmarker.data.splits import split_sources
from benchmarker.digests import digest_json
from benchmarker.discovery import Plugins, installed, resolve
from benchmarker.errors import BenchmarkerError, PluginError, StorageError
from benchmarker.evaluation.costs import peak_memory_bytes
from benchmarker.files import read_json, write_csv, write_json
from benchmarker.generation.build import build_generator
from benchmarker.generation.code import digest_code
from benchmarker.generation.conditions import fit_conditions, space_to_json
from benchmarker.generation.layout import CONDITIONS_FILE, HISTORY_FILE, TRAINING_FILE, weights_file, write_file
from benchmarker.generation.request import Request
from benchmarker.generation.sampling import SAMPLE_BATCH, Sampler, digest_variables, load_weights
from benchmarker.generation.sharing import train_or_copy
from benchmarker.generation.training import Trainer
from benchmarker.generation.watch import GRID_SIDE, GRIDS, SAVED_WEIGHTS
from benchmarker.randomness import Stream
from benchmarker.study.fingerprint import fingerprint
from benchmarker.study.layout import COSTS_FILE, METRICS_FILE
from benchmarker.study.space import CellSpace, require_cell_space
from benchmarker.trail import TRAIL_FILE, Trail
from benchmarker.training.sets import PartSet, digest_part

_SNAPSHOTS = 3  # the newest two, and the one that is written beside them
_RUN_OVERHEAD_BYTES = 1 << 20

Emit = Callable[[Mapping[str, Any]], None]


@dataclass(slots=True, kw_only=True)
class _Place:
    """Everything that a generator's job resolves to."""

    key: str
    spec: Mapping[str, Any]
    train: PartSet
    held_out: PartSet
    space: ConditionSpace
    model: GenerativeModel
    digests: dict[str, str]
    fingerprint: dict[str, Any]
    code: str
    plugins: Plugins

    @property
    def seed(self) -> int:
        return int(self.spec["seed"])

    @property
    def epochs(self) -> int:
        return int(self.spec["generator"]["epochs"])


def train_generator(job: Mapping[str, Any], folder: Path, emit: Emit) -> dict[str, Any]:
    """Train a generator, measure its quality, and write its history, weights, samples, metrics, costs and trail.

    Goes on from the newest snapshot in the folder, if there is one of this environment; takes what another study has
    trained, where the job allows it.

    Parameters
    ----------
    job : mapping
        ``cell`` with ``key`` and ``spec``, ``prepared``, ``split``, and ``cache``: whether the cache may be used.
    folder : Path
        Of the run.
    emit : callable
        Told how it goes.

    Returns
    -------
    dict
        ``digests``, ``fingerprint``, ``trail`` and ``trained`` for the manifest.

    Raises
    ------
    DivergedError
        If a loss is not finite, or the generator collapsed.
    """
    place = _set_up(job)
    space = _disk(place)
    emit({"event": "built", "digests": place.digests, "space": space.to_json()})
    require_cell_space(folder, space, sum(path.stat().st_size for path in folder.glob("snapshot-*")))
    trained = train_or_copy(
        place.key,
        digest_json(place.fingerprint),
        place.code,
        folder,
        lambda: _train(place, folder, emit),
        use_cache=bool(job.get("cache", True)),
    )
    load_weights(place.model, folder / weights_file(place.epochs))
    place.digests["weights"] = digest_variables(place.model.sampling_variables)
    about = read_json(folder / TRAINING_FILE)
    emit({"event": "testing", "checkpoint": "final"})
    quality = _quality(place)
    write_json(
        folder / METRICS_FILE,
        {"primary": None, "epochs": place.epochs, "final": about["final"], "quality": quality},
    )
    write_json(folder / COSTS_FILE, {**about["costs"], "trained": trained})
    links = read_json(folder / TRAIL_FILE)["links"]
    return {
        "digests": place.digests,
        "fingerprint": place.fingerprint,
        "trail": Trail(links).head,
        "trained": trained,
    }


def _set_up(job: Mapping[str, Any]) -> _Place:
    spec, prepared = job["cell"]["spec"], Path(job["prepared"])
    seed, training = int(spec["seed"]), spec["training"]
    backends.load(spec["backend"]).configure(int(training["threads"]), Stream("backend", seed=seed).seed())
    data = open_prepared(prepared)
    plugins = installed()
    parts = split_sources(data, Split.model_validate(job["split"]), seed)
    train = PartSet(data, parts.train)
    digest = digest_part(train)
    if digest != spec["data"]["digest"]:
        raise StorageError(f"{prepared}: holds other data than the plan; remove the folder and run again")
    units = {name: attribute.unit for name, attribute in data.attributes.items()}
    space = fit_conditions(spec["conditions"], train, units)
    model = build_generator(plugins, spec, space, train.image_shape)
    generator = plugins.generator(spec["generator"]["name"])
    brought = {f"generator {generator.name}": plugins.distribution("generator", generator.name)}
    return _Place(
        key=job["cell"]["key"],
        spec=spec,
        train=train,
        held_out=PartSet(data, np.sort(np.concatenate([parts.validation, parts.test]))),
        space=space,
        model=model,
        digests={"training_part": digest, "initial_weights": digest_variables(model.variables)},
        fingerprint=fingerprint(spec["backend"], int(training["threads"]), training["precision"], brought),
        code=digest_code(generator.builder),
        plugins=plugins,
    )


def _disk(place: _Place) -> CellSpace:
    """Return the disk that the run needs."""

    def size(variables: Any) -> int:
        return sum(8 * math.prod(v.shape) if "64" in str(v.dtype) else 4 * math.prod(v.shape) for v in variables)

    grids = (2 * GRIDS + 2) * GRID_SIDE**2 * 4 * math.prod(place.train.image_shape)
    kept = (SAVED_WEIGHTS + 1) * size(place.model.sampling_variables) + grids + _RUN_OVERHEAD_BYTES
    return CellSpace(kept=kept, peak=kept + _SNAPSHOTS * size(place.model.variables))


def _train(place: _Place, folder: Path, emit: Emit) -> None:
    trail = Trail()
    trail.add("cell", {"key": place.key, "spec": place.spec})
    trail.add("fingerprint", place.fingerprint)
    trail.add("training part", {"digest": place.digests["training_part"], "images": len(place.train)})
    trail.add("conditions", space_to_json(place.space))
    trail.add("initial weights", {"digest": place.digests["initial_weights"]})
    trainer = Trainer(
        model=place.model,
        images=place.train,
        conditions=place.space,
        seed=place.seed,
        epochs=place.epochs,
        folder=folder,
        fingerprint=digest_json([place.fingerprint, place.code]),
        emit=emit,
        trail=trail,
    )
    trainer.train()
    progress = trainer.progress
    columns = list(progress.history[0])
    rows = ([str(int(row["epoch"])), *(repr(row[name]) for name in columns[1:])] for row in progress.history)
    write_csv(folder / HISTORY_FILE, columns, rows)
    write_file(folder / CONDITIONS_FILE, Request(targets=place.train.targets, attributes=place.train.attributes).save)
    write_json(folder / TRAIL_FILE, {"format": 1, "links": trainer.trail.to_json()})
    seconds = math.fsum(progress.seconds)
    images = trainer.steps_per_epoch * trainer.batch_size * len(progress.history)
    costs = {
        "parameters": _parameters(place.model),
        "peak_memory_bytes": peak_memory_bytes(),
        "training_seconds": seconds,
        "training_images_per_second": images / seconds if seconds > 0 else 0.0,
    }
    write_json(folder / TRAINING_FILE, {"final": progress.history[-1], "costs": costs})


def _parameters(model: GenerativeModel) -> dict[str, int]:
    def count(variables: Any) -> int:
        return sum(math.prod(variable.shape) for variable in variables)

    return {"total": count(model.variables), "sampling": count(model.sampling_variables)}


def _quality(place: _Place) -> dict[str, Any] | None:
    """Return what the plugin measures on samples and held-out images; None where it measures nothing."""
    generator = place.plugins.generator(place.spec["generator"]["name"])
    if not generator.quality or not len(place.held_out):
        return None
    request = QualityRequest(
        train=place.train,
        held_out=place.held_out,
        conditions=place.space,
        sample=Sampler(place.model, place.train.image_shape),
        stream=Stream("generator-quality", seed=place.seed),
        batch_size=SAMPLE_BATCH,
    )
    try:
        measured: dict[str, Any] = dict(resolve(generator.quality)(request))
        json.dumps(measured, allow_nan=False)
    except BenchmarkerError:
        raise
    except Exception as error:
        raise PluginError(f"{generator.quality} failed: {type(error).__name__}: {error}") from error
    return measured
