"""``benchmarker gan``: train generators without networks, and draw images from trained ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from benchmarker.cli.interrupts import exit_code
from benchmarker.cli.options import (
    PATH,
    collected,
    command_settings,
    force_option,
    jobs_option,
    offline_option,
    results_option,
    seeds_and_data_options,
)
from benchmarker.cli.output import on_terminal
from benchmarker.printing import counted, echo

if TYPE_CHECKING:
    from benchmarker.generation.on_request import Export, TrainedGenerator
    from benchmarker.registry import Overrides


@click.group(
    **command_settings(
        "benchmarker gan train gan_vs_real -s 8901",
        "benchmarker gan sample results/gan_vs_real 1000 --out samples/",
        "benchmarker gan grid results/gan_vs_real --out grid.png",
    )
)
@click.command_panel("Commands", commands=["train", "choose", "sample", "grid"])
def gan() -> None:
    """Train the generators of a registry, and draw images from trained ones."""


@gan.command(
    **command_settings(
        "benchmarker gan train gan_vs_real -s 8901",
        "benchmarker gan train mine.yaml -p results/mine --jobs 2",
    )
)
@click.argument("registry", type=PATH)
@seeds_and_data_options
@results_option
@jobs_option
@force_option
@offline_option
def train(
    registry: Path, *, overrides: Overrides, results_path: Path | None, jobs: int | None, force: bool, offline: bool
) -> int:
    """Train all generators of a registry, also those that no arm uses, but no networks.

    REGISTRY is a YAML file or the name of a shipped registry.

    A later `benchmarker run` into the same folder uses the trained generators. After Ctrl-C the same command resumes
    where it stopped. The exit code is 1 if any generator failed.
    """
    from benchmarker.cli.progress import observer
    from benchmarker.cli.run_command import default_results
    from benchmarker.discovery import installed
    from benchmarker.registry import load_registry
    from benchmarker.run import Policy, train_generators

    plugins = installed()
    loaded = load_registry(registry, overrides, plugins)
    results = results_path or default_results(loaded.path, mnist=False)
    try:
        with observer(results) as watching:
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
        echo("interrupted: run the same command again to resume", err=True)
        return exit_code(error)
    echo(f"Results:  {results}\nMore:     benchmarker gan grid {results} --out grid.png")
    return 1 if failed else 0


class Drawing:
    """Draws images from one trained generator, as the options of ``gan sample`` and ``gan grid`` say.

    Parameters
    ----------
    generator : str, optional
        Name of the generator in the registry; needed only if the study has several.
    seed : int, optional
        Seed of the generator; needed only if the study has several.
    epoch : int, optional
        Epoch of the weights; by default the chosen one, or the last.
    conditions : tuple of str
        ``NAME=VALUE`` for each condition that is fixed.
    draw : int
        Number of the draw.
    """

    def __init__(
        self, *, generator: str | None, seed: int | None, epoch: int | None, conditions: tuple[str, ...], draw: int
    ) -> None:
        self._generator = generator
        self._seed = seed
        self._epoch = epoch
        self._draw = draw
        self._conditions = dict(map(_name_and_value, conditions))

    @contextmanager
    def images(self, place: Path, n: int) -> Iterator[Export]:
        """Return a context with images; their temporary file is removed at its end.

        Parameters
        ----------
        place : Path
            Folder of a study, or of the run of a generator.
        n : int
            Number of images.
        """
        import tempfile

        from benchmarker.generation.choosing import chosen_epoch
        from benchmarker.generation.on_request import Export, draw_images, find_run, make_request, open_generator

        trained = open_generator(find_run(place, self._generator, self._seed))
        request = make_request(trained, n, self._conditions, self._draw)
        epoch = self._epoch or chosen_epoch(trained.folder) or trained.epochs[-1]
        with tempfile.TemporaryDirectory(prefix="benchmarker-") as scratch:
            images = draw_images(trained, request, Path(scratch), epoch=epoch, draw=self._draw)
            yield Export(generator=trained, request=request, images=images, epoch=epoch, draw=self._draw)


_drawing_options = collected(
    "drawing",
    Drawing,
    click.option("--generator", metavar="GENERATOR",
                 help="Name of the generator, name/generator/seed or the beginning of its key, if the study has "
                 "several."),
    click.option("--seed", type=click.IntRange(min=0), metavar="N",
                 help="Seed of the generator, if the study has several."),
    click.option("--epoch", type=click.IntRange(min=1), metavar="N",
                 help="Use the weights of this epoch, if they were kept. [default: the chosen epoch, or the last one]"),
    click.option("-c", "--condition", "conditions", multiple=True, metavar="NAME=VALUE",
                 help="Fix a condition to a value (class=FRII) or a range (redshift=0.1:0.9). Repeat the option for "
                 "several conditions. The others are taken from real images."),
    click.option("--draw", type=click.IntRange(min=0), metavar="N", default=0, show_default=True,
                 help="Another number gives other images."),
)  # fmt: skip
_overwrite_option = click.option("--force", is_flag=True, help="Overwrite existing files.")
_place_argument = click.argument("place", metavar="STUDY", type=PATH)


@gan.command(
    **command_settings(
        "benchmarker gan choose results/gan_vs_real --out epochs.html",
        "benchmarker gan choose results/gan_vs_real --epoch 15 --out epochs.html --force",
    )
)
@_place_argument
@click.option("--out", type=PATH, required=True, metavar="FILE", help="HTML file to write.")
@click.option("--epoch", type=click.IntRange(min=1), metavar="N", help="Record this epoch as the chosen one.")
@click.option("--generator", metavar="GENERATOR", help="Name of the generator, if the study has several.")
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Seed of the generator, if there are several.")
@_overwrite_option
def choose(place: Path, out: Path, *, epoch: int | None, generator: str | None, seed: int | None, force: bool) -> None:
    """Show the images of all epochs side by side on one page, and record which epoch is the best.

    STUDY is the folder of a study, or of the run of one generator. `gan sample` and `gan grid` use the chosen epoch.
    Networks are trained on images of the last epoch: give the generator fewer epochs to train them on earlier ones.
    """
    from benchmarker.errors import ConfigurationError
    from benchmarker.files import make_folder
    from benchmarker.generation.choosing import choose as record
    from benchmarker.generation.choosing import write_page
    from benchmarker.generation.on_request import find_run

    if out.exists() and not force:
        raise ConfigurationError(f"{out} already exists; choose another --out, or use --force to overwrite it")
    run = find_run(place, generator, seed)
    if epoch is not None:
        record(run, epoch)
    make_folder(out.absolute().parent)
    write_page(run, out)
    echo(f"{out}" if epoch is None else f"epoch {epoch} is chosen: {out}")


@gan.command(
    **command_settings(
        "benchmarker gan sample results/gan_vs_real 1000 --out samples/",
        "benchmarker gan sample results/gan_vs_real 64 --generator cgan -c class=FRII --epoch 30 --out early/",
        "benchmarker gan sample results/mine/runs/3fa9c1d2e4b5a697 100 -c redshift=0.1:0.9 --out series/",
    )
)
@_place_argument
@click.argument("n", type=click.IntRange(min=1))
@click.option("--format", "file_format", type=click.Choice(["fits", "png"]), default="fits", show_default=True,
              help="FITS with all conditions in the header, or PNG with the conditions in a CSV file.")  # fmt: skip
@click.option("--out", type=PATH, required=True, metavar="FOLDER", help="Folder for the images.")
@_drawing_options
@_overwrite_option
def sample(place: Path, n: int, *, file_format: str, out: Path, drawing: Drawing, force: bool) -> None:
    """Draw N images from a trained generator, and write each to a file.

    STUDY is the folder of a study, or of the run of one generator. The same command always gives the same images.
    """
    from benchmarker.files import make_folder
    from benchmarker.generation.on_request import require_empty, write_fits, write_png

    require_empty(out, force=force)
    with drawing.images(place, n) as drawn:
        make_folder(out)
        write = write_fits if file_format == "fits" else write_png
        with _bar(n) as advance:
            write(drawn, out, advance)
    echo(f"{counted(n, 'image')} of {_name(drawn.generator)}, epoch {drawn.epoch}: {out}")


@gan.command(
    **command_settings(
        "benchmarker gan grid results/gan_vs_real --out grid.png",
        "benchmarker gan grid results/gan_vs_real --seed 8901 -c class=FRI --side 4 --out four_by_four.png",
        "benchmarker gan grid results/mine -c stellar_mass=9:11.5 --out series.png",
    )
)
@_place_argument
@click.option("--side", type=click.IntRange(min=1, max=64), metavar="N", default=8, show_default=True,
              help="Number of rows, and of images per row.")  # fmt: skip
@click.option("--out", type=PATH, required=True, metavar="FILE", help="PNG file to write.")
@_drawing_options
@_overwrite_option
def grid(place: Path, side: int, out: Path, drawing: Drawing, force: bool) -> None:
    """Draw a square of images from a trained generator into one PNG file.

    STUDY is the folder of a study, or of the run of one generator. The same command always gives the same images.
    """
    from benchmarker.errors import ConfigurationError
    from benchmarker.files import make_folder
    from benchmarker.generation.watch import Display, save_grid

    if out.exists() and not force:
        raise ConfigurationError(f"{out} already exists; choose another --out, or use --force to overwrite it")
    with drawing.images(place, side**2) as drawn:
        make_folder(out.absolute().parent)
        save_grid(drawn.images, out, Display(*drawn.generator.pixel_range), side)
    echo(f"{side} x {side} images of {_name(drawn.generator)}, epoch {drawn.epoch}: {out}")


def _name_and_value(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise click.UsageError(f"--condition takes NAME=VALUE. Received: {text!r}", click.get_current_context())
    return name, value


def _name(trained: TrainedGenerator) -> str:
    return f"{trained.name} (seed {trained.spec.seed})"


@contextmanager
def _bar(n: int) -> Iterator[Callable[[], None]]:
    """Return a context with a function that advances a progress bar, which only a terminal shows."""
    if not on_terminal():
        yield lambda: None
        return
    from rich.progress import Progress

    with Progress(transient=True) as progress:
        task = progress.add_task("writing", total=n)
        yield lambda: progress.advance(task)
