"""Galaxy benchmarker: compare galaxy networks deterministically, and honestly over few seeds.

This module is the public API. Plugins import from here, and from `benchmarker.testing` in their tests.
"""

from __future__ import annotations

from benchmarker._version import __version__
from benchmarker.contracts.images import (
    Attribute,
    DatasetContents,
    DatasetContext,
    ImageRecord,
    LabelledImages,
    SkippedImage,
    TrainingSet,
)
from benchmarker.contracts.plugins import Architecture, Augmentation, Dataset, Download, Options, Report
from benchmarker.contracts.settings import Preparation, Split, Training
from benchmarker.contracts.tasks import Classification, Regression, RegressionTarget, Task
from benchmarker.digests import canonical_json, digest_arrays, digest_file, digest_json
from benchmarker.errors import (
    BenchmarkerError,
    ConfigurationError,
    DataError,
    DownloadError,
    PluginError,
    UnreadableImageError,
    UnsafeArchiveError,
    UnsafePickleError,
)
from benchmarker.hooks import Registrar, hookimpl
from benchmarker.randomness import Stream, layer_seeds

__all__ = [
    "Architecture",
    "Attribute",
    "Augmentation",
    "BenchmarkerError",
    "Classification",
    "ConfigurationError",
    "DataError",
    "Dataset",
    "DatasetContents",
    "DatasetContext",
    "Download",
    "DownloadError",
    "ImageRecord",
    "LabelledImages",
    "Options",
    "PluginError",
    "Preparation",
    "Registrar",
    "Regression",
    "RegressionTarget",
    "Report",
    "SkippedImage",
    "Split",
    "Stream",
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
    "hookimpl",
    "layer_seeds",
]
