"""``benchmarker report``: the results of a study in several formats, written into a folder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import rich_click as click

from benchmarker.cli.interrupts import exit_code
from benchmarker.cli.options import PATH, command_settings, ranking_options, study_argument
from benchmarker.errors import PluginError
from benchmarker.plain_figures import Stretch
from benchmarker.printing import echo

if TYPE_CHECKING:
    from benchmarker.results.study_results import ReportOptions


@click.command(
    **command_settings(
        "benchmarker report results/quickstart",
        "benchmarker report results/quickstart --format html,latex --out paper",
        "benchmarker report results/quickstart --format html --watch",
        "benchmarker list reports",
    )
)
@study_argument
@click.option("--format", "names", default="html", metavar="NAME[,NAME...]", show_default=True,
              help="Formats; `benchmarker list reports` shows them.")  # fmt: skip
@click.option("--out", type=PATH, metavar="FOLDER", help="Folder of the files. [default: STUDY/report]")
@ranking_options("best")
@click.option("--reference", default="real", metavar="ARM", show_default=True,
              help="Arm that the others are compared with.")  # fmt: skip
@click.option("--confidence", type=click.FloatRange(0.5, 1, max_open=True), default=0.95, show_default=True,
              metavar="LEVEL", help="Level of the intervals.")  # fmt: skip
@click.option("--equivalence", type=click.FloatRange(0, min_open=True), metavar="MARGIN",
              help="Differences below this do not matter in practice; in units of the primary metric.")  # fmt: skip
@click.option("--stretch", type=click.Choice(get_args(Stretch)), default="auto", show_default=True, metavar="NAME",
              help="Stretch of images: linear, sqrt, log, asinh, zscale; auto: sqrt, in colour linear.")  # fmt: skip
@click.option("--watch", is_flag=True, help="Write the files again whenever a run ends, until Ctrl-C.")
@click.option("--interval", type=click.FloatRange(0, min_open=True), default=5, show_default=True, metavar="SECONDS",
              help="How often --watch looks for new results.")  # fmt: skip
def report(
    *,
    study: Path,
    names: str,
    out: Path | None,
    options: ReportOptions,
    reference: str,
    confidence: float,
    equivalence: float | None,
    stretch: Stretch,
    watch: bool,
    interval: float,
) -> int:
    """Write the results of a study in one or several formats.

    Each file appears complete or not at all, and the same study always gives the same bytes.
    """
    from benchmarker.cli.rendering import find_format

    formats = list(dict.fromkeys(find_format(name.strip()).name for name in names.split(",") if name.strip()))
    if not formats:
        raise click.UsageError("--format names no format; try --format html.", click.get_current_context())
    folder = out or study / "report"
    options = replace(options, reference=reference, confidence=confidence, equivalence=equivalence, stretch=stretch)
    if not watch:
        write_report(study, formats, folder, options)
        return 0
    try:
        _watch(study, formats, folder, options, interval)
    except KeyboardInterrupt as error:
        echo("stopped; the files stay as they are")
        return exit_code(error, after_ctrl_c=0)
    return 0


def write_report(study: Path, formats: Sequence[str], folder: Path, options: ReportOptions) -> int:
    """Write the files of a report that have changed, print which, and return how many cells are pending.

    Raises
    ------
    BenchmarkerError
        If the study cannot be read, a format fails or a file cannot be written.
    """
    from benchmarker.cli.output import write_file
    from benchmarker.cli.rendering import as_files, find_format, render
    from benchmarker.results.study_results import open_results

    results = open_results(study)
    files: dict[str, bytes] = {}
    for name in formats:
        for file, content in as_files(render(results, name, options), find_format(name)).items():
            if files.setdefault(file, content) != content:
                raise PluginError(f"two formats write {file}; write them separately, each with its own --out")
    # Everything is rendered before anything is written, so that a format that fails leaves the old report complete.
    for file, content in files.items():
        state = "written" if write_file(folder / file, content, parents=True) else "unchanged"
        echo(f"{state}  {folder / file}  ({_size(len(content))})")
    board = results.study
    done = board.count("ok")
    echo(f"{done} of {len(board.cells)} cells finished")
    return board.count("pending")


def _watch(study: Path, formats: Sequence[str], folder: Path, options: ReportOptions, interval: float) -> None:
    from benchmarker.results.index import state_of

    live = replace(options, refresh_seconds=max(1, round(interval)))
    shown = None
    while True:
        state = state_of(study)
        if state != shown:
            pending = write_report(study, formats, folder, live)
            shown = state
            if not pending:
                # The last version does not make the browser reload.
                write_report(study, formats, folder, options)
                echo("no cell is pending: done")
                return
            echo(f"watching; {pending} pending (Ctrl-C stops)")
        time.sleep(interval)


def _size(n_bytes: int) -> str:
    return f"{n_bytes:,} bytes" if n_bytes < 10_000 else f"{n_bytes / 1000:,.0f} kB"
