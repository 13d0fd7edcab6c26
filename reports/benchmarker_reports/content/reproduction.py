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
                facts=tuple(_facts(environment.fingerprint.to_json())),
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
        yield words, _listed(text)


def _listed(text: str) -> str:
    """Return a list in canonical JSON as words; any other text as it is."""
    try:
        return ", ".join(map(str, json.loads(text))) or "none" if text.startswith("[") else text
    except (ValueError, RecursionError):
        return text


def _data(results: StudyResults) -> tuple[tuple[str, str], ...]:
    dataset = results.study.dataset
    parts, skipped = dataset.parts, dataset.skipped[:MOST_SKIPPED]
    described = {
        "dataset": dataset.name,
        "SHA-256 of the prepared images": dataset.digest,
        "image size": " x ".join(map(str, dataset.shape)),
        "parts": f"train {parts.train}, validation {parts.validation}, test {parts.test}",
        "licence": dataset.licence,
        "citation": dataset.citation,
        "skipped images": "; ".join(f"{image.name}: {image.reason}" for image in skipped),
    }
    return tuple((name, value) for name, value in described.items() if value)
