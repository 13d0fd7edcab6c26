"""Placeholder until this package registers its plugins."""

from __future__ import annotations

from benchmarker import Registrar, hookimpl


@hookimpl
def benchmarker_register(registrar: Registrar) -> None:
    """Register nothing yet."""
