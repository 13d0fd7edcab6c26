"""Renders a study in the report formats that plugins register."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from benchmarker.cli.output import plain_text
from benchmarker.containment import PluginErrors
from benchmarker.errors import ConfigurationError, PluginError
from benchmarker.printing import without_home

if TYPE_CHECKING:
    from rich.console import RenderableType

    from benchmarker.contracts.plugins import Report
    from benchmarker.results.study_results import ReportOptions, StudyResults


def find_format(name: str) -> Report:
    """Return the report format of a name.

    Raises
    ------
    UnknownPluginError
        If there is none; the message suggests a similar name.
    """
    from benchmarker.discovery import installed

    return installed().report(name)


def render(results: StudyResults, name: str, options: ReportOptions | None = None) -> Any:
    """Return a study in a format: text, a rich renderable, or a mapping of file names to contents.

    Raises
    ------
    PluginError
        If the code of the format fails.
    """
    from benchmarker.discovery import resolve
    from benchmarker.results.study_results import ReportOptions

    report = find_format(name)
    renderer = resolve(report.renderer)
    with PluginErrors(f"the report {report.name!r} ({report.renderer})", passing=(OSError,)):
        return renderer(results, options or ReportOptions())


def as_one(rendered: Any, name: str) -> RenderableType:
    """Return a rendered report that is one text or renderable.

    Raises
    ------
    ConfigurationError
        If the format consists of several files, or of one that is not text.
    """
    if not isinstance(rendered, Mapping):
        return rendered  # type: ignore[no-any-return]  # a plugin's renderer returned it
    (content, *others) = rendered.values()
    if others or not isinstance(content, str):
        raise ConfigurationError(
            f"the format {name!r} is written into a folder: benchmarker report STUDY --format {name} --out FOLDER"
        )
    return content


def as_files(rendered: Any, report: Report) -> dict[str, bytes]:
    """Return a rendered report as files by name, without the paths of home folders: reports are published.

    Raises
    ------
    PluginError
        If a name leads out of the folder, or a content is neither text nor bytes.
    """
    if not isinstance(rendered, Mapping):
        text = rendered if isinstance(rendered, str) else plain_text(rendered)
        return {_file_name(report): without_home(text).encode()}
    files = {}
    for name, content in rendered.items():
        path = PurePosixPath(str(name))
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise PluginError(f"the report {report.name!r} must name files inside its folder. Received: {name!r}")
        if not isinstance(content, str | bytes):
            raise PluginError(
                f"the report {report.name!r} must give text or bytes for {name!r}. Received: {type(content).__name__}"
            )
        files[str(path)] = without_home(content).encode() if isinstance(content, str) else content
    return files


def _file_name(report: Report) -> str:
    """Return the name of a format's only file: ``report.csv``, but ``tidy.csv``."""
    return f"{'report' if report.suffix == f'.{report.name}' else report.name}{report.suffix}"
