"""Tables of equal networks whose test sources come in fields that share what makes them hard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarker import NetworkResults, SeedResult, Stream
from benchmarker.statistics.comparing import compare_pair, corrected_table
from benchmarker.statistics.network_results import classification_sums
from benchmarker.statistics.pairing import pooled_variance
from tests.statistics.crossed import METRIC, SETTINGS

CLASSES = 4


@dataclass(frozen=True)
class Fields:
    """Five networks of the same ability, and the fields that their test sources lie in.

    Parameters
    ----------
    fields, size : int
        Number of fields, and of sources in each; classes take turns.
    shared : float
        Standard deviation of a network's bias for or against each field.
    """

    networks: int = 5
    seeds: int = 3
    fields: int = 20
    size: int = 10
    shared: float = 0.4
    luck: float = 0.1
    quirk: float = 0.45
    noise: float = 0.6
    difficulty: float = 1.5

    def rows(self, generator: np.random.Generator, *, declared: bool) -> list[NetworkResults]:  # noqa: TID251 - a type
        """Return the rows of one study, with the fields declared as clusters or not."""
        field = np.repeat(np.arange(self.fields), self.size)
        truth = np.arange(field.size) % CLASSES
        names = [f"source {k:04d}" for k in range(field.size)]
        clusters = {name: f"field {number}" for name, number in zip(names, field.tolist(), strict=True)}
        shape = (self.networks, self.seeds, field.size)
        latent = 1.0 - self.difficulty * generator.standard_normal(field.size)
        latent = latent + self.shared * generator.standard_normal((self.networks, 1, self.fields))[..., field]
        latent = latent + self.luck * generator.standard_normal((*shape[:2], 1))
        latent = latent + self.quirk * generator.standard_normal((self.networks, 1, field.size))
        latent = latent + self.noise * generator.standard_normal(shape)
        rows = []
        for network in range(self.networks):
            seeds = {}
            for seed in range(self.seeds):
                predicted = np.where(latent[network, seed] > 0, truth, (truth + 1) % CLASSES)
                sums = classification_sums(names, truth, predicted, CLASSES)
                sums = sums.clustered(clusters) if declared else sums
                recall = np.array([(predicted == truth)[truth == k].mean() for k in range(CLASSES)])
                seeds[seed] = SeedResult(value=100 * float(recall.mean()), sums=sums)
            name = f"network {network}"
            rows.append(NetworkResults(network=name, arm="real", model=name, planned=self.seeds, seeds=seeds))
        return rows


def false_tables_of_fields(world: Fields, studies: int, *, declared: bool) -> float:
    """Return the share of tables of equal networks with a false verdict."""
    generator = Stream("fields of sources", world=str(world)).generator()
    wrong = 0
    for _ in range(studies):
        rows = world.rows(generator, declared=declared)
        pool = pooled_variance(rows, SETTINGS)
        pairs = ((one, other) for k, one in enumerate(rows) for other in rows[:k])
        found = corrected_table(
            "networks", "", METRIC, (compare_pair(one, other, SETTINGS, pool=pool) for one, other in pairs), 0.95
        )
        wrong += any(row.verdict in {"better", "worse"} for row in found.rows)
    return wrong / studies
