"""The examples in docstrings run, and give what they say."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
SOURCE_ROOTS = {"benchmarker": ".", "plugins": "plugins", "architectures": "architectures", "reports": "reports"}


def modules_with_examples() -> list[str]:
    """Return the names of modules whose text holds a prompt of Python."""
    found = []
    for folder, root in SOURCE_ROOTS.items():
        for path in sorted((CHECKOUT / folder).rglob("*.py")):
            if ">>> " in path.read_text(encoding="utf-8"):
                parts = path.relative_to(CHECKOUT / root).with_suffix("").parts
                found.append(".".join(parts).removesuffix(".__init__"))
    return found


@pytest.mark.parametrize("name", modules_with_examples())
def test_docstring_examples_of_a_module_run(name: str) -> None:
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 0
    assert result.failed == 0
