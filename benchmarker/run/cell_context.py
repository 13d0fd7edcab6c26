"""What a cell's specification resolves to in a worker: its data and their parts, its network, and the environment."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import keras

from benchmarker import backends
from benchmarker.contracts.images import LabelledImages
from benchmarker.contracts.settings import Training
from benchmarker.data.prepared import open_measured
from benchmarker.data.splits import Parts, split_sources
from benchmarker.discovery import Plugins, installed
from benchmarker.errors import StorageError
from benchmarker.randomness import Stream
from benchmarker.registry import validated_options
from benchmarker.study.fingerprint import Fingerprint, fingerprint
from benchmarker.study.protocol import CellJob, GeneratorRun
from benchmarker.study.specs import CellSpec
from benchmarker.trail import Trail
from benchmarker.training.build import build_model
from benchmarker.training.fit import digest_weights
from benchmarker.training.sets import AppliedAugmentation, PartSet


@dataclass(slots=True, kw_only=True)
class CellContext:
    """Everything that training and testing a cell works with.

    Parameters
    ----------
    spec : CellSpec
        Specification of the cell.
    data : LabelledImages
        All prepared images.
    parts : Parts
        Which of them are in which part.
    applied : list of AppliedAugmentation
        Augmentations of the arm with their options.
    model : keras.Model
        Network, with the weights that it was built with.
    digests : dict of str to str
        SHA-256 of data, split, weights and predictions by name, as the manifest holds them.
    fingerprint : Fingerprint
        What of the environment may change bits.
    generator : GeneratorRun or None
        Generator whose images the network is trained on, where there is one.
    trail : Trail
        Links so far.
    together : callable
        Called with the compiled network, returns the context that it is trained in: in a lane beside other seeds, where
        the registry says so.
    measuring : callable
        Returns the context that times are measured in: one in which other seeds in the process do not train.
    """

    spec: CellSpec
    data: LabelledImages
    parts: Parts
    applied: list[AppliedAugmentation]
    model: keras.Model
    digests: dict[str, str]
    fingerprint: Fingerprint
    generator: GeneratorRun | None = None
    trail: Trail = field(default_factory=Trail)
    together: Callable[[keras.Model], AbstractContextManager[None]] = nullcontext
    measuring: Callable[[], AbstractContextManager[None]] = nullcontext

    @property
    def training(self) -> Training:
        """Settings that all networks of the registry share."""
        return self.spec.training

    @property
    def seed(self) -> int:
        """Seed of every stream of the cell."""
        return self.spec.seed

    def part(self, name: str) -> PartSet:
        """Return the real images of a part."""
        return PartSet(self.data, getattr(self.parts, name))


def set_up(job: CellJob) -> CellContext:
    """Configure the backend, open the data and build the network of a job.

    Raises
    ------
    StorageError
        If the prepared data are not those of the plan, or the code of a plugin is edited at this moment.
    """
    spec = job.cell.spec
    backends.configure_worker(spec.backend, spec.threads, Stream("backend", seed=spec.seed).seed())
    data = open_measured(job.prepared)
    if data.digest != spec.dataset.digest:
        raise StorageError(
            f"{job.prepared}: holds other images or labels than the plan says; they were changed after they were "
            "prepared. Remove the folder and run the same command again"
        )
    plugins = installed()
    parts = split_sources(data, spec.split, spec.seed)
    with plugins.unedited(_used(spec, job.generator)) as code:
        model = _build(spec, plugins, data)
        applied = [AppliedAugmentation.of(choice, plugins) for choice in spec.arm.augmentations]
    return CellContext(
        spec=spec,
        data=data,
        parts=parts,
        applied=applied,
        model=model,
        digests={"data": data.digest, "split": parts.digest, "initial_weights": digest_weights(model)},
        fingerprint=fingerprint(
            spec.backend, spec.threads, spec.training.precision, code, seeds_at_once=spec.training.seeds_at_once
        ),
        generator=job.generator,
    )


def _build(spec: CellSpec, plugins: Plugins, data: LabelledImages) -> keras.Model:
    architecture = plugins.architecture(spec.model.architecture)
    height, width, channels = data.images.shape[1:]
    return build_model(
        architecture,
        validated_options(architecture, spec.model.options),
        (height, width, channels),
        data.task,
        seed=spec.seed,
        precision=spec.training.precision,
    )


def _used(spec: CellSpec, generator: GeneratorRun | None) -> list[tuple[str, str]]:
    """Return kind and name of each plugin that a cell uses."""
    return [*spec.plugins, *(generator.spec.plugins if generator else ())]
