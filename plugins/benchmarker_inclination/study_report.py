"""Report ``inclination``: residuals of a study's networks, ensembles over seeds and networks, and outliers.

`benchmarker_inclination.evaluation` defines the scores. All numbers are in degrees.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarker import (
    ConfigurationError,
    Interval,
    Regression,
    ReportOptions,
    StudyResults,
    ensemble_gain,
    find_ensembles,
    markdown_text,
    table_cell,
)
from benchmarker_inclination.catalogue_images import BAND_NUMBERS
from benchmarker_inclination.evaluation import OUTLIER, Scores, scores

if TYPE_CHECKING:
    from benchmarker import Predictions

    Floats = NDArray[np.float64]

_BIN = 5
_MOST_OUTLIERS = 49
_EXPLANATION = (
    "Residuals are measured minus predicted, in degrees; their mean is the bias. The line is fitted to residuals below "
    "10 degrees; the adjusted RMS is that after the line is taken out."
)
_NO_ENSEMBLE = (
    "There is no ensemble: there is one member only, or seeds were tested on different galaxies. `split.test_seed` "
    "gives all seeds the same test part."
)
_HEAD = (
    "| | n | RMS | MAE | bias | slope | intercept | adjusted RMS | beyond 10 deg |\n"
    "|---|--:|--:|--:|--:|--:|--:|--:|--:|"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Predictions of one network, trained under one seed.

    Parameters
    ----------
    network : str
        Network with its arm.
    seed : int
        Seed.
    predictions : Predictions
        Predictions of the test part.
    """

    network: str
    seed: int
    predictions: Predictions

    @property
    def name(self) -> str:
        """Name in tables: ``inclinet_model4/uniform/8901``."""
        return f"{self.network}/{self.seed}"

    @property
    def measured(self) -> Floats:
        """True or measured inclinations, shape (n,)."""
        return np.asarray(self.predictions.truth, dtype=np.float64)[:, 0]

    @property
    def predicted(self) -> Floats:
        """Predicted inclinations, shape (n,)."""
        return np.asarray(self.predictions.values, dtype=np.float64)[:, 0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensemble:
    """An ensemble over seeds, or over all runs of an arm, whose members were tested on the same images.

    Parameters
    ----------
    name : str
        Name in tables: ``"inclinet_model4, median of 3 seeds/uniform"``.
    members : tuple of str
        Names of the members.
    measured, predicted : ndarray of shape (n,), float64
        Inclinations in degrees.
    gain : Interval or None
        RMS of the ensemble minus the mean RMS of its members, in degrees, for other test galaxies.
    """

    name: str
    members: tuple[str, ...]
    measured: Floats
    predicted: Floats
    gain: Interval | None


def render(results: StudyResults, options: ReportOptions) -> Mapping[str, str | bytes]:
    """Return tables and figures of a study of inclinations.

    Parameters
    ----------
    results : StudyResults
        A study whose task is a regression of one angle in degrees.
    options : ReportOptions
        Choices of the user; the first checkpoint is shown.

    Returns
    -------
    mapping of str to str or bytes
        ``inclination.md`` and ``inclination.json`` with the scores, ``predictions.csv`` with one line per image,
        ``residuals.png`` and, where images are in this machine's cache, ``outliers.png``.

    Raises
    ------
    ConfigurationError
        If the task is another one, or no run has finished.
    """
    _check_task(results)
    members = find_members(results, options)
    if not members:
        raise ConfigurationError(f"{results.folder}: has no finished run; the report needs predictions")
    ensembles = study_ensembles(results, options) if _same_images(members) else ()
    files: dict[str, str | bytes] = {
        "inclination.md": _markdown(results, members, ensembles),
        "inclination.json": _json(members, ensembles, _bands(results, members)),
        "residuals.png": _residuals(members, ensembles),
    }
    if _same_images(members):
        files["predictions.csv"] = _predictions(members, ensembles)
    best = _best(members, ensembles)
    outliers = _outliers(results, members[0] if isinstance(best, Ensemble) else best, best.predicted)
    return files if outliers is None else {**files, "outliers.png": outliers}


def _check_task(results: StudyResults) -> None:
    task = results.task
    if not isinstance(task, Regression) or task.n_outputs != 1 or task.targets[0].unit != "deg":
        raise ConfigurationError(
            f"the report 'inclination' is for a regression of one angle in degrees. Received: {task!r:.200}"
        )


def find_members(results: StudyResults, options: ReportOptions) -> tuple[Member, ...]:
    """Return the finished runs of a study, in the order of the leaderboard and of the seeds."""
    found = []
    for row in results.board(options).rows:
        if row.checkpoint != options.checkpoint:
            continue
        for cell in results.cells_of(row):
            predictions = results.predictions(cell, options.checkpoint)
            if predictions is not None:
                found.append(Member(network=f"{row.label}/{row.arm}", seed=cell.seed, predictions=predictions))
    return tuple(found)


def study_ensembles(results: StudyResults, options: ReportOptions) -> tuple[Ensemble, ...]:
    """Return the medians and means over seeds, and over all runs of an arm; none if seeds have different test parts."""
    found = []
    for each in find_ensembles(results, options.checkpoint):
        if each.over_seeds:
            (combined,) = each.combined.values()
            (members,) = each.members.values()
            found.append(
                Ensemble(
                    name=f"{each.row.label}/{each.row.arm}",
                    members=tuple(f"{one.row.label}/{one.row.arm}/{one.cell.seed}" for one in members),
                    measured=np.asarray(combined.truth, dtype=np.float64)[:, 0],
                    predicted=combined.values[:, 0],
                    gain=ensemble_gain(each, results.task, "root_mean_squared_error"),
                )
            )
    return tuple(found)


def _same_images(members: Sequence[Member]) -> bool:
    first = members[0].predictions.images
    return all(np.array_equal(first, member.predictions.images) for member in members[1:])


def _best(members: Sequence[Member], ensembles: Sequence[Ensemble]) -> Member | Ensemble:
    """Return what the outliers are shown of: the ensemble with the most members, or else the first member."""
    return max(ensembles, key=lambda each: len(each.members)) if ensembles else members[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupScores:
    """Residuals, measured minus predicted, of some images in degrees: their number, mean and root mean square."""

    n: int
    mean: float
    rms: float

    @classmethod
    def of(cls, residuals: Floats) -> GroupScores:
        """Return the scores of residuals of shape (n,), with n > 0."""
        return cls(n=len(residuals), mean=float(residuals.mean()), rms=float(np.sqrt(np.mean(residuals**2))))


def scores_by_bin(measured: Floats, predicted: Floats) -> dict[str, GroupScores]:
    """Return the scores of the images in each bin of 5 degrees that holds any.

    Bins hold their upper edge, and the first one both of its edges.

    Examples
    --------
    >>> found = scores_by_bin(np.array([48.0, 50.1, 88.0]), np.array([50.0, 50.1, 85.0]))
    >>> [(name, each.n, each.mean, each.rms) for name, each in found.items()]
    [('45 to 50', 1, -2.0, 2.0), ('50 to 55', 1, 0.0, 0.0), ('85 to 90', 1, 3.0, 3.0)]
    """
    start = int(measured.min() // _BIN) * _BIN
    upper = start + _BIN * np.maximum(np.ceil((measured - start) / _BIN).astype(int), 1)
    return {
        f"{edge - _BIN} to {edge}": GroupScores.of((measured - predicted)[upper == edge])
        for edge in sorted({int(value) for value in upper})
    }


def scores_by_band(measured: Floats, predicted: Floats, bands: Floats | None) -> dict[str, GroupScores]:
    """Return the scores of the images of each band, in the order colour, g, r, i.

    Parameters
    ----------
    measured, predicted : ndarray of shape (n,), float64
        Inclinations in degrees.
    bands : ndarray of shape (n,), float64, optional
        Numbers of the bands, as in the attribute ``band``; without them nothing is returned.
    """
    if bands is None:
        return {}
    return {
        name: GroupScores.of((measured - predicted)[bands == number])
        for name, number in BAND_NUMBERS.items()
        if (bands == number).any()
    }


def _line(name: str, found: Scores) -> str:
    return (
        f"| {markdown_text(name)} | {found.n} | {found.rms:.2f} | {found.mae:.2f} | {found.mean:+.2f} | "
        f"{found.slope:+.3f} | {found.intercept:+.2f} | {found.adjusted_rms:.2f} | {found.outliers} |"
    )


def _markdown(results: StudyResults, members: Sequence[Member], ensembles: Sequence[Ensemble]) -> str:
    lines = [f"# {markdown_text(results.title)}: residuals", "", _EXPLANATION, "", _HEAD]
    lines += [_line(member.name, scores(member.measured, member.predicted)) for member in members]
    lines += [_line(each.name, scores(each.measured, each.predicted)) for each in ensembles]
    lines += ["", *(_gains(ensembles) if ensembles else [_NO_ENSEMBLE])]
    shown = {each.name: (each.measured, each.predicted) for each in ensembles}
    if not shown:
        shown = {member.name: (member.measured, member.predicted) for member in members}
    bands = _bands(results, members)
    by_bin = {name: scores_by_bin(*pair) for name, pair in shown.items()}
    by_band = {name: scores_by_band(*pair, bands) for name, pair in shown.items()}
    for title, tables in (("bin", by_bin), ("band", by_band)):
        if any(tables.values()):
            lines += ["", f"Residuals by {title}:", "", f"| | {title} | n | bias | RMS |", "|---|---|--:|--:|--:|"]
            lines += [
                f"| {markdown_text(name)} | {group} | {found.n} | {found.mean:+.2f} | {found.rms:.2f} |"
                for name, groups in tables.items()
                for group, found in groups.items()
            ]
    return "\n".join(lines) + "\n"


def _bands(results: StudyResults, members: Sequence[Member]) -> Floats | None:
    """Return the number of the band of each test image; None where it is unknown or differs between members."""
    if not _same_images(members):
        return None
    return results.attribute("band", members[0].predictions.images.tolist())


def _gains(ensembles: Sequence[Ensemble]) -> list[str]:
    lines = ["| ensemble | RMS below the mean of its members | 95 % interval for other galaxies |", "|---|--:|--:|"]
    for each in ensembles:
        if each.gain is not None:
            value, low, high = -each.gain.value, -each.gain.high, -each.gain.low
            lines.append(f"| {markdown_text(each.name)} | {value:.2f} | {low:.2f} to {high:.2f} |")
    return lines


def _json(members: Sequence[Member], ensembles: Sequence[Ensemble], bands: Floats | None) -> str:
    def entry(measured: Floats, predicted: Floats) -> dict[str, object]:
        groups = {"by_bin": scores_by_bin(measured, predicted), "by_band": scores_by_band(measured, predicted, bands)}
        written = {
            kind: {name: asdict(each) for name, each in found.items()} for kind, found in groups.items() if found
        }
        return {**asdict(scores(measured, predicted)), **written}

    found: dict[str, object] = {
        "unit": "deg",
        "members": {member.name: entry(member.measured, member.predicted) for member in members},
        "ensembles": {
            each.name: {
                **entry(each.measured, each.predicted),
                "members": list(each.members),
                "gain": None if each.gain is None else _gain(each.gain),
            }
            for each in ensembles
        },
    }
    return json.dumps(found, indent=2) + "\n"


def _gain(interval: Interval) -> dict[str, float]:
    """Return by how much the RMS of an ensemble is below the mean of its members, with its interval."""
    return {"value": -interval.value, "low": -interval.high, "high": -interval.low}


def _predictions(members: Sequence[Member], ensembles: Sequence[Ensemble]) -> str:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    columns = {member.name: member.predicted for member in members}
    columns |= {each.name: each.predicted for each in ensembles}
    writer.writerow(["source", "image", "measured", *map(table_cell, columns)])
    first = members[0]
    rows = zip(first.predictions.source_ids, first.predictions.images.tolist(), first.measured.tolist(), strict=True)
    for k, (source, image, measured) in enumerate(rows):
        writer.writerow([table_cell(source), image, measured, *(float(values[k]) for values in columns.values())])
    return stream.getvalue()


def _residuals(members: Sequence[Member], ensembles: Sequence[Ensemble]) -> bytes:
    from benchmarker_inclination.figures import draw_residuals

    panels = {member.name: (member.measured, member.predicted) for member in members}
    panels |= {each.name: (each.measured, each.predicted) for each in ensembles}
    stream = io.BytesIO()
    draw_residuals(panels, 3, stream)
    return stream.getvalue()


def _outliers(results: StudyResults, member: Member, predicted: Floats) -> bytes | None:
    from benchmarker_inclination.figures import Outlier, draw_outliers

    beyond = np.flatnonzero(np.abs(member.measured - predicted) > OUTLIER)[:_MOST_OUTLIERS]
    images = results.images(member.predictions.images[beyond].tolist()) if len(beyond) else None
    if images is None:
        return None
    stream = io.BytesIO()
    draw_outliers(
        [
            Outlier(
                name=member.predictions.source_ids[k],
                measured=float(member.measured[k]),
                predicted=float(predicted[k]),
                image=image if image.shape[-1] == 3 else image[..., 0],
            )
            for k, image in zip(beyond, images, strict=True)
        ],
        stream,
    )
    return stream.getvalue()
