"""``benchmarker leaderboard``: a study's results, averaged over seeds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rich_click as click

from benchmarker.cli.base import PATH, examples, plain_text, settings, show_renderable
from benchmarker.errors import ConfigurationError

CHECKPOINTS = {"best": ("best",), "final": ("final",), "both": ("best", "final")}


@click.command(
    epilog=examples(
        "benchmarker leaderboard results/quickstart",
        "benchmarker leaderboard results/quickstart --sort macro_f1 --checkpoint final",
        "benchmarker leaderboard results/quickstart --format csv --output table.csv",
    ),
    context_settings=settings(),
)
@click.argument("study", type=PATH)
@click.option("--format", "name", default="terminal", metavar="NAME", show_default=True,
              help="A report: terminal, csv, tidy, json, markdown, or one of a plugin.")  # fmt: skip
@click.option("--sort", metavar="METRIC", help="Metric or cost to rank by, for example macro_f1 or flops.")
@click.option("--checkpoint", type=click.Choice(list(CHECKPOINTS)), default="both", show_default=True,
              help="Weights of the lowest validation loss, of the last epoch, or both.")  # fmt: skip
@click.option("--include-incomplete", is_flag=True, help="Rank rows whose seeds have not all finished, too.")
@click.option("--output", type=PATH, metavar="FILE", help="Write to a file.")
def leaderboard(
    *, study: Path, name: str, sort: str | None, checkpoint: str, include_incomplete: bool, output: Path | None
) -> None:
    """Rank the models of a study: mean, standard deviation and seeds finished of seeds planned."""
    from benchmarker.cli.rendering import render
    from benchmarker.results.study import uncollected
    from benchmarker.results.study_results import ReportOptions, open_results

    options = ReportOptions(checkpoints=CHECKPOINTS[checkpoint], sort=sort, include_incomplete=include_incomplete)
    with uncollected():
        rendered = render(open_results(study), name, options)
    if isinstance(rendered, Mapping):
        rendered = _only_file(rendered, name)
    if output is not None:
        write(rendered, output)
    elif isinstance(rendered, str):
        click.echo(rendered, nl=not rendered.endswith("\n"))
    else:
        show_renderable(rendered)


def _only_file(files: Mapping[str, str | bytes], name: str) -> str:
    """Return the text of a report that is one file.

    Raises
    ------
    ConfigurationError
        If it is several files, or no text.
    """
    (content, *others) = files.values()
    if others or not isinstance(content, str):
        raise ConfigurationError(
            f"the format {name!r} is written into a folder: benchmarker report STUDY --format {name} --out FOLDER"
        )
    return content


def write(rendered: Any, output: Path) -> None:
    """Write a rendered leaderboard to a file.

    Raises
    ------
    StorageError
        If the file cannot be written.
    """
    from benchmarker.cli.rendering import write_file

    text = rendered if isinstance(rendered, str) else plain_text(rendered)
    # Bytes, and not text: the same study gives the same line ends everywhere.
    write_file(output, text.encode())
