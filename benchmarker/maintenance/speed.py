"""Measures how fast backends, precisions and threads train the networks of a study on this machine."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args

from benchmarker import backends
from benchmarker.contracts.settings import Training
from benchmarker.digests import digest_json
from benchmarker.errors import ConfigurationError
from benchmarker.maintenance.probes import Outcome, SpeedAnswer, SpeedQuestion, probe_speed
from benchmarker.printing import counted
from benchmarker.results.study import Study
from benchmarker.study.specs import CellSpec

FORMAT = 2
STEPS = 20
_WORTH = 1.1
"""Another setting is advised if the networks train this many times as fast."""

Precision = Literal["float32", "mixed_bfloat16"]
PRECISIONS: tuple[Precision, ...] = get_args(Training.model_fields["precision"].annotation)


class Setting(NamedTuple):
    """What decides how fast a network is trained; each is part of a cell's key."""

    backend: str
    """Name of the backend."""

    precision: Precision
    """Arithmetic of the layers."""

    threads: int
    """Number of threads that one operation may use."""

    def __str__(self) -> str:
        """Return it as part of a sentence."""
        return f"{self.backend} in {self.precision} with {counted(self.threads, 'thread')}"

    @classmethod
    def of(cls, spec: CellSpec) -> Setting:
        """Return the setting of a cell."""
        return cls(spec.backend, spec.training.precision, spec.threads)

    def changed_from(self, own: Setting) -> str:
        """Return what to set for it in a shell and in a registry."""
        options = [
            *([f"precision: {self.precision}"] if self.precision != own.precision else []),
            *([f"threads: {self.threads}"] if self.threads != own.threads else []),
        ]
        change = [
            *([f"KERAS_BACKEND={self.backend}"] if self.backend != own.backend else []),
            *([f"training: {{{', '.join(options)}}}"] if options else []),
        ]
        return " and ".join(change)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return self._asdict()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The speed of one network under one setting.

    Parameters
    ----------
    network : str
        Name of the network in the study.
    setting : Setting
        Backend, precision and threads.
    images_per_second : float or None
        Training images per second, after compilation; None if the network was not trained.
    start_seconds : float or None
        Time to build the network and take its first step.
    problem : str
        Why it was not trained; empty if it was.
    """

    network: str
    setting: Setting
    images_per_second: float | None = None
    start_seconds: float | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speeds:
    """The speeds of all networks of a study, and what to make of them.

    Parameters
    ----------
    study : str
        Title of the study.
    shape : tuple of int
        Height and width in pixels, and channels of an image.
    batch_size : int
        Images of a gradient step.
    own : Setting
        Setting that a run of the registry would have now.
    measured : tuple of Measured
        Speeds by network and setting.
    epochs : mapping of str to int
        Epochs of each network, by which the networks are weighted.
    """

    study: str
    shape: tuple[int, int, int]
    batch_size: int
    own: Setting
    measured: tuple[Measured, ...]
    epochs: Mapping[str, int] = field(default_factory=dict)

    def gains(self) -> dict[Setting, float]:
        r"""Return how many times as fast each setting trains all networks, compared with what a run has now.

        With the images per second :math:`r_{n,s}` of network :math:`n` under setting :math:`s` and its epochs
        :math:`e_n`, the gain of :math:`s` is :math:`\sum_n e_n / r_{n,0} \big/ \sum_n e_n / r_{n,s}`. A setting that
        does not train every network has none. Reading images and augmenting them is not part of it.
        """
        times: dict[Setting, float] = {}
        for each in self.measured:
            rate = each.images_per_second or 0.0
            seconds = self.epochs.get(each.network, 1) / rate if rate else float("inf")
            times[each.setting] = times.get(each.setting, 0.0) + seconds
        now = times.get(self.own, float("inf"))
        return {setting: now / seconds for setting, seconds in times.items() if seconds < float("inf")}

    @property
    def advice(self) -> str:
        """What to do, in a sentence or two."""
        gains = self.gains()
        if not gains:
            return "no setting trains all networks; see the problems above"
        best = max(gains, key=lambda setting: gains[setting])
        if self.own in gains and gains[best] < _WORTH:
            return f"stay with {self.own}: no other setting is {_WORTH:g} times as fast"
        much = (
            f"{gains[best]:.1f} times as fast as {self.own}"
            if self.own in gains
            else f"{self.own} does not train them all"
        )
        return f"{best.changed_from(self.own)}: {much}. Each gives other bits, so use one for a whole study"

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        return {
            "format": FORMAT,
            "study": self.study,
            "shape": list(self.shape),
            "batch_size": self.batch_size,
            "own": self.own.to_json(),
            "measured": [
                {
                    "network": each.network,
                    **each.setting.to_json(),
                    "images_per_second": each.images_per_second,
                    "start_seconds": each.start_seconds,
                    "problem": each.problem,
                }
                for each in self.measured
            ],
            "gains": [{**setting.to_json(), "gain": gain} for setting, gain in self.gains().items()],
            "advice": self.advice,
        }


def installed_backends() -> tuple[str, ...]:
    """Return the supported backends that are installed, without importing them."""
    return tuple(name for name in backends.BACKENDS if importlib.util.find_spec(name) is not None)


def measure_speed(
    study: Study,
    *,
    seconds: float,
    steps: int = STEPS,
    on_network: Callable[[str, Setting], object] = lambda _network, _setting: None,
) -> Speeds:
    """Train each network of a study for some steps under each setting, each time in a fresh process.

    The settings are the installed backends, all precisions, and the threads of the study as well as one thread: small
    networks often train faster on one, because their operations are shorter than it takes to share them out.

    Parameters
    ----------
    study : Study
        Planned study, of which nothing needs to be trained.
    seconds : float
        Longest time that one process may take.
    steps : int
        Gradient steps of each of the three epochs.
    on_network : callable
        Called with the network and the setting before each process.

    Raises
    ------
    ConfigurationError
        If the study has no network that can be trained.
    """
    networks = _networks(study)
    if not networks:
        raise ConfigurationError(f"{study.folder}: has no network that can be trained")
    first = next(iter(networks.values()))
    measured = tuple(_measured(networks, study, seconds=seconds, steps=steps, on_network=on_network))
    return Speeds(
        study=study.title,
        shape=study.plan.dataset.shape,
        batch_size=first.training.batch_size,
        own=Setting.of(first),
        measured=measured,
        epochs={name: spec.model.epochs for name, spec in networks.items()},
    )


def _networks(study: Study) -> dict[str, CellSpec]:
    """Return a cell of each network; networks that differ in name, learning rate and epochs only are as fast."""
    found: dict[str, tuple[str, CellSpec]] = {}
    for cell in study.cells:
        spec = cell.spec
        if spec.model.unusable is None:
            found.setdefault(digest_json([spec.model.architecture, spec.model.options]), (cell.model, spec))
    return dict(found.values())


def _measured(
    networks: Mapping[str, CellSpec],
    study: Study,
    *,
    seconds: float,
    steps: int,
    on_network: Callable[[str, Setting], object],
) -> Iterator[Measured]:
    refused: dict[tuple[str, str], str] = {}
    for name, spec in networks.items():
        for setting in _settings(spec):
            problem = refused.get(setting[:2], "")
            outcome: Outcome[SpeedAnswer] = Outcome(problem=problem)
            if not problem:
                on_network(name, setting)
                changed = {"precision": setting.precision, "threads": setting.threads}
                training = spec.training.model_copy(update=changed)
                asked = spec.model_copy(update={"backend": setting.backend, "training": training})
                question = SpeedQuestion(spec=asked, dataset=study.plan.dataset, steps=steps, seconds=seconds)
                outcome = probe_speed(question).outcome()
            yield _result(name, setting, outcome)
            if outcome.answer is not None and outcome.answer.refused:
                refused[setting[:2]] = outcome.answer.refused


def _settings(spec: CellSpec) -> Iterator[Setting]:
    for backend in installed_backends():
        for precision in PRECISIONS:
            for threads in dict.fromkeys((spec.threads, 1)):
                yield Setting(backend, precision, threads)


def _result(name: str, setting: Setting, outcome: Outcome[SpeedAnswer]) -> Measured:
    answer = outcome.answer
    return Measured(
        network=name,
        setting=setting,
        images_per_second=None if answer is None else answer.images_per_second,
        start_seconds=None if answer is None else answer.start_seconds,
        problem=outcome.problem if answer is None else answer.refused,
    )


def lines(speeds: Speeds) -> Sequence[str]:
    """Return the speeds as lines for the terminal."""
    height, width, channels = speeds.shape
    head = f"{'network':24} {'backend':11} {'precision':15} {'threads':>7} {'images/s':>9} {'start':>8}"
    images = f"images of {height}x{width}x{channels}, batches of {speeds.batch_size}"
    found = [f"{speeds.study}: {images}, without augmentations", head]
    for each in speeds.measured:
        backend, precision, threads = each.setting
        row = f"{each.network:24} {backend:11} {precision:15} {threads:7}"
        if each.images_per_second is None:
            found.append(f"{row} {each.problem}")
        else:
            found.append(f"{row} {each.images_per_second:9,.0f} {each.start_seconds or 0:6.1f} s")
    return [*found, f"Advice: {speeds.advice}."]
