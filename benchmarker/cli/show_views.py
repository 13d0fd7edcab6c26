"""The tables of ``benchmarker show``, as rich renderables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from benchmarker.cli.output import duration
from benchmarker.contracts.tasks import Classification
from benchmarker.results.metrics import metric_label
from benchmarker.results.study import CellRecord, GeneratorRecord, Study
from benchmarker.study.layout import CHECKPOINTS
from benchmarker.study.plan import DatasetRecord
from benchmarker.study.runs import CellMetrics, ClassScores, FailedManifest, FinishedManifest, TargetScores

# Box-drawing characters that every log can hold.
_BOX = box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
_FILES = (
    "manifest.json", "metrics.json", "costs.json", "history.csv", "predictions_best.csv", "predictions_final.csv",
    "events.jsonl", "weights_best.weights.h5", "weights_final.weights.h5", "losses.csv", "samples", "log.txt",
)  # fmt: skip
_STYLES = {"ok": "", "pending": "dim"}


def study_view(study: Study) -> RenderableType:
    """Return the plan of a study with the status of each cell."""
    return Group(*_study_parts(study))


def run_view(study: Study, record: CellRecord | GeneratorRecord) -> RenderableType:
    """Return one run in full."""
    return Group(*_run_parts(study, record))


def _study_parts(study: Study) -> Iterator[RenderableType]:
    yield Text(study.title, style="bold")
    facts = {
        "folder": str(study.folder),
        "registry": study.plan.registry.name,
        "dataset": _dataset_line(study.dataset),
        "classes": ", ".join(study.task.classes) if isinstance(study.task, Classification) else "",
        "backend": study.plan.backend,
    }
    yield _facts({name: value for name, value in facts.items() if value})
    yield Text()
    yield _cells(study)
    yield Text()
    if study.generators:
        yield _generators(study)
        yield Text()
    records: list[CellRecord | GeneratorRecord] = [*study.generators, *study.cells]
    for record in records:
        if record.status in {"failed", "unreadable"}:
            yield Text.assemble((f"failed ({record.kind}): ", "bold"), f"{record.name}: {record.message}")
    if study.skipped:
        plural = "s" if len(study.skipped) > 1 else ""
        yield Text(f"skipped {len(study.skipped):,} image{plural} of the dataset:", style="bold")
        yield from (Text(f"  {image.name}: {image.reason}") for image in study.skipped)
    for note in study.notes:
        yield Text.assemble(("note: ", "bold"), note)
    counts = ", ".join(
        f"{study.count(status)} {status}" for status in ("failed", "unreadable", "pending") if study.count(status)
    )
    rest = f", {counts}" if counts else ""
    yield Text(f"{study.count('ok')} of {len(study.cells)} cells finished{rest}.", style="bold")


def _dataset_line(dataset: DatasetRecord) -> str:
    sizes = f"{dataset.parts.train} train, {dataset.parts.validation} validation, {dataset.parts.test} test"
    return f"{dataset.name}: {dataset.images:,} images ({sizes})"


def _cells(study: Study) -> Table:
    primary = study.plan.primary.name
    label = metric_label(primary).short
    table = _table("model", "arm", "seed", "status", f"{label}\nbest", f"{label}\nfinal", "key", right=(2, 4, 5))
    for cell in study.cells:
        scores = [_written(primary, cell.evaluations.get(checkpoint, {}).get(primary)) for checkpoint in CHECKPOINTS]
        style = _STYLES.get(cell.status, "bold")
        table.add_row(cell.model, cell.arm, str(cell.seed), cell.status, *scores, cell.key[:8], style=style)
    return table


def _generators(study: Study) -> Table:
    table = _table("generator", "plugin", "seed", "status", "epochs", "key", right=(2, 4))
    for generator in study.generators:
        table.add_row(
            generator.label,
            generator.plugin,
            str(generator.seed),
            generator.status,
            str(generator.spec.generator.epochs),
            generator.key[:8],
            style=_STYLES.get(generator.status, "bold"),
        )
    return table


def _run_parts(study: Study, record: CellRecord | GeneratorRecord) -> Iterator[RenderableType]:
    yield Text(f"{record.name} in {study.title}", style="bold")
    yield _facts({name: value for name, value in _run_facts(record).items() if value})
    yield from _results(record) if isinstance(record, CellRecord) else _generator_results(record)
    match record.manifest:
        case FailedManifest(traceback=traceback) if traceback:
            yield _heading("Traceback")
            yield Text(traceback.rstrip())
        case FinishedManifest(digests=digests, fingerprint=fingerprint):
            yield _heading("Digests")
            yield _facts(digests)
            yield _heading("Fingerprint")
            yield _facts({name: _flat(value) for name, value in fingerprint.to_json().items()})
    if record.folder is not None:
        yield _heading("Files")
        for name in _FILES:
            if (record.folder / name).exists():
                yield Text(f"  {record.folder / name}", overflow="fold")


def _run_facts(record: CellRecord | GeneratorRecord) -> dict[str, str]:
    manifest = record.manifest
    started = manifest.started if manifest is not None else None
    took = ""
    if manifest is not None and started is not None:
        took = duration((datetime.fromisoformat(manifest.finished) - datetime.fromisoformat(started)).total_seconds())
    return {
        "status": record.status,
        "failure": f"{record.kind}: {record.message}" if record.kind else "",
        "architecture": record.architecture if isinstance(record, CellRecord) else "",
        "plugin": record.plugin if isinstance(record, GeneratorRecord) else "",
        "registry line": str(record.line or ""),
        "started": started or "",
        "took": took,
        "key": record.key,
        "hint": "run the registry again; finished cells are not repeated" if record.status == "pending" else "",
    }


def _results(cell: CellRecord) -> Iterator[RenderableType]:
    if cell.metrics is None:
        return
    yield _heading("Metrics")
    yield _metrics(cell.metrics)
    yield from _costs(cell)
    for checkpoint, scores in cell.metrics.checkpoints.items():
        if scores.per_target is not None:
            yield _heading(f"Test part by target, {checkpoint} weights")
            yield _per_target(scores.per_target)
        if scores.per_class is not None:
            yield _heading(f"Test part by class, {checkpoint} weights")
            yield _per_class(scores.per_class)
            if scores.confusion_matrix is not None:
                yield _heading(f"Confusion matrix, {checkpoint} weights: rows true, columns predicted; count and share")
                yield _confusion(list(scores.per_class), scores.confusion_matrix)


def _generator_results(generator: GeneratorRecord) -> Iterator[RenderableType]:
    """Yield the losses of a generator's last epoch, its costs and its measured quality."""
    if generator.metrics is None:
        return
    yield _heading("Last epoch")
    yield _facts({name: f"{value:.4g}" for name, value in generator.metrics.final.items()})
    rows = (generator.metrics.quality or {}).get("rows")
    if isinstance(rows, list):  # whatever the plugin measures
        yield _heading("Quality: generated images, and real ones for comparison (floor), against held-out images")
        yield _quality([row for row in rows if isinstance(row, dict)])
    yield from _costs(generator)


def _quality(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("", "value", "floor", "unit", "better", "n", right=(1, 2, 5))
    for row in rows:
        values = [f"{row[name]:.4g}" if isinstance(row.get(name), int | float) else "-" for name in ("value", "floor")]
        texts = [str(row.get(name) or "") for name in ("unit", "better", "n")]
        table.add_row(str(row.get("label") or row.get("name") or "?"), *values, *texts)
    return table


def _costs(record: CellRecord | GeneratorRecord) -> Iterator[RenderableType]:
    seeds = getattr(record.fingerprint, "seeds_at_once", None)
    yield _heading(f"Costs; those of training are of a program for {seeds} seeds" if seeds else "Costs")
    labels = {name: metric_label(name) for name in record.cost_values}
    yield _facts({labels[name].long: labels[name].write(value) for name, value in record.cost_values.items()})


def _metrics(metrics: CellMetrics) -> Table:
    """Return one line for each metric, and a column for each part at each checkpoint."""
    columns = {
        f"{part}\n{checkpoint}": values
        for checkpoint, scores in metrics.checkpoints.items()
        for part, values in (("test", scores.test), ("validation", scores.validation), ("train", scores.train))
    }
    table = _table("", *columns, right=tuple(range(1, len(columns) + 1)))
    for name in dict.fromkeys(name for values in columns.values() for name in values):
        table.add_row(metric_label(name).short, *(_written(name, values.get(name)) for values in columns.values()))
    return table


def _per_class(per_class: Mapping[str, ClassScores]) -> Table:
    table = _table("class", "precision", "recall", "f1", "support", right=(1, 2, 3, 4))
    for name, one in per_class.items():
        table.add_row(name, f"{one.precision:.3f}", f"{one.recall:.3f}", f"{one.f1:.3f}", str(one.support))
    return table


def _per_target(per_target: Mapping[str, TargetScores]) -> Table:
    names = [name for name in TargetScores.model_fields if name != "unit"]
    heads = [metric_label(name).short for name in names]
    table = _table("target", "unit", *heads, right=tuple(range(2, len(names) + 2)))
    for target, errors in per_target.items():
        table.add_row(target, errors.unit, *(_written(name, getattr(errors, name)) for name in names))
    return table


def _confusion(classes: Sequence[str], matrix: Sequence[Sequence[int]]) -> Table:
    table = _table("true", *classes, right=tuple(range(1, len(classes) + 1)))
    for name, row in zip(classes, matrix, strict=False):
        total = sum(row)
        table.add_row(name, *(f"{count} ({count / total if total else 0:.2f})" for count in row))
    return table


def _table(*heads: str, right: Sequence[int] = ()) -> Table:
    table = Table(
        box=_BOX, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), collapse_padding=True, header_style="bold"
    )
    for number, head in enumerate(heads):
        table.add_column(head, justify="right" if number in right else "left", overflow="fold")
    return table


def _facts(entries: Mapping[str, str]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in entries.items():
        grid.add_row(f"  {name}", value)
    return grid


def _heading(text: str) -> Text:
    return Text(f"\n{text}", style="bold")


def _written(name: str, value: float | None) -> str:
    return "-" if value is None else metric_label(name).write(value)


def _flat(value: Any) -> str:
    match value:
        case dict():
            return ", ".join(f"{name} {_flat(entry)}" for name, entry in value.items())
        case list():
            return " ".join(map(str, value))
        case _:
            return str(value)
