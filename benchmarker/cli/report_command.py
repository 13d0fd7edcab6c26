"""``benchmarker report``: a study's results in several formats, into a folder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from benchmarker.cli.base import PATH, examples, settings
from benchmarker.cli.leaderboard_command import CHECKPOINTS
from benchmarker.errors import PluginError

if TYPE_CHECKING:
    from benchmarker.results.study_results import ReportOptions


@click.command(
    epilog=examples(
        "benchmarker report results/quickstart",
        "benchmarker report results/quickstart --format html,latex --out paper",
        "benchmarker report results/quickstart --format html --watch",
        "benchmarker list reports",
    ),
    context_settings=settings(),
)
@click.argument("study", type=PATH)
@click.option("--format", "names", default="html", metavar="NAME[,NAME...]", show_default=True,
              help="Formats, as `benchmarker list reports` shows them.")  # fmt: skip
@click.option("--out", type=PATH, metavar="FOLDER", help="Where the files go. Default: report/ in the study's folder.")
@click.option("--checkpoint", type=click.Choice(list(CHECKPOINTS)), default="best", show_default=True,
              help="Weights of the lowest validation loss, of the last epoch, or both.")  # fmt: skip
@click.option("--sort", metavar="METRIC", help="Metric or cost to rank by, for example macro_f1 or flops.")
@click.option("--include-incomplete", is_flag=True, help="Rank rows whose seeds have not all finished, too.")
@click.option("--reference", default="real", metavar="ARM", show_default=True,
              help="The arm that others are compared with.")  # fmt: skip
@click.option("--confidence", type=click.FloatRange(0.5, 1, max_open=True), default=0.95, show_default=True,
              help="Level of intervals.")  # fmt: skip
@click.option("--equivalence", type=click.FloatRange(0, min_open=True), metavar="MARGIN",
              help="Differences below this are of no practical meaning, in units of the primary metric.")  # fmt: skip
@click.option("--watch", is_flag=True, help="Write again whenever a run has ended; stop with Ctrl-C.")
@click.option("--interval", type=click.FloatRange(0, min_open=True), default=5, show_default=True, metavar="SECONDS",
              help="How often --watch looks.")  # fmt: skip
def report(
    *,
    study: Path,
    names: str,
    out: Path | None,
    checkpoint: str,
    sort: str | None,
    include_incomplete: bool,
    reference: str,
    confidence: float,
    equivalence: float | None,
    watch: bool,
    interval: float,
) -> int:
    """Write a study's results in one or several formats.

    Each file appears complete or not at all, and the same study gives the same bytes.
    """
    from benchmarker.cli.ending import ended_in_order, exit_code
    from benchmarker.cli.rendering import find_format
    from benchmarker.results.study_results import ReportOptions

    formats = list(dict.fromkeys(find_format(name.strip()).name for name in names.split(",") if name.strip()))
    if not formats:
        raise click.UsageError("--format names no format; try --format html.", click.get_current_context())
    folder = out or study / "report"
    options = ReportOptions(
        checkpoints=CHECKPOINTS[checkpoint],
        sort=sort,
        include_incomplete=include_incomplete,
        reference=reference,
        confidence=confidence,
        equivalence=equivalence,
    )
    if not watch:
        write_report(study, formats, folder, options)
        return 0
    try:
        with ended_in_order():
            _watch(study, formats, folder, options, interval)
    except KeyboardInterrupt as error:
        click.echo("stopped; the files stay as they are")
        return exit_code(error, after_ctrl_c=0)
    return 0


def write_report(study: Path, formats: Sequence[str], folder: Path, options: ReportOptions) -> int:
    """Render a study, write what has changed, say so, and return how many cells are pending.

    Raises
    ------
    BenchmarkerError
        If the study cannot be read, a format fails or a file cannot be written.
    """
    from benchmarker.cli.rendering import as_files, find_format, render, write_file
    from benchmarker.results.study_results import open_results

    results = open_results(study)
    files: dict[str, bytes] = {}
    for name in formats:
        for file, content in as_files(render(results, name, options), find_format(name)).items():
            if files.setdefault(file, content) != content:
                raise PluginError(f"two formats write {file}; ask for them one by one, each with its own --out")
    # Everything is rendered before anything is written: a format that fails leaves the old report whole.
    for file, content in files.items():
        state = "written" if write_file(folder / file, content, parents=True) else "unchanged"
        click.echo(f"{state}  {folder / file}  ({_size(len(content))})")
    board = results.study
    done = board.count("ok")
    click.echo(f"{done} of {len(board.cells)} cells finished")
    return board.count("pending")


def _watch(study: Path, formats: Sequence[str], folder: Path, options: ReportOptions, interval: float) -> None:
    from dataclasses import replace

    from benchmarker.results.index import state_of

    live = replace(options, refresh_seconds=max(1, round(interval)))
    shown = None
    while True:
        state = state_of(study)
        if state != shown:
            pending = write_report(study, formats, folder, live)
            shown = state
            if not pending:
                # The last one asks no browser to look again.
                write_report(study, formats, folder, options)
                click.echo("no cell is pending: done")
                return
            click.echo(f"watching; {pending} pending (Ctrl-C stops)")
        time.sleep(interval)


def _size(n_bytes: int) -> str:
    return f"{n_bytes:,} bytes" if n_bytes < 10_000 else f"{n_bytes / 1000:,.0f} kB"
