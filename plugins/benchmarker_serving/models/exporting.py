"""Exports a trained network or generator in the process of its backend, and checks the files that it wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarker import (
    Classification,
    ConfigurationError,
    DataError,
    Stream,
    StudyImages,
    TrainedNetwork,
    decode_outputs,
    load_generator,
    load_network,
    network_outputs,
    trained_generator,
    trained_networks,
)
from benchmarker_serving.models.bundle import Bundle, Format, digests
from benchmarker_serving.models.formats import largest_difference, read_back, write_graph
from benchmarker_serving.models.graphs import Graph, generator_graph, network_graph
from benchmarker_serving.models.job import ExportJob

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CHECKED = 32
"""Images that each exported file is checked on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Material:
    """A graph, what it must give, and what is to know about it."""

    graphs: Callable[[Format], Graph]
    inputs: Mapping[str, NDArray[Any]]
    expected: NDArray[np.float32]
    bundle: Bundle


def export(argument: Any, emit: Callable[[Any], None]) -> None:
    """Write and check the files of a job; called by `benchmarker.call_in_process`.

    Parameters
    ----------
    argument : JSON value
        An `ExportJob`.
    emit : callable
        Called with the name of each format that is written.
    """
    job = ExportJob.from_json(argument)
    material = _network(job) if job.kind == "network" else _generator(job)
    folder = Path(job.folder)
    differences: dict[str, float] = {}
    for form in job.formats:
        emit(form)
        graph = material.graphs(form)
        path = write_graph(graph, form, folder)
        differences[form] = largest_difference(form, read_back(form, path, graph), material.inputs, material.expected)
    material.bundle.model_copy(update={"difference": differences, "files": digests(folder)}).write(folder)


def _network(job: ExportJob) -> _Material:
    (network,) = trained_networks(Path(job.study), job.selector, seed=job.seed, checkpoint=job.checkpoint)
    model = load_network(network)
    images = StudyImages(Path(job.study))
    shape = _input_shape(job, images)
    given, prepared = _raw(images, shape) if job.preparation else (None, _prepared(images, network))
    expected = decode_outputs(network.task, network_outputs(model, prepared, network.batch_size)[0])

    def graph(form: Format) -> Graph:
        if not job.preparation:
            return network_graph(model, network.task)
        wide = form != "litert"
        return network_graph(model, network.task, preparation=images.preparation, input_shape=shape, wide=wide)

    made = graph("keras")
    units = {} if isinstance(network.task, Classification) else {t.name: t.unit for t in network.task.targets}
    return _Material(
        graphs=graph,
        inputs={"images": prepared if given is None else given},
        expected=expected.astype("float32"),
        bundle=Bundle(
            name=job.name,
            version=job.version,
            kind="network",
            inputs=dict(made.inputs),
            output=made.output,
            output_shape=expected.shape[1:],
            classes=network.task.classes if isinstance(network.task, Classification) else (),
            units=units,
            prepared=not job.preparation,
            preparation=images.preparation.model_dump(mode="json"),
            run=network.key,
            weights=network.weights_digest,
        ),
    )


def _input_shape(job: ExportJob, images: StudyImages) -> tuple[int, int, int]:
    height, width, channels = images.shape
    if not job.preparation:
        return height, width, channels
    needed = images.preparation.crop or 0
    if images.preparation.resize is not None and images.preparation.crop is None and job.input_size is None:
        raise ConfigurationError("the preparation resamples images; give their height and width by --input-size")
    size = job.input_size or needed or height
    if size < needed or (images.preparation.size is None and (size, size) != (height, width)):
        raise ConfigurationError(
            f"--input-size: the preparation of the study needs images of {needed or height} pixels. Received: {size}"
        )
    return size, size if images.preparation.size is not None else width, channels


def _prepared(images: StudyImages, network: TrainedNetwork) -> NDArray[np.float32]:
    """Return validation images of the study, or artificial ones where the study's are not at hand."""
    import numpy as np

    try:
        part = images.part(network, "validation")
        return part.batch(np.arange(min(CHECKED, len(part))))
    except (ConfigurationError, DataError):
        return _artificial(images.shape)


def _raw(images: StudyImages, shape: tuple[int, int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return artificial images, some with missing pixels, and what the preparation of the study makes of them."""
    import numpy as np

    raw = 100 * _artificial(shape) - 3
    raw[::4, :2] = np.nan
    return raw, np.stack([images.prepare(each) for each in raw])


def _artificial(shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """Return images of a noisy blob each, ndarray of shape (32, height, width, channels)."""
    import numpy as np

    height, width, channels = shape
    rng = Stream("export-check").generator()
    y, x = np.mgrid[:height, :width]
    centres = rng.uniform(0.4, 0.6, (CHECKED, 2, 1, 1))
    radii = ((y - height * centres[:, 0]) ** 2 + (x - width * centres[:, 1]) ** 2) / (height / 8) ** 2
    blobs = np.exp(-radii)[..., None] + rng.normal(0, 0.02, (CHECKED, height, width, channels))
    clipped: NDArray[np.float32] = np.clip(blobs, 0, 1).astype(np.float32)
    return clipped


def _generator(job: ExportJob) -> _Material:
    import numpy as np

    generator = trained_generator(Path(job.study), job.selector, seed=job.seed)
    model = load_generator(generator, job.epoch)
    space = generator.conditions
    stream = Stream("export-check", seed=job.seed)

    def noise(n: int) -> NDArray[np.float32]:
        return model.noise(stream.generator(), n)

    graph = generator_graph(model, space, noise)
    rng = stream.child("conditions").generator()
    rows = np.arange(CHECKED) % max(1, len(space.classes))
    attributes = {
        name: rng.normal(mean, deviation or 1.0, CHECKED)
        for name, mean, deviation in zip(space.attributes, space.means, space.deviations, strict=True)
    }
    conditions = space.encode(rows, attributes)
    latent = noise(CHECKED)
    expected = np.asarray(model.sample(latent, conditions), dtype=np.float32)
    return _Material(
        graphs=lambda _form: graph,
        inputs={"latent": latent, **({"conditions": conditions} if space.size else {})},
        expected=expected,
        bundle=Bundle(
            name=job.name,
            version=job.version,
            kind="generator",
            inputs=dict(graph.inputs),
            output=graph.output,
            output_shape=expected.shape[1:],
            classes=space.classes,
            conditions=(*space.classes, *space.attributes),
            units=dict(zip(space.attributes, space.units, strict=True)),
            run=generator.key,
            weights=generator.weights if job.epoch in (None, generator.epochs[-1]) else "",
            pixel_range=generator.pixel_range,
            latent="uniform" if graph.uniform else "normal",
        ),
    )
