"""What the plan of a study says beside its cells: the data, how they are split and prepared, the metric to rank by."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from benchmarker.contracts.images import LabelledImages
from benchmarker.contracts.plugins import Dataset
from benchmarker.data.splits import Parts
from benchmarker.evaluation.metrics import primary_metric
from benchmarker.registry import LoadedRegistry, merged_preparation, plain_options


def plan_header(
    study: Path, loaded: LoadedRegistry, dataset: Dataset, data: LabelledImages, parts: Parts, *, backend: str
) -> dict[str, Any]:
    """Return what stands in ``plan.json`` before the cells.

    Parameters
    ----------
    study : Path
        Folder of the study.
    loaded : LoadedRegistry
        What is run, with names as plugins spell them.
    dataset : Dataset
        That it names.
    data : LabelledImages
        Its prepared images.
    parts : Parts
        Of one seed, whose sizes stand for all.
    backend : str
        That networks are trained on.
    """
    return {
        "title": loaded.registry.title,
        "registry": {"name": loaded.path.name, "sha256": loaded.digest},
        "dataset": {
            "name": dataset.name,
            "digest": data.digest,
            "task": data.task.to_json(),
            "images": len(data),
            "shape": list(data.images.shape[1:]),
            "parts": part_sizes(parts),
            "skipped": [{"name": image.name, "reason": image.reason} for image in data.skipped],
            "licence": dataset.licence,
            "citation": dataset.citation,
        },
        "backend": backend,
        "primary": primary_metric(data.task).to_json(),
        "source": _source(study, loaded, dataset),
    }


def part_sizes(parts: Parts) -> dict[str, int]:
    """Return how many images each part has."""
    return {name: len(getattr(parts, name)) for name in ("train", "validation", "test")}


def _source(study: Path, loaded: LoadedRegistry, dataset: Dataset) -> dict[str, Any]:
    """Return what an audit needs to prepare the same images again."""
    path = loaded.data_path
    entry = loaded.registry.dataset
    return {
        # Seen from the study, so that both can be moved together and no name of a home folder is published.
        "path": None if path is None else Path(os.path.relpath(path.resolve(), study.resolve())).as_posix(),
        "options": plain_options(dataset, entry.options),
        "preparation": merged_preparation(dataset, entry.preparation).model_dump(mode="json"),
    }
