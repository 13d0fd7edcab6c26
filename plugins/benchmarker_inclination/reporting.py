"""The sixth step: the table of predictions, the scores of members and ensembles, and their figures."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarker import DataError
from benchmarker_inclination.evaluation import OUTLIER, Table, read_table, rms_by_band, rms_by_bin, scores, write_table
from benchmarker_inclination.figures import Outlier, draw_outliers, draw_residuals

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TABLE_FILE = "model_evaluation.csv"
SCORES_FILE = "scores.json"
_MOST_OUTLIERS = 49
_MEMBER = re.compile(r"Uset_(\d{3})_(model[456])_ckpt")


def evaluate_models(samples: Path, size: int, models: Path, iteration: int | None, output: Path) -> str:
    """Predict the held-out images with every trained member, and evaluate them; return a text table.

    Parameters
    ----------
    samples : Path
        Folder of the parts.
    size : int
        Height and width of the images in pixels.
    models : Path
        Folder of the weights.
    iteration : int or None
        Iteration whose weights are used; the last one of each member by default.
    output : Path
        Folder of the table, the scores and the figures.

    Raises
    ------
    DataError
        If there is no trained member.
    """
    from benchmarker_inclination.members import Member, Schedule
    from benchmarker_inclination.training import held_out_images, predict_member

    matches = (_MEMBER.fullmatch(path.name) for path in models.glob("Uset_*_ckpt"))
    members = sorted((match[2], int(match[1])) for match in matches if match)
    if not members:
        raise DataError(f"{models}: holds no trained network; run `train` first")
    schedule = Schedule(size=size, n_batches=1, rounds=1, batch_size=64, seed=0)
    held_out = held_out_images(samples, size)
    table = Table(
        pgc=held_out.pgc.astype(int),
        letters=tuple(letter.decode() for letter in held_out.letters),
        measured=held_out.labels.astype(float),
        members={
            f"{model}_{number}": predict_member(
                Member(model=model, number=number), schedule, samples=samples, models=models, iteration=iteration
            )
            for model, number in members
        },
    )
    output.mkdir(parents=True, exist_ok=True)
    write_table(table, output / TABLE_FILE)
    return _evaluate(table, output, images=held_out.images)


def evaluate_table(path: Path, output: Path) -> str:
    """Evaluate an existing table of predictions; return a text table."""
    table = read_table(path)
    output.mkdir(parents=True, exist_ok=True)
    return _evaluate(table, output)


def _evaluate(table: Table, output: Path, images: NDArray[np.uint8] | None = None) -> str:
    single = dict(table.members)
    by_model = {
        f"{combine} of {model}": table.ensemble(combine, names)
        for combine in ("median", "mean")
        for model, names in table.models().items()
    }
    overall = {f"{combine} of all": table.ensemble(combine) for combine in ("median", "mean")}
    predictions = {**single, **by_model, **overall}
    columns = max(len(names) for names in table.models().values())
    draw_residuals(_with_truth(table, single), columns, output / "residuals_members.pdf")
    for combine in ("median", "mean"):
        shown = {name: values for name, values in {**by_model, **overall}.items() if name.startswith(combine)}
        draw_residuals(_with_truth(table, shown), 2, output / f"residuals_{combine}.pdf")
    best = overall["median of all"]
    if images is not None:
        _draw_outliers(table, best, images, output / "outliers.png")
    _write_scores(table, predictions, best, output / SCORES_FILE)
    return _text(table, predictions)


def _with_truth(
    table: Table, predictions: Mapping[str, NDArray[np.float64]]
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    return {name: (table.measured, values) for name, values in predictions.items()}


def _draw_outliers(table: Table, predicted: NDArray[np.float64], images: NDArray[np.uint8], path: Path) -> None:
    """Draw the first images with a residual beyond 10 degrees; write nothing if there is none."""
    found = [k for k, residual in enumerate(table.measured - predicted) if abs(residual) > OUTLIER]
    if found:
        draw_outliers(
            [
                Outlier(
                    name=f"PGC {table.pgc[k]} ({table.letters[k]})",
                    measured=table.measured[k],
                    predicted=predicted[k],
                    image=images[k],
                )
                for k in found[:_MOST_OUTLIERS]
            ],
            path,
        )


def _write_scores(
    table: Table, predictions: Mapping[str, NDArray[np.float64]], best: NDArray[np.float64], path: Path
) -> None:
    found = {
        "unit": "deg",
        "scores": {name: asdict(scores(table.measured, values)) for name, values in predictions.items()},
        "median of all": {
            "rms by band": rms_by_band(table, best),
            "rms by bin": {f"{low}-{high}": value for (low, high), value in rms_by_bin(table.measured, best).items()},
        },
    }
    aside = path.with_name(f".{path.name}.partial")
    aside.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    aside.replace(path)


def _text(table: Table, predictions: Mapping[str, NDArray[np.float64]]) -> str:
    head = f"{'':<18}{'RMS':>7}{'MAE':>7}{'mean':>7}{'adjusted RMS':>14}{'beyond 10 deg':>15}"
    lines = [f"{len(table.pgc):,} images; all numbers in degrees", head]
    for name, values in predictions.items():
        found = scores(table.measured, values)
        lines.append(
            f"{name:<18}{found.rms:>7.2f}{found.mae:>7.2f}{found.mean:>+7.2f}{found.adjusted_rms:>14.2f}{found.outliers:>15,}"
        )
    return "\n".join(lines)
