"""Reads registries, validates them, checks them against the installed plugins, and describes them for editors."""

from __future__ import annotations

from benchmarker.registry.checks import CellProblem, canonical, check_registry, weights_problem
from benchmarker.registry.loading import LoadedRegistry, find_registry, load_registry, shipped_names
from benchmarker.registry.models import (
    ArmEntry,
    AugmentationEntry,
    DatasetEntry,
    GeneratedEntry,
    GeneratorEntry,
    ModelEntry,
    Registry,
)
from benchmarker.registry.options import merged_preparation, plain_options, validated_options
from benchmarker.registry.overrides import OPTION_NAMES, Overrides
from benchmarker.registry.schema import registry_schema

__all__ = [
    "OPTION_NAMES",
    "ArmEntry",
    "AugmentationEntry",
    "CellProblem",
    "DatasetEntry",
    "GeneratedEntry",
    "GeneratorEntry",
    "LoadedRegistry",
    "ModelEntry",
    "Overrides",
    "Registry",
    "canonical",
    "check_registry",
    "find_registry",
    "load_registry",
    "merged_preparation",
    "plain_options",
    "registry_schema",
    "shipped_names",
    "validated_options",
    "weights_problem",
]
