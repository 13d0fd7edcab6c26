"""``benchmarker model``: export trained networks and generators, and make them smaller."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import rich_click as click

from benchmarker import UserPath, command_settings, echo

if TYPE_CHECKING:
    from benchmarker_serving.models.bundle import Format
    from benchmarker_serving.models.job import Form


@click.group(
    name="model", **command_settings("benchmarker model export results/quickstart --model convxpress --to onnx")
)
def command() -> None:
    """Export trained networks and generators for other programs, and make them smaller."""


@command.command(
    **command_settings(
        "benchmarker model export results/quickstart --model convxpress --to onnx --to savedmodel --out exported",
        "benchmarker model export results/gan_vs_real --model cgan/generator/8901 --to keras --out exported",
    )
)
@click.argument("study", type=UserPath())
@click.option("--model", "selector", metavar="NAME[/ARM[/SEED]]", required=True,
              help="Network or generator; generators are in the arm `generator`.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Seed of the run, if there are several.")
@click.option("--checkpoint", type=click.Choice(["best", "final"]), default="best", show_default=True,
              help="Weights of a network: of the lowest validation loss, or of the last epoch.")  # fmt: skip
@click.option("--epoch", type=click.IntRange(min=1), metavar="N",
              help="Epoch of a generator's weights. [default: the last one]")  # fmt: skip
@click.option("--to", "formats", multiple=True, required=True,
              type=click.Choice(["keras", "savedmodel", "onnx", "litert"]),
              help="Format; repeat for several.")  # fmt: skip
@click.option("--out", "folder", type=UserPath(), default=Path("exported"), metavar="FOLDER", show_default=True,
              help="Folder of all exported models; the files go into NAME/VERSION.")  # fmt: skip
@click.option("--name", metavar="NAME", help="Name of the model in addresses. [default: network-arm]")
@click.option("--version", type=click.IntRange(min=1), metavar="N", help="Number of the version. [default: the next]")
@click.option("--with-preparation", is_flag=True, help="Put the preparation of the study inside.")
@click.option("--input-size", type=click.IntRange(1, 8192), metavar="N",
              help="Height and width of an image before the preparation, where it crops or resamples.")  # fmt: skip
def export(
    *, study: Path, selector: str, seed: int | None, checkpoint: Literal["best", "final"], epoch: int | None,
    formats: tuple[Format, ...], folder: Path, name: str | None, version: int | None, with_preparation: bool,
    input_size: int | None,
) -> None:  # fmt: skip
    """Export a trained network or generator of STUDY.

    Each file is read back and must give the outputs of the run's network to 1e-5 before it is kept. A model card says
    what the model was trained on and how good it is. The folder has the layout that TensorFlow Serving and
    `benchmarker serve` expect.
    """
    from benchmarker import open_results
    from benchmarker_serving.models.running import ExportSettings, Place, export_run, find_run

    results = open_results(study)
    record = find_run(results, selector, seed)
    place = Place.of(folder, record, name, version)
    settings = ExportSettings(
        formats=tuple(dict.fromkeys(formats)), checkpoint=checkpoint, epoch=epoch, preparation=with_preparation,
        input_size=input_size,
    )  # fmt: skip
    bundle = export_run(results, record, place, settings)
    for form, difference in bundle.difference.items():
        echo(f"{form}: outputs differ by at most {difference:.2g} from those of the run.")
    echo(f"{place.path}: {record.name}, with a model card.")


def _common(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the arguments that `prune` and `quantize` share."""
    for option in (
        click.option("--out", "folder", type=UserPath(), required=True, metavar="FOLDER",
                     help="New folder of the files, the table and the plot."),
        click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Seed of the run, if there are several."),
        click.option("--model", "selector", metavar="NAME[/ARM[/SEED]]", required=True,
                     help="Network or generator; generators are in the arm `generator`."),
        click.argument("study", type=UserPath()),
    ):  # fmt: skip
        function = option(function)
    return function


@command.command(
    **command_settings(
        "benchmarker model prune results/gan_vs_real --model cgan/generator/8901 --sparsity 0.5 --out pruned",
        "benchmarker model prune results/quickstart --model mcrgnet --sparsity 0.25 --sparsity 0.5 --fine-tune 20 "
        "--out pruned",
    )
)
@_common
@click.option("--method", type=click.Choice(["channels", "magnitude"]), default="channels", show_default=True,
              help="Remove whole channels, which makes a model faster, or set small weights to zero.")  # fmt: skip
@click.option("--sparsity", "sparsities", type=click.FloatRange(0, 0.99), multiple=True, required=True,
              help="Fraction to remove; repeat for several.")  # fmt: skip
@click.option("--fine-tune", "epochs", type=click.IntRange(0, 1000), default=0, show_default=True, metavar="EPOCHS",
              help="Train the pruned model to give the outputs of the unpruned one.")  # fmt: skip
def prune(
    *,
    study: Path,
    selector: str,
    seed: int | None,
    folder: Path,
    method: Literal["channels", "magnitude"],
    sparsities: tuple[float, ...],
    epochs: int,
) -> None:
    """Make a network or generator of STUDY smaller, and measure what that costs.

    The table gives size, time and accuracy for each sparsity; for a generator, the Fréchet distance to the images of
    the unpruned one, and as a floor that between two halves of the real images.
    """
    from benchmarker_serving.models.job import Form

    forms = [Form(method=method, sparsity=each) for each in sparsities]
    _compress(study, selector, seed, folder=folder, forms=forms, epochs=epochs)


@command.command(
    **command_settings("benchmarker model quantize results/mine --model mcrgnet --to float16 --to int8 --out small")
)
@_common
@click.option("--to", "kinds", type=click.Choice(["float16", "int8"]), multiple=True, required=True,
              help="Numbers of the weights; int8 also of the activations. Repeat for both.")  # fmt: skip
def quantize(
    *, study: Path, selector: str, seed: int | None, folder: Path, kinds: tuple[Literal["float16", "int8"], ...]
) -> None:
    """Write a network or generator of STUDY with smaller numbers as LiteRT, and measure what that costs."""
    from benchmarker_serving.models.job import Form

    _compress(study, selector, seed, folder=folder, forms=[Form(method=kind) for kind in kinds], epochs=0)


def _compress(
    study: Path, selector: str, seed: int | None, *, folder: Path, forms: Sequence[Form], epochs: int
) -> None:
    from benchmarker import open_results
    from benchmarker_serving.models.compression import compress_run
    from benchmarker_serving.models.running import find_run

    results = open_results(study)
    found = compress_run(results, find_run(results, selector, seed), folder, forms, epochs=epochs)
    echo(f"{'form':16} {'parameters':>12} {'bytes':>12} {'ms/64':>8} {'ms/1':>8} {'quality':>10}  ({found.measure})")
    for row in found.rows:
        echo(
            f"{row.form:16} {row.parameters:12,} {row.bytes:12,} {row.milliseconds:8.2f} "
            f"{row.milliseconds_single:8.2f} {row.quality:10.4g}"
        )
    if found.floor is not None:
        echo(f"Two halves of the real images have a distance of {found.floor:.4g}.")
    if found.repeat is not None:
        echo(f"Two draws of the unpruned generator have a distance of {found.repeat:.4g}.")
