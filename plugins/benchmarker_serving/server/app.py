"""The web application: routes of TensorFlow Serving's REST contract, health, metrics and the inclination server."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException

from benchmarker_serving.server.catalogue import Catalogue, Served
from benchmarker_serving.server.contract import (
    RequestError,
    metadata,
    parse_json,
    parse_npy,
    reply_json,
    reply_npy,
    status,
)
from benchmarker_serving.server.limits import RateLimiter, read_body
from benchmarker_serving.server.model_server import ModelServer, Settings

if TYPE_CHECKING:
    from benchmarker_serving.server.inclination import InclinationServer

logger = logging.getLogger(__name__)

NPY = "application/x-npy"


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
