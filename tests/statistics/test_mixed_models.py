"""Variances behind verdicts against mixed models that statsmodels fits by restricted maximum likelihood."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from statsmodels.regression.mixed_linear_model import MixedLM, MixedLMResults

from benchmarker import PooledVariance, Stream, seeds_and_sources


def fitted(model: MixedLM) -> MixedLMResults:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where a variance is small
        return model.fit(reml=True)


def test_a_table_of_split_seeds_has_the_standard_error_of_a_mixed_model() -> None:
    """Networks are fixed, seeds random: the error of a difference is that of the model's contrast."""
    generator = Stream("networks and seeds against a mixed model").generator()
    networks, seeds = 5, 6
    luck = 3.0 * generator.standard_normal(seeds)
    values = 60 + 4 * np.arange(networks)[:, None] + luck + generator.standard_normal((networks, seeds))
    table = {f"network {k}": dict(enumerate(map(float, row))) for k, row in enumerate(values)}
    frame = pd.DataFrame([(name, seed, v) for name, row in table.items() for seed, v in row.items()])
    frame.columns = pd.Index(["network", "seed", "value"])
    model = fitted(MixedLM.from_formula("value ~ C(network)", groups="seed", data=frame))
    pool = PooledVariance(table, paired=True)
    first = min(table, key=lambda name: pool.row(name).value if name != "network 0" else np.inf)
    pooled = sum(pool._variance[name] * pool._freedom[name] for name in table) / sum(pool._freedom.values())
    assert pooled == pytest.approx(model.scale, rel=1e-4)
    assert 2 * pooled / seeds == pytest.approx(float(model.bse_fe[f"C(network)[T.{first}]"]) ** 2, rel=1e-4)
    assert pool.pair(first, "network 0").value >= 2 * pooled * (1 - 1e-9)  # the guards only widen intervals


def test_a_difference_has_the_variance_of_crossed_random_seeds_and_sources() -> None:
    """Each prediction is a mean plus random effects of seed and source: the error is that of the model's mean."""
    generator = Stream("seeds and sources against a mixed model").generator()
    seeds, sources = 4, 40
    values = 5 + 4 * generator.standard_normal((seeds, 1)) + 8 * generator.standard_normal((1, sources))
    values = values + 10 * generator.standard_normal((seeds, sources))
    frame = pd.DataFrame(
        {
            "value": values.ravel(),
            "seed": np.repeat(np.arange(seeds), sources),
            "source": np.tile(np.arange(sources), seeds),
            "all": 1,
        }
    )
    crossed = {"seed": "0 + C(seed)", "source": "0 + C(source)"}
    model = fitted(MixedLM.from_formula("value ~ 1", groups="all", vc_formula=crossed, re_formula="0", data=frame))
    left_out = (values.sum(axis=1, keepdims=True) - values) / (sources - 1)
    found = seeds_and_sources(values.mean(axis=1), left_out)
    assert found is not None
    assert found.value == pytest.approx(float(model.fe_params.iloc[0]))
    assert found.components.standard_error == pytest.approx(float(model.bse_fe.iloc[0]), rel=1e-3)
