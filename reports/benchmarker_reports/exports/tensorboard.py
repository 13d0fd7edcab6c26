"""Export to TensorBoard: scalars of each epoch, test metrics, costs and hyperparameters; grids of generators."""

from __future__ import annotations

import io
import re
import shlex
import struct
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

from benchmarker import StorageError, digest_json, expand_user, write_bytes
from benchmarker_reports.exports.runs import Exported, Run

EVENT_FILE = "events.out.tfevents.0000000001.benchmarker"
"""Name of every event file, so that a run that was trained again replaces its earlier export."""

_LONGEST = 80  # characters of a study's name in a path
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_HEADER = 24  # bytes up to the end of the height, which follows the width
_UNUSUAL = re.compile(r"[^A-Za-z0-9._+ -]")


def export(exported: Exported, target: str) -> str:
    """Write an event file for each run.

    Parameters
    ----------
    exported : Exported
        The study and its runs.
    target : str
        Folder, in which each run gets a folder ``study/network/arm/seed``.

    Returns
    -------
    str
        One line that says what was done.

    Raises
    ------
    StorageError
        If the folder cannot be written.
    """
    folder = expand_user(target)
    written = present = 0
    for run in exported.runs:
        path = folder.joinpath(*_place(exported.study, run)) / EVENT_FILE
        content = b"".join(_records(run))
        if path.is_file() and path.read_bytes() == content:
            present += 1
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{path.parent}: cannot be created: {error.strerror or error}") from error
        write_bytes(path, content)
        written += 1
    viewing = shlex.join(["tensorboard", "--logdir", str(folder)])
    return f"{written} run(s) written to {folder}, {present} already there; view them with: {viewing}"


def _place(study: str, run: Run) -> tuple[str, ...]:
    """Return the folders of a run; names in a registry must not lead out of the target."""
    of_study = f"{PurePath(study).name[:_LONGEST]}-{digest_json(study)[:8]}"
    names = (of_study, run.model, run.arm, f"{run.seed}-{run.key[:8]}")
    return tuple(_UNUSUAL.sub("_", name).strip(". ") or "_" for name in names)


def _records(run: Run) -> Iterator[bytes]:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
    from tensorboard.plugins.hparams.summary_v2 import hparams_pb

    yield _record(Event(wall_time=run.started, file_version="brain.Event:2"))
    settings = {name: _typed(value) for name, value in run.settings.items()}
    named = {"network": run.model, "arm": run.arm, "seed": run.seed}
    summary = hparams_pb({**settings, **named}, trial_id=run.key[:16], start_time_secs=run.started)
    # The order of this nested table varies unless it is serialised deterministically.
    for value in summary.value:
        content = HParamsPluginData.FromString(value.metadata.plugin_data.content)
        value.metadata.plugin_data.content = content.SerializeToString(deterministic=True)
    yield _record(Event(wall_time=run.started, summary=summary))
    for epoch, at, values in run.epochs:
        yield _scalars(epoch, at, values)
    for step, losses in run.steps:
        yield _scalars(step, run.finished, {f"step/{name}": value for name, value in losses.items()})
    for tag, number, path in run.pictures:
        yield from _picture(tag, number, run.finished, path)
    last = run.epochs[-1][0] if run.epochs else 0
    yield _scalars(last, run.finished, run.scores)


def _scalars(step: int, at: float, values: Any) -> bytes:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    entries = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
    return _record(Event(wall_time=at, step=step, summary=Summary(value=entries)))


def _picture(tag: str, step: int, at: float, path: Path) -> Iterator[bytes]:
    """Yield the record of a PNG file; none of a file that is no such picture, or that has gone."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    try:
        content = path.read_bytes()
    except OSError:
        return
    if not content.startswith(_PNG) or len(content) < _PNG_HEADER:
        return
    width, height = struct.unpack(">II", content[16:_PNG_HEADER])
    image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=content)
    yield _record(Event(wall_time=at, step=step, summary=Summary(value=[Summary.Value(tag=tag, image=image)])))


def _record(event: Any) -> bytes:
    from tensorboard.summary.writer.record_writer import RecordWriter

    stream = io.BytesIO()
    RecordWriter(stream).write(event.SerializeToString(deterministic=True))
    return stream.getvalue()


def _typed(text: str) -> float | str:
    """Return a setting as a number where it is one, so that TensorBoard can draw it on an axis."""
    try:
        return float(text)
    except ValueError:
        return text
