"""Renders a study in the formats of reports, and writes files so that readers find the old or the new one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from benchmarker.cli.base import plain_text
from benchmarker.errors import BenchmarkerError, PluginError, StorageError

if TYPE_CHECKING:
    from benchmarker.contracts.plugins import Report
    from benchmarker.results.study_results import ReportOptions, StudyResults


def find_format(name: str) -> Report:
    """Return a registered format.

    Raises
    ------
    UnknownPluginError
        If there is none of that name; the message suggests one.
    """
    from benchmarker.discovery import installed

    return installed().report(name)


def render(results: StudyResults, name: str, options: ReportOptions | None = None) -> Any:
    """Return a study in a format: a str, a rich renderable, or a mapping of file names to contents.

    Raises
    ------
    PluginError
        If the format's own code fails.
    """
    from benchmarker.discovery import resolve
    from benchmarker.results.study_results import ReportOptions

    report = find_format(name)
    renderer = resolve(report.renderer)
    try:
        return renderer(results, options or ReportOptions())
    except (BenchmarkerError, OSError):
        raise
    except Exception as error:
        raise PluginError(
            f"the report {report.name!r} ({report.renderer}) failed: {type(error).__name__}: {error}"
        ) from error


def as_files(rendered: Any, report: Report) -> dict[str, bytes]:
    """Return what a format rendered as files by name.

    Raises
    ------
    PluginError
        If a name would leave the folder, or a content is neither text nor bytes.
    """
    if not isinstance(rendered, Mapping):
        text = rendered if isinstance(rendered, str) else plain_text(rendered)
        return {file_name(report): text.encode()}
    files = {}
    for name, content in rendered.items():
        path = PurePosixPath(str(name))
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise PluginError(f"the report {report.name!r} must name files inside its folder. Received: {name!r}")
        if not isinstance(content, str | bytes):
            raise PluginError(
                f"the report {report.name!r} must give text or bytes for {name!r}. Received: {type(content).__name__}"
            )
        files[str(path)] = content.encode() if isinstance(content, str) else content
    return files


def file_name(report: Report) -> str:
    """Return the file of a format that is one file: ``report.csv``, but ``tidy.csv``."""
    return f"{'report' if report.suffix == f'.{report.name}' else report.name}{report.suffix}"


def write_file(path: Path, content: bytes, *, parents: bool = False) -> bool:
    """Write a file atomically unless it has that content; return whether it was written.

    Parameters
    ----------
    path : Path
        The file; a link to one stays a link.
    content : bytes
        All of it.
    parents : bool
        Make the folders that it lies in.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        if path.exists() and not path.is_file():  # a pipe, or the terminal
            path.write_bytes(content)
            return True
        path = path.resolve()
        if path.is_file() and path.read_bytes() == content:
            return False
        aside = path.with_name(aside.name)
        if parents:
            path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_bytes(content)
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from error
    except BaseException:  # Ctrl-C leaves nothing half-written behind
        aside.unlink(missing_ok=True)
        raise
    return True
