"""Time of a handful of small cells that share a GPU, against the time of the same cells one after the other.

`benchmarks.gpu_check` runs it. The predictions of both must be the same, bit for bit.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarker.discovery import installed
from benchmarker.registry import load_registry
from benchmarker.run import Policy, run_study
from benchmarker.study.runs import FinishedManifest, read_manifest
from benchmarks.jobs import Silence, registry_of
from benchmarks.measure import seconds

Digests = Mapping[str, Mapping[str, str]]
"""Digests of data, weights and predictions by name, for each cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """What was measured.

    Parameters
    ----------
    gpu : str or None
        GPU that the cells shared, as CUDA names it; None if they computed on the processor.
    cells, at_once : int
        Number of cells, and how many of them ran at once.
    one_seconds, several_seconds : float
        Time of the whole study with one cell at once, and with several.
    differences : tuple of str
        What differs between the two, by cell.
    """

    gpu: str | None
    cells: int
    at_once: int
    one_seconds: float
    several_seconds: float
    differences: tuple[str, ...]

    @property
    def ratio(self) -> float:
        """Time with several cells at once over that with one."""
        return self.several_seconds / self.one_seconds

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        names = ("gpu", "cells", "at_once", "one_seconds", "several_seconds", "ratio")
        return {name: getattr(self, name) for name in names} | {"differences": list(self.differences)}

    def lines(self) -> list[str]:
        """Return it in words."""
        where = "on the processor: NO GPU WAS MEASURED" if self.gpu is None else f"on GPU {self.gpu}"
        bits = "the same bits in all predictions" if not self.differences else f"DIFFER: {'; '.join(self.differences)}"
        return [
            f"{self.cells} cells, {self.at_once} at once against one at once, {where}",
            f"{self.several_seconds:.1f} s / {self.one_seconds:.1f} s = {self.ratio:.2f}; {bits}",
        ]


def measure_sharing(gpu: str | None, *, cells: int, at_once: int, epochs: int) -> Sharing:
    """Run a study with one cell at once and with several, all of them on one GPU.

    Parameters
    ----------
    gpu : str or None
        GPU, as CUDA names it; None to compute on the processor.
    cells : int
        Number of small cells.
    at_once : int
        How many of them run at once.
    epochs : int
        Epochs of each cell.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        registry = folder / "cells.yaml"
        registry.write_text(registry_of(cells, epochs=epochs), encoding="utf-8")
        with mock.patch.dict(os.environ, BENCHMARKER_CACHE=str(folder / "cache")):
            first = folder / "first.yaml"
            first.write_text(registry_of(1, epochs=1), encoding="utf-8")
            # Prepares the data and reads the files of libraries before anything is timed.
            train(first, folder / "first", gpu, jobs=1, cells=1)
            one = seconds(lambda: train(registry, folder / "one", gpu, jobs=1, cells=cells))
            several = seconds(lambda: train(registry, folder / "several", gpu, jobs=at_once, cells=cells))
        return Sharing(
            gpu=gpu,
            cells=cells,
            at_once=at_once,
            one_seconds=one,
            several_seconds=several,
            differences=differences(digests(folder / "one"), digests(folder / "several")),
        )


def differences(one: Digests, several: Digests) -> tuple[str, ...]:
    """Return what differs between two runs of the same cells, and which of them have no predictions in both."""
    found = []
    for cell in sorted({*one, *several}):
        left, right = one.get(cell, {}), several.get(cell, {})
        compared = [name for name in left if name.startswith("predictions")]
        wrong = [name for name in {**left, **right} if left.get(name) != right.get(name)]
        if wrong or not compared:
            found.append(f"{cell}: {', '.join(wrong) or 'no predictions'}")
    return tuple(found)


def train(registry: Path, study: Path, gpu: str | None, *, jobs: int, cells: int) -> None:
    """Run all cells of a registry on a GPU, or on the processor where it is None.

    Raises
    ------
    RuntimeError
        If not all of them finish.
    """
    observer: Any = Silence()
    policy = Policy(jobs=jobs, gpus=() if gpu is None else (gpu,))
    outcome = run_study(load_registry(registry), study, observer=observer, plugins=installed(), policy=policy)
    if outcome.ok != cells:
        raise RuntimeError(f"only {outcome.ok} of {cells} cells finished")


def digests(study: Path) -> Digests:
    """Return the digests of the finished runs of a study."""
    manifests = [read_manifest(path.parent) for path in sorted(study.glob("runs/*/manifest.json"))]
    return {
        f"{each.model}/{each.arm}/{each.seed}": each.digests for each in manifests if isinstance(each, FinishedManifest)
    }
