"""The job of a generator: trained or copied from the cache, measured, and written down; in a worker process."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarker import backends
from benchmarker.containment import PluginErrors
from benchmarker.contracts.generation import ConditionedSet, ConditionSpace, GenerativeModel, QualityRequest
from benchmarker.contracts.plugins import Generator
from benchmarker.data.prepared import open_prepared
from benchmarker.data.splits import split_sources
from benchmarker.digests import digest_code, digest_json
from benchmarker.discovery import installed, resolve
from benchmarker.errors import StorageError
from benchmarker.evaluation.costs import peak_memory
from benchmarker.files import atomic_write, write_csv
from benchmarker.generation.augmented import augmented
from benchmarker.generation.conditions import fit_conditions
from benchmarker.generation.continuing import earlier_run
from benchmarker.generation.drawing import Request
from benchmarker.generation.model import SAMPLE_BATCH, Sampler, build_generator, digest_variables, load_weights
from benchmarker.generation.run_files import (
    CONDITIONS_FILE,
    TRAINING_FILE,
    epoch_weights_file,
    train_or_copy,
)
from benchmarker.generation.training import Trainer
from benchmarker.generation.watch import has_grid
from benchmarker.randomness import Stream
from benchmarker.registry.models import Watch
from benchmarker.study.fingerprint import Fingerprint, fingerprint
from benchmarker.study.layout import COSTS_FILE, HISTORY_FILE, METRICS_FILE
from benchmarker.study.links import CellLink, ConditionsLink, DigestLink, TrainingSetLink, read_trail, write_trail
from benchmarker.study.protocol import Built, EventHandler, GeneratorJob, Scoring, waiting
from benchmarker.study.runs import (
    GeneratorCosts,
    GeneratorMetrics,
    GeneratorParameters,
    GeneratorTrainingCosts,
    GeneratorTrainingRecord,
)
from benchmarker.study.space import RUN_OVERHEAD_BYTES, SNAPSHOTS, DiskSpace, require_run_space
from benchmarker.study.specs import GeneratorSpec
from benchmarker.trail import Trail
from benchmarker.training.sets import AppliedAugmentation, PartSet, Transform, digest_part, digest_set, pixel_range


@dataclass(slots=True, kw_only=True)
class _GeneratorContext:
    """Everything that a generator's job resolves to."""

    key: str
    spec: GeneratorSpec
    plugin: Generator
    train: PartSet
    learned: ConditionedSet
    transforms: tuple[Transform, ...]
    held_out: PartSet
    conditions: ConditionSpace
    pixel_range: tuple[float, float]
    model: GenerativeModel
    watch: Watch
    earlier: Path | None
    digests: dict[str, str]
    fingerprint: Fingerprint
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorOutcome:
    """What the manifest says about a generator's run.

    Parameters
    ----------
    trained : bool
        Whether the generator was trained here; False for a copy from the cache.
    fingerprint : Fingerprint
        What of the environment may change bits.
    digests : dict of str to str
        SHA-256 of training part, initial and final weights by name.
    trail : str
        Digest of the last link of the trail.
    """

    trained: bool
    fingerprint: Fingerprint
    digests: dict[str, str]
    trail: str


def train_generator(job: GeneratorJob, send: EventHandler) -> GeneratorOutcome:
    """Train a generator, measure its quality, and write its history, weights, samples, metrics, costs and trail.

    Continues from the newest snapshot in the folder, if there is one of this environment, and copies what another study
    has trained, if the job allows it.

    Parameters
    ----------
    job : GeneratorJob
        Job to do.
    send : callable
        Called with each event.

    Raises
    ------
    DivergedError
        If a loss is not finite, or the generator collapsed.
    """
    context = _set_up(job)
    folder, epochs = job.folder, context.spec.generator.epochs
    space = _disk_space(context)
    send(Built(digests=context.digests, space=space))
    require_run_space(folder, space)
    trained = train_or_copy(
        context.key,
        context.fingerprint.digest,
        context.code,
        folder,
        lambda: _train(context, folder, send),
        use_cache=job.cache,
        watch=job.generator.watch,
        waiting=lambda: waiting("the generator, which another study trains", send),
    )
    if not trained:
        _write_conditions(context, folder)  # those of this study's images, whatever the cache holds
    load_weights(context.model, folder / epoch_weights_file(epochs))
    context.digests["weights"] = digest_variables(context.model.sampling_variables)
    record = GeneratorTrainingRecord.read(folder / TRAINING_FILE)
    send(Scoring(checkpoint="final"))
    quality = _quality(context)
    metrics = GeneratorMetrics(primary=None, epochs=epochs, final=record.final, quality=quality)
    metrics.write(folder / METRICS_FILE)
    GeneratorCosts.of(record.costs, trained=trained).write(folder / COSTS_FILE)
    return GeneratorOutcome(
        trained=trained,
        fingerprint=context.fingerprint,
        digests=context.digests,
        trail=read_trail(folder).head,
    )


def _set_up(job: GeneratorJob) -> _GeneratorContext:
    """Configure the backend, open the data and build the generator of a job."""
    spec = job.generator.spec
    backends.configure_worker(spec.backend, spec.threads, Stream("backend", seed=spec.seed).seed())
    data = open_prepared(job.prepared)
    plugins = installed()
    parts = split_sources(data, job.split, spec.seed)
    train = PartSet(data, parts.train)
    digest = digest_part(train)
    if digest != spec.data.digest:
        raise StorageError(f"{job.prepared}: holds other data than the plan; remove the folder and run again")
    units = {name: attribute.unit for name, attribute in data.attributes.items()}
    conditions = fit_conditions(spec.conditions, train, units)
    plugin = plugins.generator(spec.generator.name)
    with plugins.unedited(spec.plugins) as used:
        model = build_generator(plugins, spec, conditions, train.image_shape)
        applied = [AppliedAugmentation.of(choice, plugins) for choice in spec.augmentations]
    learned, transforms = augmented(train, applied, spec.conditions, spec.seed)
    minimum, maximum = pixel_range(train)
    if (set_range := getattr(model, "set_pixel_range", None)) is not None:
        set_range(minimum, maximum)
    return _GeneratorContext(
        key=job.generator.key,
        spec=spec,
        plugin=plugin,
        train=train,
        learned=learned,
        transforms=transforms,
        held_out=PartSet(data, np.sort(np.concatenate([parts.validation, parts.test]))),
        conditions=conditions,
        pixel_range=(minimum, maximum),
        model=model,
        watch=job.generator.watch or Watch(),
        earlier=earlier_run(job.paths.finished.parent, spec) if job.cache else None,
        digests={"training_part": digest, "initial_weights": digest_variables(model.variables)},
        fingerprint=fingerprint(spec.backend, spec.threads, spec.training.precision, used),
        code=digest_code(plugin.builder),
    )


def _disk_space(context: _GeneratorContext) -> DiskSpace:
    """Return the disk that the run needs."""

    def size(variables: Any) -> int:
        return sum(8 * math.prod(v.shape) if "64" in str(v.dtype) else 4 * math.prod(v.shape) for v in variables)

    epochs, watch = context.spec.generator.epochs, context.watch
    drawn = sum(has_grid(epoch, epochs, watch) for epoch in range(1, epochs + 1))
    batch = min(int(context.model.batch_size), len(context.learned))
    steps = epochs * -(-len(context.learned) // batch)
    drawn = (1 + len(watch.animations)) * drawn + (steps // watch.every_steps if watch.every_steps else 0)
    grids = drawn * (1 if watch.condition is None else 2) * watch.points * 4 * math.prod(context.train.image_shape)
    weights = sum(watch.keeps(epoch, epochs) for epoch in range(1, epochs + 1))
    kept = weights * size(context.model.sampling_variables) + grids + RUN_OVERHEAD_BYTES
    kept += sum(watch.keeps_state(epoch, epochs) for epoch in range(1, epochs + 1)) * size(context.model.variables)
    return DiskSpace(kept=kept, peak=kept + SNAPSHOTS * size(context.model.variables))


def _begin_trail(context: _GeneratorContext) -> Trail:
    trail, digests = Trail(), context.digests
    trail.add("cell", CellLink(key=context.key, spec=context.spec).to_json())
    trail.add("fingerprint", context.fingerprint.to_json())
    part = TrainingSetLink(digest=digests["training_part"], images=len(context.train))
    trail.add("training part", part.to_json())
    if context.learned is not context.train:
        expanded = TrainingSetLink(digest=digest_set(context.learned), images=len(context.learned))
        trail.add("training set", expanded.to_json())
    trail.add("conditions", ConditionsLink.of(context.conditions).to_json())
    trail.add("initial weights", DigestLink(digest=digests["initial_weights"]).to_json())
    return trail


def _train(context: _GeneratorContext, folder: Path, send: EventHandler) -> None:
    trainer = Trainer(
        model=context.model,
        images=context.learned,
        transforms=context.transforms,
        conditions=context.conditions,
        pixel_range=context.pixel_range,
        seed=context.spec.seed,
        epochs=context.spec.generator.epochs,
        folder=folder,
        fingerprint=digest_json([context.fingerprint.to_json(), context.code]),
        send=send,
        trail=_begin_trail(context),
        watch=context.watch,
        earlier=context.earlier,
    )
    trainer.train()
    progress = trainer.progress
    columns = list(progress.history[0])
    rows = ([str(int(row["epoch"])), *(repr(row[name]) for name in columns[1:])] for row in progress.history)
    write_csv(folder / HISTORY_FILE, columns, rows)
    _write_conditions(context, folder)
    write_trail(folder, trainer.trail)
    seconds = math.fsum(progress.seconds)
    images = trainer.images_per_epoch * len(progress.history)
    costs = GeneratorTrainingCosts(
        parameters=_parameters(context.model),
        **peak_memory(),
        training_seconds=seconds,
        training_images_per_second=images / seconds if seconds > 0 else 0.0,
    )
    record = GeneratorTrainingRecord(final=progress.history[-1], costs=costs, pixel_range=context.pixel_range)
    record.write(folder / TRAINING_FILE)


def _write_conditions(context: _GeneratorContext, folder: Path) -> None:
    with atomic_write(folder / CONDITIONS_FILE) as stream:
        Request(targets=context.train.targets, attributes=context.train.attributes).save(stream)


def _parameters(model: GenerativeModel) -> GeneratorParameters:
    def count(variables: Any) -> int:
        return sum(math.prod(variable.shape) for variable in variables)

    return GeneratorParameters(total=count(model.variables), sampling=count(model.sampling_variables))


def _quality(context: _GeneratorContext) -> dict[str, Any] | None:
    """Return what the plugin measures on samples and held-out images; None where it measures nothing."""
    measure = context.plugin.quality
    if not measure or not len(context.held_out):
        return None
    request = QualityRequest(
        train=context.train,
        held_out=context.held_out,
        conditions=context.conditions,
        sample=Sampler(context.model, context.train.image_shape),
        stream=Stream("generator-quality", seed=context.spec.seed),
        batch_size=SAMPLE_BATCH,
    )
    with PluginErrors(measure):
        measured: dict[str, Any] = dict(resolve(measure)(request))
        json.dumps(measured, allow_nan=False)
    return measured
