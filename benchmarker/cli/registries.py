"""Where the shipped registries are, for commands that must not import what reads them."""

from __future__ import annotations

from pathlib import Path

import benchmarker


def shipped_registries() -> list[Path]:
    """Return the shipped registries, sorted: inside the package in a wheel, beside it in a checkout.

    The same folder as `benchmarker.registry.shipped`, which cannot be asked without importing pydantic.
    """
    package = Path(benchmarker.__file__).parent
    inside = package / "registries"
    return sorted((inside if inside.is_dir() else package.parent / "registries").glob("*.yaml"))
