"""Measures smaller forms of a model: size, latency, and how well each still does, in the process of its backend."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
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
from benchmarker_serving.models.formats import read_back, write_graph
from benchmarker_serving.models.frechet import Features, frechet_distance
from benchmarker_serving.models.graphs import Graph, generator_graph, network_graph
from benchmarker_serving.models.pruning import distil, prune_parts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BATCH = 64
_REPEATS = 9
_SAMPLES = 1024
_SHOWN_TO_CONVERTER = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One form of a model.

    Parameters
    ----------
    form : str
        What was done to it, such as ``"channels 0.5"`` or ``"int8"``.
    file : str
        Name of its file.
    parameters : int
        Number of parameters that are not zero.
    bytes : int
        Size of the file.
    milliseconds : float
        Median time of a batch of 64 images.
    milliseconds_single : float
        Median time of one image.
    quality : float
        Accuracy on the test part, negative root mean squared error for a regression, or Frechet distance to the images
        of the unpruned generator.
    """

    form: str
    file: str
    parameters: int
    bytes: int
    milliseconds: float
    milliseconds_single: float
    quality: float


class _Subject:
    """The model that is made smaller, and how its quality is measured."""

    measure: str
    floor: float | None = None
    graph: Graph
    inputs: dict[str, NDArray[Any]]

    def quality(self, outputs: NDArray[np.float32]) -> float:
        """Return how good outputs for the inputs are."""
        raise NotImplementedError


class _Network(_Subject):
    def __init__(self, job: Mapping[str, Any]) -> None:
        import numpy as np

        study = Path(job["study"])
        (network,) = trained_networks(study, job["selector"], seed=job["seed"])
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
    def __init__(self, job: Mapping[str, Any]) -> None:
        import numpy as np

        study = Path(job["study"])
        generator = trained_generator(study, job["selector"], seed=job["seed"])
        model = load_generator(generator)
        space = generator.conditions
        stream = Stream("compression", seed=job["seed"])
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
        self.measure = "Frechet distance to the unpruned generator"
        if real is not None:
            order = stream.child("halves").generator().permutation(len(real))
            halves = real[order[::2]], real[order[1::2]]
            self.floor = frechet_distance(*(self._features(half) for half in halves))
        self._wanted = self._features(self._original)

    def quality(self, outputs: NDArray[np.float32]) -> float:
        """Return the Frechet distance to the images of the unpruned generator."""
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


def compress(job: Mapping[str, Any], emit: Callable[[Any], None]) -> dict[str, Any]:
    """Write and measure smaller forms of a model; called by `benchmarker.call_in_process`.

    Parameters
    ----------
    job : mapping
        ``study``, ``selector``, ``kind``, ``seed``, ``folder``, ``forms`` (``["channels", 0.5]`` or ``["int8"]``) and
        ``epochs`` of fine-tuning.
    emit : callable
        Called with the name of each form.

    Returns
    -------
    dict
        ``rows`` (see `Row`), ``measure`` and ``floor``.
    """
    subject: _Network | _Generator = _Network(job) if job["kind"] == "network" else _Generator(job)
    folder = Path(job["folder"])
    rows = []
    for form, *settings in (["unpruned"], *job["forms"]):
        label = " ".join(map(str, (form, *settings)))
        emit(label)
        place = folder / label.replace(" ", "-")
        place.mkdir(parents=True)
        rows.append(asdict(_made(subject, form, settings, label=label, place=place, job=job)))
    return {"rows": rows, "measure": subject.measure, "floor": subject.floor}


def _made(
    subject: _Network | _Generator,
    form: str,
    settings: Sequence[Any],
    *,
    label: str,
    place: Path,
    job: Mapping[str, Any],
) -> Row:
    if form in {"float16", "int8"}:
        return _quantised(subject, "float16" if form == "float16" else "int8", label, place)
    graph = subject.graph
    if form != "unpruned":
        model = prune_parts(graph.model, float(settings[0]), channels=form == "channels")
        if job["epochs"]:
            wanted = _outputs(graph, subject.tuning)
            distil(model, list(subject.tuning.values()), wanted, epochs=job["epochs"], seed=job["seed"])
        graph = Graph(model=model, inputs=graph.inputs, output=graph.output)
    file = write_graph(graph, "onnx", place)
    run = read_back("onnx", file, graph)
    return _row(subject, label, file, run, _nonzero(graph.model))


def _quantised(subject: _Network | _Generator, form: Literal["float16", "int8"], label: str, place: Path) -> Row:
    saved = write_graph(subject.graph, "savedmodel", place / "saved")
    file = place / "model.tflite"
    samples = {name: values[:_SHOWN_TO_CONVERTER] for name, values in subject.tuning.items()}
    write_litert(saved, file, form, samples)
    model = LiteRtModel(file)
    return _row(subject, label, file, lambda inputs: model(inputs)[0], _nonzero(subject.graph.model))


def _nonzero(model: Any) -> int:
    import numpy as np

    return int(sum(np.count_nonzero(each) for each in model.get_weights()))


def _row(
    subject: _Network | _Generator, label: str, file: Path, run: Callable[..., NDArray[np.float32]], parameters: int
) -> Row:
    import numpy as np

    n = len(next(iter(subject.inputs.values())))
    starts = range(0, n - n % _BATCH or n, _BATCH)  # whole batches only: a shape is compiled once
    batches = ({name: each[k : k + _BATCH] for name, each in subject.inputs.items()} for k in starts)
    found = np.concatenate([run(batch) for batch in batches])
    times = [_milliseconds(run, {k: v[:size] for k, v in subject.inputs.items()}) for size in (_BATCH, 1)]
    return Row(
        form=label,
        file=f"{file.parent.name}/{file.name}",
        parameters=parameters,
        bytes=file.stat().st_size,
        milliseconds=times[0],
        milliseconds_single=times[1],
        quality=subject.quality(found),
    )


def _milliseconds(run: Callable[..., Any], inputs: Mapping[str, NDArray[Any]]) -> float:
    import numpy as np

    run(inputs)
    times = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        run(inputs)
        times.append(1000 * (time.perf_counter() - start))
    return float(np.median(times))
