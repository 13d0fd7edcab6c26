"""``benchmarker predict``: classify or measure new images with a trained network."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import rich_click as click

from benchmarker import UserPath, command_settings, echo

if TYPE_CHECKING:
    from benchmarker import SkippedImage, TrainedNetwork
    from benchmarker_serving.prediction.job import Calibration, Job
    from benchmarker_serving.prediction.job import Progress as Reached

_LISTED = 10


@click.command(
    name="predict",
    **command_settings(
        "benchmarker predict results/quickstart --model convxpress --data cutouts/ --out catalogue.ecsv",
        "benchmarker predict results/mine --model resnet/rotations --seed 8901 --data survey.csv --out types.fits",
        "benchmarker predict results/mine --data cutouts.zip --per-class --coverage 0.95 --out types.parquet",
    ),
)
@click.argument("study", type=UserPath())
@click.option("--model", "selector", metavar="NETWORK[/ARM]", default="",
              help="Network and arm; unnecessary if the study has only one.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Use the network of this seed only.")
@click.option("--ensemble", is_flag=True, help="Average over the networks of all seeds, which is the default.")
@click.option("--checkpoint", type=click.Choice(["best", "final"]), default="best", show_default=True,
              help="Weights of the lowest validation loss, or of the last epoch.")  # fmt: skip
@click.option("--data", type=UserPath(), required=True, metavar="PATH",
              help="Image, folder, archive, or catalogue with a column of file names.")  # fmt: skip
@click.option("--images", type=UserPath(), metavar="FOLDER",
              help="Folder of the files that a catalogue names. [default: that of the catalogue]")  # fmt: skip
@click.option("--out", "output", type=UserPath(), required=True, metavar="FILE",
              help="Table to write: .csv, .ecsv, .fits or .parquet.")  # fmt: skip
@click.option("--coverage", type=click.FloatRange(0.5, 0.999), default=0.9, show_default=True,
              help="Fraction of images whose set or interval should hold the truth.")  # fmt: skip
@click.option("--per-class", is_flag=True, help="Reach the coverage within each class.")
@click.option("--unlike", type=click.FloatRange(0.0001, 0.5), default=0.01, show_default=True,
              help="Fraction of ordinary images that may be flagged as unlike the training images.")  # fmt: skip
@click.option("--raw", is_flag=True,
              help="Write probabilities as the network gives them, without sets and flags.")  # fmt: skip
@click.option("--study-data", type=UserPath(), metavar="PATH", help="Where the images of the study are now.")
@click.option("--force", is_flag=True, help="Replace an existing table.")
def command(
    *, study: Path, selector: str, seed: int | None, ensemble: bool, checkpoint: Literal["best", "final"], data: Path,
    images: Path | None, output: Path, coverage: float, per_class: bool, unlike: float, raw: bool,
    study_data: Path | None, force: bool,
) -> None:  # fmt: skip
    """Predict the images at --data with a trained network of STUDY, and write a table.

    Images are read and prepared as those of the study were. Probabilities are calibrated on the validation part; sets
    of classes (or intervals) hold the truth for the wanted fraction of images like those of the study. Images that are
    unlike the training images are flagged; those that cannot be used are listed in a second table. An interrupted call
    continues where it stopped when it is repeated.
    """
    from benchmarker import ConfigurationError, trained_networks
    from benchmarker_serving.prediction.job import PartialResults
    from benchmarker_serving.prediction.output import require_format
    from benchmarker_serving.prediction.running import make_job, run_job

    if seed is not None and ensemble:
        raise ConfigurationError("--seed and --ensemble exclude each other: one network, or all of them")
    require_format(output)
    if output.exists() and not force:
        raise ConfigurationError(f"{output}: exists already; choose another --out, or --force to replace it")
    networks = trained_networks(study, selector, seed=seed, checkpoint=checkpoint)
    job = make_job(
        networks, study=study, selector=selector, data=data, images=images, study_data=study_data, calibrate=not raw,
        coverage=coverage, per_class=per_class, unlike=unlike,
    )  # fmt: skip
    resumed = PartialResults(output).begin(job)
    if resumed:
        echo(f"Continuing after {resumed} part(s) of an interrupted call.", err=True)
    with _progress() as listen:
        calibration = run_job(job, networks[0], output, listen)
    _write(output, networks, job, calibration)
    PartialResults(output).remove()


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[Reached], None]]:
    """Return a function that shows how far the process is: a bar on a terminal, nothing elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    bars = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*bars, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("starting", total=None)

        def listen(value: Reached) -> None:
            progress.update(task, description=value.stage, completed=value.done, total=value.total or None)

        yield listen


def _write(output: Path, networks: Sequence[TrainedNetwork], job: Job, calibration: Calibration | None) -> None:
    """Write the table from the parts, which are read one at a time."""
    from benchmarker import DataError
    from benchmarker_serving.prediction.job import PartialResults
    from benchmarker_serving.prediction.output import table_rows, write_table

    task, partial = networks[0].task, PartialResults(output)
    chunks = (
        table_rows(task, part.rows, None if calibration is None else calibration.thresholds) for part in partial.parts()
    )
    done = write_table(output, task, chunks, _header(networks, job, calibration), calibrated=job.calibrate)
    report_skipped(output, (image for part in partial.parts() for image in part.skipped))
    if not done:
        output.unlink()
        partial.remove()
        raise DataError(f"{job.data}: no image can be used, so {output} was not written")
    echo(f"{output}: {done:,} images.")
    if calibration is not None and math.inf in calibration.thresholds:
        echo(
            f"Only {calibration.images} images were validated on and not trained on by any network, too few for a "
            f"coverage of {job.coverage:g}: sets hold every class, and intervals have no end. Choose one network by "
            "--seed, or train with split.test_seed and a larger validation part.",
            err=True,
        )


def report_skipped(output: Path, skipped: Iterable[SkippedImage]) -> None:
    """Write the images that could not be used beside the table, and name the first ones."""
    from benchmarker import atomic_write, table_cell
    from benchmarker_serving.prediction.output import csv_lines

    path = output.with_name(f"{output.stem}.skipped.csv")
    first: list[SkippedImage] = []
    n = 0
    with atomic_write(path) as stream:
        stream.write(csv_lines([["file", "reason"]]))
        for n, image in enumerate(skipped, start=1):
            stream.write(csv_lines([[table_cell(image.name), table_cell(image.reason)]]))
            first += [image] if n <= _LISTED else []
    if not n:
        path.unlink()  # also the one of an earlier table
        return
    echo(f"{n:,} image(s) cannot be used; see {path}:", err=True)
    for image in first:
        echo(f"  {image.name}: {image.reason}", err=True)


def _header(networks: Sequence[TrainedNetwork], job: Job, calibration: Calibration | None) -> dict[str, str]:
    """Return what a reader of the table must know of its networks."""
    from benchmarker import __version__

    header = {
        "program": f"galaxy-benchmarker {__version__}",
        "network": f"{networks[0].model}/{networks[0].arm}",
        "checkpoint": job.checkpoint,
        "seeds": " ".join(str(seed) for seed in job.seeds),
        "training_data": networks[0].digests.get("data", ""),
    }
    for network in networks:
        header |= {f"key_{network.seed}": network.key, f"weights_{network.seed}": network.weights_digest}
    if calibration is not None:
        header |= {
            "calibration_images": str(calibration.images),
            "coverage": f"{job.coverage:g}{' in each class' if job.per_class else ''}",
            "thresholds": " ".join(f"{value:.6g}" for value in calibration.thresholds),
            "unlike_level": f"{calibration.unlike_level:.6g}",
        }
        if calibration.temperatures:
            header["temperatures"] = " ".join(f"{value:.6g}" for value in calibration.temperatures)
    return header
