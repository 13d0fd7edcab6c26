"""Runs a study while killing its processes with SIGKILL, at drawn moments after signs that its folders give.

A run that dies is started again with the same command until the study is finished. After which sign a process is
killed, and how long after it, is drawn from named streams, so a repetition is as much the same as the clock allows.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from benchmarker import Stream
from benchmarker.study.claims import find_working
from benchmarker.study.layout import run_name
from tests.run.signs import RESULTS, RESULTS_OF_A_GENERATOR, Sign

# A worker alone, which its parent replaces; the parent alone, whose workers must end too; both, in either order.
VICTIMS = ("worker", "worker", "worker", "parent", "parent first", "worker first")

IMAGES_PER_CLASS = 100
BYTES_OF_AN_IMAGE = 32 * 32 * 4
# A network with dropout and one with batch normalisation; each with and without augmentation.
REGISTRY: dict[str, Any] = {
    "title": "Killed again and again",
    "dataset": {
        "name": "synthetic-radio",
        "options": {"images_per_class": IMAGES_PER_CLASS, "size": 48},
        "preparation": {"crop": 32},
        "split": {"train": 10, "validation": 5},
    },
    "arms": [
        "real",
        {"name": "changed", "augmentations": [{"name": "rotations", "options": {"step": 180}}, "flips", "shifts"]},
    ],
    "training": {"batch_size": 8, "threads": 1, "plateau": {"patience": 5, "minimum_delta": 0.05}},
    "models": [
        {"architecture": "mcrgnet", "learning_rate": 1e-3, "epochs": 40},
        {"architecture": "fr_deep", "learning_rate": 1e-3, "epochs": 40},
    ],
}

_POLL_SECONDS = 0.0005
_PATIENT_POLL_SECONDS = 0.01
_LOOK_SECONDS = 0.1
_DEATH_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """A kill, and what it hit.

    Parameters
    ----------
    stage : str
        Stage that the kill waited for: preparation, start, training, snapshot or results.
    victim : str
        One of `VICTIMS`.
    run : str
        Name of the run that gave the sign.
    sign : str
        Sign that the kill waited for.
    inside : bool
        Whether the kill left something half written.
    processes : int
        Number of processes that it ended.
    """

    stage: str
    victim: str
    run: str
    sign: str
    inside: bool
    processes: int


class KilledStudy:
    """A study that is run and killed again and again.

    Parameters
    ----------
    folder : Path
        Folder that the command is started in.
    arguments : sequence of str
        Arguments of ``benchmarker``; the study is called ``study``.
    environment : mapping of str to str
        Variables added to those of this process.
    plan : callable
        Called with the name of a run and how often it was the target, returns the next stage to kill it in, or None.
    seed : int
        Seed of the streams.
    victims : sequence of str
        Victims of the kills in turn, starting again after the last one.
    tell : callable
        Called with each kill.
    """

    def __init__(
        self,
        folder: Path,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        plan: Callable[[str, int], str | None],
        *,
        seed: int,
        victims: Sequence[str] = VICTIMS,
        tell: Callable[[Kill], None] = lambda _kill: None,
    ) -> None:
        self.kills: list[Kill] = []
        self.starts = 0
        self._folder = folder
        self._arguments = arguments
        self._environment = {**os.environ, "NO_COLOR": "1", **environment}
        self._plan = plan
        self._seed = seed
        self._victims = itertools.cycle(victims)
        self._tell = tell
        self._runs = folder / "study" / "runs"
        self._log = folder / "output.txt"
        self._parent: subprocess.Popen[bytes] | None = None
        self._workers: dict[str, psutil.Process] = {}
        self._everyone: set[psutil.Process] = set()
        self._signs: dict[str, Sign] = {}
        self._targeted: dict[str, int] = {}

    def interrupt_preparation(self, cache: Path, images: int, kills: int = 3) -> None:
        """Kill the run while files are drawn, and the last third of the times while images are prepared from them.

        Parameters
        ----------
        cache : Path
            An empty cache.
        images : int
            Number of images of the dataset.
        kills : int
            Number of kills.
        """

        def drawn() -> float:
            return len(list(cache.glob("synthetic-radio/*.partial/*/*.fits"))) / images

        def prepared() -> float:
            return _size(cache.glob("prepared/*.partial/images.f32")) / (images * BYTES_OF_AN_IMAGE)

        for number in range(kills):
            share = prepared if number >= kills - kills // 3 else drawn
            draws = Stream("kill-preparation", seed=self._seed, number=number).generator()
            wanted = float(draws.uniform(0.01, 0.7))
            parent = self.start()
            _await(partial(_reached, share, wanted), "images are prepared")
            assert parent.poll() is None, self.output()
            parent.kill()
            parent.wait()
            inside, sign = any(cache.glob("*/*.partial")), f"{wanted:.0%} of the images {share.__name__}"
            self._add(Kill(stage="preparation", victim="parent", run="", sign=sign, inside=inside, processes=1))

    def start(self) -> subprocess.Popen[bytes]:
        """Start the command."""
        with self._log.open("ab") as log:
            self._parent = subprocess.Popen(
                [sys.executable, "-P", "-m", "benchmarker", *self._arguments],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.starts += 1
        self._everyone.add(psutil.Process(self._parent.pid))
        self._signs.clear()
        self._workers.clear()
        return self._parent

    def run(self, limit: int, patience: float) -> None:
        """Run the study to its end.

        Parameters
        ----------
        limit : int
            Largest number of kills, those of the preparation included.
        patience : float
            Seconds after which a study that has not ended is an error.
        """
        parent = self.start()
        until, next_look = time.monotonic() + patience, 0.0
        try:
            while parent.poll() is None:
                now = time.monotonic()
                assert now < until, f"the study does not end:\n{self.output()}"
                if now >= next_look:
                    self._look(limit)
                    next_look = now + _LOOK_SECONDS
                due = next((name for name, sign in self._signs.items() if sign.is_due()), None)
                if due is not None and not self._strike(parent, due):
                    parent = self.start()
                near = any(sign.is_near for sign in self._signs.values())
                time.sleep(_POLL_SECONDS if near else _PATIENT_POLL_SECONDS)
        finally:
            self.end()
        assert parent.returncode == 0, self.output()

    def end(self) -> None:
        """End what is left of a run that went wrong."""
        if self._parent is not None and self._parent.poll() is None:
            self._parent.kill()
            self._parent.wait()

    def left_behind(self) -> list[int]:
        """Return the processes that outlive the study, after a moment."""
        until = time.monotonic() + _DEATH_SECONDS
        while (alive := [process.pid for process in self._everyone if _is_alive(process)]) and time.monotonic() < until:
            time.sleep(0.1)
        return alive

    def output(self) -> str:
        """Return the end of what the commands printed."""
        return self._log.read_text(errors="replace")[-4000:]

    def _look(self, limit: int) -> None:
        """Find workers, and decide what to wait for in the folder of each run that is at work."""
        assert self._parent is not None
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(self._parent.pid).children(recursive=True):
                self._everyone.add(child)
                with contextlib.suppress(OSError):
                    self._workers[_run_of(child.pid)] = child
        for name in [name for name in self._signs if (self._runs / name).is_dir()]:
            del self._signs[name]
        if len(self.kills) >= limit:
            self._signs.clear()
            return
        for name in self._workers:
            times = self._targeted.get(name, 0)
            if name in self._signs or (self._runs / name).is_dir() or (stage := self._plan(name, times)) is None:
                continue
            if _is_alive(self._workers[name]):
                results = RESULTS_OF_A_GENERATOR if name in self._generators() else RESULTS
                self._signs[name] = Sign(stage, self._working(name), self._stream(name, times), results)

    def _strike(self, parent: subprocess.Popen[bytes], name: str) -> bool:
        """Kill a process; return whether the run is still running."""
        sign = self._signs.pop(name)
        worker = self._workers.get(name)
        if worker is None or not _is_alive(worker):
            return True
        times = self._targeted[name] = self._targeted.get(name, 0) + 1
        victim = next(self._victims)
        workers = [worker] if victim == "worker" else [each for each in self._workers.values() if _is_alive(each)]
        if victim in {"parent", "parent first"}:
            parent.kill()
        if victim != "parent":
            for each in workers:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
        if victim == "worker first":
            time.sleep(float(self._stream(name, times, "gap").generator().choice([0, 0.001, 0.004])))
            parent.kill()
        # After the parent alone, its workers end by themselves.
        _await(lambda: not any(_is_alive(each) for each in workers), "workers follow their parent")
        if victim != "worker":
            parent.wait()
        count = len(workers) + (victim != "worker")
        inside = sign.was_inside()
        self._add(Kill(stage=sign.stage, victim=victim, run=name, sign=sign.name, inside=inside, processes=count))
        return victim == "worker"

    def _add(self, kill: Kill) -> None:
        self.kills.append(kill)
        self._tell(kill)

    def _working(self, name: str) -> Path:
        return find_working(self._folder / "study", name)

    def _generators(self) -> set[str]:
        """Return the names of the runs of generators."""
        plan = json.loads((self._folder / "study" / "plan.json").read_text())
        return {run_name(generator["key"]) for generator in plan.get("generators", [])}

    def _stream(self, name: str, times: int, purpose: str = "moment") -> Stream:
        return Stream("kill", purpose=purpose, seed=self._seed, run=name, times=times)


def leftovers(study: Path) -> list[str]:
    """Return what a finished study must not hold: snapshots, partial files and replaced runs."""
    pattern = re.compile(r"\.?snapshot-.*|.*\.(partial|replaced|failed)|\.space")
    return sorted(str(path.relative_to(study)) for path in study.rglob("*") if pattern.fullmatch(path.name))


def _run_of(pid: int) -> str:
    """Return the run that a worker works on: its standard error is a file in there.

    Raises
    ------
    OSError
        If it is gone, or no worker yet.
    """
    path = Path(f"/proc/{pid}/fd/2").readlink()
    if path.name != "log.txt":
        raise FileNotFoundError(path)
    return path.parent.name.removeprefix(".").partition(".")[0]


def _is_alive(process: psutil.Process) -> bool:
    """Whether a process runs; zombies that some other process has to reap do not count."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _size(paths: Iterable[Path]) -> int:
    total = 0
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def _reached(share: Callable[[], float], wanted: float) -> bool:
    return share() >= wanted


def _await(condition: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + _DEATH_SECONDS
    while not condition():
        assert time.monotonic() < until, f"waited {_DEATH_SECONDS:g} s in vain: {what}"
        time.sleep(_POLL_SECONDS)
