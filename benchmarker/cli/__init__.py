"""The ``benchmarker`` command and its thin front ``quickstart.py``; one module for each sub-command."""

from __future__ import annotations

from benchmarker.cli.entry import main, quickstart

__all__ = ["main", "quickstart"]
