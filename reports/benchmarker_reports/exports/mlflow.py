"""Export to an MLflow tracking store: parameters, metrics of each epoch, test metrics, costs and tags."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from benchmarker import StorageError, digest_json, expand_user
from benchmarker_reports.exports.runs import Exported, Run

if TYPE_CHECKING:
    from mlflow import MlflowClient

_KEY, _DIGEST, _STUDY = "benchmarker.key", "benchmarker.digest", "benchmarker.study"
_METRICS_AT_ONCE, _PARAMETERS_AT_ONCE, _LONGEST = 1000, 100, 500  # limits of MLflow
_PAGE = 1000

T = TypeVar("T")


def export(exported: Exported, target: str) -> str:
    """Log runs to an experiment that has the study's title.

    Parameters
    ----------
    exported : Exported
        The study and its runs.
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
    name = _experiment_name(exported.title)
    try:
        with _store(target) as (uri, artifacts):
            client = MlflowClient(tracking_uri=uri)
            experiment = _experiment(client, name, artifacts)
            written, present = _write_runs(client, experiment, exported)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise StorageError(f"{target}: the MLflow store cannot be used: {error}") from error
    return f"{written} run(s) written to {target}, {present} already there; experiment {name!r}"


def _experiment_name(title: str) -> str:
    """Return a title as MLflow accepts it: a longer one ends in its digest, so that two of one beginning differ."""
    return title if len(title) <= _LONGEST else f"{title[: _LONGEST - 16]}... {digest_json(title)[:12]}"


@contextlib.contextmanager
def _store(target: str) -> Iterator[tuple[str, str | None]]:
    """Yield a tracking URI, and the URI of artifacts beside a database; None where the store decides.

    The path of an SQLite file may contain `?` and `%`, which SQLAlchemy and MLflow read differently in a URI. Therefore
    they get a link to the file, which has a plain name.
    """
    if "://" in target or target == "databricks":
        local = target.removeprefix("sqlite:///") if target.startswith("sqlite:///") else None
        yield target, None if local is None else _artifacts(Path(local).absolute())
        return
    path = expand_user(target).absolute()
    if not path.parent.is_dir():
        raise StorageError(f"{path.parent}: there is no such folder; create it first")
    if not set(str(path)) & set("?%"):
        yield f"sqlite:///{path}", _artifacts(path)
        return
    with tempfile.TemporaryDirectory(prefix="benchmarker-") as scratch:
        link = Path(scratch, "runs.db")
        link.symlink_to(path)
        yield f"sqlite:///{link}", _artifacts(path)


def _artifacts(database: Path) -> str:
    # Beside the database, not in the current folder.
    return Path(f"{database}.artifacts").as_uri()


def _write_runs(client: MlflowClient, experiment: str, exported: Exported) -> tuple[int, int]:
    """Write what the experiment lacks; return how many runs were written, and how many were there already."""
    study = _tag(exported.study)
    there = _runs_of(client, experiment, study)
    written = present = 0
    for run in exported.runs:
        known = there.get(run.key, [])
        same = next((old for old in known if old.data.tags.get(_DIGEST) == run.digest), None)
        for old in known:
            # Part of an interrupted export, or a run that was trained again since.
            if old is not same:
                client.delete_run(old.info.run_id)
        if same is None:
            _log(client, experiment, study, run)
            written += 1
        else:
            present += 1
    return written, present


def _experiment(client: MlflowClient, name: str, artifacts: str | None) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    return str(client.create_experiment(name, artifact_location=artifacts))


def _runs_of(client: MlflowClient, experiment: str, study: str) -> dict[str, list[Any]]:
    """Return the runs of this study that the experiment has, by key; those of other studies stay as they are."""
    found: dict[str, list[Any]] = {}
    token = None
    while True:
        page = client.search_runs([experiment], max_results=_PAGE, page_token=token)
        for run in page:
            if _KEY in run.data.tags and run.data.tags.get(_STUDY) == study:
                found.setdefault(run.data.tags[_KEY], []).append(run)
        token = page.token
        if not token:
            return found


def _log(client: MlflowClient, experiment: str, study: str, run: Run) -> None:
    from mlflow.entities import Metric, Param, RunTag

    tags = {_KEY: run.key, _STUDY: study, "benchmarker.network": run.model, "benchmarker.arm": run.arm}
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


def _tag(study: str) -> str:
    """Return the study as a tag, which has a limited length: the end of a long path, and its digest."""
    return study if len(study) <= _LONGEST else f"...{study[16 - _LONGEST :]} {digest_json(study)[:12]}"


def _portions(values: Sequence[T], size: int) -> Iterator[list[T]]:
    for start in range(0, len(values), size):
        yield list(values[start : start + size])


def _milliseconds(seconds: float) -> int:
    return round(1000 * seconds)
