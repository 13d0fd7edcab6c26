"""Audits a study: checks its files, then runs cells again in a clean folder and compares the trails."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarker.audit.bands import MetricComparison, compare_metrics
from benchmarker.audit.files import CHECKPOINTS, check_run
from benchmarker.audit.generators import Generators, generator_of, require_generators
from benchmarker.audit.judge import failed, judge, judge_files, other_data
from benchmarker.audit.predictions import read_predictions
from benchmarker.audit.report import INTACT, AuditReport, CellAudit, Finding
from benchmarker.audit.selection import claimed, select
from benchmarker.audit.trails import read_trail
from benchmarker.audit.weights import weight_digests
from benchmarker.contracts.settings import Preparation
from benchmarker.contracts.tasks import Task, task_from_json
from benchmarker.data.prepared import Context, prepare
from benchmarker.discovery import Plugins
from benchmarker.errors import ConfigurationError, StorageError
from benchmarker.files import make_folder
from benchmarker.paths import reading_problem
from benchmarker.registry import validated_options
from benchmarker.results.study import CellRecord, Study, read_study
from benchmarker.run.launcher import launch
from benchmarker.study.layout import RunPaths
from benchmarker.study.plan import PlannedCell, read_plan

Tell = Callable[[str], None]


def audit_study(
    folder: Path,
    *,
    plugins: Plugins,
    names: Sequence[str] = (),
    sample: int | None = None,
    train: bool = True,
    keep: Path | None = None,
    data: Path | None = None,
    tell: Tell = lambda _text: None,
) -> AuditReport:
    """Check the files of a study, and run cells again.

    Parameters
    ----------
    folder : Path
        Of the study; nothing in it is changed.
    plugins : Plugins
        Where names are looked up.
    names : sequence of str
        Cells to audit; all finished ones without.
    sample : int, optional
        How many to draw of those.
    train : bool
        Run again those whose files are what their trails cover; otherwise check files alone.
    keep : Path, optional
        Folder for the re-runs, which must be empty; a temporary one without.
    data : Path, optional
        The images, where they are no longer where they were.
    tell : callable
        Told how it goes.

    Raises
    ------
    ConfigurationError
        If what was asked for cannot be done.
    StorageError
        If there is no such study.
    """
    study = read_study(folder)
    task = _task(study)
    chosen, selection = select(study, names, sample)
    generators = {generator.key: generator for generator in study.generators}
    _require_plugins(chosen, plugins)
    require_generators(chosen, generators, plugins)
    _require_empty(keep)
    source = _source(study, data) if train else {}
    tell(f"checking the files of {len(chosen)} cell(s)")
    weights = weight_digests(study.plan, chosen)
    audits = {
        cell.key: judge_files(cell, check_run(cell, task, weights.get(cell.key, {}), generators)) for cell in chosen
    }
    intact = [cell for cell in chosen if audits[cell.key].verdict == INTACT]
    if train and intact:
        with _clean_folder(keep) as clean:
            audits |= _Auditor(study, task, clean, tell).run(intact, plugins, source)
    return AuditReport(
        title=study.title,
        dataset=str(study.dataset.get("name", "-")),
        trained=train,
        planned=len(study.cells),
        finished=len(claimed(study)),
        selection=selection,
        cells=tuple(audits[cell.key] for cell in chosen),
        findings=tuple(_check_registry(study)),
    )


def _task(study: Study) -> Task:
    try:
        return task_from_json(study.plan["dataset"]["task"])
    except (KeyError, TypeError) as error:
        raise StorageError(f"{study.folder / 'plan.json'}: does not say what was predicted ({error!r})") from error


def _require_plugins(cells: Sequence[CellRecord], plugins: Plugins) -> None:
    """Refuse to judge cells whose plugins are not installed: that says nothing about their results."""
    for cell in cells:
        plugins.architecture(cell.spec["model"]["architecture"])
        for entry in cell.spec["arm"]["augmentations"]:
            plugins.augmentation(entry["name"])


def _source(study: Study, data: Path | None) -> Mapping[str, Any]:
    """Return what to prepare the images from, with the path that holds them now."""
    source = study.plan.get("source")
    if not isinstance(source, Mapping):
        raise ConfigurationError(
            f"{study.folder / 'plan.json'}: does not say how its images were prepared, as earlier versions did not; "
            "run the registry again into this folder, which trains nothing that has finished, or audit with --offline"
        )
    path = data.expanduser().absolute() if data is not None else None
    if path is None and source["path"] is not None:
        path = (study.folder.resolve() / source["path"]).resolve()
    if path is not None and (problem := reading_problem(path)):
        raise ConfigurationError(f"the images of the study cannot be read: {problem}; say by -d where they are")
    return {**source, "path": path}


@contextmanager
def _clean_folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="benchmarker-audit-") as name:
            yield Path(name)
        return
    yield make_folder(keep)


def _require_empty(keep: Path | None) -> None:
    if keep is not None and keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        raise ConfigurationError(f"--keep {keep}: an empty or new folder was expected; an audit starts from nothing")


def _check_registry(study: Study) -> Iterator[Finding]:
    """Compare the copy of the registry with the digest in the plan."""
    about = study.plan.get("registry")
    about = about if isinstance(about, Mapping) else {}
    name = f"registry{Path(str(about.get('name', ''))).suffix}"
    try:
        content = (study.folder / name).read_bytes()
    except OSError as error:
        yield Finding(link="cell", file=name, text=f"cannot be read: {error.strerror}")
        return
    # The copy is without the mark that some editors put before UTF-8.
    digests = {hashlib.sha256(mark + content).hexdigest() for mark in (b"", b"\xef\xbb\xbf")}
    if about.get("sha256") not in digests:
        yield Finding(link="cell", file=name, text="its SHA-256 is not the one in plan.json")


class _Auditor:
    """Runs cells again in a clean folder."""

    def __init__(self, study: Study, task: Task, folder: Path, tell: Tell) -> None:
        self._study = study
        self._task = task
        self._folder = folder
        self._tell = tell

    def run(self, cells: Sequence[CellRecord], plugins: Plugins, source: Mapping[str, Any]) -> dict[str, CellAudit]:
        digest, prepared = self._prepare(plugins, source)
        plan = read_plan(self._study.folder)
        if plan is None:
            raise StorageError(f"{self._study.folder}: there is no plan any more")
        planned = {cell.key: cell for cell in plan.cells}
        before = {generator.key: generator for generator in plan.generators}
        generators = Generators(self._folder, prepared, before)
        recorded = {generator.key: generator for generator in self._study.generators}
        audits = {}
        for number, cell in enumerate(cells, start=1):
            if cell.spec["dataset"]["digest"] != digest:
                audits[cell.key] = other_data(cell, digest)
            else:
                self._tell(f"running {cell.name} again ({number} of {len(cells)})")
                found = self._run_again(cell, planned[cell.key], generators)
                audits[cell.key] = generators.explain(found, recorded.get(generator_of(cell) or ""))
            self._tell(f"{cell.name}: {audits[cell.key].verdict}")
        return audits

    def _prepare(self, plugins: Plugins, source: Mapping[str, Any]) -> tuple[str, Path]:
        """Prepare the images anew: what the cache holds is part of what is audited."""
        dataset = plugins.dataset(str(self._study.dataset["name"]))
        data, prepared = prepare(
            dataset,
            validated_options(dataset, source["options"]),
            Preparation.model_validate(source["preparation"]),
            Context(dataset=dataset.name, path=source["path"]),
            root=self._folder,
        )
        return data.digest, prepared

    def _run_again(self, record: CellRecord, cell: PlannedCell, generators: Generators) -> CellAudit:
        if (trained := generators.train_for(cell)) is not None and trained[1].status != "ok":
            generator, ended = trained
            words = _last_words(RunPaths.of(self._folder, generator.key).failed)
            return failed(record, ended.kind, f"its generator {generator.label}: {ended.message}{words}")
        paths = RunPaths.of(self._folder, cell.key)
        outcome = launch(generators.job(cell), on_event=lambda _event: None)
        if outcome.status != "ok":
            return failed(record, outcome.kind, f"{outcome.message}{_last_words(paths.failed)}")
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
                    *(read_predictions(run / f"predictions_{checkpoint}.csv", self._task) for run in (recorded, rerun)),
                )
            )

        return judge(record, read_trail(recorded), read_trail(rerun), metrics)


def _last_words(folder: Path) -> str:
    """Return the last line of a failed re-run's output, as its folder may not outlive the audit."""
    try:
        lines = (folder / "log.txt").read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f" (it said last: {last})" if last else ""
