"""Radio galaxies: public sets, a user's own FITS and synthetic ones."""

from __future__ import annotations

from benchmarker import Registrar, hookimpl
from benchmarker_radio.own import OWN
from benchmarker_radio.published import PUBLISHED


@hookimpl
def benchmarker_register(registrar: Registrar) -> None:
    """Register the datasets."""
    for dataset in (*OWN, *PUBLISHED):
        registrar.dataset(dataset)
