"""The command line's documentation is what ``--help`` says."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarker.cli.reference import reference


def test_command_line_page_matches_the_help(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "61")
    written = (checkout / "docs" / "reference" / "command_line.md").read_text(encoding="utf-8")
    assert written == reference(), "run: python -m benchmarker.cli.reference > docs/reference/command_line.md"
