"""The page of departures names a test for every line, and every test that it names exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent.parent
PAGE = CHECKOUT / "docs" / "reference" / "departures.md"
NAMED = re.compile(r"(tests/[\w/]+\.py)::(\w+)")
WITHOUT_A_TEST = ("about 90 further functions, in none of the lists",)
"""Lines about what is left out on purpose."""


def rows() -> list[list[str]]:
    """Return the cells of each line of the tables of the page, without their heads."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row, following in zip(cells, [*cells[1:], [""]], strict=True)
            if not set(row[0]) <= set("-: ") and not set(following[0]) <= set("-: ")]  # fmt: skip


@cache
def functions_of(file: str) -> frozenset[str]:
    tree = ast.parse((CHECKOUT / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("row", rows(), ids=lambda row: re.sub(r"\W+", "-", row[0])[:50])
def test_every_departure_has_tests_that_exist(row: list[str]) -> None:
    named = NAMED.findall(row[-1])
    assert bool(named) is (row[0] not in WITHOUT_A_TEST), row[0]
    assert NAMED.sub("", row[-1]).strip(", ") == "", f"{row[0]}: the last column holds more than tests"
    for file, name in named:
        assert (CHECKOUT / file).is_file(), f"{row[0]}: there is no {file}"
        assert name.startswith("test_"), f"{row[0]}: {name} is no test"
        assert name in functions_of(file), f"{row[0]}: {file} has no {name}"


def test_all_departures_are_read() -> None:
    assert len(rows()) > 70
    assert {len(row) for row in rows()} == {3, 4}
