"""What `make mutation` changes, and that its list of modules, tests and equivalents is up to date."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutation import CHECKOUT, MutatedFinder, Target, mutant_at, places_of, read_targets

SOURCE = '''
@dataclass(frozen=True)
class Sum:
    first: int | None

def add(first: int | None, *, second: int = 1) -> int | None:
    """Return 1 + 1."""
    if TYPE_CHECKING:
        first = 5
    for one, other in zip(first, second, strict=True):
        if one > other:
            raise ValueError(f"{one + 1}")
    return first + second
'''


def test_operators_numbers_and_conditions_change_one_at_a_time() -> None:
    mutants = [mutant_at(place, "sum.py", SOURCE) for place in places_of("sum.py", SOURCE)]
    assert {mutant.before for mutant in mutants} == {
        "def add(first: int | None, *, second: int = 1) -> int | None:",  # the default
        "for one, other in zip(first, second, strict=True):",  # no iteration, but not strict=False
        "if one > other:",
        "return first + second",
    }
    assert not any("strict=False" in mutant.source for mutant in mutants)
    for mutant in mutants:
        kept = ("first: int | None\n", "second: int = ", ") -> int | None:", "frozen=True", 'f"{one + 1}"', "first = 5")
        assert all(text in mutant.source for text in kept)
        assert mutant.source.splitlines()[mutant.line - 1].strip() == mutant.after != mutant.before


def test_order_of_places_does_not_depend_on_lines_before() -> None:
    below = "# A comment.\n" + SOURCE
    changes = [mutant_at(place, "sum.py", SOURCE).after for place in places_of("sum.py", SOURCE)]
    assert [mutant_at(place, "sum.py", below).after for place in places_of("sum.py", below)] == changes


def test_exceptions_with_dotted_names_stay() -> None:
    """Cosmic Ray cannot replace them."""
    source = "try:\n    a = 1\nexcept (OSError, zipfile.BadZipFile):\n    a = 2\n"
    mutants = [mutant_at(place, "sum.py", source) for place in places_of("sum.py", source)]
    assert {mutant.before for mutant in mutants} == {"a = 1", "a = 2"}


def test_finder_finds_the_changed_module_only() -> None:
    finder = MutatedFinder(CHECKOUT / "benchmarker" / "trail.py", "START = 1")
    assert finder.find_spec("benchmarker.digests") is None
    spec = finder.find_spec("benchmarker.trail")
    assert spec is not None
    assert spec.loader is not None
    assert "START" in spec.loader.get_code("benchmarker.trail").co_names  # type: ignore[attr-defined]


@pytest.mark.parametrize("target", read_targets(), ids=lambda target: target.module)
def test_listed_modules_tests_and_equivalents_exist(target: Target) -> None:
    lines = {line.strip() for line in (CHECKOUT / target.module).read_text().splitlines()}
    assert {before for before, _ in target.equivalents} <= lines
    assert all((CHECKOUT / Path(test.partition("::")[0])).is_file() for test in target.tests)
