"""Audits of real runs through the command line, with faults injected into them.

The program of the documentation, which needs none of our code, is here too: it looks at the same study, which another
process would have to train again.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarker.cli import main
from benchmarker.digests import digest_json
from benchmarker.files import write_json
from benchmarker.trail import Trail
from tests.fixture_plugins import install

Audit = Callable[..., tuple[int, dict[str, Any]]]

# A plugin that somebody installed after the study was run. Importing it is all that it takes.
WITH = """
from benchmarker import hookimpl

@hookimpl
def benchmarker_register(registrar):
    pass

"""
OTHER_ORDER = """
import sys
if "benchmarker.run.cell" in sys.modules:  # in a worker
    from benchmarker.training.batches import OrderedBatches
    kept = OrderedBatches._epoch
    def other(self, epoch):
        order, draws = kept(self, epoch)
        return (order[::-1].copy() if epoch == 1 else order), draws
    OrderedBatches._epoch = other
"""
OTHER_THREADS = """
import sys
if "benchmarker.run.cell" in sys.modules:
    import tensorflow as tf
    tf.config.threading.set_intra_op_parallelism_threads(2)
"""


def cell(report: dict[str, Any], model: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [each for each in report["cells"] if each["name"] == f"{model}/real/8901"]
    assert len(found) == 1
    return found[0]


def run_folder(folder: Path, model: str) -> Path:
    plan = json.loads((folder / "study" / "plan.json").read_text())
    keys: list[str] = [each["key"] for each in plan["cells"] if each["model"] == model]
    return folder / "study" / "runs" / keys[0][:16]


def test_an_unchanged_study_reproduces(finished: Path, tmp_path: Path, audit: Audit) -> None:
    """Global generators change nothing; only entropy of the system cannot be reproduced."""
    before = {path: path.read_bytes() for path in (finished / "study").rglob("*") if path.is_file()}
    code, report = audit(finished, "--keep", str(tmp_path / "kept"))
    careless, restless = cell(report, "careless"), cell(report, "restless")
    assert (careless["verdict"], careless["first_link"], careless["findings"]) == ("bitwise", "", [])
    assert (restless["verdict"], restless["first_link"]) == ("differs", "initial weights")
    assert "entropy" in " ".join(restless["usual_causes"])
    assert (code, report["verdict"], report["finished"], report["planned"]) == (1, "differs", 2, 2)
    assert {path: path.read_bytes() for path in (finished / "study").rglob("*") if path.is_file()} == before
    kept = tmp_path / "kept" / "runs" / careless["key"][:16]
    assert (kept / "trail.json").read_bytes() == (run_folder(finished, "careless") / "trail.json").read_bytes()


@pytest.mark.long
def test_another_order_of_batches_is_found(finished: Path, tmp_path: Path, audit_here: Audit) -> None:
    plugin = install(tmp_path / "site", "other_order", WITH + OTHER_ORDER)
    code, report = audit_here(finished, "--cells", "careless", site=plugin)
    assert (code, cell(report, "careless")["first_link"]) == (1, "epoch 2 / order")


@pytest.mark.long
def test_another_number_of_threads_is_found(finished: Path, tmp_path: Path, audit_here: Audit) -> None:
    plugin = install(tmp_path / "site", "other_threads", WITH + OTHER_THREADS)
    code, report = audit_here(finished, "--cells", "careless", site=plugin)
    found = cell(report, "careless")
    assert (code, found["first_link"]) == (1, "epoch 1 / weights")
    assert found["environment"] == []
    assert "threads" in found["usual_causes"][0]


def test_a_changed_byte_of_the_data_is_found(copied: Path, audit_here: Audit) -> None:
    """Size and time of the file stay as they were, so the cache does not notice."""
    from astropy.io import fits

    image = sorted((copied / "images").rglob("*.fits"))[3]
    times = image.stat()
    with fits.open(image, mode="update") as opened:
        opened[0].data[5, 7] = np.float32(opened[0].data[5, 7]) + 0.25
    os.utime(image, ns=(times.st_atime_ns, times.st_mtime_ns))
    code, report = audit_here(copied)
    assert code == 1
    assert {each["first_link"] for each in report["cells"]} == {"data"}
    assert all("nothing was trained" in each["summary"] for each in report["cells"])


def test_a_changed_seed_is_found(copied: Path, audit_here: Audit) -> None:
    """The plan claims another seed, with a matching key."""
    old = run_folder(copied, "careless")
    plan = json.loads((copied / "study" / "plan.json").read_text())
    (claimed,) = [each for each in plan["cells"] if each["model"] == "careless"]
    claimed["seed"] = claimed["spec"]["seed"] = 1826
    claimed["key"] = digest_json(claimed["spec"])
    write_json(copied / "study" / "plan.json", plan)
    shutil.move(old, run_folder(copied, "careless"))
    manifest = json.loads((run_folder(copied, "careless") / "manifest.json").read_text())
    write_json(run_folder(copied, "careless") / "manifest.json", manifest | {"seed": 1826, "key": claimed["key"]})
    code, report = audit_here(copied, "--cells", "careless")
    (found,) = report["cells"]
    assert (code, found["verdict"], found["first_link"]) == (1, "differs", "cell")
    assert any("spec.seed is 1826 in the plan and 8901 in the trail" in each["text"] for each in found["findings"])


def test_another_environment_is_tolerated(copied: Path, audit_here: Audit) -> None:
    """The study claims another version of NumPy, but the bits are the same."""
    run = run_folder(copied, "careless")
    links = json.loads((run / "trail.json").read_text())["links"]
    trail = Trail()
    for link in links:
        if link["name"] == "fingerprint":
            link["content"]["packages"]["numpy"] = "1.0"
            fingerprint = link["content"]
        trail.add(link["name"], link["content"])
    write_json(run / "trail.json", {"format": 1, "links": trail.to_json()})
    manifest = json.loads((run / "manifest.json").read_text())
    write_json(run / "manifest.json", manifest | {"fingerprint": fingerprint, "trail": trail.head})
    code, report = audit_here(copied, "--cells", "careless")
    found = cell(report, "careless")
    assert (code, report["verdict"], found["first_link"]) == (3, "within tolerance", "")
    assert [(each["entry"], each["recorded"]) for each in found["environment"]] == [("packages.numpy", "1.0")]


def test_changed_files_are_found_without_training(copied: Path, audit: Audit) -> None:
    """An edited table and an edited weight are found, also in a study that was moved without its images."""
    shutil.move(copied / "images", copied / "elsewhere")
    table = run_folder(copied, "careless") / "predictions_best.csv"
    table.write_text(table.read_text().replace("FRII", "FRI", 1))
    tamper_with_one_weight(run_folder(copied, "restless") / "weights_final.weights.h5")
    code, report = audit(copied, "--offline")
    assert (code, report["verdict"], report["mode"]) == (1, "differs", "files")
    assert cell(report, "careless")["first_link"] == "predictions"
    assert cell(report, "careless")["findings"][0]["file"] == "predictions_best.csv"
    (found,) = cell(report, "restless")["findings"]
    assert (found["link"], found["file"]) == ("final weights", "weights_final.weights.h5")


def tamper_with_one_weight(path: Path) -> None:
    import h5py

    arrays: list[Any] = []
    with h5py.File(path, "r+") as file:
        file.visititems(lambda _name, item: arrays.append(item) if isinstance(item, h5py.Dataset) else None)
        kernel = max(arrays, key=lambda array: array.size)
        kernel[(0,) * kernel.ndim] += np.float32(1e-6)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--cells", "convxpress"), "has no cell 'convxpress'"),
        (("--sample", "3"), "more than the 2 cell(s)"),
        (("--offline", "--keep", "kept"), "--keep"),
        (("--keep", "."), "an empty or new folder"),
        (("-d", "nowhere"), "-d"),
    ],
)
def test_impossible_audits_are_refused(
    finished: Path,
    arguments: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(finished)
    assert main(["audit", "study", *arguments]) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert not printed.out


@pytest.fixture
def checker(checkout: Path, tmp_path: Path) -> Path:
    """The program of ``docs/reference/trail.md`` as a separate file."""
    text = (checkout / "docs" / "reference" / "trail.md").read_text(encoding="utf-8")
    program = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)[-1]
    path = tmp_path / "check_trail.py"
    path.write_text(program, encoding="utf-8")
    return path


def check(checker: Path, *folders: Path) -> subprocess.CompletedProcess[str]:
    # Isolated (-I) and without site packages (-S): nothing but Python.
    command = [sys.executable, "-I", "-S", str(checker), *map(str, folders)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_documented_checker_accepts_real_runs(checker: Path, finished: Path) -> None:
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
def test_the_documented_checker_finds_changes(
    checker: Path, written: Any, name: str, change: tuple[str, str], said: str
) -> None:
    assert check(checker, written.folder).stderr == ""
    written.replace(name, *change)
    done = check(checker, written.folder)
    assert done.returncode == 1
    assert said in done.stderr


def test_the_documented_contents_are_those_of_real_trails(checkout: Path, finished: Path) -> None:
    """The tables name every link and every part of an epoch, and no others."""
    text = (checkout / "docs" / "reference" / "trail.md").read_text(encoding="utf-8")
    for path in (finished / "study" / "runs").glob("*/trail.json"):
        links = json.loads(path.read_text())["links"]
        named = re.findall(
            r"^\| ((?:`[a-z 12_]+`(?:, )?)+)", text.split("## The links")[1].split("## What")[0], re.MULTILINE
        )
        documented = [name for each in named for name in re.findall("`(.*?)`", each)]
        documented.remove("generated")  # only of images that are new in every epoch
        assert documented == [*(link["name"] for link in links), *links[6]["content"]]
