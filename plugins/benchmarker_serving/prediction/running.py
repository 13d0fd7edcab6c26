"""Starts a prediction in the process of the networks' backend; for the command and for the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarker import IMAGE_SUFFIXES, TrainedNetwork, call_in_process, digest_json, path_signature
from benchmarker_serving.prediction.inputs import find_images
from benchmarker_serving.prediction.job import Calibration, Job, Outcome, PartialResults, Progress, Request


def make_job(
    networks: Sequence[TrainedNetwork],
    *,
    study: Path,
    selector: str,
    data: Path,
    images: Path | None = None,
    study_data: Path | None = None,
    calibrate: bool = True,
    coverage: float = 0.9,
    per_class: bool = False,
    unlike: float = 0.01,
) -> Job:
    """Return the job of networks of one configuration on new images.

    Parameters
    ----------
    networks : sequence of TrainedNetwork
        Networks whose predictions are averaged.
    study : Path
        Path of their study.
    selector : str
        Their network and arm; may be empty if the study has only one.
    data, images, study_data : Path
        New images, folder that a catalogue's names are relative to, and images of the study where they were moved.
    calibrate, coverage, per_class, unlike
        As in `Job`.

    Raises
    ------
    ConfigurationError, DataError
        If there are no new images; before a backend is loaded.
    """
    find_images(data, images)
    places = [data] if images is None else [data, images]
    signature = digest_json([path_signature(path, IMAGE_SUFFIXES if path.is_dir() else ()) for path in places])
    return Job(
        study=str(study.absolute()),
        selector=selector or f"{networks[0].model}/{networks[0].arm}",
        seeds=tuple(network.seed for network in networks),
        checkpoint=networks[0].checkpoint,
        weights=tuple(network.weights_digest for network in networks),
        data=str(data.absolute()),
        images=None if images is None else str(images.absolute()),
        signature=signature,
        study_data=None if study_data is None else str(study_data.absolute()),
        calibrate=calibrate,
        coverage=coverage,
        per_class=per_class,
        unlike=unlike,
    )


def run_job(
    job: Job, network: TrainedNetwork, output: Path, listen: Callable[[Progress], None] | None = None
) -> Calibration | None:
    """Predict what is left of a job; the predictions are in the parts of `PartialResults` afterwards.

    Parameters
    ----------
    job : Job
        What is asked for.
    network : TrainedNetwork
        One of its networks; its backend and threads are used.
    output : Path
        Path of the table to be written, beside which parts are kept until `PartialResults.remove`.
    listen : callable, optional
        Called with what has been done so far.

    Returns
    -------
    Calibration or None
        None if the job asks for none.
    """
    PartialResults(output).begin(job)
    reply = call_in_process(
        "benchmarker_serving.prediction.worker:predict_files",
        Request(job=job, output=str(output.absolute())).to_json(),
        threads=network.threads,
        seed=network.seed,
        backend=network.backend,
        listen=None if listen is None else lambda value: listen(Progress.from_json(value)),
    )
    return Outcome.from_json(reply).calibration
