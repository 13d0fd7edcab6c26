"""Radio galaxies: published data sets, the user's own FITS images, and synthetic sources."""

from __future__ import annotations

from benchmarker import Registrar, Report, hookimpl
from benchmarker_radio.datasets import DATASETS


@hookimpl
def benchmarker_register(registrar: Registrar) -> None:
    """Register the data sets, and the report for users of the radio framework."""
    for dataset in DATASETS:
        registrar.dataset(dataset)
    registrar.report(
        Report(
            name="radio-framework",
            renderer="benchmarker_radio.framework_files:render",
            summary="tables, arrays, partitions and figures under the file names of the radio framework",
        )
    )
