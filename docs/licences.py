"""Writes ``docs/reference/licences.md``: the licence of every package that ``requirements.lock`` pins.

``python docs/licences.py`` prints the page, from what the installed packages say about themselves.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).resolve().parent.parent
PROJECT = "galaxy-benchmarker"
UNKNOWN = "not installed here"
_HEAD = """\
# Licences of the dependencies

Written by `make licences` from what the packages say about themselves; a test compares it with what is installed.
`requirements.lock` pins the versions. `make sbom` writes them as a CycloneDX document, and `make audit-dependencies`
asks for known vulnerabilities.

| package | licence | needed |
|---|---|---|
"""


def pinned() -> list[str]:
    """Return the names of the packages in ``requirements.lock``, sorted."""
    text = (CHECKOUT / "requirements.lock").read_text(encoding="utf-8")
    return sorted(canonicalize_name(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE))


def licence(name: str) -> str:
    """Return the licence of an installed package in one line."""
    try:
        facts = distribution(name).metadata
    except PackageNotFoundError:
        return UNKNOWN
    classified = [
        line.rpartition(" :: ")[2] for line in facts.get_all("Classifier") or () if line.startswith("License")
    ]
    # Some give the whole text, which begins with whose it is.
    (stated, *_), (expression, *_) = (facts.get_all(field) or [""] for field in ("License", "License-Expression"))
    short = stated if re.fullmatch(r"(?!UNKNOWN|Copyright|Files)[\w .,+()-]{2,40}", stated) else ""
    return expression or "; ".join(classified) or short or "see its files"


def needed_to_run() -> set[str]:
    """Return the names of the packages that the project needs without extras, directly or not."""
    found: set[str] = set()
    left = [PROJECT]
    while left:
        name = left.pop()
        try:
            requirements = [Requirement(line) for line in distribution(name).requires or ()]
        except PackageNotFoundError:
            continue
        for requirement in requirements:
            needed = canonicalize_name(requirement.name)
            if needed not in found and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
                found.add(needed)
                left.append(needed)
    return found


def rows() -> Mapping[str, str]:
    """Return the line of each package by its name."""
    running = needed_to_run()

    def line(name: str) -> str:
        return f"| {name} | {licence(name)} | {'to run' if name in running else 'for development or an extra'} |"

    return {name: line(name) for name in pinned()}


def page() -> Iterator[str]:
    """Yield the parts of the page."""
    yield _HEAD
    yield from (f"{line}\n" for line in rows().values())


if __name__ == "__main__":
    sys.stdout.writelines(page())
