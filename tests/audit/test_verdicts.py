"""Trails are compared link by link, and judged."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from benchmarker.audit.bands import MetricComparison
from benchmarker.audit.causes import CAUSES, UNKNOWN, difference_causes, usual_causes
from benchmarker.audit.verdicts import judge, judge_failure
from benchmarker.results.study import CellRecord
from benchmarker.results.trails import EPOCH_PARTS, differing_entries, fingerprint_differences, first_difference
from benchmarker.study.plan import PlanEntry
from benchmarker.trail import Trail

ENTRY = PlanEntry(
    key="0" * 64, configuration="1" * 64, model="a", architecture="a", arm="real", seed=8901, line=1, spec={}
)
CELL = CellRecord(entry=ENTRY)
LINKS: list[tuple[str, Any]] = [
    ("cell", {"key": "k", "spec": {"seed": 8901, "training": {"threads": 2}}}),
    ("fingerprint", {"packages": {"numpy": "2.3", "keras": "3.15"}, "isa": ["avx2"], "threads": 2}),
    ("data", {"digest": "d"}),
    ("split", {"digest": "s"}),
    ("training set", {"digest": "t", "images": 100}),
    ("initial weights", {"digest": "i"}),
    *((f"epoch {k}", {**dict.fromkeys(EPOCH_PARTS, f"{k}"), "metrics": {"loss": 1.0 / k}}) for k in (1, 2)),
    ("best weights", {"digest": "b", "epoch": 1}),
    ("final weights", {"digest": "f"}),
    ("predictions", {"best": "p", "final": "q"}),
    ("metrics", {"digest": "m"}),
]


def trail(changes: dict[str, Any] | None = None, *, without: str = "") -> Trail:
    """A trail in which ``"link/key/inner"`` has another value."""
    links = copy.deepcopy(LINKS)
    for path, value in (changes or {}).items():
        link, *steps = path.split("/")
        content: Any = dict(links)[link]
        for step in steps[:-1]:
            content = content[step]
        content[steps[-1]] = value
    made = Trail()
    for name, content in links:
        if name != without:
            made.add(name, content)
    return made


def metric(difference: float) -> MetricComparison:
    return MetricComparison(checkpoint="best", metric="accuracy", recorded=0.9, rerun=0.9 + difference, band=0.05)


def test_equal_trails_have_no_difference() -> None:
    assert first_difference(trail(), trail()) is None


@pytest.mark.parametrize(
    ("change", "name", "entry"),
    [
        ("cell/spec/seed", "cell", "spec.seed"),
        ("cell/spec/training/threads", "cell", "spec.training.threads"),
        ("data/digest", "data", "digest"),
        ("split/digest", "split", "digest"),
        ("training set/images", "training set", "images"),
        ("initial weights/digest", "initial weights", "digest"),
        ("epoch 1/order", "epoch 1 / order", "order"),
        ("epoch 2/weights", "epoch 2 / weights", "weights"),
        ("epoch 2/metrics/loss", "epoch 2 / metrics", "metrics.loss"),
        ("predictions/final", "predictions", "final"),
        ("metrics/digest", "metrics", "digest"),
    ],
)
def test_the_first_link_is_named(change: str, name: str, entry: str) -> None:
    found = first_difference(trail(), trail({change: 7, "metrics/digest": "also"}))
    assert found is not None
    assert found.name == name
    assert [each.name for each in found.entries] == [entry]
    assert found.entries[0].rerun in {"7", "also"}
    assert difference_causes(found) != UNKNOWN


@pytest.mark.parametrize(
    ("differing", "first"),
    [(("weights", "optimiser", "order"), "order"), (("weights", "random_state"), "random_state")],
)
def test_within_an_epoch_causes_come_before_effects(differing: tuple[str, ...], first: str) -> None:
    found = first_difference(trail(), trail({f"epoch 1/{part}": "x" for part in differing}))
    assert found is not None
    assert found.part == first


def test_a_trail_that_ends_early_is_found_on_either_side() -> None:
    for one, other in ((trail(), trail(without="epoch 2")), (trail(without="epoch 2"), trail())):
        found = first_difference(one, other)
        assert found is not None
        assert "epoch 2" in {found.entries[0].recorded, found.entries[0].rerun}
        assert difference_causes(found) == usual_causes("end")
    short = Trail(trail().links[:-1])
    found = first_difference(short, trail())
    assert found is not None
    assert (found.link, found.entries[0].recorded) == ("metrics", "(absent)")


def test_every_link_and_part_has_causes() -> None:
    for name, _ in LINKS:
        for part in EPOCH_PARTS if name.startswith("epoch") else ("",):
            assert usual_causes(name, part) != UNKNOWN, (name, part)
    assert usual_causes("epoch 1", "weights") != usual_causes("epoch 2", "weights")
    assert usual_causes("epoch 1", "metrics") != usual_causes("metrics")
    assert usual_causes("something new") == UNKNOWN
    assert all(CAUSES.values())


def test_entries_that_only_one_side_has_are_absent_on_the_other() -> None:
    entries = list(differing_entries({"a": {"b": 1}}, {"a": {"c": [1]}}))
    assert [(each.name, each.recorded, each.rerun) for each in entries] == [
        ("a.b", "1", "(absent)"),
        ("a.c", "(absent)", "[1]"),
    ]


def test_equal_trails_are_bitwise() -> None:
    found = judge(CELL, trail(), trail(), lambda: pytest.fail("there is nothing to compare"))
    assert (found.verdict, found.first_link) == ("bitwise", "")


def test_an_equal_environment_allows_no_tolerance() -> None:
    found = judge(CELL, trail(), trail({"epoch 2/weights": "x"}), lambda: pytest.fail("metrics do not matter here"))
    assert (found.verdict, found.first_link) == ("differs", "epoch 2 / weights")


OTHER = {"fingerprint/packages/numpy": "2.4", "fingerprint/isa": ["avx2", "avx512f"]}


def test_another_environment_is_named_and_metrics_decide() -> None:
    rerun = trail({**OTHER, "epoch 1/weights": "x", "metrics/digest": "y"})
    assert [each.name for each in fingerprint_differences(trail(), rerun)] == ["isa", "packages.numpy"]
    near = judge(CELL, trail(), rerun, lambda: (metric(0.04),))
    assert (near.verdict, near.first_link) == ("within tolerance", "epoch 1 / weights")
    assert near.environment[1].to_json() == {"entry": "packages.numpy", "recorded": "2.3", "rerun": "2.4"}
    far = judge(CELL, trail(), rerun, lambda: (metric(0.04), metric(-0.06)))
    assert far.verdict == "differs"
    assert "accuracy (best)" in far.summary


def test_another_environment_with_equal_bits_is_tolerated() -> None:
    found = judge(CELL, trail(), trail(OTHER), lambda: pytest.fail("bits are equal"))
    assert (found.verdict, found.difference) == ("within tolerance", None)


def test_a_crashed_rerun_gives_no_verdict_and_a_diverged_one_differs() -> None:
    assert judge_failure(CELL, "crashed", "its process ended").verdict == "unchecked"
    assert judge_failure(CELL, "out-of-memory", "no room").verdict == "unchecked"
    assert judge_failure(CELL, "diverged", "the loss is NaN").verdict == "differs"


@pytest.mark.parametrize("link", ["cell/key", "data/digest", "split/digest"])
def test_another_environment_does_not_excuse_other_inputs(link: str) -> None:
    found = judge(CELL, trail(), trail({**OTHER, link: "x"}), lambda: pytest.fail("not the same training"))
    assert (found.verdict, found.first_link) == ("differs", link.partition("/")[0])
