"""``benchmarker leaderboard``: the results of a study, averaged over seeds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from benchmarker.cli.options import command_settings, output_option, ranking_options, study_argument
from benchmarker.cli.output import show, write

if TYPE_CHECKING:
    from benchmarker.results.study_results import ReportOptions


@click.command(
    **command_settings(
        "benchmarker leaderboard results/quickstart",
        "benchmarker leaderboard results/quickstart --sort macro_f1 --checkpoint final",
        "benchmarker leaderboard results/quickstart --format csv --output table.csv",
    )
)
@study_argument
@click.option("--format", "name", default="terminal", metavar="NAME", show_default=True,
              help="Report format: terminal, csv, tidy, json, markdown, or one of a plugin.")  # fmt: skip
@ranking_options("both")
@output_option
def leaderboard(study: Path, name: str, options: ReportOptions, output: Path | None) -> None:
    """Rank the models of a study by their mean over seeds.

    Each row shows the mean, the standard deviation, and how many of the planned seeds have finished.
    """
    from benchmarker.cli.rendering import as_one, render
    from benchmarker.results.study import uncollected
    from benchmarker.results.study_results import open_results

    with uncollected():
        rendered = as_one(render(open_results(study), name, options), name)
    if output is None:
        show(rendered)
    else:
        write(rendered, output)
