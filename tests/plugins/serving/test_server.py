"""The server: TensorFlow Serving's REST contract, limits, and workers that die."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from benchmarker import ConfigurationError, StorageError
from benchmarker.cli import main
from benchmarker_serving.models.latent import latent_points
from benchmarker_serving.server.app import make_app
from benchmarker_serving.server.catalogue import read_folder
from benchmarker_serving.server.inclination import InclinationServer
from benchmarker_serving.server.limits import Limits
from benchmarker_serving.server.model_server import Settings
from tests.plugins.serving import onnx_models
from tests.plugins.serving.onnx_models import SIZE

BRIGHT = np.full((SIZE, SIZE, 1), 0.75)


def served(
    folder: Path, *, limits: Limits | None = None, catalogue: Path | None = None, workers: int = 1
) -> TestClient:
    settings = Settings(limits=limits or Limits(images=16, body_bytes=1 << 20), workers=workers, threads=1)
    return TestClient(
        make_app(read_folder(folder), settings, lambda server: InclinationServer(server, catalogue)),
        raise_server_exceptions=False,
    )


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("exported")
    onnx_models.network(folder)
    onnx_models.network(folder, version=3, factor=0.5)
    onnx_models.generator(folder)
    with served(folder) as found:
        yield found


# Requests and replies as https://www.tensorflow.org/tfx/serving/api_rest documents them -------------------------------


def test_status_of_a_model_and_of_a_version(client: TestClient) -> None:
    fine = {"error_code": "OK", "error_message": ""}
    versions = [{"version": each, "state": "AVAILABLE", "status": fine} for each in ("3", "1")]
    assert client.get("/v1/models/brightness").json() == {"model_version_status": versions}
    assert client.get("/v1/models/brightness/versions/1").json() == {"model_version_status": versions[1:]}


def test_metadata_describe_every_signature(client: TestClient) -> None:
    found = client.get("/v1/models/painter/metadata").json()
    assert found["model_spec"] == {"name": "painter", "signature_name": "", "version": "1"}
    signatures = found["metadata"]["signature_def"]["signature_def"]
    assert set(signatures) == {"serving_default", "seeded"}
    default = signatures["serving_default"]
    assert default["method_name"] == "tensorflow/serving/predict"
    sizes = [each["size"] for each in default["outputs"]["images"]["tensor_shape"]["dim"]]
    assert sizes == ["-1", str(SIZE), str(SIZE), "1"]
    assert set(default["inputs"]) == {"latent", "conditions"}
    assert signatures["seeded"]["inputs"]["seed"]["dtype"] == "DT_INT64"


def test_row_form_gives_predictions(client: TestClient) -> None:
    body = {"instances": [BRIGHT.tolist(), {"images": (BRIGHT * 0).tolist()}]}
    reply = client.post("/v1/models/brightness/versions/1:predict", json=body)
    assert reply.status_code == 200
    assert reply.json() == {"predictions": [[0.75, 0.25], [0.0, 1.0]]}


def test_column_form_gives_outputs_of_the_newest_version(client: TestClient) -> None:
    for inputs in ([BRIGHT.tolist()], {"images": [BRIGHT.tolist()]}):
        body = {"signature_name": "serving_default", "inputs": inputs}
        assert client.post("/v1/models/brightness:predict", json=body).json() == {"outputs": [[0.375, 0.625]]}


def test_arrays_are_taken_and_given_as_npy(client: TestClient) -> None:
    stream = io.BytesIO()
    np.save(stream, np.stack([BRIGHT]).astype(np.float32))
    headers = {"content-type": "application/x-npy"}
    reply = client.post("/v1/models/brightness/versions/1:predict", content=stream.getvalue(), headers=headers)
    assert reply.headers["content-type"] == "application/x-npy"
    assert np.load(io.BytesIO(reply.content)).tolist() == [[0.75, 0.25]]


def test_generator_takes_latent_points_or_seeds(client: TestClient) -> None:
    latent = latent_points(np.array([5, 6]), 3, uniform=False)
    rows = [{"latent": point.tolist(), "conditions": [1, 0]} for point in latent]
    given = client.post("/v1/models/painter:predict", json={"instances": rows}).json()["predictions"]
    seeds = {"signature_name": "seeded", "inputs": {"seed": [5, 6], "conditions": [[1, 0], [1, 0]]}}
    drawn = client.post("/v1/models/painter:predict", json=seeds).json()["outputs"]
    assert np.array(drawn) == pytest.approx(np.array(given), abs=1e-6)
    assert np.array(drawn)[:, 0, 0, 0] == pytest.approx(latent.sum(axis=1) + 1, abs=1e-5)


@pytest.mark.parametrize(
    ("address", "body", "code"),
    [
        ("nothing:predict", {"instances": [1]}, 404),
        ("brightness/versions/2:predict", {"instances": [1]}, 404),
        ("brightness/versions/x:predict", {"instances": [1]}, 404),
        ("brightness:predict", {"instances": []}, 400),
        ("brightness:predict", {"instances": [[1, 2]]}, 400),
        ("brightness:predict", {"instances": [[1], [2, 3]]}, 400),
        ("brightness:predict", {"instances": ["text"]}, 400),
        ("brightness:predict", {"instances": [{"pictures": [1]}]}, 400),
        ("brightness:predict", {"instances": [1], "inputs": [1]}, 400),
        ("brightness:predict", {"inputs": {"images": 5}}, 400),
        ("brightness:predict", {"signature_name": "other", "instances": [1]}, 404),
        ("brightness:predict", {"signature_name": ["serving_default"], "instances": [1]}, 400),
        ("brightness:predict", {"instances": [1], "b64": 1}, 400),
        ("brightness:predict", [1], 400),
        ("brightness:predict", None, 400),
        ("painter:predict", {"instances": [[1, 2, 3]]}, 400),
        ("painter:predict", {"inputs": {"latent": [[1, 2, 3]], "conditions": [[1, 0], [0, 1]]}}, 400),
        ("painter:predict", {"signature_name": "seeded", "inputs": {"seed": [2**70], "conditions": [[1, 0]]}}, 400),
    ],
)
def test_wrong_requests_get_the_documented_error(client: TestClient, address: str, body: Any, code: int) -> None:
    reply = client.post(f"/v1/models/{address}", json=body)
    assert reply.status_code == code
    assert set(reply.json()) == {"error"}


def npy(header: str) -> bytes:
    text = header.encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"{", "application/json"),
        (b"[" * 200_000, "application/json"),
        (b'{"instances": [' + b"[" * 100_000, "application/json"),
        (b'{"instances": [NaN]}', "application/json"),
        (b"\xff\xfe", "application/json"),
        (b"", "application/json"),
        (b"not an array", "application/x-npy"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776, 8, 8, 1)}\n"), "application/x-npy"),
        (npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}\n"), "application/x-npy"),
        (npy("(" * 30_000 + "\n"), "application/x-npy"),
        (b"\x93NUMPY\x09\x00", "application/x-npy"),
    ],
)
def test_hostile_bodies_are_refused_and_harm_nobody(client: TestClient, content: bytes, kind: str) -> None:
    reply = client.post("/v1/models/brightness:predict", content=content, headers={"content-type": kind})
    assert reply.status_code == 400
    assert "Traceback" not in reply.text
    assert client.get("/v1/models/brightness").status_code == 200


def test_large_requests_are_refused(client: TestClient) -> None:
    many = {"instances": [BRIGHT.tolist()] * 17}
    assert client.post("/v1/models/brightness:predict", json=many).status_code == 413
    assert client.post("/v1/models/brightness:predict", content=b" " * ((1 << 20) + 1)).status_code == 413


def test_unknown_addresses_and_methods_get_an_error(client: TestClient) -> None:
    for reply in (client.get("/etc/passwd"), client.get("/v1/models/..%2f..%2fetc/metadata"), client.post("/healthz")):
        assert reply.status_code in {404, 405}
        assert set(reply.json()) == {"error"}


def test_health_and_metrics_are_given(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").status_code == 200
    client.post("/v1/models/brightness:predict", json={"instances": [BRIGHT.tolist()]})
    text = client.get("/metrics").text
    assert 'benchmarker_requests_total{model="brightness",status="200"}' in text
    assert "benchmarker_worker_restarts" in text


def test_200_clients_at_once_get_their_own_answers_while_a_worker_is_killed(tmp_path: Path) -> None:
    onnx_models.network(tmp_path)
    together = Barrier(200)
    with served(tmp_path) as client:
        server = client.app.state.server  # type: ignore[attr-defined]

        def ask(k: int) -> tuple[int, float]:
            image = np.full((SIZE, SIZE, 1), k / 256)
            together.wait()
            if k == 60:
                os.kill(server.pool.workers[0].process_id, signal.SIGKILL)
            reply = client.post("/v1/models/brightness:predict", json={"instances": [image.tolist()]})
            return reply.status_code, reply.json()["predictions"][0][0]

        with ThreadPoolExecutor(200) as threads:
            answers = list(threads.map(ask, range(200)))
        assert {status for status, _ in answers} == {200}
        assert [value for _, value in answers] == pytest.approx([k / 256 for k in range(200)])
        assert server.pool.restarts >= 1


def test_clients_that_ask_too_often_have_to_wait(tmp_path: Path) -> None:
    onnx_models.network(tmp_path)
    with served(tmp_path, limits=Limits(rate=1)) as client:
        codes = [client.get("/healthz").status_code for _ in range(8)]
    assert codes[:5] == [200] * 5
    assert 429 in codes


# Models on disk ----------------------------------------------------------------------------------------------------


def test_changed_files_are_not_served(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="benchmarker model export"):
        read_folder(tmp_path)
    place = onnx_models.network(tmp_path)
    with (place / "model.onnx").open("ab") as stream:
        stream.write(b"\0")
    with pytest.raises(StorageError, match=r"model\.onnx"):
        read_folder(tmp_path)


def test_ports_that_are_taken_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnx_models.network(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["serve", str(tmp_path), "--port", port]) == 2
    assert f"--port {port}" in capsys.readouterr().err


# The inclination server --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def spirals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("spirals")
    units: dict[str, Any] = {"units": {"inclination": "deg"}}
    for version, factor in ((1, 60.0), (2, 70.0)):
        onnx_models.network(folder / "models", "inclinet_model4", version, factor=factor, channels=3, **units)
    onnx_models.network(folder / "models", "inclinet_model5", factor=80.0, channels=3, **units)
    onnx_models.network(folder / "models", "model6-types", factor=0.4, channels=3, classes=("accepted", "rejected"))
    (folder / "galaxies").mkdir()
    Image.new("RGB", (20, 20), (255, 255, 255)).save(
        folder / "galaxies" / "pgc2557_d25x2_rot_gri.sdss.jpg", quality=100
    )
    (folder / "catalog.csv").write_text("pgc|ra|dec|pa|inc\n 2557 |10.68|41.27|35|77\n3 |1|2|3|50\n")
    with served(folder / "models", catalogue=folder) as found:
        yield found


EXPECTED = {
    "Group_0": {"model4": 60.0, "model41": 70.0},
    "Group_1": {"model5": 80.0},
    "summary": {"mean": 70.0, "median": 70.0, "stdev": pytest.approx(8.165, abs=1e-3)},
}


def test_uploaded_picture_gets_inclinations_of_all_networks(spirals: TestClient) -> None:
    stream = io.BytesIO()
    Image.new("L", (30, 30), 255).save(stream, format="PNG")
    reply = spirals.post("/api/file", files={"file": ("m31.png", stream.getvalue())}).json()
    assert reply["status"] == "success"
    assert reply["inclinations"] == EXPECTED
    assert reply["rejection_likelihood"]["model6-binary"] == 60


def test_galaxy_of_the_catalogue_gets_its_facts_and_inclinations(spirals: TestClient) -> None:
    reply = spirals.get("/api/pgc/2557").json()
    assert reply["galaxy"] == {"pgc": 2557, "ra": 10.68, "dec": 41.27, "fov": None, "pa": 35, "objname": None}
    assert reply["inclinations"] == EXPECTED
    assert spirals.get("/api/pgc/3").status_code == 404  # no picture
    assert spirals.get("/api/pgc/4").status_code == 404
    assert spirals.get("/api/pgc/..").status_code == 404
    assert spirals.get("/api/pgc/%2e%2e").status_code in {400, 404}


def test_uploads_that_are_no_pictures_are_refused(spirals: TestClient) -> None:
    for name, content in (("a.png", b"no picture"), ("a.exe", b"MZ"), ("", b"")):
        assert spirals.post("/api/file", files={"file": (name, content)}).status_code == 400
    assert spirals.post("/api/file", content=b"--x", headers={"content-type": "multipart/form-data"}).status_code == 400
    assert spirals.post("/api/file", json={}).status_code == 400


def test_a_batch_that_kills_every_worker_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarker_serving.server.contract import RequestError
    from benchmarker_serving.server.pool import Pool, Worker

    onnx_models.network(tmp_path)
    (model,) = read_folder(tmp_path)["brightness"].values()
    run = Worker.run

    async def deadly(worker: Worker, key: str, inputs: Any) -> Any:
        if inputs["images"].max() > 100:
            os.kill(worker.process_id, signal.SIGKILL)
        return await run(worker, key, inputs)

    async def ask() -> Any:
        pool = Pool([model], workers=1, threads=1)
        await pool.start()
        monkeypatch.setattr(Worker, "run", deadly)
        try:
            with pytest.raises(RequestError, match="died"):
                await pool.run(model.key, {"images": np.full((1, SIZE, SIZE, 1), 101, np.float32)})
            return await pool.run(model.key, {"images": np.ones((1, SIZE, SIZE, 1), np.float32)})
        finally:
            await pool.stop()

    assert asyncio.run(ask()).tolist() == [[1, 0]]


def test_replies_are_json_without_nan(client: TestClient) -> None:
    reply = client.post("/v1/models/brightness:predict", json={"instances": [BRIGHT.tolist()]})
    json.loads(reply.text, parse_constant=pytest.fail)
