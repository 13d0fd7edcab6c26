"""Quality of generated galaxies: on features, in physical statistics, in what is remembered and in what is obeyed."""

from __future__ import annotations

from benchmarker_gan.quality.measure import measure

__all__ = ["measure"]
