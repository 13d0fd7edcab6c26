"""From pixels as they were published to the input of a network."""

from __future__ import annotations

from benchmarker.preparation.fits import read_fits_image
from benchmarker.preparation.prepare import prepare_image

__all__ = ["prepare_image", "read_fits_image"]
