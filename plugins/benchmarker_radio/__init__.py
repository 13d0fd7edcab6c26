"""Radio galaxies: published data sets, the user's own FITS images, and synthetic sources."""

from __future__ import annotations

from benchmarker import Registrar, hookimpl
from benchmarker_radio.datasets import DATASETS


@hookimpl
def benchmarker_register(registrar: Registrar) -> None:
    """Register the data sets."""
    for dataset in DATASETS:
        registrar.dataset(dataset)
