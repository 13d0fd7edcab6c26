"""``benchmarker data``: look at a dataset, and check it, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from benchmarker.cli.options import PATH, Seeds, command_settings, json_option, offline_option
from benchmarker.cli.output import on_terminal
from benchmarker.errors import DataError
from benchmarker.printing import echo

if TYPE_CHECKING:
    from benchmarker.data.prepared import Progress
    from benchmarker.study.images import StudyImages

_NAMED = 10
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
        "benchmarker data audit mine.yaml --out mine/",
    )
)
@click.command_panel("Commands", commands=["show", "audit", "cutouts"])
def data() -> None:
    """Look at a dataset, and check it, before anything is trained."""


@data.command(
    **command_settings(
        "benchmarker data show synthetic-radio",
        "benchmarker data show images-folder -d my_galaxies/ --out sheets/",
        "benchmarker data show registries/quickstart.yaml --json",
        "benchmarker data show mine.yaml --format croissant --out mine/",
    )
)
@_place_argument
@_data_option
@_seed_option
@click.option("--out", type=PATH, metavar="FOLDER",
              help="Also write contact_sheet.png, histograms.png and overview.json into this folder.")  # fmt: skip
@click.option("--array", type=PATH, metavar="FILE.npy",
              help="Also write the prepared images as one array: 8 bits if they are scaled to [0, 1].")  # fmt: skip
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "croissant"]),
    default="text",
    show_default=True,
    help="Print metadata in Croissant instead, with --out also into croissant.json and images.csv.",
)
@json_option
@offline_option
def show(
    place: str,
    *,
    data: Path | None,
    seeds: tuple[int, ...],
    out: Path | None,
    array: Path | None,
    form: str,
    as_json: bool,
    offline: bool,
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
    if form == "croissant":
        _show_croissant(found, out)
        return
    overview = describe(
        found.dataset, found.data, found.published_records(), found.splits, split_problem=found.split_problem
    )
    if out is not None:
        from benchmarker.data.pictures import contact_sheet, histograms

        parts = next(iter(found.splits.values()), None)
        output.write_file(out / "contact_sheet.png", contact_sheet(found.data), parents=True)
        output.write_file(out / "histograms.png", histograms(found.data, parts))
        overview.write(out / "overview.json")
    if array is not None:
        from benchmarker.data.written_array import write_array

        write_array(found.data, array, normalised=found.preparation.normalise)
    if as_json:
        echo(json.dumps(overview.to_json(), indent=2, ensure_ascii=False))
    else:
        output.show(data_views.overview_view(overview))
        if out is not None:
            echo(f"Pictures: {out / 'contact_sheet.png'}, {out / 'histograms.png'}")
        if array is not None:
            echo(f"Array of the prepared images: {array}")


@data.command(
    **command_settings(
        "benchmarker data audit mine.yaml --out audit/",
        "benchmarker data audit images-folder -d my_galaxies/ --fail-on warning",
        "benchmarker data audit registries/quickstart.yaml --json",
    )
)
@_place_argument
@_data_option
@_seed_option
@click.option(
    "--radius",
    type=click.FloatRange(min=0, min_open=True),
    metavar="ARCSEC",
    default=150.0,
    show_default=True,
    help="Report sources in different parts that are closer than this on the sky.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "note", "never"]),
    default="error",
    show_default=True,
    help="Exit with 1 if anything of this severity or worse is found.",
)
@click.option(
    "--out",
    type=PATH,
    metavar="FOLDER",
    help="Write audit.json, audit.md and a picture of each kind of finding into this folder.",
)
@json_option
@offline_option
def audit(
    place: str,
    *,
    data: Path | None,
    seeds: tuple[int, ...],
    radius: float,
    fail_on: str,
    out: Path | None,
    as_json: bool,
    offline: bool,
) -> int:
    """Look for faults of a dataset that make scores wrong.

    It finds copies (equal pixels, and the same image turned by any angle, mirrored, shifted or rescaled), sources in
    different parts that share the sky, objects with two labels, classes and attributes that differ between parts,
    FITS images that differ in unit, beam or pixel scale, and images that are blank, saturated or off-centre. The parts
    are those of the first seed. DATASET and REGISTRY are as in `benchmarker data show`.
    """
    import json

    from benchmarker.cli import data_views, output
    from benchmarker.data.audit.auditing import audit_images, write_audit
    from benchmarker.data.audit.findings import SEVERITIES

    found = _open(place, data=data, seeds=seeds, offline=offline)
    seed, parts = next(iter(found.splits.items()), (None, None))
    with _bar() as progress:
        result = audit_images(
            found.data,
            parts,
            dataset=found.dataset.name,
            seed=seed,
            radius=radius,
            unclipped=found.unclipped(progress),
            progress=progress,
        )
    if out is not None:
        result = write_audit(result, found.data, out)
    if as_json:
        echo(json.dumps(result.to_json(), indent=2, ensure_ascii=False))
    else:
        output.show(data_views.audit_view(result))
    worst_first: list[str] = [*SEVERITIES]
    failing = [] if fail_on == "never" else worst_first[: worst_first.index(fail_on) + 1]
    return int(any(each.severity in failing for each in result.findings))


@data.command(
    **command_settings(
        "benchmarker data cutouts sources.csv mosaic.fits --size 5arcmin --out cutouts/",
        "benchmarker data cutouts sources.fits fields/*.fits --size 90arcsec --pixel 2arcsec --north-up --out cutouts/",
    )
)
@click.argument("catalogue", type=PATH, metavar="CATALOGUE")
@click.argument("mosaics", type=PATH, metavar="MOSAIC...", nargs=-1, required=True)
@click.option("--size", required=True, metavar="ANGLE", help="Side of a cut-out, such as 5arcmin or 90arcsec.")
@click.option("--out", type=PATH, metavar="FOLDER", required=True, help="Write the cut-outs into this folder.")
@click.option("--pixel", metavar="ANGLE", help="Resample to pixels of this side. [default: pixels as they are]")
@click.option("--north-up", is_flag=True, help="Turn north up and east to the left.")
@click.option("--name", default="name", show_default=True, metavar="COLUMN", help="Column with the names.")
@click.option(
    "--position",
    default="ra,dec",
    show_default=True,
    metavar="RA,DEC",
    help="Columns with the positions, in degrees or in the unit that they name.",
)
def cutouts(
    catalogue: Path,
    *,
    mosaics: tuple[Path, ...],
    size: str,
    out: Path,
    pixel: str | None,
    north_up: bool,
    name: str,
    position: str,
) -> int:
    """Cut the sources of a catalogue out of mosaics on disk.

    Each source is cut out of the MOSAIC that shows most of it, as a FITS image with world coordinates, unit and beam.
    Sources that no mosaic shows, and those that are partly blank, are named; cutouts.csv lists all of them. The exit
    code is 1 if no source was cut out.
    """
    from benchmarker.data.cutouts import catalogue_targets, write_cutouts
    from benchmarker.data.resampling import Geometry
    from benchmarker.data.tables import read_table

    ra, _, dec = position.partition(",")
    table = read_table(catalogue)
    try:
        targets = catalogue_targets(table, name=name, ra=ra.strip(), dec=dec.strip())
    except DataError as error:
        raise DataError(f"{error}; --name and --position say which columns are meant") from error
    geometry = Geometry(size=_angle(size), pixel=None if pixel is None else _angle(pixel), north_up=north_up)
    with _bar() as progress:
        found = write_cutouts(targets, mosaics, geometry, out, progress)
    written = [each for each in found if each.file]
    echo(f"{len(written):,} of {len(found):,} sources were cut out into {out}")
    _name_some("off the mosaics", [each.target.name for each in found if not each.file])
    _name_some("partly blank", [f"{each.target.name} ({100 * each.blank:.0f} %)" for each in written if each.blank > 0])
    return int(not written)


def _angle(text: str) -> float:
    """Return an angle in arcsec."""
    import re

    from benchmarker.contracts.settings import ARCSEC

    match = re.fullmatch(r"\s*([0-9.]+)\s*([a-z]+)\s*", text)
    if match is None or match[2] not in ARCSEC or not match[1].replace(".", "", 1).isdigit() or not float(match[1]):
        raise click.BadParameter(f"an angle is written like 5arcmin, 90arcsec or 0.1deg. Received: {text!r}")
    return float(match[1]) * ARCSEC[match[2]]


def _name_some(what: str, names: list[str]) -> None:
    if names:
        more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
        echo(f"{len(names):,} {'is' if len(names) == 1 else 'are'} {what}: {', '.join(names[:_NAMED])}{more}")


def _show_croissant(found: StudyImages, out: Path | None) -> None:
    """Print the metadata of a dataset in Croissant, and write them and their table into a folder if there is one."""
    import json

    from benchmarker.cli import output
    from benchmarker.data.croissant import METADATA_FILE, TABLE_FILE, croissant, image_table

    seed, parts = next(iter(found.splits.items()), (None, None))
    text = json.dumps(croissant(found.dataset, found.data, parts, seed=seed), indent=2, ensure_ascii=False)
    if out is not None:
        output.write_file(out / TABLE_FILE, image_table(found.data, parts), parents=True)
        output.write_file(out / METADATA_FILE, f"{text}\n".encode())
    echo(text)


def _open(place: str, *, data: Path | None, seeds: tuple[int, ...], offline: bool) -> StudyImages:
    from benchmarker.discovery import installed
    from benchmarker.study.images import open_images

    with _bar() as progress:
        return open_images(place, installed(), path=data, seeds=seeds, offline=offline, progress=progress)


@contextmanager
def _bar() -> Iterator[Progress]:
    """Return a context with a function that shows how many images are done, which only a terminal does."""
    if not on_terminal():
        yield lambda _description, _done, _total: None
        return
    from rich.progress import Progress as Bars

    with Bars(transient=True) as bars:
        task = bars.add_task("reading", total=None)
        yield lambda description, done, total: bars.update(task, description=description, completed=done, total=total)
