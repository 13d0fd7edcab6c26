"""The inclination server: inclinations of an uploaded picture, or of a galaxy of a catalogue on disk, as JSON.

Addresses and replies are those of the server of the pipeline, github.com/ekourkchi/inclinet_production_repo.
"""

from __future__ import annotations

import io
import re
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from benchmarker import UnreadableImageError, read_picture
from benchmarker_serving.server.catalogue import Served
from benchmarker_serving.server.contract import Question, RequestError
from benchmarker_serving.server.limits import read_body

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from benchmarker_serving.server.model_server import ModelServer

_GROUPS = ("model4", "model5", "model6")
_MOST_DEGREES = 90
_CATALOGUE = "catalog.csv"
_IMAGES = "galaxies"
_COLUMNS = ("pgc", "ra", "dec", "fov", "pa", "objname")
_BOUNDARY = re.compile(r'boundary="?([^";]{1,70})"?')


def squared(pixels: NDArray[Any], size: int) -> NDArray[np.float32]:
    """Return a picture as the networks see it: squared by a black border, resized, divided by 255, three channels.

    Parameters
    ----------
    pixels : ndarray of shape (height, width) or (height, width, 3), uint8 or uint16
        Picture.
    size : int
        Height and width of the result in pixels.

    Returns
    -------
    ndarray of shape (size, size, 3), float32

    Examples
    --------
    >>> import numpy as np
    >>> squared(np.full((2, 4), 255, np.uint8), 4)[:, 0, 0].tolist()
    [0.0, 1.0, 1.0, 0.0]
    """
    import numpy as np
    from PIL import Image

    scaled = pixels if pixels.dtype == np.uint8 else (pixels / (pixels.max() or 1) * 255).astype(np.uint8)
    picture = Image.fromarray(scaled).convert("RGB")
    longest = max(picture.size)
    square = Image.new("RGB", (longest, longest))
    square.paste(picture, ((longest - picture.width) // 2, (longest - picture.height) // 2))
    return np.asarray(square.resize((size, size)), dtype=np.float32) / np.float32(255)


def summary(values: list[float]) -> dict[str, float]:
    """Return mean, median and population standard deviation.

    Examples
    --------
    >>> summary([60.0, 62.0])
    {'mean': 61.0, 'median': 61.0, 'stdev': 1.0}
    """
    return {
        "mean": statistics.fmean(values),
        "median": statistics.median(values),
        "stdev": statistics.pstdev(values),
    }


class InclinationServer:
    """Answers with inclinations and likelihoods of rejection of all models that predict them.

    A model whose name contains ``model4`` (5, 6) belongs to ``Group_0`` (1, 2). Its first version is ``model4``; the
    others, trained on sub-samples, are ``model41``, ``model42``, and so on. Each prediction is the median of two views,
    at 0 and 180 degrees, rounded to whole degrees. Models with the classes accepted and rejected give the likelihood.

    Parameters
    ----------
    server : ModelServer
        Server of the models.
    catalogue : Path or None
        Folder with ``catalog.csv``, separated by ``|``, and the folder ``galaxies``.
    """

    def __init__(self, server: ModelServer, catalogue: Path | None) -> None:
        self._server = server
        self._catalogue = catalogue
        models = [served for versions in server.catalogue.values() for served in versions.values()]
        self._inclinations = [served for served in models if "inclination" in served.bundle.units]
        self._binary = [served for served in models if served.bundle.classes == ("accepted", "rejected")]

    def add_routes(self, app: FastAPI) -> None:
        """Add ``POST /api/file`` and ``GET /api/pgc/<id>`` to an application."""
        app.add_route("/api/file", self._file, methods=["POST"])
        app.add_route("/api/pgc/{number}", self._pgc)

    async def _file(self, request: Request) -> Response:
        limits = self._server.settings.limits
        body = await read_body(request, limits)
        name, content = uploaded(body, request.headers.get("content-type", ""))
        if not name.lower().endswith((".png", ".jpg", ".jpeg", ".gif")):
            raise RequestError("a PNG, JPEG or GIF file was expected")
        galaxy = {"filename": Path(name).name}
        return JSONResponse({"status": "success", "galaxy": galaxy, **await self._evaluate(content)})

    async def _pgc(self, request: Request) -> Response:
        text = request.path_params["number"]
        if not (text.isascii() and text.isdigit() and len(text) < 12):
            raise RequestError("the number of a galaxy was expected: /api/pgc/2557")
        galaxy, path = self._find(int(text))
        return JSONResponse({"status": "success", "galaxy": galaxy, **await self._evaluate(path.read_bytes())})

    def _find(self, number: int) -> tuple[dict[str, Any], Path]:
        """Return what the catalogue says of a galaxy, and its picture."""
        if self._catalogue is None:
            raise RequestError("this server has no catalogue of galaxies; start it with --catalogue", 404)
        for row in _rows(self._catalogue / _CATALOGUE):
            if row.get("pgc") == str(number):
                break
        else:
            raise RequestError(f"PGC {number} is not in the catalogue", 404)
        folder = self._catalogue / _IMAGES
        names = [*folder.glob(f"pgc{number}_*_gri.sdss.jpg"), *folder.glob(f"pgc{number}_*_gri.jpg")]
        names += folder.glob(f"pgc{number}_*_[gri].png")
        if not names:
            raise RequestError(f"PGC {number} has no picture in the catalogue", 404)
        return {name: _value(row.get(name)) for name in _COLUMNS}, names[0]

    async def _evaluate(self, content: bytes) -> dict[str, Any]:
        if not self._inclinations:
            raise RequestError("no model of this server predicts inclinations", 404)
        try:
            pixels = read_picture(content)
        except UnreadableImageError as error:
            raise RequestError(f"the picture cannot be read: {error.reason}") from error
        groups: dict[str, dict[str, Any]] = {}
        every: list[float] = []
        for group, member, served in _members(self._inclinations):
            value = float(min(_MOST_DEGREES, round(statistics.median(await self._views(served, pixels)))))
            groups.setdefault(group, {})[member] = value
            every.append(value)
        reply: dict[str, Any] = {"inclinations": {**groups, "summary": summary(every)}}
        likelihoods: dict[str, Any] = {}
        for group, _, served in _members(self._binary):
            name = f"{_GROUPS[int(group[-1])]}-binary"
            likelihoods[name] = round(100 * statistics.median(await self._views(served, pixels, column=1)))
        if likelihoods:
            reply["rejection_likelihood"] = {**likelihoods, "summary": summary(list(map(float, likelihoods.values())))}
        return reply

    async def _views(self, served: Served, pixels: NDArray[Any], column: int = 0) -> list[float]:
        """Return the predictions for a picture at 0 and at 180 degrees."""
        import numpy as np

        image = squared(pixels, served.bundle.inputs["images"][0])
        views = np.ascontiguousarray(np.stack([image, image[::-1, ::-1]]))
        outputs = await self._server.predict(served, Question(inputs={"images": views}, form="row"))
        return [float(value) for value in outputs[:, column]]


def _members(models: list[Served]) -> Iterator[tuple[str, str, Served]]:
    """Yield the group of each model, its name in the group, and the model; others than model4 to 6 are in Group_0."""
    for served in models:
        number = next((k for k, name in enumerate(_GROUPS) if name in served.name), 0)
        suffix = "" if served.version == 1 else str(served.version - 1)
        yield f"Group_{number}", f"{_GROUPS[number]}{suffix}", served


def _rows(path: Path) -> Iterator[Mapping[str, str]]:
    import csv

    try:
        with path.open(encoding="utf-8", newline="") as stream:
            lines = csv.reader((line for line in stream if not line.startswith("#")), delimiter="|")
            names = [name.strip().lower() for name in next(lines, [])]
            for cells in lines:
                yield dict(zip(names, (cell.strip() for cell in cells), strict=False))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RequestError("the catalogue of this server cannot be read", 500) from error


def _value(text: str | None) -> Any:
    """Return a number where a cell holds one, and otherwise its text."""
    try:
        return float(text or "")
    except ValueError:
        return text or None


def uploaded(body: bytes, content_type: str) -> tuple[str, bytes]:
    """Return name and content of the field ``file`` of a form with uploads.

    Raises
    ------
    RequestError
        If there is no such field.
    """
    from python_multipart.multipart import FormParser

    found: list[tuple[str, bytes]] = []

    def on_file(file: Any) -> None:
        if file.field_name == b"file":
            file.file_object.seek(0)
            found.append(((file.file_name or b"").decode("utf-8", "replace"), file.file_object.read()))

    boundary = _BOUNDARY.search(content_type)
    if boundary is None or not content_type.startswith("multipart/form-data"):
        raise RequestError("a form with the field 'file' was expected (multipart/form-data)")
    try:
        parser = FormParser("multipart/form-data", lambda _field: None, on_file, boundary=boundary[1].encode())
        parser.write(io.BytesIO(body).getvalue())
        parser.finalize()
    except ValueError as error:
        raise RequestError("the form cannot be read") from error
    if not found:
        raise RequestError("the form has no field 'file'")
    return found[0]
