"""Makes smaller forms of a run's model: starts the process that measures them, and publishes what it found."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarker import (
    CellRecord,
    ConfigurationError,
    StorageError,
    StudyResults,
    call_in_process,
    digest_json,
    write_bytes,
)
from benchmarker_serving.models.bundle import digests
from benchmarker_serving.models.running import Run, require_libraries

TABLE_FILE = "table.csv"
PLOT_FILE = "table.svg"
RECORD_FILE = "compression.json"

Form = tuple[str, float] | tuple[str]


def compress_run(
    results: StudyResults, record: Run, folder: Path, forms: Sequence[Form], *, epochs: int = 0
) -> Mapping[str, Any]:
    """Write smaller forms of a model, and what each costs and is worth.

    Parameters
    ----------
    results : StudyResults
        Study of the run.
    record : CellRecord or GeneratorRecord
        Run whose model is made smaller.
    folder : Path
        New folder; nothing is there until everything is measured.
    forms : sequence of tuple
        ``("channels", 0.5)``, ``("magnitude", 0.5)``, ``("float16",)`` or ``("int8",)``.
    epochs : int
        Epochs of fine-tuning after pruning.

    Returns
    -------
    mapping
        ``rows``, ``measure`` and ``floor``.

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
    job = {
        "study": str(results.folder.absolute()),
        "selector": record.name,
        "kind": "network" if isinstance(record, CellRecord) else "generator",
        "seed": record.seed,
        "folder": str(aside),
        "forms": [list(form) for form in forms],
        "epochs": epochs,
    }
    try:
        found: Mapping[str, Any] = call_in_process(
            "benchmarker_serving.models.compressing:compress",
            job,
            threads=record.spec.threads,
            seed=record.seed,
            backend=record.spec.backend,
        )
        write_bytes(aside / TABLE_FILE, _table(found["rows"]))
        write_bytes(aside / PLOT_FILE, _plot(found))
        _record(aside, record, job, found)
        aside.chmod(0o755)
        os.replace(aside, folder)  # noqa: PTH105 - over an empty folder, but over nothing else
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return found


def _table(rows: Sequence[Mapping[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _record(folder: Path, record: Run, job: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Write what was made of what, with digests; times aside, the same call gives the same record."""
    settings = {name: job[name] for name in ("kind", "seed", "forms", "epochs")}
    timeless = [{k: v for k, v in row.items() if not k.startswith("milliseconds")} for row in found["rows"]]
    content = {
        "format": 1,
        "run": record.key,
        "settings": settings,
        "key": digest_json([record.key, settings]),
        "measure": found["measure"],
        "floor": found["floor"],
        "rows": timeless,
        "files": {name: digest for name, digest in digests(folder).items() if name not in {TABLE_FILE, PLOT_FILE}},
    }
    write_bytes(folder / RECORD_FILE, (json.dumps(content, indent=2) + "\n").encode())


def _plot(found: Mapping[str, Any]) -> bytes:
    """Return a plot of size, latency and quality of each form, as SVG."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    rows = found["rows"]
    labels = [row["form"] for row in rows]
    panels = (
        ("size in MB", [row["bytes"] / 1e6 for row in rows]),
        ("ms for 64 images", [row["milliseconds"] for row in rows]),
        (found["measure"], [row["quality"] for row in rows]),
    )
    figure = Figure(figsize=(9, 1 + 0.35 * len(rows)), layout="constrained")
    FigureCanvasSVG(figure)
    for axes, (title, values) in zip(figure.subplots(1, 3, sharey=True), panels, strict=True):
        axes.barh(labels, values)
        axes.set_title(title, fontsize="small")
        axes.invert_yaxis() if title == "size in MB" else None
        if title == found["measure"] and found["floor"] is not None:
            axes.axvline(found["floor"], color="black", linestyle="--", label="two halves of real images")
            axes.legend(fontsize="x-small")
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()
