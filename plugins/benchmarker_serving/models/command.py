"""``benchmarker model``: export trained networks and generators."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import rich_click as click

from benchmarker import UserPath, command_settings, echo

if TYPE_CHECKING:
    from benchmarker_serving.models.bundle import Format


@click.group(
    name="model", **command_settings("benchmarker model export results/quickstart --model convxpress --to onnx")
)
def command() -> None:
    """Export trained networks and generators for other programs."""


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
