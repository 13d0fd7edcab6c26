"""``benchmarker data``: look at a dataset, and check it, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from benchmarker.cli.options import PATH, Seeds, command_settings, json_option, offline_option
from benchmarker.cli.output import on_terminal
from benchmarker.printing import echo

if TYPE_CHECKING:
    from benchmarker.data.prepared import Progress
    from benchmarker.study.images import StudyImages

_data_option = click.option(
    "-d", "--data", type=PATH, metavar="PATH", help="Read the images from this file or folder instead of downloading."
)
_seed_option = click.option(
    "-s", "--seed", "seeds", type=Seeds(), default=(), metavar="N[,N...]",
    help="Seeds of the parts. [default: the registry's, or 8901]",
)  # fmt: skip
_place_argument = click.argument("place", metavar="DATASET|REGISTRY")


@click.group(
    **command_settings(
        "benchmarker data show synthetic-radio",
        "benchmarker data show mine.yaml --out mine/",
    )
)
@click.command_panel("Commands", commands=["show"])
def data() -> None:
    """Look at a dataset before anything is trained."""


@data.command(
    **command_settings(
        "benchmarker data show synthetic-radio",
        "benchmarker data show images-folder -d my_galaxies/ --out sheets/",
        "benchmarker data show registries/quickstart.yaml --json",
    )
)
@_place_argument
@_data_option
@_seed_option
@click.option("--out", type=PATH, metavar="FOLDER",
              help="Also write contact_sheet.png, histograms.png and overview.json into this folder.")  # fmt: skip
@json_option
@offline_option
def show(
    place: str, *, data: Path | None, seeds: tuple[int, ...], out: Path | None, as_json: bool, offline: bool
) -> None:
    """Show how many images of each class are in each part, their sizes, values and attributes.

    DATASET is the name of an installed dataset, read with its default options. REGISTRY is a YAML file or the name of a
    shipped registry, whose options, preparation and split are used. Sizes and pixel values are those of the files;
    counts are those after the preparation.
    """
    import json

    from benchmarker.cli import data_views, output
    from benchmarker.data.overview import describe

    found = _open(place, data=data, seeds=seeds, offline=offline)
    overview = describe(
        found.dataset, found.data, found.published_records(), found.splits, split_problem=found.split_problem
    )
    if out is not None:
        from benchmarker.data.pictures import contact_sheet, histograms

        parts = next(iter(found.splits.values()), None)
        output.write_file(out / "contact_sheet.png", contact_sheet(found.data), parents=True)
        output.write_file(out / "histograms.png", histograms(found.data, parts))
        overview.write(out / "overview.json")
    if as_json:
        echo(json.dumps(overview.to_json(), indent=2, ensure_ascii=False))
    else:
        output.show(data_views.overview_view(overview))
        if out is not None:
            echo(f"Pictures: {out / 'contact_sheet.png'}, {out / 'histograms.png'}")


def _open(place: str, *, data: Path | None, seeds: tuple[int, ...], offline: bool) -> StudyImages:
    from benchmarker.discovery import installed
    from benchmarker.study.images import open_images

    with _bar() as progress:
        return open_images(place, installed(), path=data, seeds=seeds, offline=offline, progress=progress)


@contextmanager
def _bar() -> Iterator[Progress]:
    """Return a context with a function that shows how many images are read, which only a terminal does."""
    if not on_terminal():
        yield lambda _description, _done, _total: None
        return
    from rich.progress import Progress as Bars

    with Bars(transient=True) as bars:
        task = bars.add_task("reading", total=None)
        yield lambda description, done, total: bars.update(task, description=description, completed=done, total=total)
