"""Writes a study's runs as TensorBoard logs: scalars by epoch, test metrics, costs and hyperparameters."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarker import StorageError, StudyResults
from benchmarker_reports.exports.runs import Run, finished_runs

if TYPE_CHECKING:
    from collections.abc import Callable

EVENT_FILE = "events.out.tfevents.0000000001.benchmarker"
"""Always the same: a run that was trained again replaces what was exported of it."""

_UNUSUAL = re.compile(r"[^A-Za-z0-9._+ -]")


def export(results: StudyResults, target: str, tell: Callable[[str], None]) -> None:
    """Write an event file for each finished run.

    Parameters
    ----------
    results : StudyResults
        The study.
    target : str
        Folder; each run gets ``network/arm/seed`` below it.
    tell : callable
        Told what was done, in one line.

    Raises
    ------
    StorageError
        If the folder cannot be written.
    """
    folder = Path(target)
    written = present = 0
    for run in finished_runs(results):
        path = folder.joinpath(*_place(run)) / EVENT_FILE
        content = b"".join(_records(run))
        try:
            if path.is_file() and path.read_bytes() == content:
                present += 1
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            aside = path.with_name(f".{path.name}.partial")
            aside.write_bytes(content)
            aside.replace(path)
        except OSError as error:
            raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from error
        written += 1
    tell(
        f"{written} run(s) written to {folder}, {present} there already; "
        f"look at them with: tensorboard --logdir {folder}"
    )


def _place(run: Run) -> tuple[str, ...]:
    """Return the folders of a run; names of a registry must not leave the target."""
    names = (run.cell.model, run.cell.arm, f"{run.cell.seed}-{run.cell.key[:8]}")
    return tuple(_UNUSUAL.sub("_", name).strip(". ") or "_" for name in names)


def _records(run: Run) -> Iterator[bytes]:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
    from tensorboard.plugins.hparams.summary_v2 import hparams_pb

    yield _record(Event(wall_time=run.started, file_version="brain.Event:2"))
    settings = {name: _typed(value) for name, value in run.settings.items()}
    named = {"network": run.cell.model, "arm": run.cell.arm, "seed": run.cell.seed}
    summary = hparams_pb({**settings, **named}, trial_id=run.cell.key[:16], start_time_secs=run.started)
    # A table in a table, which is written in another order each time unless it is asked not to be.
    for value in summary.value:
        content = HParamsPluginData.FromString(value.metadata.plugin_data.content)
        value.metadata.plugin_data.content = content.SerializeToString(deterministic=True)
    yield _record(Event(wall_time=run.started, summary=summary))
    for epoch, at, values in run.epochs:
        yield _scalars(epoch, at, values)
    last = run.epochs[-1][0] if run.epochs else 0
    yield _scalars(last, run.finished, run.scores)


def _scalars(step: int, at: float, values: Any) -> bytes:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    entries = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
    return _record(Event(wall_time=at, step=step, summary=Summary(value=entries)))


def _record(event: Any) -> bytes:
    from tensorboard.summary.writer.record_writer import RecordWriter

    stream = io.BytesIO()
    RecordWriter(stream).write(event.SerializeToString(deterministic=True))
    return stream.getvalue()


def _typed(text: str) -> float | str:
    """Return a number where a setting is one, so that TensorBoard can draw it on an axis."""
    try:
        return float(text)
    except ValueError:
        return text
