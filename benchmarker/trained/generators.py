"""Trained generators of a study, loaded with the weights that their trail covers."""

from __future__ import annotations

from pathlib import Path

from benchmarker.contracts.generation import GenerativeModel
from benchmarker.discovery import installed
from benchmarker.errors import ConfigurationError, StorageError
from benchmarker.generation.on_request import TrainedGenerator, find_run, open_generator
from benchmarker.generation.run_files import epoch_weights_file


def trained_generator(study: Path, selector: str = "", *, seed: int | None = None) -> TrainedGenerator:
    """Return the one finished generator of a study that is meant.

    Parameters
    ----------
    study : Path
        Path of the study, or of the run of a generator.
    selector : str
        Selector of the generator; unnecessary if the study has one.
    seed : int, optional
        Seed that it was trained under.

    Raises
    ------
    ConfigurationError
        If none or several are meant.
    """
    return open_generator(find_run(study, selector or None, seed))


def load_generator(generator: TrainedGenerator, epoch: int | None = None) -> GenerativeModel:
    """Build a generator and load its weights; call this in a process of its backend, see `call_in_process`.

    Parameters
    ----------
    generator : TrainedGenerator
        The generator.
    epoch : int, optional
        Epoch whose weights are used; the last one by default.

    Raises
    ------
    ConfigurationError
        If no weights of that epoch were kept.
    StorageError
        If the weights of the last epoch are not those that its trail covers.
    """
    from benchmarker.generation.model import build_generator, digest_variables, load_weights

    chosen = generator.epochs[-1] if epoch is None else epoch
    if chosen not in generator.epochs:
        kept = ", ".join(map(str, generator.epochs))
        raise ConfigurationError(f"the weights of epoch {chosen} were not kept; there are those of: {kept}")
    model = build_generator(installed(), generator.spec, generator.conditions, generator.spec.data.shape)
    file = generator.folder / epoch_weights_file(chosen)
    load_weights(model, file)
    if chosen == generator.epochs[-1] and digest_variables(model.sampling_variables) != generator.weights:
        raise StorageError(f"{file}: holds weights that its trail does not cover; run its study again with --force")
    return model
