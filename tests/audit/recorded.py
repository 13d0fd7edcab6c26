"""Digests of weights as the trails of runs record them, which saves a process that imports a backend."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarker.audit.weights import WeightsDigest
from benchmarker.results.study import CellRecord
from benchmarker.study.layout import CHECKPOINTS
from benchmarker.study.runs import FinishedManifest


def recorded_digests(_dataset: object, cells: Sequence[CellRecord]) -> dict[str, dict[str, WeightsDigest]]:
    """Take the place of `benchmarker.audit.weights.weight_digests`, as if no weights had been changed."""
    found: dict[str, dict[str, WeightsDigest]] = {}
    for cell in cells:
        assert isinstance(cell.manifest, FinishedManifest)
        for name in CHECKPOINTS:
            digest = cell.manifest.digests[f"{name}_weights"]
            found.setdefault(cell.key, {})[name] = WeightsDigest(key=cell.key, checkpoint=name, digest=digest)
    return found
