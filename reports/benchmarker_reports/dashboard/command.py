"""``benchmarker dashboard``: watch a study in a browser."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from benchmarker import UserPath, command_settings


@click.command(
    name="dashboard",
    **command_settings(
        "benchmarker dashboard results/quickstart", "benchmarker dashboard results/quickstart --every 30"
    ),
)
@click.argument("study", type=UserPath())
@click.option("--every", type=click.IntRange(1, 3600), default=5, show_default=True, metavar="SECONDS",
              help="How often the page reads the study again.")  # fmt: skip
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Address to listen at.")
@click.option("--port", type=click.IntRange(1, 65535), default=8503, show_default=True, help="Port to listen at.")
def command(*, study: Path, every: int, host: str, port: int) -> int:
    """Show a page that follows a study while it runs, and on which finished ones can be explored.

    The page shows how far each run is, learning curves while networks train, the leaderboard so far, and the test
    images behind each cell of a confusion matrix. It reads the study and changes nothing in it, can be reached from
    this machine only unless --host says otherwise, and loads nothing from the internet.
    """
    from benchmarker import open_results, require_page_packages, show_page

    require_page_packages("dashboard")
    open_results(study)  # refused before a page is shown
    settings = {"study": str(study.absolute()), "every": every}
    return show_page(Path(__file__).with_name("app.py"), settings, host=host, port=port)
