"""What has to be typed to make a study again, and where its runs were computed."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from benchmarker.digests import canonical_json
from benchmarker.results.environments import comparable, environment_labels
from benchmarker.results.results import Environment

if TYPE_CHECKING:
    from benchmarker.results.results import StudyResults
    from benchmarker.results.study import CellRecord


def commands(results: StudyResults) -> tuple[str, ...]:
    """Return the commands that install what was used, run the registry again, and check the study."""
    study = results.study
    suffix = PurePosixPath(results.registry_name or "registry.yaml").suffix
    seeds = ",".join(map(str, dict.fromkeys(cell.seed for cell in study.cells)))
    backend = str(study.plan.get("backend") or "tensorflow")
    source = study.plan.get("source")
    data = source.get("path") if isinstance(source, dict) else None
    run = ["benchmarker", "run", f"registry{suffix}"]
    run += ["-s", seeds] if seeds else []
    run += ["-d", str(data)] if data else []
    run += ["-p", "again"]
    return (
        *_installing(results),
        f"KERAS_BACKEND={shlex.quote(backend)} {shlex.join(run)}",
        "benchmarker audit .",
        "benchmarker compare . again",
    )


def _installing(results: StudyResults) -> tuple[str, ...]:
    if not results.environments:
        return ()
    fingerprint = results.environments[0].fingerprint
    packages = fingerprint.get("packages")
    pinned = {"galaxy-benchmarker": fingerprint.get("benchmarker"), **(packages if isinstance(packages, dict) else {})}
    wanted = [f"{name}=={version}" for name, version in pinned.items() if isinstance(version, str) and version]
    return (shlex.join(["python", "-m", "pip", "install", *wanted]),) if wanted else ()


def environments(cells: Iterable[CellRecord]) -> tuple[Environment, ...]:
    """Return the environments of finished runs, the most frequent one first."""
    found: dict[bytes, list[CellRecord]] = {}
    written: dict[int, bytes] = {}  # runs of a large study share their fingerprints, which stay with them
    for cell in cells:
        if cell.status == "ok" and (fingerprint := cell.fingerprint):
            if id(fingerprint) not in written:
                common = {name: value for name, value in fingerprint.items() if name != "plugins"}
                written[id(fingerprint)] = canonical_json(comparable(common))
            found.setdefault(written[id(fingerprint)], []).append(cell)
    groups = [found[key] for key in sorted(found, key=lambda key: (-len(found[key]), key))]
    labels = environment_labels([group[0].fingerprint for group in groups])
    return tuple(
        Environment(label=label, fingerprint=group[0].fingerprint, cells=tuple(cell.name for cell in group))
        for label, group in zip(labels, groups, strict=True)
    )
