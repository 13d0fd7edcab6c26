"""Generators in an audit: their files are checked, and they are trained again before the cells that need them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from benchmarker.audit.causes import difference_causes
from benchmarker.audit.verdicts import CellAudit, Finding, is_unreadable
from benchmarker.errors import StorageError
from benchmarker.generation.run_files import epoch_weights_file, saved_epochs, weights_digest
from benchmarker.results.study import GeneratorRecord
from benchmarker.results.trails import FINGERPRINT, differing_entries, first_difference
from benchmarker.run.launcher import cell_job, generator_job, launch
from benchmarker.study.layout import PLAN_FILE, RunPaths
from benchmarker.study.links import GeneratorLink, read_trail
from benchmarker.study.observer import CellOutcome
from benchmarker.study.plan import PlannedCell, PlannedGenerator
from benchmarker.study.protocol import CellJob
from benchmarker.trail import TRAIL_FILE

LINK = "generator"


def check_generator(link: GeneratorLink, key: str, generator: GeneratorRecord | None) -> Iterator[Finding]:
    """Yield all contradictions between the run of a generator and the link of a cell's trail.

    Parameters
    ----------
    link : GeneratorLink
        Content of the link.
    key : str
        Key of the generator, as the cell's settings name it.
    generator : GeneratorRecord or None
        The study's record of it.
    """
    if link.key != key:
        text = "names another generator than the settings of the cell"
        yield Finding(link=LINK, file=TRAIL_FILE, text=text)
        return
    if generator is None or generator.folder is None or generator.status != "ok":
        status = "is not in its plan" if generator is None else f"is {generator.status}"
        text = f"the study has no run of the generator {key[:16]}: it {status}"
        yield Finding(link=LINK, file=PLAN_FILE, text=text)
        return
    folder = generator.folder
    file = f"{folder.name}/{TRAIL_FILE}"
    try:
        trail = read_trail(folder)
    except StorageError as error:
        yield Finding(link=LINK, file=file, text=str(error), compared=not is_unreadable(error))
        return
    if (broken := trail.broken_link()) is not None:
        yield Finding(link=LINK, file=file, text=f"was changed at {broken!r}")
    contents = {one.name: one.content for one in trail.links}
    try:
        covered = {"key": contents["cell"]["key"], "weights": contents["final weights"]["digest"]}
    except (KeyError, TypeError) as error:
        yield Finding(link=LINK, file=file, text=f"a link lacks what it should hold: {error!r}")
        return
    told = {"key": link.key, "weights": link.weights if link.epoch is None else covered["weights"]}
    for entry in differing_entries(told, covered):
        text = f"{entry.name} is {entry.recorded} in the trail of the cell and {entry.rerun} in the generator's"
        yield Finding(link=LINK, file=file, text=text)
    yield from _check_weights(folder, link)


def _check_weights(folder: Path, link: GeneratorLink) -> Iterator[Finding]:
    """Compare the weights that images were drawn with: the trail of a generator covers those of its last epoch only."""
    file = epoch_weights_file(link.epoch or max(saved_epochs(folder), default=0))
    try:
        found = weights_digest(folder / file)
    except StorageError as error:
        text, compared = str(error), not is_unreadable(error)
        yield Finding(link=LINK, file=f"{folder.name}/{file}", text=text, compared=compared)
        return
    if found != link.weights:
        yield Finding(link=LINK, file=f"{folder.name}/{file}", text="holds weights that the trail does not cover")


class Generators:
    """Trains the generators of audited cells again, each once, without anything from the cache.

    Parameters
    ----------
    folder : Path
        Clean folder for the re-runs.
    prepared : Path
        Folder of the images, prepared anew.
    planned : mapping of str to PlannedGenerator
        Generators of the study's plan, by key.
    """

    def __init__(self, folder: Path, prepared: Path, planned: Mapping[str, PlannedGenerator]) -> None:
        self._folder = folder
        self._prepared = prepared
        self._planned = planned
        self._outcomes: dict[str, CellOutcome] = {}

    def train_for(self, cell: PlannedCell) -> tuple[PlannedGenerator, CellOutcome] | None:
        """Return the generator of a cell and the outcome of its training; None where the cell has none."""
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

    def explain(self, audit: CellAudit, recorded: GeneratorRecord | None) -> CellAudit:
        """Say where the training of the generator differs, if that is what differs first in a cell."""
        if audit.difference is None or audit.difference.link != LINK or recorded is None or recorded.folder is None:
            return audit
        try:
            rerun = read_trail(RunPaths.of(self._folder, recorded.key).finished)
            difference = first_difference(read_trail(recorded.folder), rerun, passing_over=FINGERPRINT)
        except (StorageError, KeyError):
            return audit
        if difference is None:
            return audit
        summary = f"{audit.summary}; the trail of {recorded.name} differs first at {difference.name}"
        return replace(audit, summary=summary, causes=(*difference_causes(difference), *audit.causes))
