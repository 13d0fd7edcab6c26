"""The program in the documentation checks trails without any of our code."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def checker(checkout: Path, tmp_path: Path) -> Path:
    """The program of ``docs/trail.md`` as a file of its own."""
    text = (checkout / "docs" / "trail.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    path = tmp_path / "check_trail.py"
    path.write_text(program, encoding="utf-8")
    return path


def check(checker: Path, *folders: Path) -> subprocess.CompletedProcess[str]:
    # Isolated (-I) and without site packages (-S): nothing but Python.
    command = [sys.executable, "-I", "-S", str(checker), *map(str, folders)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_finds_nothing_wrong_with_real_runs(checker: Path, finished: Path) -> None:
    runs = sorted((finished / "study" / "runs").glob("[0-9a-f]*"))
    assert len(runs) == 2
    done = check(checker, *runs)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("trail.json", ('"learning_rate": 0.001', '"learning_rate": 0.002'), "broken at cell"),
        ("manifest.json", ('"trail": "', '"trail": "0'), "another head"),
        ("manifest.json", ('"numpy": "2.3"', '"numpy": "2.4"'), "another fingerprint"),
        ("manifest.json", ('"key": "', '"key": "0'), "key"),
        ("predictions_best.csv", ("0.", "1."), "predictions_best.csv"),
        ("metrics.json", ("0.", "1."), "metrics.json"),
        ("history.csv", ("0.5", "0.25"), "history.csv"),
    ],
)
def test_it_finds_what_was_changed(checker: Path, written: Any, name: str, change: tuple[str, str], said: str) -> None:
    assert check(checker, written.folder).stderr == ""
    written.replace(name, *change)
    done = check(checker, written.folder)
    assert done.returncode == 1
    assert said in done.stderr


def test_the_contents_are_those_of_real_trails(checkout: Path, finished: Path) -> None:
    """The tables name every link and every part of an epoch, and no others."""
    import json

    text = (checkout / "docs" / "trail.md").read_text(encoding="utf-8")
    for path in (finished / "study" / "runs").glob("*/trail.json"):
        links = json.loads(path.read_text())["links"]
        named = re.findall(
            r"^\| ((?:`[a-z 12_]+`(?:, )?)+)", text.split("## The links")[1].split("## What")[0], re.MULTILINE
        )
        assert [name for each in named for name in re.findall("`(.*?)`", each)] == [
            *(link["name"] for link in links),
            *links[6]["content"],
        ]
