"""Audits a study: checks its files, then runs cells again in a clean folder and compares the trails."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarker.audit.bands import MetricComparison, compare_metrics
from benchmarker.audit.generators import Generators
from benchmarker.audit.missing import missing_plugins
from benchmarker.audit.run_check import check_run
from benchmarker.audit.verdicts import (
    DIFFERS,
    AuditReport,
    CellAudit,
    Finding,
    is_unreadable,
    judge,
    judge_failure,
    judge_files,
    judge_other_data,
    judge_together,
    judge_unchecked,
)
from benchmarker.audit.weights import WeightsDigest, weight_digests
from benchmarker.containment import describe
from benchmarker.contracts.tasks import Task
from benchmarker.data.loading import Context
from benchmarker.data.prepared import prepare
from benchmarker.discovery import Plugins
from benchmarker.errors import ConfigurationError
from benchmarker.files import make_folder, read_ordinary, read_ordinary_text
from benchmarker.paths import expand_user, reading_problem
from benchmarker.randomness import Stream
from benchmarker.registry import validated_options
from benchmarker.results.study import CellRecord, GeneratorRecord, Study, read_study
from benchmarker.results.tables import read_predictions
from benchmarker.run.launcher import launch
from benchmarker.study.layout import CHECKPOINTS, LOG_FILE, PLAN_FILE, RunPaths, predictions_file
from benchmarker.study.links import read_trail
from benchmarker.study.plan import PlannedCell, SourceRecord
from benchmarker.study.selectors import select_runs

logger = logging.getLogger(__name__)

Announce = Callable[[str], None]

# Unreadable runs claim results as well.
_WITH_RESULTS = ("ok", "unreadable")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """What to prepare the images from, with the path that holds them now."""

    record: SourceRecord
    path: Path | None


def audit_study(
    folder: Path,
    *,
    plugins: Plugins,
    cells: str = "",
    sample: int | None = None,
    train: bool = True,
    keep: Path | None = None,
    data: Path | None = None,
    announce: Announce = lambda _text: None,
) -> AuditReport:
    """Check the files of a study, and run cells again.

    Parameters
    ----------
    folder : Path
        Path of the study; nothing in it is changed.
    plugins : Plugins
        Installed plugins.
    cells : str
        Selector of the cells to audit; all finished ones by default.
    sample : int, optional
        Number of cells to draw from those.
    train : bool
        Whether to run cells again whose files are what their trails cover; otherwise only files are checked.
    keep : Path, optional
        Folder for the re-runs, which must be empty; a temporary one by default.
    data : Path, optional
        Path of the images, if they have moved.
    announce : callable
        Function that is called with a line about each step.

    Raises
    ------
    ConfigurationError
        If the audit cannot be done as requested.
    StorageError
        If there is no such study.
    """
    study = read_study(folder)
    chosen, selection = select(study, cells, sample)
    generators = {generator.key: generator for generator in study.generators}
    _require_empty(keep)
    source = _source(study, data) if train else ""
    missing = {cell.key: missing_plugins(cell, generators, plugins) for cell in chosen}
    announce(f"checking the files of {len(chosen)} cell(s)")
    audits = _check_files(study, chosen, generators, missing)
    if train:
        credible = [cell for cell in chosen if audits[cell.key].verdict != DIFFERS]
        able = [cell for cell in credible if not missing[cell.key]]
        rerun = {cell.key: judge_unchecked(cell, "; ".join(missing[cell.key].values())) for cell in credible}
        if isinstance(source, str):
            rerun |= {cell.key: judge_unchecked(cell, source) for cell in able}
        elif able:
            with _clean_folder(keep) as clean:
                rerun |= _Auditor(study, clean, announce).run(able, plugins, source)
        audits |= {key: judge_together(audits[key], audit) for key, audit in rerun.items()}
    return AuditReport(
        title=study.title,
        dataset=study.dataset.name,
        trained=train,
        planned=len(study.cells),
        finished=len(_with_results(study)),
        selection=selection,
        cells=tuple(audits[cell.key] for cell in chosen),
        findings=tuple(_check_registry(study)),
    )


def select(study: Study, selector: str, sample: int | None) -> tuple[list[CellRecord], str]:
    """Choose cells to audit, and say how they were chosen.

    Parameters
    ----------
    study : Study
        Study to choose from.
    selector : str
        Selector of cells; empty for all finished ones.
    sample : int or None
        Number of cells to draw from those.

    Raises
    ------
    ConfigurationError
        If there is no such cell, it has not finished, or the sample is larger than the study.
    """
    finished = _with_results(study)
    if not finished:
        raise ConfigurationError(f"{study.folder}: no cell has finished, so there is nothing to audit")
    cells = _named(study, selector) if selector else finished
    selection = f"{len(cells)} named" if selector else "all finished cells"
    if sample is None or sample == len(cells):
        return cells, selection
    if sample > len(cells):
        raise ConfigurationError(f"--sample {sample} is more than the {len(cells)} cell(s) there are to draw from")
    # The stream depends only on which cells there are, so that everybody draws the same ones.
    stream = Stream("audit-sample", keys=sorted(cell.key for cell in cells))
    drawn = sorted(stream.generator().permutation(len(cells))[:sample].tolist())
    return [cells[k] for k in drawn], f"{sample} of {len(cells)} drawn by the stream audit-sample {stream.key()[:16]}"


def _with_results(study: Study) -> list[CellRecord]:
    return [cell for cell in study.cells if cell.status in _WITH_RESULTS]


def _named(study: Study, selector: str) -> list[CellRecord]:
    chosen = select_runs(study.cells, selector, where=str(study.folder))
    unfinished = [cell for cell in chosen if cell.status not in _WITH_RESULTS]
    if unfinished:
        name, status = unfinished[0].name, unfinished[0].status
        raise ConfigurationError(f"{name} is {status}: only finished cells can be audited")
    return chosen


def _check_files(
    study: Study,
    cells: Sequence[CellRecord],
    generators: Mapping[str, GeneratorRecord],
    missing: Mapping[str, Mapping[tuple[str, str], str]],
) -> dict[str, CellAudit]:
    """Check the files of cells; what cannot be compared in one of them does not keep the others from being checked."""
    unknown = {
        cell.key: reason
        for cell in cells
        if (reason := missing[cell.key].get(("architecture", cell.spec.model.architecture)))
    }
    weights: dict[str, dict[str, WeightsDigest]] = {
        key: {name: WeightsDigest(key=key, checkpoint=name, problem=reason) for name in CHECKPOINTS}
        for key, reason in unknown.items()
    }
    weights |= weight_digests(study.dataset, [cell for cell in cells if cell.key not in unknown])

    def check(cell: CellRecord) -> CellAudit:
        return judge_files(cell, check_run(cell, study.task, weights.get(cell.key, {}), generators))

    return {cell.key: _checked(cell, check) for cell in cells}


def _checked(cell: CellRecord, check: Callable[[CellRecord], CellAudit]) -> CellAudit:
    """Return what a check finds; whatever keeps it from comparing anything says nothing about the cell."""
    try:
        return check(cell)
    except Exception as error:
        logger.debug("%s: could not be checked", cell.name, exc_info=True)
        return judge_unchecked(cell, describe(error))


def _require_empty(keep: Path | None) -> None:
    if keep is not None and keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        raise ConfigurationError(f"--keep {keep}: an empty or new folder was expected; an audit starts from nothing")


def _source(study: Study, data: Path | None) -> _Source | str:
    """Return what to prepare the images from, or why they cannot be prepared.

    Raises
    ------
    ConfigurationError
        If the images cannot be read where the user says that they are.
    """
    if data is not None:
        path = expand_user(data).absolute()
        if problem := reading_problem(path):
            raise ConfigurationError(f"-d/--data: {problem}")
    record = study.plan.source
    if record is None:
        return (
            f"an early version wrote {PLAN_FILE}, which does not say how images were prepared; run the registry again "
            "into this folder, which trains nothing that has finished"
        )
    if data is not None:
        return _Source(record=record, path=path)
    if record.path is None:
        return _Source(record=record, path=None)
    path = (study.folder.resolve() / record.path).resolve()
    if problem := reading_problem(path):
        return f"the images of the study cannot be read: {problem}; use -d to say where they are"
    return _Source(record=record, path=path)


@contextmanager
def _clean_folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="benchmarker-audit-") as name:
            yield Path(name)
        return
    yield make_folder(keep)


def _check_registry(study: Study) -> Iterator[Finding]:
    """Compare the copies of the registries with their digests in the plan."""
    for registry in (study.plan.registry, *study.plan.earlier):
        name = registry.copy_name
        try:
            content = read_ordinary(study.folder / name)
        except OSError as error:
            text = f"cannot be read: {error.strerror}"
            yield Finding(link="cell", file=name, text=text, compared=not is_unreadable(error))
            continue
        # Copies of versions before 0.3 lack the byte order mark that some editors put before UTF-8.
        digests = {hashlib.sha256(mark + content).hexdigest() for mark in (b"", b"\xef\xbb\xbf")}
        if registry.sha256 not in digests:
            yield Finding(link="cell", file=name, text=f"its SHA-256 is not the one in {PLAN_FILE}")


class _Auditor:
    """Runs cells again in a clean folder."""

    def __init__(self, study: Study, folder: Path, announce: Announce) -> None:
        self._study = study
        self._task: Task = study.task
        self._folder = folder
        self._announce = announce

    def run(self, cells: Sequence[CellRecord], plugins: Plugins, source: _Source) -> dict[str, CellAudit]:
        try:
            digest, prepared = self._prepare(plugins, source)
        except Exception as error:
            logger.debug("the images cannot be prepared", exc_info=True)
            reason = f"the images cannot be prepared: {describe(error)}"
            return {cell.key: judge_unchecked(cell, reason) for cell in cells}
        recorded = {generator.key: generator for generator in self._study.generators}
        planned = {key: generator.planned() for key, generator in recorded.items()}
        generators = Generators(self._folder, prepared, planned)

        def again(cell: CellRecord) -> CellAudit:
            found = self._run_again(cell, cell.planned(), generators)
            return generators.explain(found, recorded.get(cell.spec.arm.generator or ""))

        audits = {}
        for number, cell in enumerate(cells, start=1):
            if cell.spec.dataset.digest != digest:
                audits[cell.key] = judge_other_data(cell, digest)
            else:
                self._announce(f"running {cell.name} again ({number} of {len(cells)})")
                audits[cell.key] = _checked(cell, again)
            self._announce(f"{cell.name}: {audits[cell.key].verdict}")
        return audits

    def _prepare(self, plugins: Plugins, source: _Source) -> tuple[str, Path]:
        """Prepare the images anew: what the cache holds is part of what is audited."""
        dataset = plugins.dataset(self._study.dataset.name)
        data, prepared = prepare(
            dataset,
            validated_options(dataset, source.record.options),
            source.record.preparation,
            Context(dataset=dataset.name, path=source.path),
            root=self._folder,
        )
        return data.digest, prepared

    def _run_again(self, record: CellRecord, cell: PlannedCell, generators: Generators) -> CellAudit:
        if (trained := generators.train_for(cell)) is not None and trained[1].status != "ok":
            generator, ended = trained
            output = _last_line(RunPaths.of(self._folder, generator.key).failed)
            return judge_failure(record, ended.kind, f"its generator {generator.label}: {ended.message}{output}")
        paths = RunPaths.of(self._folder, cell.key)
        outcome = launch(generators.job(cell), on_event=lambda _event: None)
        if outcome.status != "ok":
            output = _last_line(paths.failed)
            return judge_failure(record, outcome.kind, f"{outcome.message}{output}")
        recorded = record.folder
        if recorded is None:
            raise TypeError("only cells with a run are run again")
        rerun = paths.finished

        def metrics() -> tuple[MetricComparison, ...]:
            return tuple(
                comparison
                for checkpoint in CHECKPOINTS
                for comparison in compare_metrics(
                    self._task,
                    checkpoint,
                    *(read_predictions(run / predictions_file(checkpoint), self._task) for run in (recorded, rerun)),
                )
            )

        return judge(record, read_trail(recorded), read_trail(rerun), metrics)


def _last_line(folder: Path) -> str:
    """Return the last line of a failed re-run's output, because its folder may not outlive the audit."""
    try:
        lines = read_ordinary_text(folder / LOG_FILE, errors="replace").split("\n")
    except OSError:
        return ""
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f" (its last output: {last})" if last else ""
