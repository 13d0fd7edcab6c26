"""``benchmarker leaderboard``: a study's results, averaged over seeds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from benchmarker.cli.base import PATH, examples, plain_text, settings, show_renderable
from benchmarker.errors import StorageError

if TYPE_CHECKING:
    from benchmarker.results.leaderboard import Leaderboard

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
    from benchmarker.results.ranking import build_leaderboard
    from benchmarker.results.study import read_study

    board = build_leaderboard(
        read_study(study), sort=sort, checkpoints=CHECKPOINTS[checkpoint], include_incomplete=include_incomplete
    )
    rendered = render(board, name)
    if output is not None:
        write(rendered, output)
    elif isinstance(rendered, str):
        click.echo(rendered, nl=not rendered.endswith("\n"))
    else:
        show_renderable(rendered)


def render(board: Leaderboard, name: str) -> Any:
    """Return a leaderboard in a report's format: a str or a rich renderable."""
    from benchmarker.discovery import installed, resolve

    return resolve(installed().report(name).renderer)(board)


def write(rendered: Any, output: Path) -> None:
    """Write a rendered leaderboard to a file.

    Raises
    ------
    StorageError
        If the file cannot be written.
    """
    text = rendered if isinstance(rendered, str) else plain_text(rendered)
    try:
        # Line ends as they are: the same study gives the same bytes everywhere.
        output.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise StorageError(f"{output}: cannot be written: {error.strerror or error}") from error
