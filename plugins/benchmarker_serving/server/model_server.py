"""Answers questions with the models of a catalogue: batches, workers and measurements; knows no HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from benchmarker_serving.server.catalogue import Catalogue, Served
from benchmarker_serving.server.contract import Question, RequestError
from benchmarker_serving.server.limits import Limits
from benchmarker_serving.server.pool import Batcher, Pool

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How models are served.

    Parameters
    ----------
    limits : Limits
        What a request may cost.
    workers, threads : int
        Processes that run models, and threads of each.
    batch_images : int
        Largest number of images in a batch of several requests.
    batch_seconds : float
        Seconds that a request waits for others.
    waiting_images : int
        Largest number of images that wait for one model.
    """

    limits: Limits = field(default_factory=Limits)
    workers: int = 1
    threads: int = 2
    batch_images: int = 64
    batch_seconds: float = 0.002
    waiting_images: int = 16_384


class Measurements:
    """Prometheus metrics of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "benchmarker_requests", "Requests by model and HTTP status.", ["model", "status"], registry=self.registry
        )
        self.images = Counter("benchmarker_images", "Images that were answered.", ["model"], registry=self.registry)
        self.seconds = Histogram(
            "benchmarker_request_seconds", "Time from a request to its answer.", ["model"], registry=self.registry
        )
        self.restarts = Gauge("benchmarker_worker_restarts", "Restarts of worker processes.", registry=self.registry)


class ModelServer:
    """Answers requests for predictions of the models of a catalogue.

    Parameters
    ----------
    catalogue : mapping of str to mapping of int to Served
        Models by name and version.
    settings : Settings
        How they are served.
    """

    def __init__(self, catalogue: Catalogue, settings: Settings) -> None:
        self.catalogue = catalogue
        self.settings = settings
        models = [served for versions in catalogue.values() for served in versions.values()]
        self.pool = Pool(models, workers=settings.workers, threads=settings.threads)
        self._batchers = {
            served.key: Batcher(
                self.pool, served, images=settings.batch_images, delay=settings.batch_seconds,
                waiting=settings.waiting_images,
            )
            for served in models
        }  # fmt: skip
        self.measured = Measurements()
        self.ready = False

    async def start(self) -> None:
        """Start the workers."""
        await self.pool.start()
        self.ready = True

    async def stop(self) -> None:
        """Finish the requests that are being answered, and end the workers."""
        self.ready = False
        for batcher in self._batchers.values():
            await batcher.stop()
        await self.pool.stop()

    def find(self, name: str, version: str | None) -> Served:
        """Return a version of a model, the newest one by default.

        Raises
        ------
        RequestError
            If there is none.
        """
        versions = self.catalogue.get(name)
        if versions is None:
            raise RequestError(f"Servable not found for request: Latest({name[:100]})", 404)
        if version is None:
            return versions[max(versions)]
        number = int(version) if version.isascii() and version.isdigit() and len(version) < 19 else 0
        if number not in versions:
            raise RequestError(f"Servable not found for request: Specific({name[:100]}, {version[:20]})", 404)
        return versions[number]

    async def predict(self, served: Served, question: Question) -> NDArray[np.float32]:
        """Return the predictions that a question asks for."""
        outputs: NDArray[np.float32] = await self._batchers[served.key].run(question.inputs)
        self.measured.images.labels(served.name).inc(question.images)
        return outputs
