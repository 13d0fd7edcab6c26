"""``benchmarker page``: a page for people, in a browser."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from benchmarker import UserPath, command_settings

_NEEDED = ("onnxruntime", "onnx", "tf2onnx")


@click.command(
    name="page",
    **command_settings(
        "benchmarker page results/gan_vs_real",
        "benchmarker page exported --classic",
    ),
)
@click.argument("source", metavar="STUDY|FOLDER", type=UserPath())
@click.option("--classic", is_flag=True, help="Show one button that draws a galaxy, and nothing else.")
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Address to listen at.")
@click.option("--port", type=click.IntRange(1, 65535), default=8502, show_default=True, help="Port to listen at.")
@click.option("--max-megabytes", type=click.IntRange(1, 1024), default=32, show_default=True,
              help="Largest file that can be uploaded.")  # fmt: skip
def command(*, source: Path, classic: bool, host: str, port: int, max_megabytes: int) -> int:
    """Show a page on which people draw galaxies, classify an image and look at a leaderboard.

    Of a STUDY, generators are exported when they are first drawn from. A FOLDER holds what
    `benchmarker model export --to onnx` wrote. The page uses no network beyond its own address.
    """
    from benchmarker import ConfigurationError, require_page_packages, show_page
    from benchmarker_serving.page.sources import open_source

    require_page_packages("page", _NEEDED)
    opened = open_source(source)
    if classic and not opened.drawers:
        raise ConfigurationError(f"{source}: there is no trained generator to draw from")
    if not opened.drawers and not opened.networks:
        raise ConfigurationError(f"{source}: there is no finished run to show")
    return show_page(
        Path(__file__).with_name("app.py"),
        {"source": str(source.absolute()), "classic": classic},
        host=host,
        port=port,
        options={"server.maxUploadSize": max_megabytes},
    )
