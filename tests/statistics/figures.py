"""Prints the figures of docs/explanation/statistics.md: ``python -m tests.statistics.figures`` (some minutes)."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
from scipy import special

from benchmarker import Stream
from benchmarker.statistics.intervals import hierarchical_bootstrap
from benchmarker.statistics.paired import VarianceComponents
from benchmarker.statistics.power import detection_power
from benchmarker.statistics.verdicts import pooled_mcnemar
from tests.statistics.simulator import Array, World, draw, excludes_zero, measured, truth

STUDIES = 2000
WITH_BOOTSTRAP = 400
LEVEL = 0.95


def main() -> None:
    """Write both tables."""
    write("| truth | seeds | here | t over seeds | Satterthwaite | bootstrap | pooled McNemar |")
    write("|---|---:|---:|---:|---:|---:|---:|")
    for label, world in (
        ("same network twice", World()),
        ("same network twice, real sources", World(real=0)),
        ("same network twice, lucky and unlucky seeds", World(seed_effect=0.4)),
        ("two equally good networks", World(quirk=0.6)),
        ("two equally good networks, lucky and unlucky seeds", World(quirk=0.6, seed_effect=0.4)),
    ):
        for seeds in (3, 5, 10):
            rates = false_rates(replace(world, seeds=seeds))
            write(f"| {label} | {seeds} | " + " | ".join(f"{100 * rate:.1f} %" for rate in rates) + " |")
    write("")
    write("| planted difference | seeds | claimed | found |")
    write("|---:|---:|---:|---:|")
    for gain in (0.3, 0.6):
        for seeds in (3, 5, 10):
            world = World(seeds=seeds, gain=gain, quirk=0.5)
            delta, found = truth(world, 1500)
            share, _ = excludes_zero(world, STUDIES, "planted")
            write(f"| {delta:.1f} pp | {seeds} | {100 * detection_power(delta, found):.0f} % | {100 * share:.0f} % |")


def false_rates(world: World) -> list[float]:
    """Return how often each procedure tells networks apart that are equally good."""
    generator = Stream("figures", **vars(world)).generator()
    wrong = np.zeros(5)
    for k in range(STUDIES):
        first, second = draw(world, generator)
        wrong += significant(first, second, world, bootstrap=k < WITH_BOOTSTRAP)
    return [float(rate) for rate in wrong / [STUDIES, STUDIES, STUDIES, WITH_BOOTSTRAP, STUDIES]]


def significant(first: Array, second: Array, world: World, *, bootstrap: bool) -> Array:
    """Return which procedures exclude zero."""
    value, found = measured(first, second)
    distance = abs(value)
    boot = False
    if bootstrap:
        strata = np.repeat(np.arange(4), world.sources // 4)
        interval = hierarchical_bootstrap(first - second, strata=strata, resamples=499)
        boot = interval.low > 0 or interval.high < 0
    return np.array(
        [
            distance > found.half_width(1 - LEVEL),
            distance > VarianceComponents(n=found.n, seeds=found.seeds).half_width(1 - LEVEL),
            distance > satterthwaite(found),
            boot,
            pooled_mcnemar(first, second).p < 1 - LEVEL,
        ],
        dtype=float,
    )


def satterthwaite(found: VarianceComponents) -> float:
    """Return the half width with one number of degrees of freedom for both parts (Hillis 2007)."""
    own, shared = found.seeds / found.n, found.sources
    if own == 0 or own + shared == 0:
        return float("inf")
    freedom = (own + shared) ** 2 / (own**2 / (found.n - 1) + shared**2 / found.sources_degrees_of_freedom)
    return float(special.stdtrit(freedom, (1 + LEVEL) / 2) * np.sqrt(own + shared))


def write(line: str) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
