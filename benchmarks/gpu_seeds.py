"""Time of the seeds of a small network in one program, against the time of the same seeds one after the other.

`benchmarks.gpu_check` runs it on JAX. A seed must have the same bits whichever seeds are beside it.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarker.printing import counted
from benchmarks.gpu_sharing import differences, digests, train
from benchmarks.jobs import registry_of
from benchmarks.measure import seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeds:
    """What was measured.

    Parameters
    ----------
    gpu : str or None
        GPU that was used, as CUDA names it; None if the seeds computed on the processor.
    seeds, epochs : int
        Number of seeds, and of the epochs of each.
    apart_seconds, together_seconds : float
        Time of the whole study with one seed after the other, and with all of them in one program.
    differences : tuple of str
        What of a seed differs when others are missing.
    """

    gpu: str | None
    seeds: int
    epochs: int
    apart_seconds: float
    together_seconds: float
    differences: tuple[str, ...]

    @property
    def ratio(self) -> float:
        """Time in one program over that of one seed after the other."""
        return self.together_seconds / self.apart_seconds

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        names = ("gpu", "seeds", "epochs", "apart_seconds", "together_seconds", "ratio")
        return {name: getattr(self, name) for name in names} | {"differences": list(self.differences)}

    def lines(self) -> list[str]:
        """Return it in words."""
        where = "on the processor: NO GPU WAS MEASURED" if self.gpu is None else f"on GPU {self.gpu}"
        same = "the same bits whichever seeds are beside it"
        bits = same if not self.differences else f"DIFFER: {'; '.join(self.differences)}"
        of = f"{self.seeds} seeds of {counted(self.epochs, 'epoch')}"
        return [
            f"{of} in one program against one after the other, {where}",
            f"{self.together_seconds:.1f} s / {self.apart_seconds:.1f} s = {self.ratio:.2f}; {bits}",
        ]


def measure_seeds(gpu: str | None, *, seeds: int, epochs: int) -> Seeds:
    """Run the seeds of a small network one after the other, in one program, and half of them in such a program.

    Parameters
    ----------
    gpu : str or None
        GPU, as CUDA names it; None to compute on the processor.
    seeds : int
        Number of seeds.
    epochs : int
        Epochs of each.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def registry(of: int, at_once: int) -> Path:
            path = folder / f"{of}-{at_once}.yaml"
            training = f"threads: 1, seeds_at_once: {at_once}"
            path.write_text(registry_of(of, epochs=epochs, training=training), encoding="utf-8")
            return path

        def run(study: str, of: int, at_once: int) -> None:
            train(registry(of, at_once), folder / study, gpu, jobs=1, cells=of)

        half = max(1, seeds // 2)
        with mock.patch.dict(os.environ, BENCHMARKER_CACHE=str(folder / "cache")):
            run("half", half, seeds)  # also prepares the data and reads the files of libraries
            apart = seconds(lambda: run("apart", seeds, 1))
            together = seconds(lambda: run("together", seeds, seeds))
        alone, beside = digests(folder / "half"), digests(folder / "together")
        return Seeds(
            gpu=gpu,
            seeds=seeds,
            epochs=epochs,
            apart_seconds=apart,
            together_seconds=together,
            differences=differences(alone, {cell: found for cell, found in beside.items() if cell in alone}),
        )
