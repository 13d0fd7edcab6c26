"""Kill a study with a generator, early stopping and class weights a hundred times, let it finish, and audit it.

`make soak` runs it, and so does ``python -m tests.soak [--kills N] [--seed S]`` in the checkout. Seeds, and thus
cells, are added to the study until all kills are done. The study stays in build/soak, and the exit code is that of the
audit.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarker import Stream
from tests.run.killing import IMAGES_PER_CLASS, REGISTRY, Kill, KilledStudy, leftovers

FOLDER = Path("build") / "soak"
# Beside a network with transforms: a generator, whose images make the classes unequal so that their weights matter.
STUDY = REGISTRY | {
    "generators": [{"generator": "cgan", "epochs": 15, "options": {"batch_size": 8}}],
    "arms": [*REGISTRY["arms"][1:], {"name": "generated", "generated": {"by": "cgan", "ratio": 0.55}}],
    "training": REGISTRY["training"] | {"class_weights": "balanced", "early_stopping": {"patience": 12}},
}
STAGES = ("start", "training", "training", "training", "snapshot", "snapshot", "snapshot", "results", "results")
KILLS_OF_A_CELL = 12
KILLS_OF_ITS_RESULTS = 4
SECONDS_OF_A_KILL = 60


class Soak:
    """A study that is killed again and again.

    Parameters
    ----------
    folder : Path
        Folder of the study; an existing one is replaced.
    kills : int
        Number of kills.
    seed : int
        Seed of all random choices.
    console : Console
        Console that shows each kill.
    """

    def __init__(self, folder: Path, kills: int, seed: int, console: Console) -> None:
        self.folder = folder.absolute()
        self._limit = kills
        self._seed = seed
        self._console = console
        self._cache = self.folder / "cache"
        self.environment = {"BENCHMARKER_CACHE": str(self._cache)}
        command = ["run", "killed.yaml", "-p", "study", "--jobs", "2", "--retries", "999"]
        self.study = KilledStudy(self.folder, command, self.environment, self._stage, seed=seed, tell=self._tell)

    def run(self) -> None:
        """Kill the study, and then let it finish."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        seeds = [self._seed]
        self._plan(seeds)
        self.study.interrupt_preparation(self._cache, 4 * IMAGES_PER_CLASS)
        while True:
            self.study.run(self._limit, patience=300 + SECONDS_OF_A_KILL * self._limit)
            if len(self.study.kills) >= self._limit:
                return
            seeds.append(self._seed + len(seeds))
            self._plan(seeds)

    def _plan(self, seeds: list[int]) -> None:
        (self.folder / "killed.yaml").write_text(json.dumps(STUDY | {"seeds": seeds}))

    def _stage(self, run: str, times: int) -> str | None:
        in_results = sum(kill.run == run and kill.stage == "results" for kill in self.study.kills)
        if times >= KILLS_OF_A_CELL or in_results >= KILLS_OF_ITS_RESULTS:
            return None
        draws = Stream("soak-stage", seed=self._seed, run=run, times=times).generator()
        return str(draws.choice(STAGES))

    def _tell(self, kill: Kill) -> None:
        hit = "" if kill.inside else " (too late)"
        self._console.print(
            f"{len(self.study.kills):4} {kill.stage:12} {kill.victim:13} {kill.run:17} after {kill.sign}{hit}",
            highlight=False,
        )


def summary(soak: Soak, seconds: float) -> Table:
    """Return a table of the kills."""
    table = Table(title="Kills")
    for name in ("stage", "kills", "during the stage", "worker", "parent", "both"):
        table.add_column(name, justify="left" if name == "stage" else "right")
    kills = soak.study.kills
    for stage in dict.fromkeys(kill.stage for kill in kills):
        some = [kill for kill in kills if kill.stage == stage]
        victims = Counter({"worker": "worker", "parent": "parent"}.get(kill.victim, "both") for kill in some)
        counts = [
            len(some),
            sum(kill.inside for kill in some),
            *(victims[name] for name in ("worker", "parent", "both")),
        ]
        table.add_row(stage, *map(str, counts))
    table.caption = (
        f"{len(kills)} kills ended {sum(kill.processes for kill in kills)} processes; {soak.study.starts} starts of "
        f"the same command, {len(list(soak.folder.glob('study/runs/*/manifest.json')))} cells, {seconds:.0f} s"
    )
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill and audit a study, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="number of kills; default: %(default)s")
    parser.add_argument("--seed", type=int, default=8901, help="seed of all random choices; default: %(default)s")
    given = parser.parse_args(arguments)
    console = Console(soft_wrap=True)
    soak = Soak(FOLDER, given.kills, given.seed, console)
    started = time.monotonic()
    soak.run()
    console.print(summary(soak, time.monotonic() - started))
    if left := [*leftovers(soak.folder / "study"), *map(str, soak.study.left_behind())]:
        console.print("left behind: " + ", ".join(left))
        return 1
    command = [sys.executable, "-P", "-m", "benchmarker", "audit", "study"]
    return subprocess.run(command, cwd=soak.folder, env={**os.environ, **soak.environment}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
