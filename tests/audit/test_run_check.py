"""Changes to the files of a run are found and named, without training anything."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarker.audit.audit import _check_registry
from benchmarker.audit.run_check import check_run
from benchmarker.audit.verdicts import Finding
from benchmarker.audit.weights import WeightsDigest
from benchmarker.digests import digest_json
from benchmarker.results.study import read_study
from benchmarker.trail import Trail

WrittenRun = Any


def findings(written: WrittenRun, weights: dict[str, str] | None = None) -> tuple[Finding, ...]:
    (cell,) = read_study(written.study.folder).cells
    digests = {
        name: WeightsDigest(key=cell.key, checkpoint=name, digest=digest)
        for name, digest in (written.weights if weights is None else weights).items()
    }
    return check_run(cell, written.task, digests)


def named(found: tuple[Finding, ...]) -> list[tuple[str, str]]:
    return [(finding.link, finding.file) for finding in found]


def test_files_as_a_run_wrote_them_are_intact(written: WrittenRun) -> None:
    assert findings(written) == ()
    assert not list(_check_registry(read_study(written.study.folder)))


def test_one_changed_prediction_is_found(written: WrittenRun) -> None:
    text = (written.folder / "predictions_best.csv").read_text()
    digit = re.search(r"\.(\d)", text)
    assert digit is not None
    written.replace("predictions_best.csv", digit[0], f".{(int(digit[1]) + 1) % 10}")
    assert named(findings(written))[0] == ("predictions", "predictions_best.csv")


def test_a_changed_prediction_with_forged_digests_is_found(written: WrittenRun) -> None:
    """A forger who also rebuilds the trail is found by the metrics that do not follow."""
    from benchmarker.digests import digest_file

    row = (written.folder / "predictions_final.csv").read_text().splitlines()[1]
    right = row.split(",")[2]
    values = dict.fromkeys(written.task.classes, 0.1) | {next(c for c in written.task.classes if c != right): 0.7}
    forged = ",".join([*row.split(",")[:3], max(values, key=lambda c: values[c]), *map(str, values.values())])
    written.replace("predictions_final.csv", row, forged)
    digest = digest_file(written.folder / "predictions_final.csv")

    rebuild(written, {"predictions": {"final": digest}})
    written.edit("manifest.json", lambda manifest: manifest["digests"].update(predictions_final=digest))
    assert named(findings(written)) == [("metrics", "metrics.json")]


def rebuild(written: WrittenRun, changes: dict[str, Any]) -> None:
    """Forge the trail with a chain that is whole, and its head in the manifest."""
    old = json.loads((written.folder / "trail.json").read_text())
    trail = Trail()
    for link in old["links"]:
        trail.add(link["name"], {**link["content"], **changes.get(link["name"], {})})
    (written.folder / "trail.json").write_text(json.dumps({"format": 1, "links": trail.to_json()}))
    written.edit("manifest.json", lambda manifest: manifest.update(trail=trail.head))


def test_changed_weights_are_found(written: WrittenRun) -> None:
    found = findings(written, written.weights | {"final": "0" * 64})
    assert named(found) == [("final weights", "weights_final.weights.h5")]


def test_unreadable_weights_are_found(written: WrittenRun) -> None:
    (cell,) = read_study(written.study.folder).cells
    unreadable = WeightsDigest(key=cell.key, checkpoint="best", problem="bad signature")
    found = check_run(cell, written.task, {"best": unreadable})
    assert named(found) == [
        ("best weights", "weights_best.weights.h5"),
        ("final weights", "weights_final.weights.h5"),
    ]
    assert "bad signature" in found[0].text


def test_a_changed_metric_is_found(written: WrittenRun) -> None:
    written.edit("metrics.json", lambda metrics: metrics["best"]["test"].update(accuracy=0.99))
    found = findings(written)
    assert {finding.file for finding in found} == {"metrics.json"}
    assert any("best.test.accuracy" in finding.text for finding in found)


def test_a_changed_class_metric_and_best_epoch_are_found(written: WrittenRun) -> None:
    written.edit("metrics.json", lambda metrics: metrics["final"]["per_class"]["FRII"].update(recall=0.123))
    written.edit("metrics.json", lambda metrics: metrics["best"].update(epoch=1))
    texts = " ".join(finding.text for finding in findings(written))
    assert "final.per_class.FRII.recall" in texts
    assert "best.epoch should be 2" in texts


def test_added_white_space_in_metrics_is_found(written: WrittenRun) -> None:
    path = written.folder / "metrics.json"
    path.write_text(path.read_text() + "\n")
    assert named(findings(written)) == [("metrics", "metrics.json")]


def test_a_changed_row_of_the_history_is_found(written: WrittenRun) -> None:
    written.replace("history.csv", "2,0.001,0.5,", "2,0.001,0.4,")
    (found,) = findings(written)
    assert (found.link, found.file) == ("epoch 2", "history.csv")
    assert "loss" in found.text


@pytest.mark.parametrize("cut", [r"\n3,[^\n]*", r"(?s)\n1.*"])
def test_missing_rows_of_the_history_are_found(written: WrittenRun, cut: str) -> None:
    path = written.folder / "history.csv"
    path.write_text(re.sub(cut, "", path.read_text()))
    found = findings(written)
    assert found
    assert {finding.file for finding in found} == {"history.csv"}


@pytest.mark.parametrize(
    ("change", "link"),
    [
        (lambda m: m.update(seed=1826), "cell"),
        (lambda m: m.update(model="another"), "cell"),
        (lambda m: m.update(configuration="0" * 64), "cell"),
        (lambda m: m.update(trained=False), "cell"),
        (lambda m: m["fingerprint"]["packages"].update(numpy="2.4"), "fingerprint"),
        (lambda m: m["digests"].update(data="0" * 64), "data"),
        (lambda m: m["digests"].update(split="0" * 64), "split"),
        (lambda m: m["digests"].pop("initial_weights"), "initial weights"),
        (lambda m: m["digests"].update(best_weights="0" * 64), "best weights"),
        (lambda m: m["digests"].update(predictions_final="0" * 64), "predictions"),
        (lambda m: m.update(trail="0" * 64), "metrics"),
    ],
)
def test_a_changed_entry_of_the_manifest_is_found(
    written: WrittenRun, change: Callable[[Any], object], link: str
) -> None:
    written.edit("manifest.json", change)
    found = findings(written)
    assert found
    assert (found[0].link, found[0].file) == (link, "manifest.json")


@pytest.mark.parametrize(
    ("file", "entry", "link"),
    [("manifest.json", "digests", "cell"), ("metrics.json", "parts", "metrics"), ("costs.json", "flops", "metrics")],
)
def test_a_file_without_an_entry_is_found(written: WrittenRun, file: str, entry: str, link: str) -> None:
    written.edit(file, lambda content: content.pop(entry))
    (found,) = findings(written)
    assert found.link == link
    assert Path(found.file).name == file
    assert entry in found.text


def test_a_link_without_its_content_is_found(written: WrittenRun) -> None:
    rebuild(written, {"split": {"digest": None}})
    (found,) = findings(written)
    assert (found.link, found.file) == ("split", "trail.json")
    assert "digest" in found.text


def test_a_changed_link_of_the_trail_is_found(written: WrittenRun) -> None:
    written.edit("trail.json", lambda trail: trail["links"][7]["content"].update(weights="0" * 64))
    assert named(findings(written)) == [("epoch 2", "trail.json")]


@pytest.mark.parametrize("position", [1, 7, -1])
def test_a_missing_link_is_found(written: WrittenRun, position: int) -> None:
    """Even where the chain is made whole again."""
    trail = json.loads((written.folder / "trail.json").read_text())
    del trail["links"][position]
    forged = Trail()
    for link in trail["links"]:
        forged.add(link["name"], link["content"])
    (written.folder / "trail.json").write_text(json.dumps({"format": 1, "links": forged.to_json()}))
    written.edit("manifest.json", lambda manifest: manifest.update(trail=forged.head))
    found = findings(written)
    assert found
    assert found[0].file == "trail.json"


def test_best_weights_of_another_epoch_are_found(written: WrittenRun) -> None:
    rebuild(written, {"best weights": {"digest": "1" * 64, "epoch": 1}})
    written.edit("manifest.json", lambda manifest: manifest["digests"].update(best_weights="1" * 64))
    found = findings(written, written.weights | {"best": "1" * 64})
    assert ("best weights", "trail.json") in named(found)


@pytest.mark.parametrize("content", ["", "[]", '{"format": 2}', '{"format": 1, "links": [{}]}', '{"format": 1}'])
def test_a_malformed_trail_is_found(written: WrittenRun, content: str) -> None:
    (written.folder / "trail.json").write_text(content)
    assert [finding.file for finding in findings(written)] == ["trail.json"]


@pytest.mark.parametrize("name", ["trail.json", "history.csv", "predictions_final.csv", "metrics.json"])
def test_a_missing_file_is_found(written: WrittenRun, name: str) -> None:
    (written.folder / name).unlink()
    found = findings(written)
    assert found
    assert name in found[0].file + found[0].text


@pytest.mark.parametrize(
    "text", ["", "source_id\n", "source_id,image,true\na,b\n", "\x00\n", "source_id,image\na,1,2\n"]
)
def test_malformed_predictions_are_found(written: WrittenRun, text: str) -> None:
    (written.folder / "predictions_best.csv").write_text(text)
    found = findings(written)
    assert ("predictions", "predictions_best.csv") in named(found)
    assert any("cannot be read" in finding.text for finding in found)


def test_an_edited_seed_in_the_plan_is_found(written: WrittenRun) -> None:
    """The settings were edited, the key was not."""
    written.cell["spec"]["seed"] = 1826
    written.study.write_plan()
    found = findings(written)
    assert named(found)[0] == ("cell", "plan.json")
    assert any("spec.seed is 1826 in the plan and 8901 in the trail" in finding.text for finding in found)


def test_an_edited_seed_with_a_matching_key_is_found(written: WrittenRun) -> None:
    old = written.folder
    written.cell["spec"]["seed"] = written.cell["seed"] = 1826
    written.cell["key"] = digest_json(written.cell["spec"])
    written.study.write_plan()
    shutil.move(old, Path(written.study.folder) / "runs" / written.cell["key"][:16])
    written.edit("manifest.json", lambda manifest: manifest.update(key=written.cell["key"], seed=1826))
    found = findings(written)
    assert found[0].link == "cell"
    assert any("spec.seed" in finding.text for finding in found)


def test_an_edited_registry_is_found(written: WrittenRun) -> None:
    path = written.study.folder / "registry.yaml"
    path.write_text("title: another\n")
    assert [each.file for each in _check_registry(read_study(written.study.folder))] == ["registry.yaml"]
    path.unlink()
    assert [each.file for each in _check_registry(read_study(written.study.folder))] == ["registry.yaml"]
