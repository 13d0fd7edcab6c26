"""Measures smaller forms of a model: size, latency, and how well each still does, in the process of its backend."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from benchmarker import (
    Classification,
    LiteRtModel,
    Stream,
    StudyImages,
    load_generator,
    load_network,
    trained_generator,
    trained_networks,
    write_litert,
)
from benchmarker_serving.models.formats import Arrays, Run, read_back, write_graph
from benchmarker_serving.models.frechet import Features, frechet_distance
from benchmarker_serving.models.graphs import Graph, generator_graph, network_graph
from benchmarker_serving.models.job import Compression, CompressionJob, CompressionRow, CompressionSettings, Form
from benchmarker_serving.models.pruning import distil, prune_parts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BATCH = 64
_REPEATS = 25
_SAMPLES = 1024
_SHOWN_TO_CONVERTER = 64


class _Subject:
    """The model that is made smaller, and how its quality is measured."""

    measure: str
    floor: float | None = None
    repeat: float | None = None
    graph: Graph
    inputs: dict[str, NDArray[Any]]

    def quality(self, outputs: NDArray[np.float32]) -> float:
        """Return how good outputs for the inputs are."""
        raise NotImplementedError


class _Network(_Subject):
    def __init__(self, job: CompressionJob) -> None:
        import numpy as np

        study, seed = Path(job.study), job.settings.seed
        (network,) = trained_networks(study, job.selector, seed=seed)
        images = StudyImages(study)
        part = images.part(network, "test")
        self.graph = network_graph(load_network(network), network.task)
        self.inputs = {"images": part.batch(np.arange(min(_SAMPLES, len(part))))}
        self._targets = np.asarray(part.targets)[: len(self.inputs["images"])]
        self._classes = isinstance(network.task, Classification)
        self.measure = "accuracy" if self._classes else "negative root mean squared error"
        train = images.part(network, "train")
        self.tuning = {"images": train.batch(np.arange(min(4 * _SAMPLES, len(train))))}

    def quality(self, outputs: NDArray[np.float32]) -> float:
        """Return the accuracy, or the negative root mean squared error."""
        import numpy as np

        targets = self._targets[: len(outputs)]
        if self._classes:
            return float((outputs.argmax(axis=1) == targets).mean())
        return -float(np.sqrt(((outputs - targets) ** 2).mean()))


class _Generator(_Subject):
    def __init__(self, job: CompressionJob) -> None:
        import numpy as np

        study, seed = Path(job.study), job.settings.seed
        generator = trained_generator(study, job.selector, seed=seed)
        model = load_generator(generator)
        space = generator.conditions
        stream = Stream("compression", seed=seed)
        self.graph = generator_graph(model, space, lambda n: model.noise(stream.generator(), n))

        def drawn(purpose: str, n: int) -> dict[str, NDArray[Any]]:
            rng = stream.child(purpose).generator()
            rows = np.arange(n) % max(1, len(space.classes))
            attributes = {
                name: rng.normal(mean, deviation or 1.0, n)
                for name, mean, deviation in zip(space.attributes, space.means, space.deviations, strict=True)
            }
            given = {"latent": model.noise(rng, n)}
            return given | ({"conditions": space.encode(rows, attributes)} if space.size else {})

        self.inputs, self.tuning = drawn("measured", _SAMPLES), drawn("tuning", 4 * _SAMPLES)
        self._original = _outputs(self.graph, self.inputs)
        real = _real_images(study)
        self._features = Features(self._original if real is None else real)
        self.measure = "Fréchet distance to the unpruned generator"
        if real is not None:
            order = stream.child("halves").generator().permutation(len(real))
            halves = real[order[::2]], real[order[1::2]]
            self.floor = frechet_distance(*(self._features(half) for half in halves))
        self._wanted = self._features(self._original)
        self.repeat = frechet_distance(self._wanted, self._features(_outputs(self.graph, drawn("repeated", _SAMPLES))))

    def quality(self, outputs: NDArray[np.float32]) -> float:
        """Return the Fréchet distance to the images of the unpruned generator."""
        return frechet_distance(self._wanted, self._features(outputs))


def _real_images(study: Path) -> NDArray[np.float32] | None:
    import numpy as np

    from benchmarker import BenchmarkerError

    try:
        labelled = StudyImages(study).labelled
    except BenchmarkerError:
        return None
    return np.asarray(labelled.images[: 4 * _SAMPLES])


def _outputs(graph: Graph, inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    import numpy as np

    given = list(inputs.values())
    found: NDArray[np.float32] = np.asarray(
        graph.model.predict(given if len(given) > 1 else given[0], batch_size=_BATCH, verbose=0)
    )
    return found


def compress(argument: Any, emit: Callable[[Any], None]) -> dict[str, Any]:
    """Write and measure smaller forms of a model; called by `benchmarker.call_in_process`.

    Parameters
    ----------
    argument : JSON value
        A `CompressionJob`.
    emit : callable
        Called with the name of each form.

    Returns
    -------
    dict
        A `Compression` as JSON.
    """
    job = CompressionJob.from_json(argument)
    subject: _Network | _Generator = _Network(job) if job.settings.kind == "network" else _Generator(job)
    made = []
    for form in (Form(method="unpruned"), *job.settings.forms):
        emit(form.label)
        place = Path(job.folder) / form.label.replace(" ", "-")
        place.mkdir(parents=True)
        made.append(_made(subject, form, place, job.settings))
    batch, single = (_milliseconds([each.run for each in made], subject.inputs, size) for size in (_BATCH, 1))
    rows = (_row(subject, made[k], batch[k], single[k]) for k in range(len(made)))
    return Compression(rows=tuple(rows), measure=subject.measure, floor=subject.floor, repeat=subject.repeat).to_json()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """A form that has been written."""

    label: str
    file: Path
    run: Run
    parameters: int


def _made(subject: _Network | _Generator, form: Form, place: Path, settings: CompressionSettings) -> _Made:
    match form.method:
        case "float16" | "int8" as numbers:
            return _quantised(subject, numbers, place)
    graph = subject.graph
    if form.sparsity is not None:
        model = prune_parts(graph.model, form.sparsity, channels=form.method == "channels")
        if settings.epochs:
            wanted = _outputs(graph, subject.tuning)
            distil(model, list(subject.tuning.values()), wanted, epochs=settings.epochs, seed=settings.seed)
        graph = Graph(model=model, inputs=graph.inputs, output=graph.output)
    file = write_graph(graph, "onnx", place)
    return _Made(label=form.label, file=file, run=read_back("onnx", file, graph), parameters=_nonzero(graph.model))


def _quantised(subject: _Network | _Generator, form: Literal["float16", "int8"], place: Path) -> _Made:
    saved = write_graph(subject.graph, "savedmodel", place / "saved")
    file = place / "model.tflite"
    samples = {name: values[:_SHOWN_TO_CONVERTER] for name, values in subject.tuning.items()}
    write_litert(saved, file, form, samples)
    model = LiteRtModel(file)
    parameters = _nonzero(subject.graph.model)
    return _Made(label=form, file=file, run=lambda inputs: model(inputs)[0], parameters=parameters)


def _nonzero(model: Any) -> int:
    import numpy as np

    return int(sum(np.count_nonzero(each) for each in model.get_weights()))


def _row(subject: _Network | _Generator, made: _Made, milliseconds: float, single: float) -> CompressionRow:
    import numpy as np

    n = len(next(iter(subject.inputs.values())))
    starts = range(0, n - n % _BATCH or n, _BATCH)  # whole batches only: a shape is compiled once
    found = np.concatenate([made.run(_cut(subject.inputs, slice(k, k + _BATCH))) for k in starts])
    return CompressionRow(
        form=made.label,
        file=f"{made.file.parent.name}/{made.file.name}",
        parameters=made.parameters,
        bytes=made.file.stat().st_size,
        milliseconds=milliseconds,
        milliseconds_single=single,
        quality=subject.quality(found),
    )


def _cut(inputs: Arrays, rows: slice) -> Arrays:
    return {name: values[rows] for name, values in inputs.items()}


def _milliseconds(runs: Sequence[Run], inputs: Arrays, size: int) -> list[float]:
    """Return the median time of each form for some images; the forms take turns, so that other work slows all alike."""
    import numpy as np

    given = _cut(inputs, slice(size))
    times = []
    for turn in range(_REPEATS + 1):
        taken = []
        for run in runs:
            start = time.perf_counter()
            run(given)
            taken.append(1000 * (time.perf_counter() - start))
        times += [taken] if turn else []  # the first turn compiles
    return [float(each) for each in np.median(times, axis=0)]
