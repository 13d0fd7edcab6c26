"""Stored studies of four classes with predictions, made without training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarker import Stream, open_results
from benchmarker.statistics.network_results import classification_sums, score
from benchmarker.statistics.study_comparison import Comparisons, compare_study

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.conftest import StudyFiles

CLASSES = ["COMP", "FRI", "FRII", "BENT"]
SEEDS = (8901, 1826, 4915, 77)
SOURCES = 160


def finish(study: StudyFiles, cell: Mapping[str, Any], skill: float | NDArray[np.float64], **options: Any) -> None:
    """Finish a run that is right with a chance of about ``skill``."""
    sources = options.pop("sources", [f"source {k:03d}" for k in range(SOURCES)])
    truth = np.array([int(source.rpartition(" ")[2]) % 4 for source in sources])
    luck = Stream("run", key=cell["key"]).generator().random(len(sources))
    hard = np.array([Stream("hard", source=source).generator().random() for source in sources])
    predicted = np.where(0.7 * hard + 0.3 * luck < skill, truth, (truth + 1) % 4)
    values = score(classification_sums(sources, truth, predicted, 4), "mean_per_class_accuracy")
    assert values is not None
    folder = study.finish(cell, values.value, **options)
    lines = [f"source_id,image,true,predicted,{','.join(f'p_{name}' for name in CLASSES)}"]
    for k, (source, true, own) in enumerate(zip(sources, truth, predicted, strict=True)):
        chances = ["0.7" if c == own else "0.1" for c in range(4)]
        lines.append(",".join([source, str(k), CLASSES[true], CLASSES[own], *chances]))
    for checkpoint in ("best", "final"):
        (folder / f"predictions_{checkpoint}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def fill(
    study: StudyFiles,
    skills: Mapping[tuple[str, str], float],
    seeds: tuple[int, ...] = SEEDS,
    split: Mapping[str, Any] | None = None,
) -> Comparisons:
    """Finish every network and arm under every seed, and compare them."""
    for (model, arm), skill in skills.items():
        for seed in seeds:
            cell = study.cell(model, seed, arm=arm)
            if split is not None:
                cell["spec"]["split"] = dict(split)
                study.write_plan()
            finish(study, cell, skill)
    return compare_study(open_results(study.folder))
