"""What it takes to get the same numbers again: commands, environments, data and registry."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmarker import StudyResults, flatten

MOST_SKIPPED = 20
"""Skipped images that are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentFacts:
    """An environment: in what it differs from others, how many runs it computed, and its versions and settings."""

    label: str
    runs: int
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """What it takes to get the same numbers again.

    Parameters
    ----------
    commands : tuple of str
        Lines to type in the study's folder.
    environments : tuple of EnvironmentFacts
    data : tuple of (str, str)
        Facts about the dataset with their names.
    registry : str
        Text of the registry; empty where its copy is gone.
    """

    commands: tuple[str, ...]
    environments: tuple[EnvironmentFacts, ...]
    data: tuple[tuple[str, str], ...]
    registry: str


def reproduction(results: StudyResults) -> Reproduction:
    """Return what it takes to get a study's numbers again."""
    return Reproduction(
        commands=results.commands,
        environments=tuple(
            EnvironmentFacts(
                label=environment.label,
                runs=len(environment.cells),
                facts=tuple(_facts(environment.fingerprint)),
            )
            for environment in results.environments
        ),
        data=_data(results),
        registry=results.registry_text,
    )


def _facts(fingerprint: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, text in flatten(fingerprint).items():
        # Names of packages and plugins speak for themselves.
        words = name.removeprefix("packages.").removeprefix("plugins.").replace(".", ": ").replace("_", " ")
        yield words, ", ".join(map(str, json.loads(text))) or "none" if text.startswith("[") else text


def _data(results: StudyResults) -> tuple[tuple[str, str], ...]:
    dataset = results.study.dataset
    shape, parts = dataset.get("shape"), dataset.get("parts")
    described = {
        "dataset": dataset.get("name"),
        "SHA-256 of the prepared images": dataset.get("digest"),
        "image size": " x ".join(map(str, shape)) if isinstance(shape, list) else None,
        "parts": ", ".join(f"{name} {n}" for name, n in parts.items()) if isinstance(parts, Mapping) else None,
        "licence": dataset.get("licence"),
        "citation": dataset.get("citation"),
        "skipped images": "; ".join(f"{name}: {reason}" for name, reason in results.study.skipped[:MOST_SKIPPED]),
    }
    return tuple((name, str(value)) for name, value in described.items() if value)
