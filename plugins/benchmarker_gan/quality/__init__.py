"""Quality of generated galaxies: feature distances, image statistics, memorisation and fidelity to conditions."""

from __future__ import annotations

from benchmarker_gan.quality.measurement import measure

__all__ = ["measure"]
