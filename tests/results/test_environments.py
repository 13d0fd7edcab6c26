"""Fingerprints are compared, and their differences named."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarker.results.environments import comparable, describe, differences, environment_labels, in_words
from benchmarker.study.fingerprint import Fingerprint

ENTRIES: dict[str, Any] = {
    "benchmarker": "0.1.0",
    "python": "3.12.3",
    "system": "Linux",
    "machine": "x86_64",
    "isa": ["sse4_2", "avx", "avx2"],
    "packages": {"keras": "3.15.0", "tensorflow": "2.21.0", "numpy": "2.4.0"},
    "plugins": {"architecture convxpress": "galaxy-benchmarker 0.1.0"},
    "backend": {"name": "tensorflow", "version": "2.21.0", "devices": ["CPU"], "onednn": "1", "op_determinism": True},
    "threads": 2,
    "precision": "float32",
}


HERE = Fingerprint.model_validate(ENTRIES)


def changed(**entries: Any) -> Fingerprint:
    return Fingerprint.model_validate(
        {
            name: {**value, **entries.get(name, {})} if isinstance(value, dict) else entries.get(name, value)
            for name, value in (dict.fromkeys(entries) | ENTRIES).items()
        }
    )


@pytest.mark.parametrize(
    ("entries", "label"),
    [
        ({"packages": {"tensorflow": "2.20.0"}, "backend": {"version": "2.20.0"}}, "tensorflow 2.20.0"),
        ({"backend": {"devices": ["NVIDIA H200", "NVIDIA H200"]}}, "NVIDIA H200, NVIDIA H200"),
        ({"threads": 1}, "1 thread"),
        ({"seeds_at_once": 8}, "8 seeds in one program"),
        ({"backend": {"onednn": "0"}}, "oneDNN off"),
        ({"backend": {"op_determinism": False}}, "op determinism off"),
        ({"isa": ["sse4_2", "avx", "avx2", "avx512f"]}, "avx512f"),
        ({"isa": ["sse4_2", "avx"]}, "without avx2"),
        ({"plugins": {"architecture convxpress": "somebody 2.0"}}, "somebody 2.0"),
        ({"python": "3.13.0"}, "python 3.13"),
        ({"precision": "mixed_bfloat16", "threads": 4, "benchmarker": "0.2.0"}, "mixed_bfloat16, 4 threads +1"),
        ({"backend": {"cuda": "13.0"}}, "cuda 13.0"),
    ],
)
def test_labels_say_what_differs(entries: dict[str, Any], label: str) -> None:
    labels = environment_labels([HERE, changed(**entries)])
    assert labels[1] == label
    assert labels[0] != label
    assert comparable(HERE) != comparable(changed(**entries))


def test_seeds_in_one_program_are_named() -> None:
    other = changed(seeds_at_once=8)
    assert environment_labels([HERE, other]) == ["1 seed in one program", "8 seeds in one program"]
    (difference,) = differences([other, HERE])
    assert in_words(difference).startswith("seeds in one program: 8 in the study, 1 here; a program for another number")


def test_labels_may_leave_out_plugins() -> None:
    other = changed(threads=1, plugins={"architecture convxpress": "somebody 2.0"})
    assert environment_labels([HERE, other]) == ["2 threads, galaxy-benchmarker 0.1.0", "1 thread, somebody 2.0"]
    assert environment_labels([HERE, other], plugins=False) == ["2 threads", "1 thread"]


def test_one_environment_needs_no_label() -> None:
    assert environment_labels([HERE]) == [""]
    assert comparable(changed(python="3.12.99")) == comparable(HERE)


def test_labels_of_different_environments_differ() -> None:
    many = [changed(threads=1, precision="x", benchmarker=f"0.{k}") for k in range(3)]
    labels = environment_labels([HERE, *many])
    assert len(set(labels)) == 4


def test_the_most_important_difference_comes_first() -> None:
    other = changed(python="3.13.0", threads=4, backend={"name": "jax"}, packages={"keras": "3.15.1"})
    found = differences([HERE, other])
    assert [difference.name for difference in found] == ["backend.name", "threads", "packages.keras", "python"]
    assert (
        describe(found) == "backend (tensorflow / jax), threads (2 / 4), keras (3.15.0 / 3.15.1), Python (3.12 / 3.13)"
    )


def test_differences_are_written_as_sentences() -> None:
    other = changed(threads=4, isa=["sse4_2", "avx", "avx512f"], packages={"scipy": "1.17"})
    assert [in_words(difference) for difference in differences([other, HERE])] == [
        "threads: 4 in the study, 2 here; another number of threads adds numbers in another order",
        "instruction sets: also avx512f in the study, also avx2 here; libraries choose kernels by instruction set",
        "scipy: 1.17 in the study, none here; it may prepare images or compute metrics differently",
    ]
