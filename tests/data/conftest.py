"""A dataset for the tests of loading and preparing."""

from __future__ import annotations

import sys
import types

import pytest

from tests.data.skies import Sky


@pytest.fixture
def sky(monkeypatch: pytest.MonkeyPatch) -> Sky:
    made = Sky()
    module = types.ModuleType("fake_sky")
    vars(module)["load"] = made.load
    monkeypatch.setitem(sys.modules, "fake_sky", module)
    return made
