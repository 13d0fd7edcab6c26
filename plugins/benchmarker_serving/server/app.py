"""The web application: routes of TensorFlow Serving's REST contract, health, metrics and the inclination server."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.exceptions import HTTPException

from benchmarker_serving.server.catalogue import Catalogue, Served
from benchmarker_serving.server.contract import (
    Question,
    RequestError,
    metadata,
    parse_json,
    parse_npy,
    reply_json,
    reply_npy,
    status,
)
from benchmarker_serving.server.limits import Limits, RateLimiter, read_body
from benchmarker_serving.server.pool import Batcher, Pool

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from benchmarker_serving.server.inclination import InclinationServer

logger = logging.getLogger(__name__)

NPY = "application/x-npy"


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


def make_app(
    catalogue: Catalogue, settings: Settings, inclination: Callable[[ModelServer], InclinationServer] | None = None
) -> FastAPI:
    """Return the application.

    Parameters
    ----------
    catalogue : mapping of str to mapping of int to Served
        Models by name and version.
    settings : Settings
        How they are served.
    inclination : callable, optional
        Makes the routes of the inclination server.
    """
    server = ModelServer(catalogue, settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await server.start()
        try:
            yield
        finally:
            await server.stop()

    app = FastAPI(title="galaxy-benchmarker", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.state.server = server
    _add_limits(app, RateLimiter(settings.limits.rate))
    _add_health(app, server)
    _add_models(app, server)
    if inclination is not None:
        inclination(server).add_routes(app)
    app.add_exception_handler(HTTPException, _plain_error)
    return app


async def _plain_error(_request: Request, error: Exception) -> JSONResponse:
    """Answer requests for unknown addresses as the contract does."""
    code, detail = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "internal error")
    return JSONResponse({"error": str(detail)}, status_code=code)


def _add_limits(app: FastAPI, limiter: RateLimiter) -> None:
    @app.middleware("http")
    async def limited(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        client = request.client.host if request.client is not None else ""
        if not limiter.allows(client):
            return JSONResponse({"error": "too many requests"}, status_code=429, headers={"Retry-After": "1"})
        try:
            return await answer(request)
        except RequestError as error:
            return JSONResponse({"error": str(error)}, status_code=error.status)
        # Broad on purpose: one bad request must neither end the server nor show its traceback to a client.
        except Exception:
            logger.exception("a request failed")
            return JSONResponse({"error": "internal error"}, status_code=500)


def _add_health(app: FastAPI, server: ModelServer) -> None:
    @app.get("/healthz")
    async def healthy() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz")
    async def ready() -> Response:
        return JSONResponse({"ready": server.ready}, status_code=200 if server.ready else 503)

    @app.get("/metrics")
    async def metrics() -> Response:
        server.measured.restarts.set(server.pool.restarts)
        return Response(generate_latest(server.measured.registry), media_type=CONTENT_TYPE_LATEST)


def _add_models(app: FastAPI, server: ModelServer) -> None:
    @app.get("/v1/models")
    async def models() -> Mapping[str, Any]:
        return {"models": {name: sorted(versions) for name, versions in server.catalogue.items()}}

    # The more special addresses come first: a name may be any text without a slash.
    for place in ("/v1/models/{name}/versions/{version}", "/v1/models/{name}"):
        app.add_route(f"{place}:predict", partial(_predicted, server), methods=["POST"])
        app.add_route(f"{place}/metadata", partial(_described, server))
    for place in ("/v1/models/{name}/versions/{version}", "/v1/models/{name}"):
        app.add_route(place, partial(_state, server))


async def _state(server: ModelServer, request: Request) -> Response:
    name, version = _named(request)
    served = server.find(name, version)
    numbers = list(server.catalogue[name]) if version is None else [served.version]
    return JSONResponse(status(dict.fromkeys(numbers, "AVAILABLE" if server.ready else "LOADING")))


async def _described(server: ModelServer, request: Request) -> Response:
    served = server.find(*_named(request))
    return JSONResponse(metadata(served.name, served.version, served.bundle))


async def _predicted(server: ModelServer, request: Request) -> Response:
    served = server.find(*_named(request))
    start = time.perf_counter()
    try:
        response = await _predict(server, served, request)
    except RequestError as error:
        response = JSONResponse({"error": str(error)}, status_code=error.status)
    server.measured.requests.labels(served.name, str(response.status_code)).inc()
    server.measured.seconds.labels(served.name).observe(time.perf_counter() - start)
    return response


def _named(request: Request) -> tuple[str, str | None]:
    """Return the name of the model in an address, and the version, where it has one."""
    return request.path_params["name"], request.path_params.get("version")


async def _predict(server: ModelServer, served: Served, request: Request) -> Response:
    limits = server.settings.limits
    body = await read_body(request, limits)
    as_npy = request.headers.get("content-type", "").partition(";")[0].strip() == NPY
    question = (parse_npy if as_npy else parse_json)(body, served.bundle, limits.images)
    outputs = await server.predict(served, question)
    if question.form == "npy" or NPY in request.headers.get("accept", ""):
        return Response(reply_npy(outputs), media_type=NPY)
    return Response(reply_json(outputs, question.form), media_type="application/json")
