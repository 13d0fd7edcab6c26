"""``benchmarker inclination``: the steps of the inclination pipeline, with the options of the original."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rich_click as click

from benchmarker import ConfigurationError, UserPath, command_settings, echo

_FOLDER = UserPath()
_MODEL = click.Choice(["model4", "model5", "model6"])

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _size() -> Decorator:
    return click.option("-s", "--size", type=click.IntRange(16, 2048), default=128, show_default=True,
                        help="Height and width of the images in pixels.")  # fmt: skip


def _verbose() -> Decorator:
    return click.option("-v", "--verbose", is_flag=True, help="Name every file that is written or left out.")


def _seed() -> Decorator:
    return click.option("--seed", type=int, default=8901, show_default=True, help="Seed of all random choices.")


def _subsamples() -> Decorator:
    return click.option("-n", "--niter", "n_subsamples", type=click.IntRange(0, 999), default=3, show_default=True,
                        help="Sub-samples of the training part, beside the whole of it.")  # fmt: skip


def _batches() -> Decorator:
    return click.option("-b", "--nbatch", "n_batches", type=click.IntRange(1, 9999), default=3, show_default=True,
                        help="Batch files of each training set; 50 in production.")  # fmt: skip


def _report(verbose: bool) -> Callable[[str], None]:
    return echo if verbose else lambda _text: None


@click.group(
    name="inclination",
    **command_settings("benchmarker inclination pipeline -p galaxies -c catalog.csv -o work"),
)
def inclination() -> None:
    """Measure inclinations of spirals with the networks and the pipeline of Kourkchi.

    Each step reads what the one before wrote. File names, arrays and defaults are those of the original scripts.
    """


@inclination.command(epilog="Example: benchmarker inclination prep -p galaxies/ -c catalog.csv -b gri -s 128")
@click.option("-p", "--impath", type=_FOLDER, default=Path("galaxies"), show_default=True, help="Folder of the images.")
@click.option("-r", "--imroot", default="d25x2_rot", show_default=True, help="Middle of the names of the images.")
@click.option("-c", "--catalog", type=_FOLDER, default=Path("catalog.csv"), show_default=True,
              help="Catalogue separated by '|'.")  # fmt: skip
@click.option("-b", "--band", type=click.Choice(["g", "r", "i", "gri"]), required=True, help="Band to prepare.")
@_size()
@click.option("-o", "--outfolder", type=_FOLDER, default=Path(), show_default=True,
              help="Folder in which the folder of the band is made.")  # fmt: skip
@_verbose()
def prep(*, impath: Path, imroot: str, catalog: Path, band: str, size: int, outfolder: Path, verbose: bool) -> None:
    """Resize the images of one band, and write the label of each galaxy into its file name."""
    from benchmarker_inclination.catalogue import read_catalogue
    from benchmarker_inclination.small_images import prepare_band

    galaxies = read_catalogue(catalog)
    written = prepare_band(
        galaxies, impath, root=imroot, band=band, size=size, output=outfolder, report=_report(verbose)
    )
    echo(f"{written} of {len(galaxies)} galaxies of the catalogue have a {band} image.")


@inclination.command(epilog="Example: benchmarker inclination compress -i 128x128_RGB -o compressed")
@click.option("-i", "--infolder", type=_FOLDER, default=Path("128x128_RGB"), show_default=True,
              help="Folder that prep wrote.")  # fmt: skip
@_size()
@click.option("-o", "--outfolder", type=_FOLDER, default=Path(), show_default=True, help="Folder of the file.")
@_verbose()
def compress(*, infolder: Path, size: int, outfolder: Path, verbose: bool) -> None:
    """Put all images of one band into one .npz file."""
    from benchmarker_inclination.small_images import compress_folder

    path = compress_folder(infolder, size, outfolder)
    _report(verbose)(f"compressed file: {path}")


@inclination.command(epilog="Example: benchmarker inclination split -i compressed -o samples -n 3")
@click.option("-i", "--infolder", type=_FOLDER, default=Path("compressed"), show_default=True,
              help="Folder of the files that compress wrote.")  # fmt: skip
@_size()
@click.option(
    "-o", "--outfolder", type=_FOLDER, default=Path("samples"), show_default=True, help="Folder of the parts."
)
@_subsamples()
@click.option("--leak", is_flag=True,
              help="Put the test galaxies into the out-of-bag files of all but the main band, as the original "
                   "does by mistake.")  # fmt: skip
@_verbose()
def split(*, infolder: Path, size: int, outfolder: Path, n_subsamples: int, leak: bool, verbose: bool) -> None:
    """Set 15 % of the galaxies aside for testing, and draw sub-samples of 67 % of the others for bagging."""
    from benchmarker_inclination.samples import split_bands

    partition = split_bands(infolder, size, outfolder, n_subsamples=n_subsamples, report=_report(verbose), leak=leak)
    echo(f"{len(partition.test)} galaxies for testing, {len(partition.train)} for training.")


@inclination.command(epilog="Example: benchmarker inclination augment -i samples -o augmented -n 3 -b 50 -z 1000")
@click.option("-i", "--infolder", type=_FOLDER, default=Path("samples"), show_default=True, help="Folder of the parts.")
@_size()
@click.option("-o", "--outfolder", type=_FOLDER, default=Path("augmented"), show_default=True,
              help="Folder of the batch files.")  # fmt: skip
@_subsamples()
@_batches()
@click.option("-z", "--batchsize", type=click.IntRange(min=1), default=3, show_default=True,
              help="Colour images of each bin of 5 degrees; 1000 in production.")  # fmt: skip
@_seed()
@click.option(
    "--keep-shape",
    is_flag=True,
    help="Scale both axes alike: independent factors change the axis ratio, and so the inclination.",
)
@click.option("--grey-recipe", is_flag=True,
              help="Transform colour images as grey ones, as the original does by mistake.")  # fmt: skip
@_verbose()
def augment(
    *, infolder: Path, size: int, outfolder: Path, n_subsamples: int, n_batches: int, batchsize: int, seed: int,
    keep_shape: bool, grey_recipe: bool, verbose: bool,
) -> None:  # fmt: skip
    """Write batch files in which every bin of inclination holds as many galaxies; existing files are kept.

    Histograms of the inclinations before and after, and pictures of augmented images, are written beside them.
    """
    from benchmarker_inclination.augmented_figures import draw_training_sets
    from benchmarker_inclination.batch_files import write_batches

    write_batches(
        infolder,
        size,
        outfolder,
        n_subsamples=n_subsamples,
        n_batches=n_batches,
        batch_size=batchsize,
        seed=seed,
        report=_report(verbose),
        keep_shape=keep_shape,
        grey_recipe=grey_recipe,
    )
    draw_training_sets(infolder, size, outfolder, n_subsamples=n_subsamples, report=_report(verbose))


@inclination.command(epilog="Example: benchmarker inclination train -m model4 -n 3 -b 50 -N 60 -z 64")
@click.option("-a", "--augmented", type=_FOLDER, default=Path("augmented"), show_default=True,
              help="Folder of the batch files.")  # fmt: skip
@click.option("-i", "--samples", type=_FOLDER, default=Path("samples"), show_default=True, help="Folder of the parts.")
@_size()
@click.option("-o", "--outModels", "models", type=_FOLDER, default=Path("models"), show_default=True,
              help="Folder of weights, metrics and figures.")  # fmt: skip
@click.option("-m", "--modelName", "model", type=_MODEL, default="model4", show_default=True, help="Network.")
@_subsamples()
@_batches()
@click.option("-N", "--N_batch_iter", "rounds", type=click.IntRange(min=1), default=1, show_default=True,
              help="How often each batch file is used.")  # fmt: skip
@click.option("-z", "--training_batch_size", "batch_size", type=click.IntRange(min=1), default=3, show_default=True,
              help="Images of a gradient step; 64 in production.")  # fmt: skip
@_seed()
@_verbose()
def train(
    *, augmented: Path, samples: Path, size: int, models: Path, model: str, n_subsamples: int, n_batches: int,
    rounds: int, batch_size: int, seed: int, verbose: bool,
) -> None:  # fmt: skip
    """Train one network on all training sets; an interrupted training goes on where it stopped."""
    from benchmarker_inclination.members import Member, Schedule
    from benchmarker_inclination.training import train_member

    schedule = Schedule(size=size, n_batches=n_batches, rounds=rounds, batch_size=batch_size, seed=seed)
    for number in range(n_subsamples + 1):
        train_member(
            Member(model=model, number=number),
            schedule,
            batches=augmented,
            samples=samples,
            models=models,
            report=_report(verbose),
        )


@inclination.command(epilog="Example: benchmarker inclination evaluate -t model_evaluation.csv -o evaluation")
@click.option("-t", "--table", type=_FOLDER, help="Existing table of predictions instead of trained networks.")
@click.option("-i", "--samples", type=_FOLDER, default=Path("samples"), show_default=True, help="Folder of the parts.")
@_size()
@click.option("-m", "--models", type=_FOLDER, default=Path("models"), show_default=True, help="Folder of the weights.")
@click.option("--iteration", type=click.IntRange(min=0), help="Iteration, from 0, whose weights are used; the last.")
@click.option("-o", "--outfolder", type=_FOLDER, default=Path("evaluation"), show_default=True,
              help="Folder of the table and the figures.")  # fmt: skip
def evaluate(
    *, table: Path | None, samples: Path, size: int, models: Path, iteration: int | None, outfolder: Path
) -> None:
    """Compare measured and predicted inclinations of every network, and of medians and means over networks."""
    from benchmarker_inclination.reporting import evaluate_models, evaluate_table

    found = (
        evaluate_table(table, outfolder)
        if table is not None
        else evaluate_models(samples, size, models, iteration, outfolder)
    )
    echo(found)


@inclination.command(epilog="Example: benchmarker inclination pipeline -p galaxies -c catalog.csv -o work -b 5 -z 3")
@click.option("-p", "--impath", type=_FOLDER, default=Path("galaxies"), show_default=True, help="Folder of the images.")
@click.option("-c", "--catalog", type=_FOLDER, default=Path("catalog.csv"), show_default=True,
              help="Catalogue separated by '|'.")  # fmt: skip
@_size()
@click.option("-o", "--outfolder", type=_FOLDER, default=Path(), show_default=True, help="Folder of all results.")
@_subsamples()
@click.option("-b", "--nbatch", "n_batches", type=click.IntRange(1, 9999), default=5, show_default=True,
              help="Batch files of each training set.")  # fmt: skip
@click.option("-z", "--batchsize", type=click.IntRange(min=1), default=3, show_default=True,
              help="Colour images of each bin of 5 degrees.")  # fmt: skip
@click.option("-N", "--N_batch_iter", "rounds", type=click.IntRange(min=1), default=1, show_default=True,
              help="How often each batch file is used.")  # fmt: skip
@click.option(
    "--model", "chosen", type=_MODEL, multiple=True, help="Network; repeat for several. All three by default."
)
@click.option("--restart", is_flag=True, help="Delete what earlier calls wrote into the folder of results first.")
@_seed()
@_verbose()
@click.pass_context
def pipeline(
    context: click.Context, *, impath: Path, catalog: Path, size: int, outfolder: Path, n_subsamples: int,
    n_batches: int, batchsize: int, rounds: int, chosen: tuple[str, ...], restart: bool, seed: int, verbose: bool,
) -> None:  # fmt: skip
    """Do all steps, from the images to the evaluation of the ensemble."""
    folders = {name: outfolder / name for name in ("compressed", "samples", "augmented", "models", "evaluation")}
    if restart:
        for folder in folders.values():
            if folder.is_symlink():
                raise ConfigurationError(f"{folder}: is a link and is not deleted; remove it by hand")
            shutil.rmtree(folder, ignore_errors=True)
    common = {"size": size, "verbose": verbose}
    for band in ("g", "r", "i", "gri"):
        context.invoke(
            prep, impath=impath, imroot="d25x2_rot", catalog=catalog, band=band, outfolder=outfolder, **common
        )
        name = "RGB" if band == "gri" else band
        small = outfolder / f"{size}x{size}_{name}"
        context.invoke(compress, infolder=small, outfolder=folders["compressed"], **common)
    samples = folders["samples"]
    context.invoke(
        split, infolder=folders["compressed"], outfolder=samples, n_subsamples=n_subsamples, leak=False, **common
    )
    context.invoke(
        augment, infolder=samples, outfolder=folders["augmented"], n_subsamples=n_subsamples, n_batches=n_batches,
        batchsize=batchsize, seed=seed, keep_shape=False, grey_recipe=False, **common,
    )  # fmt: skip
    for model in chosen or ("model4", "model5", "model6"):
        context.invoke(
            train, augmented=folders["augmented"], samples=samples, models=folders["models"], model=model,
            n_subsamples=n_subsamples, n_batches=n_batches, rounds=rounds, batch_size=batchsize, seed=seed, **common,
        )  # fmt: skip
    context.invoke(
        evaluate, table=None, samples=samples, size=size, models=folders["models"], iteration=None,
        outfolder=folders["evaluation"],
    )  # fmt: skip
