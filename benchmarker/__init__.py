"""Galaxy benchmarker: compare galaxy networks deterministically, and honestly over few seeds.

This module is the public API. Plugins import from here, and from `benchmarker.testing` in their tests. Names are
imported when they are first used, so that a plugin that only registers itself costs `benchmarker list` next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from benchmarker._version import __version__

if TYPE_CHECKING:
    from benchmarker.backends import gradient_step
    from benchmarker.contracts.generation import ConditionSpace, GenerativeModel, QualityRequest
    from benchmarker.contracts.images import (
        Attribute,
        DatasetContents,
        DatasetContext,
        ImageRecord,
        LabelledImages,
        Part,
        SkippedImage,
        TrainingSet,
    )
    from benchmarker.contracts.plugins import (
        Architecture,
        Augmentation,
        Command,
        Dataset,
        Download,
        Generator,
        Report,
    )
    from benchmarker.contracts.settings import Options, Preparation, Split, Training
    from benchmarker.contracts.tasks import Classification, Regression, RegressionTarget, Task
    from benchmarker.data.archives import read_members
    from benchmarker.data.fits import read_fits_image
    from benchmarker.data.folders import Member
    from benchmarker.data.pickles import load_plain_pickle
    from benchmarker.data.signatures import path_signature
    from benchmarker.digests import canonical_json, digest_arrays, digest_file, digest_json
    from benchmarker.errors import (
        BenchmarkerError,
        ConfigurationError,
        DataError,
        DownloadError,
        PluginError,
        StorageError,
        UnreadableImageError,
        UnsafeArchiveError,
        UnsafePickleError,
    )
    from benchmarker.hooks import Registrar, hookimpl
    from benchmarker.randomness import Stream, layer_seeds
    from benchmarker.results.labels import MetricLabel, higher_is_better, metric_label
    from benchmarker.results.leaderboard import FailedCell, Leaderboard, LeaderboardRow, Summary, write_summary
    from benchmarker.results.results import Environment, ReportOptions, StudyResults, open_results
    from benchmarker.results.study import CellRecord, Study
    from benchmarker.results.tables import History, Predictions

__all__ = [
    "Architecture",
    "Attribute",
    "Augmentation",
    "BenchmarkerError",
    "CellRecord",
    "Classification",
    "Command",
    "ConditionSpace",
    "ConfigurationError",
    "DataError",
    "Dataset",
    "DatasetContents",
    "DatasetContext",
    "Download",
    "DownloadError",
    "Environment",
    "FailedCell",
    "GenerativeModel",
    "Generator",
    "History",
    "ImageRecord",
    "LabelledImages",
    "Leaderboard",
    "LeaderboardRow",
    "Member",
    "MetricLabel",
    "Options",
    "Part",
    "PluginError",
    "Predictions",
    "Preparation",
    "QualityRequest",
    "Registrar",
    "Regression",
    "RegressionTarget",
    "Report",
    "ReportOptions",
    "SkippedImage",
    "Split",
    "StorageError",
    "Stream",
    "Study",
    "StudyResults",
    "Summary",
    "Task",
    "Training",
    "TrainingSet",
    "UnreadableImageError",
    "UnsafeArchiveError",
    "UnsafePickleError",
    "__version__",
    "canonical_json",
    "digest_arrays",
    "digest_file",
    "digest_json",
    "gradient_step",
    "higher_is_better",
    "hookimpl",
    "layer_seeds",
    "load_plain_pickle",
    "metric_label",
    "open_results",
    "path_signature",
    "read_fits_image",
    "read_members",
    "write_summary",
]

# Where each public name lives; the same names as above.
_MODULES = {
    "benchmarker.backends": "gradient_step",
    "benchmarker.contracts.generation": "ConditionSpace GenerativeModel QualityRequest",
    "benchmarker.contracts.images": "Attribute DatasetContents DatasetContext "
    "ImageRecord LabelledImages Part SkippedImage TrainingSet",
    "benchmarker.contracts.plugins": "Architecture Augmentation Command Dataset Download Generator Report",
    "benchmarker.contracts.settings": "Options Preparation Split Training",
    "benchmarker.contracts.tasks": "Classification Regression RegressionTarget Task",
    "benchmarker.digests": "canonical_json digest_arrays digest_file digest_json",
    "benchmarker.errors": "BenchmarkerError ConfigurationError DataError DownloadError "
    "PluginError StorageError UnreadableImageError UnsafeArchiveError UnsafePickleError",
    "benchmarker.data.archives": "read_members",
    "benchmarker.data.fits": "read_fits_image",
    "benchmarker.data.folders": "Member",
    "benchmarker.data.pickles": "load_plain_pickle",
    "benchmarker.data.signatures": "path_signature",
    "benchmarker.hooks": "Registrar hookimpl",
    "benchmarker.randomness": "Stream layer_seeds",
    "benchmarker.results.labels": "MetricLabel higher_is_better metric_label",
    "benchmarker.results.leaderboard": "FailedCell Leaderboard LeaderboardRow Summary write_summary",
    "benchmarker.results.results": "Environment ReportOptions StudyResults open_results",
    "benchmarker.results.tables": "History Predictions",
    "benchmarker.results.study": "CellRecord Study",
}
_HOME = {name: module for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
