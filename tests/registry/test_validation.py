"""Errors of pydantic become problems with a path, a subject and a hint."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, model_validator

from benchmarker import Options
from benchmarker.registry.positions import KeyPath
from benchmarker.registry.validation import suggestion, validate


class Beam(Options):
    """A beam, nested in the options below."""

    fwhm: Annotated[float, Field(gt=0)]
    shape: Literal["round", "elliptic"] = "round"

    @model_validator(mode="after")
    def _not_tiny(self) -> Beam:
        if self.fwhm < 0.1:
            raise ValueError("the beam is narrower than a pixel")
        return self


class Survey(Options):
    """Options with every kind of type that plugins use."""

    beam: Beam | None = None
    bands: tuple[str, ...] = ("r",)
    sizes: tuple[int | float, ...] = ()
    deep: bool = False
    depths: Annotated[tuple[int, ...], Field(min_length=2)] = (1, 2)


def complaints(data: Any) -> list[tuple[KeyPath, str]]:
    model, found = validate(Survey, data, owner="the dataset 'sky'")
    assert model is None
    return [(problem.path, f"{problem.subject} {problem.text}") for problem in found]


def test_valid_data_become_the_model() -> None:
    survey, found = validate(Survey, {"beam": {"fwhm": 5}, "sizes": [1, 2.5]})
    assert found == []
    assert survey == Survey(beam=Beam(fwhm=5), sizes=(1, 2.5))


@pytest.mark.parametrize(
    ("data", "path", "words"),
    [
        ({"beam": {"fwhm": "5"}}, ("beam", "fwhm"), ("'fwhm' of the dataset 'sky'", "a number", "without quotes")),
        ({"beam": {"fwhm": 0}}, ("beam", "fwhm"), ("greater than 0", "Received: 0")),
        ({"beam": {"fwhm": 0.01}}, ("beam",), ("'beam'", ": the beam is narrower than a pixel")),
        ({"beam": {}}, ("beam", "fwhm"), ("'fwhm'", "is missing")),
        ({"beam": {"fwhm": 1, "shape": "rund"}}, ("beam", "shape"), ("'elliptic'", "did you mean 'round'?")),
        ({"beam": {"fwhm": 1, "with": 3}}, ("beam", "with"), ("unknown option 'with'", "fwhm, shape")),
        ({"bands": "r"}, ("bands",), ("a list", "write [r]")),
        ({"bands": ["r", 3]}, ("bands", 1), ("entry 2 of 'bands'", "put it in quotes")),
        ({"sizes": [1, "big"]}, ("sizes", 1), ("a whole number, or should be a number", "'big'")),
        ({"deep": "yes"}, ("deep",), ("true or false", "did you mean true?")),
        ({"depths": [1]}, ("depths",), ("at least 2 items", "Received: [1]")),
        ({"depths": ["one", 2]}, ("depths", 0), ("a whole number", "Received: 'one'")),
    ],
)
def test_one_error_is_one_problem_with_its_path(data: Any, path: KeyPath, words: tuple[str, ...]) -> None:
    [(found, text)] = complaints(data)
    assert found == path
    assert all(word in text for word in words), text


def test_misspelt_key_is_not_also_reported_as_missing() -> None:
    [(path, text)] = complaints({"beam": {"fwmh": 3}})
    assert path == ("beam", "fwmh")
    assert "did you mean 'fwhm'?" in text


def test_all_errors_are_returned() -> None:
    assert [path for path, _ in complaints({"beam": 3, "deep": 1, "wide": 2})] == [("beam",), ("deep",), ("wide",)]


def test_long_values_are_cut_in_messages() -> None:
    [(_, text)] = complaints({"deep": "x" * 1000})
    assert len(text) < 150
    assert text.endswith(" ...")


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [("Conv-Xpress", ["convxpress"], "convxpress"), ("convexpress", ["convxpress"], "convxpress"), ("z", ["a"], None)],
)
def test_suggestion_ignores_case_and_hyphens(name: str, known: list[str], meant: str | None) -> None:
    assert suggestion(name, known) == meant


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_numbers_must_be_finite(value: float) -> None:
    ((path, text),) = complaints({"beam": {"fwhm": value}})
    assert path == ("beam", "fwhm")
    assert "finite number" in text or "greater than 0" in text
    ((path, text),) = complaints({"sizes": [1.5, value]})
    assert path == ("sizes", 1)
    assert "finite number" in text
