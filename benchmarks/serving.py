"""Images per second of `benchmarker serve`, by real HTTP with batches of 64 images of 64 pixels, on two cores.

The rival runs the same files with onnxruntime in the process of the client, so the difference is what a server costs.
Two clients ask at a time. Afterwards 200 clients ask at once while the process of the models is killed; each must get
its answer.
"""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import psutil

from benchmarker import Architecture, Classification, ConditionSpace, Generator, Stream
from benchmarker.backends import chosen, load
from benchmarker.discovery import installed, options_model, resolve
from benchmarks.measure import Figure, print_figures

SIZE, BATCH, THREADS = 64, 64, 2
CLIENTS, REQUESTS = 2, 60
CROWD = 200
WANTED = 1000.0
"""Images per second that the server must give for each model."""

LEAST = 0.2
"""Fraction of the rival's speed: half of two cores is spent on HTTP by server and clients."""


def write_models(folder: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Export an untrained network and an untrained generator, and return a batch of inputs for each."""
    from benchmarker_serving.models.bundle import Bundle, digests
    from benchmarker_serving.models.formats import write_graph
    from benchmarker_serving.models.graphs import generator_graph, network_graph

    load(chosen()).configure(THREADS, seed=0)
    task = Classification(classes=("FRI", "FRII", "Compact", "Bent"))
    network = build(installed().architecture("mcrgnet"), (SIZE, SIZE, 1), task, 0)
    painter = build(installed().generator("dcgan"), (SIZE, SIZE, 1), ConditionSpace(), 0)
    graphs = {
        "classifier": network_graph(network, task),
        "painter": generator_graph(
            painter, ConditionSpace(), lambda n: painter.noise(Stream("serving").generator(), n)
        ),
    }
    inputs: dict[str, np.ndarray[Any, Any]] = {}
    for name, graph in graphs.items():
        place = folder / name / "1"
        place.mkdir(parents=True)
        write_graph(graph, "onnx", place)
        (only, shape), *_ = graph.inputs.items()
        bundle = Bundle(
            name=name,
            version=1,
            kind="network" if name == "classifier" else "generator",
            inputs=dict(graph.inputs),
            output=graph.output,
            output_shape=tuple(graph.model.output_shape[1:]),
            files=digests(place),
        )
        bundle.write(place)
        inputs[name] = Stream("serving", name=only).generator().random((BATCH, *shape), dtype=np.float32)
    return inputs


def build(plugin: Architecture | Generator, *arguments: Any) -> Any:
    """Return an untrained network or generator with the default options of its plugin."""
    options = options_model(plugin)
    return resolve(plugin.builder)(*arguments, *([] if options is None else [options()]))


@contextmanager
def started(folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """Run the server until the block ends; yield its address and its process."""
    command = [sys.executable, "-m", "benchmarker", "serve", str(folder), "--port", "0", "--threads", str(THREADS)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        try:
            address = next(found[0] for line in process.stderr or () if (found := re.search(r"http://[\d.:]+", line)))
            while not _ready(address):
                time.sleep(0.1)
            yield address, psutil.Process(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)


def _ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=5) as reply:  # noqa: S310 - an address of this machine
            return bool(reply.status == 200)
    except OSError:
        return False


def ask(address: str, model: str, body: bytes) -> np.ndarray[Any, Any]:
    """Return the predictions for an array in a body."""
    request = urllib.request.Request(  # noqa: S310
        f"{address}/v1/models/{model}:predict", data=body, headers={"Content-Type": "application/x-npy"}
    )
    with urllib.request.urlopen(request, timeout=120) as reply:  # noqa: S310
        found: np.ndarray[Any, Any] = np.load(io.BytesIO(reply.read()))
    return found


def packed(values: np.ndarray[Any, Any]) -> bytes:
    """Return an array as the body of a request."""
    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


def images_per_second(address: str, model: str, inputs: np.ndarray[Any, Any]) -> float:
    """Return the images per second that two clients get together."""
    body = packed(inputs)
    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(lambda _: ask(address, model, body), range(2 * CLIENTS)))
        start = time.perf_counter()
        list(clients.map(lambda _: ask(address, model, body), range(REQUESTS)))
        return BATCH * REQUESTS / (time.perf_counter() - start)


def rival(file: Path, inputs: np.ndarray[Any, Any]) -> float:
    """Return the images per second of onnxruntime in this process."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    given = {session.get_inputs()[0].name: inputs}
    session.run(None, given)
    start = time.perf_counter()
    for _ in range(REQUESTS):
        session.run(None, given)
    return BATCH * REQUESTS / (time.perf_counter() - start)


def answered(address: str, server: psutil.Process, inputs: np.ndarray[Any, Any]) -> float:
    """Return the fraction of 200 clients that get their own right answer while the models' process is killed."""
    scales = np.linspace(0, 1, CROWD, dtype=np.float32)[:, None, None, None, None]
    questions = scales * inputs[:1]
    expected = ask(address, "classifier", packed(questions[:, 0]))
    together = Barrier(CROWD + 1)

    def client(k: int) -> bool:
        together.wait()
        try:
            return bool(np.abs(ask(address, "classifier", packed(questions[k])) - expected[k]).max() < 1e-5)
        except urllib.error.URLError:
            return False

    with ThreadPoolExecutor(CROWD) as clients:
        replies = [clients.submit(client, k) for k in range(CROWD)]
        together.wait()
        for worker in server.children():
            os.kill(worker.pid, signal.SIGKILL)
        return sum(reply.result() for reply in replies) / CROWD


def main() -> None:
    """Measure both models, and the crowd."""
    figures = []
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        inputs = write_models(folder)
        bare = {name: rival(folder / name / "1" / "model.onnx", given) for name, given in inputs.items()}
        with started(folder) as (address, server):
            for name, given in inputs.items():
                ours = images_per_second(address, name, given)
                measured = {"served_images_per_second": ours, "in_process_images_per_second": bare[name]}
                figures += [
                    Figure(name=f"images/s of a served {name}", rival="1,000 images/s", ratio=ours / WANTED,
                           bound="at least", limit=1.0, measured=measured),
                    Figure(name=f"images/s of a served {name}", rival="onnxruntime in the client",
                           ratio=ours / bare[name], bound="at least", limit=LEAST, measured=measured),
                ]  # fmt: skip
            fraction = answered(address, server, inputs["classifier"])
        figures.append(
            Figure(name="answers to 200 clients while a worker is killed", rival="200 questions", ratio=fraction,
                   bound="at least", limit=1.0)
        )  # fmt: skip
    print_figures(*figures)


if __name__ == "__main__":
    main()
