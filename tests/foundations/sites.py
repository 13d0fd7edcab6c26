"""Real distributions, installed into a folder for a test."""

from __future__ import annotations

from pathlib import Path

NAMES = "Architecture, Augmentation, Classification, Command, Dataset, Generator, Report"
HEAD = f"from benchmarker import {NAMES}, hookimpl\n"


def plugin_source(*registrations: str) -> str:
    """Return the source of a module that registers what is given, written as a call of the registrar's methods."""
    lines = "".join(f"    registrar.{line}\n" for line in registrations)
    return f"{HEAD}\n@hookimpl\ndef benchmarker_register(registrar):\n{lines}"


class Site:
    """A folder that distributions are installed into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, distribution: str, entries: dict[str, str], *, version: str = "1.0") -> None:
        """Install a distribution whose entry points, name to source of a module, stand in the order given."""
        information = self.folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        lines = ["[benchmarker]"]
        for number, (name, source) in enumerate(entries.items()):
            module = f"sky_{distribution.replace('-', '_')}_{number}"
            (self.folder / f"{module}.py").write_text(source)
            lines.append(f"{name} = {module}")
        (information / "entry_points.txt").write_text("\n".join(lines) + "\n")
