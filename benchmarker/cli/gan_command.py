"""``benchmarker gan``: generators on their own, trained without networks, and asked for images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from benchmarker.cli.base import PATH, examples, on_terminal, settings
from benchmarker.cli.run_options import Seeds

if TYPE_CHECKING:
    from benchmarker.generation.export import Export
    from benchmarker.generation.standalone import TrainedGenerator


@click.group(
    epilog=examples(
        "benchmarker gan train gan_vs_real -s 8901",
        "benchmarker gan sample results/gan_vs_real 1000 --out samples/",
        "benchmarker gan grid results/gan_vs_real --out grid.png",
    ),
    context_settings=settings(),
)
def gan() -> None:
    """Train the generators of a registry, and draw images from trained ones."""


@gan.command(
    epilog=examples(
        "benchmarker gan train gan_vs_real -s 8901",
        "benchmarker gan train mine.yaml -p results/mine --jobs 2",
    ),
    context_settings=settings(),
)
@click.argument("registry", type=PATH)
@click.option(
    "-s",
    "--seed",
    "seeds",
    type=Seeds(),
    multiple=True,
    metavar="N[,N...]",
    help="Seeds, also as several -s. Default: the registry's.",
)
@click.option(
    "-d", "--data", type=PATH, metavar="PATH", help="Your own file or folder of images instead of a download."
)
@click.option(
    "-p", "--results-path", type=PATH, metavar="FOLDER", help="The study's folder. Default: results/<registry's name>."
)
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    default=1,
    show_default=True,
    help="Generators at once. Changes no result.",
)
@click.option("--force", is_flag=True, help="Train generators again that have finished or failed.")
@click.option("--offline", is_flag=True, help="Download nothing.")  # fmt: skip
def train(
    registry: Path,
    seeds: tuple[tuple[int, ...], ...],
    *,
    data: Path | None,
    results_path: Path | None,
    jobs: int,
    force: bool,
    offline: bool,
) -> int:
    """Train the generators that arms of a registry use, and none of its networks.

    REGISTRY is a YAML file or the name of a shipped registry. A later `benchmarker run` into the same folder finds the
    generators there. After Ctrl-C the same command goes on with what was being trained.
    """
    from benchmarker.cli.ending import ended_in_order, exit_code
    from benchmarker.cli.progress import observer
    from benchmarker.cli.run_command import default_results
    from benchmarker.discovery import installed
    from benchmarker.registry import Overrides, load_registry
    from benchmarker.run import Policy
    from benchmarker.run.standalone import train_generators

    plugins = installed()
    overrides = Overrides(seeds=tuple(seed for some in seeds for seed in some), data=data)
    loaded = load_registry(registry, overrides, plugins)
    results = results_path or default_results(loaded.path, mnist=False)
    try:
        with ended_in_order(), observer(results) as watching:
            failed = train_generators(
                loaded,
                results,
                observer=watching,
                plugins=plugins,
                policy=Policy(jobs=jobs),
                force=force,
                offline=offline,
            )
    except KeyboardInterrupt as error:
        click.echo("interrupted: the same command goes on with the generators that were being trained", err=True)
        return exit_code(error)
    click.echo(f"Results:  {results}\nMore:     benchmarker gan grid {results} --out grid.png")
    return 1 if failed else 0


def _asking(function: Any) -> Any:
    options = (
        click.option("--generator", metavar="NAME", help="Of a study with several: its name in the registry."),
        click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Of a study with several."),
        click.option("--epoch", type=click.IntRange(min=1), metavar="N",
                     help="Use the weights of this epoch, if they were kept. Default: the last one."),
        click.option("-c", "--condition", "given", multiple=True, metavar="NAME=VALUE",
                     help="class=FRII, redshift=0.5, or from one value to another: redshift=0.1:0.9. "
                     "Several as several -c; others are taken from real images."),
        click.option("--draw", type=click.IntRange(min=0), metavar="N", default=0, show_default=True,
                     help="Another number gives other images."),
        click.option("--force", is_flag=True, help="Overwrite what is there."),
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


@gan.command(
    epilog=examples(
        "benchmarker gan sample results/gan_vs_real 1000 --out samples/",
        "benchmarker gan sample results/gan_vs_real 64 --generator cgan -c class=FRII --epoch 30 --out early/",
        "benchmarker gan sample results/mine/runs/3fa9c1d2e4b5a697 100 -c redshift=0.1:0.9 --out series/",
    ),
    context_settings=settings(),
)
@click.argument("place", metavar="STUDY", type=PATH)
@click.argument("n", type=click.IntRange(min=1))
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["fits", "png"]),
    default="fits",
    show_default=True,
    help="FITS with all conditions in the header, or PNG with a CSV file of them.",
)
@click.option("--out", type=PATH, required=True, metavar="FOLDER", help="Where the images are written.")  # fmt: skip
@_asking
def sample(place: Path, n: int, file_format: str, out: Path, force: bool, **asked: Any) -> None:
    """Draw N images from a trained generator, and write each as a file.

    STUDY is the folder of a study, or of one generator's run. The same command gives the same images.
    """
    import tempfile

    from benchmarker.files import make_folder
    from benchmarker.generation import export

    export.require_fresh(out, force=force)
    with tempfile.TemporaryDirectory(prefix="benchmarker-") as scratch:
        drawn = _draw(place, n, Path(scratch), **asked)
        make_folder(out)
        write = export.write_fits if file_format == "fits" else export.write_png
        with _bar(n) as advance:
            write(drawn, out, advance)
    click.echo(f"{n} image(s) of {_name(drawn.generator)}, epoch {drawn.epoch}: {out}")


@gan.command(
    epilog=examples(
        "benchmarker gan grid results/gan_vs_real --out grid.png",
        "benchmarker gan grid results/gan_vs_real --seed 8901 -c class=FRI --side 4 --out four_by_four.png",
        "benchmarker gan grid results/mine -c stellar_mass=9:11.5 --out series.png",
    ),
    context_settings=settings(),
)
@click.argument("place", metavar="STUDY", type=PATH)
@click.option(
    "--side",
    type=click.IntRange(min=1, max=64),
    metavar="N",
    default=8,
    show_default=True,
    help="Images in a row, and rows.",
)
@click.option("--out", type=PATH, required=True, metavar="FILE", help="PNG file to write.")  # fmt: skip
@_asking
def grid(place: Path, side: int, out: Path, force: bool, **asked: Any) -> None:
    """Draw a square of images from a trained generator into one PNG file.

    STUDY is the folder of a study, or of one generator's run.
    """
    import tempfile

    from benchmarker.errors import ConfigurationError
    from benchmarker.files import make_folder
    from benchmarker.generation.watch import save_grid

    if out.exists() and not force:
        raise ConfigurationError(f"{out}: there is something already; choose another --out, or --force to overwrite")
    with tempfile.TemporaryDirectory(prefix="benchmarker-") as scratch:
        drawn = _draw(place, side**2, Path(scratch), **asked)
        make_folder(out.absolute().parent)
        save_grid(drawn.images, out, side)
    click.echo(f"{side} x {side} images of {_name(drawn.generator)}, epoch {drawn.epoch}: {out}")


def _draw(
    place: Path,
    n: int,
    scratch: Path,
    *,
    generator: str | None,
    seed: int | None,
    epoch: int | None,
    given: tuple[str, ...],
    draw: int,
) -> Export:
    from benchmarker.generation.export import Export
    from benchmarker.generation.standalone import draw_images, make_request, open_generator
    from benchmarker.run.standalone import find_run

    trained = open_generator(find_run(place, generator, seed))
    request = make_request(trained, n, dict(_parted(text) for text in given), draw)
    images = draw_images(trained, request, scratch, epoch=epoch, draw=draw)
    return Export(generator=trained, request=request, images=images, epoch=epoch or trained.epochs[-1], draw=draw)


def _parted(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise click.UsageError(f"--condition takes NAME=VALUE. Received: {text!r}", click.get_current_context())
    return name, value


def _name(trained: TrainedGenerator) -> str:
    return f"{trained.name} (seed {trained.seed})"


def _bar(n: int) -> Any:
    """Return a context with a function that advances a progress bar; nothing is shown in a file."""
    import contextlib

    @contextlib.contextmanager
    def showing() -> Any:
        if not on_terminal():
            yield lambda: None
            return
        from rich.progress import Progress

        with Progress(transient=True) as progress:
            task = progress.add_task("writing", total=n)
            yield lambda: progress.advance(task)

    return showing()
