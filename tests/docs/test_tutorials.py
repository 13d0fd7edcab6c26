"""The tutorials work as they are written: their files and commands, on fewer and smaller images."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from benchmarker.cli.entry import cli

TUTORIALS = Path(__file__).resolve().parent.parent.parent / "docs" / "tutorials"
REGISTRIES = TUTORIALS.parent.parent / "registries"
SEEDS = ("8901,1826,4915", "8901,1826")  # two instead of three

pytestmark = pytest.mark.long


def blocks(page: str, language: str) -> list[str]:
    """Return the fenced blocks of a tutorial in one language."""
    text = (TUTORIALS / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def commands(page: str) -> list[list[str]]:
    """Return the words of the commands that a tutorial shows, with two seeds where it says three."""
    lines = re.findall(r"^\$ (.*)$", "".join(blocks(page, "console")), re.MULTILINE)
    return [shlex.split(line.replace(*SEEDS).replace(" quickstart", " quickstart.yaml")) for line in lines]


def shrunk(text: str, **changes: Any) -> str:
    """Return a registry with one network, one seed, one epoch, and few small images."""
    content = yaml.safe_load(text)
    content["models"] = [{**content["models"][0], "epochs": 1, "learning_rate": 0.001}]
    content["seeds"] = [8901]
    content["training"] = {"threads": 1}
    content["dataset"] |= {"options": {"images_per_class": 12, "size": 48}} if "options" in content["dataset"] else {}
    return str(yaml.safe_dump(content | changes))


Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command of a tutorial in an empty folder, and return what it prints."""
    monkeypatch.chdir(tmp_path)

    def run(words: list[str], exit_code: int = 0) -> str:
        if words[0] != "benchmarker":
            return subprocess.run(words, check=True, capture_output=True, text=True).stdout
        result = CliRunner().invoke(cli, words[1:], catch_exceptions=False, standalone_mode=False)
        assert (result.return_value or 0) == exit_code, result.output
        return result.output

    return run


def test_first_comparison_and_its_audit_work_as_written(run: Run) -> None:
    arms = [{"name": "flips-and-turns", "augmentations": ["flips", "quarter-turns"]}]
    registry = shrunk((REGISTRIES / "quickstart.yaml").read_text(encoding="utf-8"), arms=arms)
    Path("quickstart.yaml").write_text(registry, encoding="utf-8")
    *training, show = commands("first_comparison")
    printed = [run(words) for words in training]
    assert "1 of 1 cells finished" in printed[1]
    assert "2 of 2 cells finished" in printed[2]
    assert Path("results/quickstart/report/report.html").is_file()
    assert show[:3] == ["benchmarker", "show", "results/quickstart"]
    assert "Confusion matrix" in run([*show[:3], show[3].replace("convxpress", "mcrgnet")])
    _referee(run)


def _referee(run: Run) -> None:
    """Audit the files of a forged copy; tests of audits train cells again."""
    offline, copy, leaderboard, forged, sample, power, report, *publish = commands("convince_a_referee")
    sign, crate, unpack, verify, again, cells = publish
    assert offline == ["benchmarker", "audit", "results/quickstart", "--offline"]
    assert [words[1] for words in (sample, again, cells)] == ["audit"] * 3
    run(copy)
    metrics = min(Path("results/forged/runs").glob("*/metrics.json"))
    text = metrics.read_text(encoding="utf-8")
    metrics.write_text(re.sub(r'("mean_per_class_accuracy": )[\d.]+', r"\g<1>99.0", text), encoding="utf-8")
    before, after = (run([*leaderboard[:2], f"results/{name}"]) for name in ("quickstart", "forged"))
    assert before != after
    printed = run(forged, exit_code=1)
    assert "1 differs, 1 intact" in printed
    assert "metrics.json (metrics)" in printed
    assert "needed" in run(power)
    run([*report[:4], "latex", *report[5:]])
    assert "newcommand" in Path("paper/numbers.tex").read_text(encoding="utf-8")
    for words in (sign, crate, unpack):
        run(words)
    assert "intact" in run(verify)
    assert "2 intact" in run(again)


def test_own_images_are_read_as_written(run: Run) -> None:
    (script,) = blocks("your_own_images", "python")
    Path("practice_images.py").write_text(script, encoding="utf-8")
    runpy.run_path("practice_images.py")
    registry, addition = blocks("your_own_images", "yaml")
    Path("mine.yaml").write_text(yaml.safe_dump({**yaml.safe_load(registry), **yaml.safe_load(addition)}))
    _, validate, train, power, *_ = commands("your_own_images")
    assert "18 cells" in run(validate)
    Path("mine.yaml").write_text(shrunk(registry, arms=["real"]), encoding="utf-8")
    printed = run(train)
    shown = next(block for block in blocks("your_own_images", "text") if "skipped" in block)
    assert [line for line in shown.splitlines() if line not in printed] == []
    run(power)


def test_own_network_is_installed_found_and_tested(run: Run, tmp_path: Path) -> None:
    module, test = blocks("your_own_network", "python")
    (project,) = blocks("your_own_network", "toml")
    (registry,) = blocks("your_own_network", "yaml")
    package = tmp_path / "my_network"
    package.mkdir()
    for name, text in (("my_network.py", module), ("test_my_network.py", test), ("pyproject.toml", project)):
        (package / name).write_text(text, encoding="utf-8")
    (tmp_path / "compare.yaml").write_text(registry, encoding="utf-8")
    install, listing, testing, validate, _ = commands("your_own_network")
    assert install == ["python", "-m", "pip", "install", "--editable", "./my_network"]
    site = ["--quiet", "--no-deps", "--no-build-isolation", "--target", "site"]
    run([sys.executable, "-m", "pip", "install", *site, "./my_network"])
    environment = {**os.environ, "PYTHONPATH": "site"}
    for words, expected in ((listing, "my-network 0.1.0"), (validate, "9 cells")):
        command = [sys.executable, "-m", *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert expected in done.stdout
    tested = [sys.executable, *testing[1:], "-q", "-p", "no:cacheprovider"]
    assert "1 passed" in subprocess.run(tested, env=environment, capture_output=True, text=True, check=True).stdout


def test_augmentation_is_compared_as_written(run: Run) -> None:
    """A GAN takes too long here: tests of generators train some, this one runs the control alone."""
    registry = next(block for block in blocks("does_augmentation_help", "yaml") if "generators:" in block)
    Path("augmentation.yaml").write_text(registry, encoding="utf-8")
    validate, train, grid, compare, control_only, power, report = commands("does_augmentation_help")
    assert "20 cells" in run(validate)
    assert [train[1:3], grid[1:3]] == [["gan", "train"], ["gan", "grid"]]
    assert control_only[1] == "compare"
    content = yaml.safe_load(registry)
    control = next(arm for arm in content["arms"] if isinstance(arm, dict) and arm["name"] == "repeated")
    content["dataset"]["split"] = {"train": 6, "validation": 3}
    content.pop("generators")
    Path("augmentation.yaml").write_text(shrunk(yaml.safe_dump(content), arms=[control]), encoding="utf-8")
    assert "1 of 1 cells finished" in run(compare)
    assert "nothing to compare" in run(power)
    run(report)
    assert "repeated" in Path("results/augmentation/report/report.html").read_text(encoding="utf-8")
