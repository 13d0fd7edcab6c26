"""Makes smaller forms of a run's model: starts the process that measures them, and publishes what it found."""

from __future__ import annotations

import csv
import io
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from benchmarker import (
    CellRecord,
    ConfigurationError,
    StorageError,
    StudyResults,
    call_in_process,
    digest_json,
    write_bytes,
)
from benchmarker_serving.messages import Message
from benchmarker_serving.models.bundle import digests
from benchmarker_serving.models.job import Compression, CompressionJob, CompressionRow, CompressionSettings, Form
from benchmarker_serving.models.running import Run, require_libraries

TABLE_FILE = "table.csv"
PLOT_FILE = "table.svg"
RECORD_FILE = "compression.json"


def compress_run(
    results: StudyResults, record: Run, folder: Path, forms: Sequence[Form], *, epochs: int = 0
) -> Compression:
    """Write smaller forms of a model, and what each costs and is worth.

    Parameters
    ----------
    results : StudyResults
        Study of the run.
    record : CellRecord or GeneratorRecord
        Run whose model is made smaller.
    folder : Path
        New folder; nothing is there until everything is measured.
    forms : sequence of Form
        Forms to make.
    epochs : int
        Epochs of fine-tuning after pruning.

    Raises
    ------
    ConfigurationError
        If the folder exists.
    PluginError
        If a form cannot be made.
    """
    require_libraries(("onnx",))
    if folder.exists():
        raise ConfigurationError(f"{folder}: exists already; choose another --out")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".partial", dir=folder.parent))
    except OSError as error:
        raise StorageError(f"{folder.parent}: cannot be written: {error.strerror or error}") from error
    settings = CompressionSettings(
        kind="network" if isinstance(record, CellRecord) else "generator",
        seed=record.seed,
        forms=tuple(forms),
        epochs=epochs,
    )
    job = CompressionJob(
        study=str(results.folder.absolute()), selector=record.name, folder=str(aside), settings=settings
    )
    try:
        reply = call_in_process(
            "benchmarker_serving.models.compressing:compress",
            job.to_json(),
            threads=record.spec.threads,
            seed=record.seed,
            backend=record.spec.backend,
        )
        found = Compression.from_json(reply)
        write_bytes(aside / TABLE_FILE, _table(found.rows))
        write_bytes(aside / PLOT_FILE, _plot(found))
        content = _record(aside, record, settings, found).model_dump_json(indent=2)
        write_bytes(aside / RECORD_FILE, f"{content}\n".encode())
        aside.chmod(0o755)
        os.replace(aside, folder)  # noqa: PTH105 - over an empty folder, but over nothing else
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return found


def _table(rows: Sequence[CompressionRow]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(CompressionRow.model_fields), lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.to_json() for row in rows)
    return text.getvalue().encode()


class CompressionRecord(Message):
    """What was made of what, with digests; the same call on the same machine gives the same record.

    Parameters
    ----------
    format : int
        Version of this format.
    run : str
        Key of the run.
    settings : CompressionSettings
        What was asked for.
    key : str
        SHA-256 of both.
    measure : str
        Name of the quality.
    floor, repeat : float or None
        As in `Compression`.
    rows : tuple of mapping
        Rows of the table without the times, which are never the same twice.
    files : mapping of str to str
        SHA-256 of each file.
    """

    format: Literal[2] = 2
    run: str
    settings: CompressionSettings
    key: str
    measure: str
    floor: float | None
    repeat: float | None
    rows: tuple[Mapping[str, str | int | float], ...]
    files: Mapping[str, str]


def _record(folder: Path, record: Run, settings: CompressionSettings, found: Compression) -> CompressionRecord:
    timed = {"milliseconds", "milliseconds_single"}
    return CompressionRecord(
        run=record.key,
        settings=settings,
        key=digest_json([record.key, settings.to_json()]),
        measure=found.measure,
        floor=found.floor,
        repeat=found.repeat,
        rows=tuple(row.model_dump(exclude=timed) for row in found.rows),
        files={name: digest for name, digest in digests(folder).items() if name not in {TABLE_FILE, PLOT_FILE}},
    )


def _plot(found: Compression) -> bytes:
    """Return a plot of size, latency and quality of each form, as SVG."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    labels = [row.form for row in found.rows]
    panels = (
        ("size in MB", [row.bytes / 1e6 for row in found.rows]),
        ("ms for 64 images", [row.milliseconds for row in found.rows]),
        (found.measure, [row.quality for row in found.rows]),
    )
    figure = Figure(figsize=(9, 1 + 0.35 * len(labels)), layout="constrained")
    FigureCanvasSVG(figure)
    for axes, (title, values) in zip(figure.subplots(1, 3, sharey=True), panels, strict=True):
        axes.barh(labels, values)
        axes.set_title(title, fontsize="small")
        axes.invert_yaxis() if title == "size in MB" else None
        if title == found.measure and found.repeat is not None:
            axes.axvline(found.repeat, color="black", linestyle=":", label="two draws, unpruned")
            if found.floor is not None:
                axes.axvline(found.floor, color="black", linestyle="--", label="two halves of real images")
            axes.legend(fontsize="x-small")
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()
