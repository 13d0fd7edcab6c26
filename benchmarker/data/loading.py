"""Call the loader of a dataset, and check what it returns against the contract of loaders."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from benchmarker.containment import PluginErrors
from benchmarker.contracts.images import DatasetContents, DatasetContext, ImageRecord, Part, SkippedImage
from benchmarker.contracts.plugins import Dataset, Download
from benchmarker.contracts.settings import Options
from benchmarker.contracts.sky import SkyFacts
from benchmarker.contracts.tasks import Classification, Regression, RegressionTarget
from benchmarker.data.cache import produce
from benchmarker.data.downloads import fetch, user_file
from benchmarker.digests import canonical_json, digest_code
from benchmarker.discovery import resolve
from benchmarker.errors import PluginError
from benchmarker.paths import cache_folder

_CLASS = "class"  # a condition of generators


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the harness offers a dataset's loader; implements `benchmarker.DatasetContext`.

    Parameters
    ----------
    dataset : str
        Name of the dataset, and of the folder of its downloads.
    path : Path, optional
        The user's own file or folder.
    offline : bool
        Never use the network.
    progress : bool
        Show a progress bar while downloading.
    """

    dataset: str
    path: Path | None = None
    offline: bool = False
    progress: bool = True

    def fetch(self, download: Download) -> Path:
        """Return the user's own file or folder, or the downloaded file."""
        if self.path is not None:
            return user_file(download, self.path)
        folder = cache_folder() / "downloads" / self.dataset
        return fetch(download, folder, offline=self.offline, progress=self.progress)

    def produce(self, name: str, key: Any, write: Callable[[Path], object]) -> Path:
        """Return a cached folder, written once."""
        return produce(name, key, write)


def _plugin_errors(dataset: Dataset) -> PluginErrors:
    # A full disk is not the plugin's fault.
    return PluginErrors(f"reading the dataset {dataset.name!r} ({dataset.loader})", passing=(OSError,))


def load(dataset: Dataset, options: Options | None, context: DatasetContext) -> tuple[DatasetContents, dict[str, Any]]:
    """Return the contents of a dataset, and what decides them: the loader's code and the signature of its files."""
    with _plugin_errors(dataset):
        code = digest_code(dataset.loader)  # before it is imported: `prepare` compares it with that after reading
        contents = resolve(dataset.loader)(options, context)
    if not isinstance(contents, DatasetContents):
        raise PluginError(f"{dataset.loader} must return DatasetContents. Received: {type(contents).__name__}")
    if problem := _contents_problem(contents):
        raise PluginError(f"{dataset.loader}: {problem}")
    try:
        canonical_json(contents.signature)
    except (TypeError, ValueError) as error:
        raise PluginError(f"{dataset.loader}: its signature cannot be written as JSON: {error}") from error
    return contents, {"code": code, "signature": contents.signature}


def _contents_problem(contents: Any) -> str:
    """Return why facts about a dataset break the contract of loaders, or an empty text."""
    if not isinstance(contents.task, Classification | Regression):
        return f"its task must be a Classification or a Regression. Received: {contents.task!r:.100}"
    if problem := _task_problem(contents.task):
        return problem
    if contents.count is not None and (not isinstance(contents.count, int) or contents.count < 0):
        return f"its count must be a whole number or None. Received: {contents.count!r:.100}"
    units = contents.attribute_units
    if not isinstance(units, Mapping) or not all(isinstance(text, str) for pair in units.items() for text in pair):
        return f"attribute_units must be texts. Received: {units!r:.200}"
    return ""


def _task_problem(task: Classification | Regression) -> str:
    """Return why nothing could be predicted or reported for a task, or an empty text."""
    if isinstance(task, Classification):
        return _names_problem("classes", task.classes)
    if not isinstance(task.targets, tuple) or not all(isinstance(each, RegressionTarget) for each in task.targets):
        return f"its targets must be a tuple of RegressionTarget. Received: {task.targets!r:.200}"
    problems = (_names_problem("targets", tuple(t.name for t in task.targets)), *map(_target_problem, task.targets))
    return next(filter(None, problems), "")


def _target_problem(target: Any) -> str:
    if target.name == _CLASS:
        return f"a target cannot be called {_CLASS!r}, which is the condition of a classification"
    numbers = all(isinstance(bound, int | float) for bound in (target.minimum, target.maximum))
    if not numbers or not -math.inf < target.minimum < target.maximum < math.inf:
        return (
            f"the range of the target {target.name!r} must have a width: minimum < maximum, both finite. Received: "
            f"{target.minimum!r} to {target.maximum!r}"
        )
    if not isinstance(target.unit, str):
        return f"the unit of the target {target.name!r} must be a text. Received: {target.unit!r:.100}"
    return ""


def _names_problem(what: str, names: object) -> str:
    """Return why classes or targets could not be told apart in tables, or an empty text."""
    if not isinstance(names, tuple) or not names:
        return f"its {what} must be a tuple with at least one name. Received: {names!r:.200}"
    for name in names:
        if not _is_text(name) or not name.strip() or not name.isprintable():
            return f"the names of its {what} must be texts that can be read. Received: {name!r:.100}"
    if len(set(names)) < len(names):
        return f"the names of its {what} must differ. Received: {', '.join(names):.200}"
    return ""


def checked_records(dataset: Dataset, contents: DatasetContents) -> Iterator[ImageRecord | SkippedImage]:
    """Yield what a loader reads, or raise `PluginError` at the first record that breaks the contract of loaders."""
    with _plugin_errors(dataset):
        for record in contents.records():
            if not isinstance(record, ImageRecord | SkippedImage):
                raise PluginError(
                    f"the records of {dataset.loader} must be ImageRecord or SkippedImage. Received: {record!r:.100}"
                )
            if problem := _image_problem(record) if isinstance(record, ImageRecord) else _skipped_problem(record):
                raise PluginError(f"{dataset.loader}: a record has {problem}")
            yield record


def _skipped_problem(record: Any) -> str:
    if not _is_text(record.name) or not _is_text(record.reason):
        return f"a name and a reason that are not both texts. Received: {record!r:.200}"
    return ""


def _is_text(value: Any) -> bool:
    """Return whether a value is a text that can be written as UTF-8, which lone surrogates cannot."""
    try:
        return isinstance(value, str) and bool(value.encode())
    except UnicodeEncodeError:
        return False


def _image_problem(record: Any) -> str:
    """Return why a record breaks the contract of loaders, or an empty text."""
    if not _is_text(record.source_id):
        return f"a source_id that is not a text. Received: {record.source_id!r:.100}"
    if isinstance(record.image, np.ma.MaskedArray):
        return f"a masked image ({record.source_id!r}): fill it with NaN where there is no value"
    if not isinstance(record.image, np.ndarray):
        return f"an image that is not a numpy array ({record.source_id!r}). Received: {type(record.image).__name__}"
    if record.part not in (None, *get_args(Part)):
        parts = ", ".join(map(repr, get_args(Part)))
        return f"a part that is not one of {parts} or None ({record.source_id!r}). Received: {record.part!r:.100}"
    if record.sky is not None and not (isinstance(record.sky, SkyFacts) and record.sky.shape == record.image.shape[:2]):
        return f"facts about the sky that are not those of its image ({record.source_id!r})"
    return _attributes_problem(record)


def _attributes_problem(record: Any) -> str:
    if not isinstance(record.attributes, Mapping):
        return f"attributes that are not a mapping ({record.source_id!r}). Received: {record.attributes!r:.100}"
    for name, value in record.attributes.items():
        if not _is_text(name):
            return f"an attribute whose name is not a text ({record.source_id!r}). Received: {name!r:.100}"
        if not isinstance(value, int | float | np.integer | np.floating):
            return f"an attribute {name!r} that is not a number ({record.source_id!r}). Received: {value!r:.100}"
        if isinstance(value, int) and abs(value) > sys.float_info.max:
            return f"an attribute {name!r} that is too large ({record.source_id!r})"
    return ""
