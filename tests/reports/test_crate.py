"""The archive for a referee."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarker import ReportOptions, open_results
from benchmarker.cli import main
from benchmarker_reports.formats.crate import FILE, METADATA, render

if TYPE_CHECKING:
    from tests.conftest import StudyFiles


@pytest.fixture
def finished(study: StudyFiles) -> StudyFiles:
    for seed in (8901, 1826):
        run = study.finish(study.cell("convxpress", seed), 93.0)
        (run / "log.txt").write_text(f"read {Path.home()}/secret/data\n")
        (run / "samples").mkdir()
        (run / "samples" / "grid.png").write_bytes(b"\x89PNG")
    failed = study.fail(study.cell("mcrgnet", 8901), "crashed", f"{Path.home()}/network.py is wrong")
    (failed / "traceback.txt").write_text(f"File {Path.home()}/network.py")
    (study.folder / "registry.yaml").write_text(f"dataset: {{name: images-folder, path: {Path.home()}/galaxies}}\n")
    (study.folder / "splits").mkdir()
    (study.folder / "splits" / "8901-0123abcd.csv").write_text("source_id,part\nJ0001,train\n")
    return study


def opened(study: StudyFiles) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(render(open_results(study.folder), ReportOptions())[FILE]))


def graph(archive: zipfile.ZipFile) -> dict[str, dict[str, Any]]:
    return {entity["@id"]: entity for entity in json.loads(archive.read(METADATA))["@graph"]}


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        if set(value) == {"@id"}:
            return {value["@id"]}
        return set().union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def test_the_same_study_gives_the_same_archive(finished: StudyFiles) -> None:
    one, other = (render(open_results(finished.folder), ReportOptions()) for _ in range(2))
    assert one == other


def test_every_file_is_described_and_every_reference_leads_somewhere(finished: StudyFiles) -> None:
    archive = opened(finished)
    entities = graph(archive)
    assert set(archive.namelist()) - {METADATA} <= set(entities)
    found = set().union(*(references(entity) for entity in entities.values()))
    outside = {"https://w3id.org/ro/crate/1.1"}
    assert found - set(entities) == outside
    parts = references([entity.get("hasPart", []) for entity in entities.values()])
    assert set(archive.namelist()) - {METADATA} <= parts


def test_each_finished_run_is_an_action_with_its_results(finished: StudyFiles) -> None:
    entities = graph(opened(finished))
    actions = [entity for entity in entities.values() if entity["@type"] == "CreateAction"]
    assert [action["name"] for action in actions] == [
        "Training of convxpress/real/8901",
        "Training of convxpress/real/1826",
    ]
    for action in actions:
        folder = entities[action["result"]["@id"]]
        assert {part["@id"].rpartition("/")[2] for part in folder["hasPart"]} >= {"manifest.json", "grid.png"}
        assert action["startTime"] < action["endTime"]
        assert entities[action["instrument"]["@id"]]["version"] == "0.1.0"


def test_no_path_of_whoever_ran_the_study_is_published(finished: StudyFiles) -> None:
    archive = opened(finished)
    assert not [name for name in archive.namelist() if name.endswith(("log.txt", "traceback.txt"))]
    home = str(Path.home()).encode()
    assert not [name for name in archive.namelist() if home in archive.read(name)]


def test_the_signature_of_a_study_holds_in_its_archive(finished: StudyFiles, tmp_path: Path) -> None:
    key = tmp_path / "key"
    assert main(["sign", str(finished.folder), "--key", str(key), "--new-key"]) == 0
    opened(finished).extractall(tmp_path / "referee")
    assert main(["verify", str(tmp_path / "referee" / "study"), "--key", f"{key}.pub"]) == 0
    (tmp_path / "referee" / "study" / "registry.yaml").write_text("dataset: another\n")
    assert main(["verify", str(tmp_path / "referee" / "study"), "--key", f"{key}.pub"]) == 1


def test_an_unpacked_archive_is_a_study(
    finished: StudyFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(finished.folder), "--format", "crate", "--out", str(tmp_path / "out")]) == 0
    with zipfile.ZipFile(tmp_path / "out" / FILE) as archive:
        archive.extractall(tmp_path / "referee")
    capsys.readouterr()
    assert main(["leaderboard", str(tmp_path / "referee" / "study")]) == 0
    assert "2 of 3 cells finished, 1 failed" in capsys.readouterr().out
    assert "benchmarker audit study" in (tmp_path / "referee" / "README.md").read_text()
