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
from benchmarker.results.metrics import metric_label
from benchmarker.results.study import CellRecord, Study
from benchmarker.study.layout import CHECKPOINTS

# Drawn with signs that every log has.
_BOX = box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
_FILES = (
    "manifest.json", "metrics.json", "costs.json", "history.csv", "predictions_best.csv", "predictions_final.csv",
    "events.jsonl", "weights_best.weights.h5", "weights_final.weights.h5", "losses.csv", "samples", "log.txt",
)  # fmt: skip


def study_view(study: Study) -> RenderableType:
    """Return the plan of a study with the status of each cell."""
    return Group(*_study_parts(study))


def run_view(study: Study, cell: CellRecord) -> RenderableType:
    """Return one run in full."""
    return Group(*_run_parts(study, cell))


def _study_parts(study: Study) -> Iterator[RenderableType]:
    yield Text(study.title, style="bold")
    dataset = study.dataset
    facts = {
        "folder": str(study.folder),
        "registry": str((study.plan.get("registry") or {}).get("name", "-")),
        "dataset": _dataset_line(dataset),
        "classes": ", ".join(map(str, study.task.get("classes") or ())),
        "backend": str(study.plan.get("backend", "-")),
    }
    yield _facts({name: value for name, value in facts.items() if value})
    yield Text()
    yield _cells(study)
    yield Text()
    if study.generators:
        yield _generators(study)
        yield Text()
    for cell in (*study.generators, *study.cells):
        if cell.status in {"failed", "unreadable"}:
            yield Text.assemble((f"failed ({cell.kind}): ", "bold"), f"{cell.name}: {cell.message}")
    if study.skipped:
        plural = "s" if len(study.skipped) > 1 else ""
        yield Text(f"skipped {len(study.skipped):,} image{plural} of the dataset:", style="bold")
        yield from (Text(f"  {name}: {reason}") for name, reason in study.skipped)
    for note in study.notes:
        yield Text.assemble(("note: ", "bold"), note)
    counts = ", ".join(
        f"{study.count(status)} {status}" for status in ("failed", "unreadable", "pending") if study.count(status)
    )
    rest = f", {counts}" if counts else ""
    yield Text(f"{study.count('ok')} of {len(study.cells)} cells finished{rest}.", style="bold")


def _dataset_line(dataset: Mapping[str, Any]) -> str:
    parts = dataset.get("parts")
    sizes = ", ".join(f"{count} {name}" for name, count in parts.items()) if isinstance(parts, dict) else ""
    images = f"{dataset['images']:,} images" if isinstance(dataset.get("images"), int) else ""
    return f"{dataset.get('name', '-')}: {images}{f' ({sizes})' if sizes else ''}"


def _cells(study: Study) -> Table:
    primary = _primary(study.cells)
    label = metric_label(primary).short
    table = _table("model", "arm", "seed", "status", f"{label}\nbest", f"{label}\nfinal", "key", right=(2, 4, 5))
    for cell in study.cells:
        scores = [_written(primary, cell.evaluations.get(checkpoint, {}).get(primary)) for checkpoint in CHECKPOINTS]
        style = {"ok": "", "pending": "dim"}.get(cell.status, "bold")
        table.add_row(cell.model, cell.arm, str(cell.seed), cell.status, *scores, cell.key[:8], style=style)
    return table


def _generators(study: Study) -> Table:
    table = _table("generator", "plugin", "seed", "status", "epochs", "key", right=(2, 4))
    for cell in study.generators:
        epochs = (cell.spec.get("generator") or {}).get("epochs", "-")
        style = {"ok": "", "pending": "dim"}.get(cell.status, "bold")
        table.add_row(
            cell.model, cell.architecture, str(cell.seed), cell.status, str(epochs), cell.key[:8], style=style
        )
    return table


def _run_parts(study: Study, cell: CellRecord) -> Iterator[RenderableType]:
    yield Text(f"{cell.name} in {study.title}", style="bold")
    yield _facts({name: value for name, value in _run_facts(cell).items() if value})
    if cell.status == "ok":
        yield from _results(cell)
    if cell.manifest.get("traceback"):
        yield _heading("Traceback")
        yield Text(str(cell.manifest["traceback"]).rstrip())
    for title, entries in (("Digests", cell.manifest.get("digests")), ("Fingerprint", cell.fingerprint)):
        if isinstance(entries, dict) and entries:
            yield _heading(title)
            yield _facts({str(name): _flat(value) for name, value in entries.items()})
    if cell.folder is not None:
        yield _heading("Files")
        for name in _FILES:
            if (cell.folder / name).exists():
                yield Text(f"  {cell.folder / name}", overflow="fold")


def _run_facts(cell: CellRecord) -> dict[str, str]:
    started, finished = (_time(cell.manifest.get(name)) for name in ("started", "finished"))
    took = duration((finished - started).total_seconds()) if started and finished else ""
    return {
        "status": cell.status,
        "failure": f"{cell.kind}: {cell.message}" if cell.kind else "",
        "architecture": cell.architecture,
        "registry line": str(cell.line or ""),
        "started": str(cell.manifest.get("started") or ""),
        "took": took,
        "key": cell.key,
        "hint": "pending: run the registry again, finished cells are not repeated" if cell.status == "pending" else "",
    }


def _results(cell: CellRecord) -> Iterator[RenderableType]:
    if cell.spec.get("kind") == "generator":
        yield from _last_epoch(cell)
    else:
        yield _heading("Metrics")
        yield _metrics(cell)
    yield _heading("Costs")
    yield _facts({metric_label(name).long: metric_label(name).write(value) for name, value in cell.cost_values.items()})
    for checkpoint in cell.evaluations:
        evaluation = cell.metrics[checkpoint]
        per_target = evaluation.get("per_target")
        if isinstance(per_target, dict):
            yield _heading(f"Test part by target, {checkpoint} weights")
            yield _per_target(per_target)
        per_class = evaluation.get("per_class")
        matrix = evaluation.get("confusion_matrix")
        if isinstance(per_class, dict):
            yield _heading(f"Test part by class, {checkpoint} weights")
            yield _per_class(per_class)
            if _is_matrix(matrix, len(per_class)):
                yield _heading(f"Confusion matrix, {checkpoint} weights: rows true, columns predicted; count and share")
                yield _confusion(list(per_class), matrix)


def _last_epoch(cell: CellRecord) -> Iterator[RenderableType]:
    """Return the losses of a generator's last epoch, and what its quality was measured to be."""
    yield _heading("Last epoch")
    yield _facts({name: f"{value:.4g}" for name, value in _numbers(cell.metrics.get("final")).items()})
    quality = cell.metrics.get("quality")
    rows = quality.get("rows") if isinstance(quality, dict) else None
    if isinstance(rows, list):
        yield _heading("Quality: generated images, and for comparison real ones (floor), against held-out images")
        table = _table("", "value", "floor", "unit", "better", "n", right=(1, 2, 5))
        for row in (row for row in rows if isinstance(row, dict)):
            numbers = _numbers(row)
            values = [f"{numbers[name]:.4g}" if name in numbers else "-" for name in ("value", "floor")]
            texts = [str(row.get(name) or "") for name in ("unit", "better", "n")]
            table.add_row(str(row.get("label") or row.get("name") or "?"), *values, *texts)
        yield table


def _metrics(cell: CellRecord) -> Table:
    """Return one line for each metric, and a column for each part at each checkpoint."""
    parts = ("test", "validation", "train")
    shown = [(checkpoint, part) for checkpoint in cell.evaluations for part in parts]
    table = _table("", *(f"{part}\n{checkpoint}" for checkpoint, part in shown), right=tuple(range(1, len(shown) + 1)))
    names = dict.fromkeys(name for checkpoint, part in shown for name in _numbers(cell.metrics[checkpoint].get(part)))
    for name in names:
        values = [_written(name, _numbers(cell.metrics[checkpoint].get(part)).get(name)) for checkpoint, part in shown]
        table.add_row(metric_label(name).short, *values)
    return table


def _per_class(per_class: Mapping[str, Any]) -> Table:
    columns = ("precision", "recall", "f1", "support")
    table = _table("class", *columns, right=(1, 2, 3, 4))
    for name, scores in per_class.items():
        numbers = _numbers(scores)
        values = [f"{numbers[column]:.3f}" if column in numbers else "-" for column in columns[:3]]
        table.add_row(str(name), *values, f"{numbers.get('support', 0):.0f}")
    return table


def _per_target(per_target: Mapping[str, Any]) -> Table:
    names = list(dict.fromkeys(name for errors in per_target.values() for name in _numbers(errors)))
    heads = [metric_label(name).short for name in names]
    table = _table("target", "unit", *heads, right=tuple(range(2, len(names) + 2)))
    for target, errors in per_target.items():
        numbers = _numbers(errors)
        unit = str(errors.get("unit", "")) if isinstance(errors, dict) else ""
        table.add_row(str(target), unit, *(_written(name, numbers.get(name)) for name in names))
    return table


def _confusion(classes: Sequence[str], matrix: Sequence[Sequence[float]]) -> Table:
    table = _table("true", *map(str, classes), right=tuple(range(1, len(classes) + 1)))
    for name, row in zip(classes, matrix, strict=True):
        total = sum(row)
        table.add_row(str(name), *(f"{count:.0f} ({count / total if total else 0:.2f})" for count in row))
    return table


def _is_matrix(value: object, size: int) -> bool:
    return (
        isinstance(value, list)
        and len(value) == size
        and all(isinstance(row, list) and len(row) == size for row in value)
        and all(isinstance(entry, (int, float)) for row in value for entry in row)
    )


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


def _primary(cells: Sequence[CellRecord]) -> str:
    for cell in cells:
        primary = cell.metrics.get("primary")
        if isinstance(primary, dict) and primary.get("name"):
            return str(primary["name"])
    return "mean_per_class_accuracy"


def _numbers(value: object) -> dict[str, float]:
    if not isinstance(value, dict):
        return {}
    return {str(k): v for k, v in value.items() if isinstance(v, (int, float)) and not isinstance(v, bool)}


def _written(name: str, value: float | None) -> str:
    return "-" if value is None else metric_label(name).write(value)


def _flat(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_flat(entry)}" for name, entry in value.items())
    if isinstance(value, list):
        return " ".join(_flat(entry) for entry in value)
    return str(value)


def _time(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return None
