"""Synthetic optical galaxies whose brightness, colour and size follow redshift and stellar mass."""

from __future__ import annotations

from benchmarker import Registrar, hookimpl
from benchmarker_optical.registration import SYNTHETIC_OPTICAL


@hookimpl
def benchmarker_register(registrar: Registrar) -> None:
    """Register the dataset."""
    registrar.dataset(SYNTHETIC_OPTICAL)
