"""``benchmarker serve``: answer programs with the models of a study or a folder."""

from __future__ import annotations

import ipaddress
import os
import socket
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from benchmarker import UserPath, command_settings, echo

if TYPE_CHECKING:
    from benchmarker_serving.server.catalogue import Catalogue

_NEEDED = ("fastapi", "uvicorn", "onnxruntime", "prometheus_client", "multipart")
_STOP_SECONDS = 30


@click.command(
    name="serve",
    **command_settings(
        "benchmarker serve exported",
        "benchmarker serve results/quickstart --model convxpress --port 8501",
        "benchmarker serve exported --host 0.0.0.0 --rate 50 --workers 2",
    ),
)
@click.argument("source", metavar="STUDY|FOLDER", type=UserPath())
@click.option("--model", "selector", metavar="NAME[/ARM[/SEED]]", default="",
              help="Networks and generators of a study to serve. [default: all that finished]")  # fmt: skip
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS",
              help="Address to listen at; 0.0.0.0 for all of this machine's.")  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535), default=8501, show_default=True,
              help="Port to listen at; 0 for any that is free.")  # fmt: skip
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True,
              help="Processes that run models.")  # fmt: skip
@click.option("--threads", type=click.IntRange(1, 256), metavar="N",
              help="Threads of each process. [default: cores of this machine / processes]")  # fmt: skip
@click.option("--max-images", type=click.IntRange(1), default=1024, show_default=True,
              help="Largest number of images in a request.")  # fmt: skip
@click.option("--max-bytes", type=click.IntRange(1), default=64 << 20, show_default=True,
              help="Largest body of a request in bytes.")  # fmt: skip
@click.option("--rate", type=click.FloatRange(min=0), default=0.0, show_default=True,
              help="Requests of one client per second; 0 for any number.")  # fmt: skip
@click.option("--catalogue", type=UserPath(), metavar="FOLDER",
              help="Folder of a catalogue of spirals (catalog.csv, galaxies/) for /api/pgc.")  # fmt: skip
def command(
    *, source: Path, selector: str, host: str, port: int, workers: int, threads: int | None, max_images: int,
    max_bytes: int, rate: float, catalogue: Path | None,
) -> None:  # fmt: skip
    """Serve models by the REST contract of TensorFlow Serving.

    FOLDER holds what `benchmarker model export --to onnx` wrote; of a STUDY, finished runs are exported first. The
    server can be reached from this machine only unless --host says otherwise. It knows neither passwords nor
    encryption: put a proxy before it that does.
    """
    import uvicorn

    from benchmarker_serving.server.app import make_app
    from benchmarker_serving.server.inclination import InclinationServer
    from benchmarker_serving.server.limits import Limits
    from benchmarker_serving.server.model_server import Settings

    require_libraries()
    models = find_models(source, selector)
    share = threads or max(1, (os.cpu_count() or 1) // workers)
    limits = Limits(body_bytes=max_bytes, images=max_images, rate=rate)
    settings = Settings(limits=limits, workers=workers, threads=share)
    app = make_app(models, settings, lambda server: InclinationServer(server, catalogue))
    with _listening(host, port) as listener:
        for name, versions in models.items():
            echo(f"{name}: version {', '.join(map(str, sorted(versions)))}")
        if not _is_loopback(host):
            echo(f"Listening at {host}: whoever reaches this machine can use these models.", err=True)
        shown = f"[{host}]" if ":" in host else host
        echo(f"http://{shown}:{listener.getsockname()[1]}/v1/models", err=True)
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=_STOP_SECONDS, server_header=False)
        uvicorn.Server(config).run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens, so that a port that is taken is an error before a model is loaded.

    Raises
    ------
    ConfigurationError
        If nobody may listen there.
    """
    from benchmarker import ConfigurationError

    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ConfigurationError(
            f"--host {host} --port {port}: the server cannot listen there: {error.strerror or error}; choose another "
            "--port, or 0 for any that is free"
        ) from error


def require_libraries() -> None:
    """Check that the libraries of the server are installed.

    Raises
    ------
    ConfigurationError
        If one is missing; the message names the extra that installs it.
    """
    from benchmarker import ConfigurationError

    missing = [name for name in _NEEDED if find_spec(name) is None and find_spec(f"python_{name}") is None]
    if missing:
        raise ConfigurationError(
            f"serving needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed: "
            "python -m pip install 'galaxy-benchmarker[serving]'"
        )


def find_models(source: Path, selector: str) -> Catalogue:
    """Return the models of a folder, or of a study whose runs are exported where they are not yet.

    Raises
    ------
    ConfigurationError
        If there are none.
    """
    from benchmarker import ConfigurationError, open_results, select_runs
    from benchmarker_serving.models.running import Run
    from benchmarker_serving.server.catalogue import export_study, read_folder

    if not (source / "plan.json").exists():
        if selector:
            raise ConfigurationError(f"--model chooses runs of a study, and {source} is none")
        return read_folder(source)
    results = open_results(source)
    records: list[Run] = [*results.cells, *results.generators]
    chosen = select_runs(records, selector, where=str(source)) if selector else records
    runs = [run for run in chosen if run.status == "ok"]
    if not runs:
        raise ConfigurationError(f"{source}: there is no finished run to serve")
    return export_study(results, runs, lambda line: echo(line, err=True))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
