"""Generators in an audit: their files are checked, and they are trained again before the cells that need them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarker.audit.compare import differing_entries, first_difference
from benchmarker.audit.report import CellAudit, Finding
from benchmarker.audit.trails import read_trail
from benchmarker.digests import digest_arrays
from benchmarker.discovery import Plugins
from benchmarker.errors import StorageError
from benchmarker.generation.run_files import epoch_weights_file, saved_epochs
from benchmarker.results.study import CellRecord
from benchmarker.run.launcher import cell_job, generator_job, launch
from benchmarker.study.layout import RunPaths
from benchmarker.study.observer import CellOutcome
from benchmarker.study.plan import PlannedCell, PlannedGenerator
from benchmarker.study.protocol import CellJob

LINK = "generator"


def generator_of(cell: CellRecord) -> str | None:
    """Return the key of the generator whose images a cell was trained on, if there is one."""
    arm = cell.spec.get("arm")
    generated = arm.get("generated") if isinstance(arm, Mapping) else None
    return generated.get("generator") if isinstance(generated, Mapping) else None


def require_generators(cells: Sequence[CellRecord], generators: Mapping[str, CellRecord], plugins: Plugins) -> None:
    """Refuse to judge cells whose generators' plugins are not installed.

    Raises
    ------
    PluginError
        Naming the first.
    """
    for cell in cells:
        generator = generators.get(generator_of(cell) or "")
        if generator is not None:
            plugins.generator(str(generator.spec["generator"]["name"]))


def check_generator(content: Any, key: str, generator: CellRecord | None) -> Iterator[Finding]:
    """Yield everything in which the run of a generator contradicts the link of a cell's trail.

    Parameters
    ----------
    content : mapping
        Of the link.
    key : str
        Of the generator, as the cell's settings name it.
    generator : CellRecord or None
        What the study holds of it.
    """
    if content["key"] != key:
        yield Finding(link=LINK, file="trail.json", text="names another generator than the settings of the cell")
        return
    if generator is None or generator.folder is None or generator.status != "ok":
        status = "is not in its plan" if generator is None else f"is {generator.status}"
        yield Finding(
            link=LINK, file="plan.json", text=f"the study has no run of the generator {key[:16]}: it {status}"
        )
        return
    folder = generator.folder
    where = f"{folder.name}/trail.json"
    try:
        trail = read_trail(folder)
    except StorageError as error:
        yield Finding(link=LINK, file=where, text=str(error))
        return
    if (broken := trail.broken_link()) is not None:
        yield Finding(link=LINK, file=where, text=f"was changed at {broken!r}")
    contents = {link.name: link.content for link in trail.links}
    told = {"key": contents["cell"]["key"], "weights": contents["final weights"]["digest"]}
    for entry in differing_entries(content, told):
        text = f"{entry.name} is {entry.recorded} in the trail of the cell and {entry.rerun} in the generator's"
        yield Finding(link=LINK, file=where, text=text)
    yield from _check_weights(folder, content["weights"])


def _check_weights(folder: Path, expected: str) -> Iterator[Finding]:
    import numpy as np

    file = epoch_weights_file(max(saved_epochs(folder), default=0))
    try:
        with np.load(folder / file, allow_pickle=False) as arrays:
            found = digest_arrays((str(k), arrays[name]) for k, name in enumerate(sorted(arrays.files)))
    except (OSError, ValueError) as error:
        yield Finding(link=LINK, file=f"{folder.name}/{file}", text=f"the weights cannot be read: {error}")
        return
    if found != expected:
        yield Finding(link=LINK, file=f"{folder.name}/{file}", text="holds other weights than the trail covers")


class Generators:
    """Trains the generators of audited cells again, each once, without what the cache holds.

    Parameters
    ----------
    folder : Path
        The clean one.
    prepared : Path
        Folder of the images, prepared anew.
    planned : mapping of str to PlannedGenerator
        The generators of the study's plan, by key.
    """

    def __init__(self, folder: Path, prepared: Path, planned: Mapping[str, PlannedGenerator]) -> None:
        self._folder = folder
        self._prepared = prepared
        self._planned = planned
        self._outcomes: dict[str, CellOutcome] = {}

    def train_for(self, cell: PlannedCell) -> tuple[PlannedGenerator, CellOutcome] | None:
        """Return the generator of a cell and how its training ended; None where the cell has none."""
        key = cell.generator
        if key is None:
            return None
        generator = self._planned[key]
        if key not in self._outcomes:
            job = generator_job(self._folder, generator, prepared=self._prepared, split=cell.spec.split, cache=False)
            self._outcomes[key] = launch(job, on_event=lambda _event: None)
        return generator, self._outcomes[key]

    def job(self, cell: PlannedCell) -> CellJob:
        """Return the job of running a cell again."""
        return cell_job(self._folder, cell, prepared=self._prepared, generators=self._planned, own_samples=True)

    def explain(self, audit: CellAudit, recorded: CellRecord | None) -> CellAudit:
        """Say where the generator itself went another way, where that is what a cell differs in first."""
        if audit.difference is None or audit.difference.link != LINK or recorded is None or recorded.folder is None:
            return audit
        try:
            rerun = read_trail(RunPaths.of(self._folder, recorded.key).finished)
            parted = first_difference(read_trail(recorded.folder), rerun, passing_over="fingerprint")
        except (StorageError, KeyError):
            return audit
        if parted is None:
            return audit
        told = f"{audit.summary}; the trail of {recorded.name} parts first at {parted.name}"
        causes = (*parted.causes, *audit.difference.causes)
        return replace(audit, summary=told, difference=replace(audit.difference, causes=causes))
