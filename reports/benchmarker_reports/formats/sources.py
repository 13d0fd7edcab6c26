"""Misclassified sources as catalogues: CSV, ECSV and VOTable."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from benchmarker import ReportOptions, StudyResults
from benchmarker_reports.content.sources import WrongImage, wrong_images
from benchmarker_reports.content.study_content import StudyContent

if TYPE_CHECKING:
    from astropy.table import Table


def render(results: StudyResults, options: ReportOptions) -> dict[str, str]:
    """Return the test images that at least one run classifies wrongly, as a catalogue in three formats.

    Parameters
    ----------
    results : StudyResults
        The study.
    options : ReportOptions
        Choices of whoever asked for the report.

    Returns
    -------
    dict of str to str
        ``sources.csv``, ``sources.ecsv`` and ``sources.vot`` with the same rows, those that fewest runs get right
        first. Coordinates, links and attributes are there where this machine's cache has the prepared images and the
        dataset knows them.
    """
    content = StudyContent(results, options)
    wrong = wrong_images(results, content.finished, content.checkpoint)
    table = _table(wrong, _units(results))
    return {
        "sources.csv": _written(table, "ascii.csv"),
        "sources.ecsv": _written(table, "ascii.ecsv"),
        "sources.vot": _votable(table),
    }


def _units(results: StudyResults) -> dict[str, str]:
    data = results.prepared
    return {} if data is None else {name: each.unit for name, each in data.attributes.items()}


def _table(wrong: tuple[WrongImage, ...], units: dict[str, str]) -> Table:
    from astropy.table import Column, Table

    columns = [
        Column([each.source for each in wrong], name="source_id", dtype=str, description="Name of the source"),
        Column([each.image for each in wrong], name="image", dtype=np.int64, description="Number of the image"),
        Column([each.label for each in wrong], name="label", dtype=str, description="Published class"),
        Column([each.predicted for each in wrong], name="predicted", dtype=str, description="Class of most runs"),
        Column([each.runs for each in wrong], name="runs", dtype=np.int64, description="Runs tested on the image"),
        Column([each.correct for each in wrong], name="correct", dtype=np.int64, description="Runs that were right"),
        Column([each.probability for each in wrong], name="probability", dtype=np.float64,
               description="Mean probability of the published class"),
        Column([each.label_doubt for each in wrong], name="label_doubt", dtype=bool,
               description="All runs agree on another class"),
    ]  # fmt: skip
    if any(each.position is not None for each in wrong):
        positions = np.array([each.position or (np.nan, np.nan) for each in wrong])
        columns += [
            Column(positions[:, 0], name="position_ra", unit="deg", description="Right ascension"),
            Column(positions[:, 1], name="position_dec", unit="deg", description="Declination"),
            Column([each.aladin for each in wrong], name="aladin", dtype=str, description="Field in Aladin Lite"),
            Column([each.ned for each in wrong], name="ned", dtype=str, description="Search in NED"),
        ]
    taken = {column.name for column in columns}
    for name, unit in units.items():
        values = [each.attributes.get(name, np.nan) for each in wrong]
        title = f"attribute_{name}" if name in taken else name
        columns.append(Column(values, name=title, dtype=np.float64, description=f"Attribute of the dataset [{unit}]"))
    return Table(columns)


def _written(table: Table, kind: str) -> str:
    stream = io.StringIO(newline="")
    table.write(stream, format=kind)
    return stream.getvalue().replace("\r\n", "\n")


def _votable(table: Table) -> str:
    from astropy.io.votable import from_table, writeto

    stream = io.BytesIO()
    writeto(from_table(table), stream)
    return stream.getvalue().decode()
