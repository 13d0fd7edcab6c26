"""Checks of paths that users give, and the folder of the shipped registries."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def reading_problem(path: Path) -> str:
    """Return why a path cannot be read, or an empty string if it is a regular file or a folder.

    Named pipes are refused because opening one blocks until another process writes to it, and because its contents
    cannot be read a second time, which checksums and later runs require.
    """
    if path.is_file() or path.is_dir():
        return ""
    if path.exists():
        return f"{path} is not a regular file, but a pipe, a socket or a device: copy its contents into a file"
    return f"no such file or folder: {path}"


def shipped_folder() -> Path:
    """Return the folder of the registries that come with the benchmarker.

    A wheel contains them inside the package; an editable install reads the folder of the checkout.
    """
    inside = _PACKAGE / "registries"
    return inside if inside.is_dir() else _PACKAGE.parent / "registries"
