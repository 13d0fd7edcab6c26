"""Plugins that end the process, hang or leave threads when they are imported are refused, by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarker import trials
from benchmarker.entry_points import find
from tests.fixture_plugins import install_distribution, plugin_source

if TYPE_CHECKING:
    from tests.conftest import CommandLine

GOOD = plugin_source("architecture(Architecture(name='good_network', builder='x:y', citation='none'))")
THREAD = """
import os, threading, time
def run():
    time.sleep({seconds})
    os._exit({code})
threading.Thread(target=run, name="watcher", daemon={daemon}).start()
"""
MISCHIEF = {
    "leaves_at_once": ("import os\nos._exit(0)\n", "ends the process (exit code 0)"),
    "leaves_later": (THREAD.format(seconds=5, code=0, daemon=True) + GOOD, "leaves threads running: watcher"),
    "never_leaves": (THREAD.format(seconds=600, code=0, daemon=False) + GOOD, "leaves threads running: watcher"),
    "is_killed": ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n", "ends the process (signal 11)"),
    "has_bad_options": (
        plugin_source("architecture(Architecture(name='bad', builder='x:y', citation='', options='leaves_at_once:X'))"),
        "ends the process (exit code 0)",
    ),
}


def test_plugins_that_misbehave_at_import_end_no_command(command_line: CommandLine, tmp_path: Path) -> None:
    for name, (source, _) in {**MISCHIEF, "behaves": (GOOD, "")}.items():
        install_distribution(tmp_path / "site", name, {name: (name, source)})
    environment = {"PYTHONPATH": str(tmp_path / "site"), "BENCHMARKER_CACHE": str(tmp_path / "cache")}
    listed = command_line.run("list", "architectures", cwd=tmp_path, env=environment)
    assert listed.returncode == 0, listed.stderr
    assert "  good_network " in listed.stdout
    for name, (_, reason) in MISCHIEF.items():
        assert f"{name} from {name} 1.0: importing it {reason}" in listed.stdout
    assert len(list((tmp_path / "cache" / "plugins").iterdir())) == len(MISCHIEF) + 1
    schema = command_line.run("schema", cwd=tmp_path, env=environment)
    assert json.loads(schema.stdout)["title"] == "Registry of the galaxy benchmarker"


@pytest.fixture
def behaving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, isolated_cache: Path) -> Path:
    """A module that is installed as a plugin; the cache is empty."""
    monkeypatch.syspath_prepend(tmp_path / "site")
    install_distribution(tmp_path / "site", "behaving", {"behaving": ("sky_behaving", GOOD)})
    assert not list(isolated_cache.iterdir())
    return tmp_path / "site" / "sky_behaving.py"


def test_known_plugins_cost_no_process(behaving: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = find()
    assert trials.problems(points) == {}
    with monkeypatch.context() as patch:
        patch.setattr("subprocess.run", lambda *_, **__: pytest.fail("a process was started"))
        assert trials.problems(points) == {}
    behaving.write_text("import os\nos._exit(3)\n")
    (problem,) = trials.problems(points).values()
    assert problem == "importing it ends the process (exit code 3)"


def test_plugin_that_hangs_at_import_is_refused(behaving: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    behaving.write_text("import time\ntime.sleep(600)\n")
    monkeypatch.setattr(trials, "SECONDS", 1.0)
    (problem,) = trials.problems(find()).values()
    assert problem == "importing it takes longer than 1 s"


def test_plugins_are_tried_without_a_cache(behaving: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHMARKER_CACHE", "/proc/cache")
    behaving.write_text("import os\nos._exit(3)\n")
    assert len(trials.problems(find())) == 1
