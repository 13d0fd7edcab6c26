"""Export to an MLflow tracking store: parameters, metrics of each epoch, test metrics, costs and tags."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from benchmarker import StorageError, StudyResults
from benchmarker_reports.exports.runs import Run, finished_runs

if TYPE_CHECKING:
    from mlflow import MlflowClient

_KEY, _DIGEST = "benchmarker.key", "benchmarker.digest"
_METRICS_AT_ONCE, _PARAMETERS_AT_ONCE, _LONGEST = 1000, 100, 500  # limits of MLflow
_PAGE = 1000

T = TypeVar("T")


def export(results: StudyResults, target: str) -> str:
    """Log each finished run to an experiment that has the study's title.

    Parameters
    ----------
    results : StudyResults
        The study.
    target : str
        Tracking URI (``sqlite:///runs.db``, ``http://...``) or path of an SQLite file, which is created if necessary.

    Returns
    -------
    str
        One line that says what was done.

    Raises
    ------
    StorageError
        If the store cannot be used.
    """
    # The user asked for an export to this store, not for usage statistics sent elsewhere.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    for name in ("alembic", "mlflow"):  # they log every step of creating a database
        logging.getLogger(name).setLevel(logging.WARNING)
    uri = tracking_uri(target)
    try:
        client = MlflowClient(tracking_uri=uri)
        experiment = _experiment(client, results.title, uri)
        written, present = _write_runs(client, experiment, results)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise StorageError(f"{uri}: the MLflow store cannot be used: {error}") from error
    return f"{written} run(s) written to {uri}, {present} already there; experiment {results.title!r}"


def tracking_uri(target: str) -> str:
    """Return a tracking URI unchanged, and the path of a file as the URI of an SQLite database."""
    if "://" in target or target == "databricks":
        return target
    path = Path(target).absolute()
    if not path.parent.is_dir():
        raise StorageError(f"{path.parent}: there is no such folder; create it first")
    return f"sqlite:///{path}"


def _write_runs(client: MlflowClient, experiment: str, results: StudyResults) -> tuple[int, int]:
    """Write what the experiment lacks; return how many runs were written, and how many were there already."""
    exported = _exported(client, experiment)
    written = present = 0
    for run in finished_runs(results):
        known = exported.get(run.key, [])
        same = next((old for old in known if old.data.tags.get(_DIGEST) == run.digest), None)
        for old in known:
            # Part of an interrupted export, or a run that was trained again since.
            if old is not same:
                client.delete_run(old.info.run_id)
        if same is None:
            _log(client, experiment, run)
            written += 1
        else:
            present += 1
    return written, present


def _experiment(client: MlflowClient, title: str, uri: str) -> str:
    found = client.get_experiment_by_name(title)
    if found is not None:
        return str(found.experiment_id)
    # Artifacts are kept beside the database, not in the current folder.
    local = uri.removeprefix("sqlite:///") if uri.startswith("sqlite:///") else None
    location = f"{Path(local)}.artifacts" if local else None
    return str(client.create_experiment(title, artifact_location=location))


def _exported(client: MlflowClient, experiment: str) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    token = None
    while True:
        page = client.search_runs([experiment], max_results=_PAGE, page_token=token)
        for run in page:
            if _KEY in run.data.tags:
                found.setdefault(run.data.tags[_KEY], []).append(run)
        token = page.token
        if not token:
            return found


def _log(client: MlflowClient, experiment: str, run: Run) -> None:
    from mlflow.entities import Metric, Param, RunTag

    tags = {_KEY: run.key, "benchmarker.network": run.model, "benchmarker.arm": run.arm}
    created = client.create_run(experiment, start_time=_milliseconds(run.started), run_name=run.name, tags=tags)
    name = created.info.run_id
    settings = {**run.settings, "network": run.model, "arm": run.arm, "seed": str(run.seed)}
    parameters = [Param(_name(key), value[:_LONGEST]) for key, value in settings.items()]
    for portion in _portions(parameters, _PARAMETERS_AT_ONCE):
        client.log_batch(name, params=portion)
    metrics = [
        Metric(_name(key), value, _milliseconds(at), epoch)
        for epoch, at, values in run.epochs
        for key, value in values.items()
    ]
    last = run.epochs[-1][0] if run.epochs else 0
    metrics += [Metric(_name(key), value, _milliseconds(run.finished), last) for key, value in run.scores.items()]
    for some in _portions(metrics, _METRICS_AT_ONCE):
        client.log_batch(name, metrics=some)
    # The digest is written last: a run without it is part of an interrupted export.
    client.log_batch(name, tags=[RunTag(_DIGEST, run.digest)])
    client.set_terminated(name, status="FINISHED", end_time=_milliseconds(run.finished))


def _name(text: str) -> str:
    """Return a name that MLflow accepts: letters, digits and a few other characters."""
    return "".join(character if character.isalnum() or character in "_-. /" else "_" for character in text)


def _portions(values: Sequence[T], size: int) -> Iterator[list[T]]:
    for start in range(0, len(values), size):
        yield list(values[start : start + size])


def _milliseconds(seconds: float) -> int:
    return round(1000 * seconds)
