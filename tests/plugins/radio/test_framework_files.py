"""The files of the radio framework, from a study without training."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarker import ConfigurationError, ReportOptions, open_results
from benchmarker_radio.framework_files import render
from tests.reports.material import CLASSES, DocumentStudy

SEEDS = (8901, 1826)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two networks under two seeds, with the list of sources of the first seed."""
    study = DocumentStudy(tmp_path_factory.mktemp("framework") / "study")
    study.add(("convXpress", "toothless_real"), SEEDS)
    digest = "0123456789abcdef" * 4
    for cell in study.plan["cells"]:
        path = study.folder / "runs" / cell["key"][:16] / "manifest.json"
        manifest = json.loads(path.read_text())
        manifest["digests"] = {"split": digest} if cell["seed"] == SEEDS[0] else {}
        path.write_text(json.dumps(manifest))
    (study.folder / "splits").mkdir()
    lines = ["source_id,part,class,images", "3C 31,train,FRI,1", "3C 47,validation,FRII,1", "3C 465,test,BENT,2"]
    (study.folder / "splits" / f"{SEEDS[0]}-{digest[:8]}.csv").write_text("\n".join(lines) + "\n")
    return study.folder


@pytest.fixture(scope="module")
def files(folder: Path) -> dict[str, bytes]:
    """The files by name."""
    rendered = render(open_results(folder), ReportOptions())
    return {name: text.encode() if isinstance(text, str) else text for name, text in rendered.items()}


def test_files_have_the_names_of_the_radio_framework(files: dict[str, bytes]) -> None:
    plan = [name for name in files if name.startswith("convXpress")]
    assert sorted(plan) == sorted(
        [f"convXpress{suffix}{kind}" for suffix in ("", "_final") for kind in (".csv", ".txt")]
        + [
            f"convXpress_{seed}_0.001_{epochs}{suffix}"
            for seed in SEEDS
            for epochs in [12]
            for suffix in (".npy", "_final.npy", "_loss.png", "_accuracy.png")
        ]
    )
    assert {"MPCA.pdf", "time.pdf", "times_new.txt", "parameter_summary.txt", "flops_summary.txt"} <= set(files)


def test_tables_have_a_line_for_each_seed(files: dict[str, bytes], folder: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(files["convXpress.csv"].decode())))
    assert [row["Seed"] for row in rows] == [str(seed) for seed in SEEDS]
    assert list(rows[0])[:4] == ["Architectures", "Seed", "LearningRate", "Epochs"]
    assert list(rows[0])[-3:] == ["P_BENT", "R_BENT", "F1_BENT"]
    cell = next(cell for cell in open_results(folder).cells if cell.model == "convXpress" and cell.seed == SEEDS[0])
    assert float(rows[0]["MPCA"]) == cell.evaluations["best"]["mean_per_class_accuracy"]


def test_arrays_are_the_probabilities_and_labels_of_the_test_part(files: dict[str, bytes]) -> None:
    probabilities = np.load(io.BytesIO(files[f"toothless_real_{SEEDS[0]}_0.001_12.npy"]))
    truth = np.load(io.BytesIO(next(content for name, content in files.items() if name.startswith("y_test_"))))
    assert probabilities.shape == (60, 4)
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(60))
    assert truth.shape == (60,)
    assert set(truth.tolist()) == set(range(4))


def test_partition_names_the_sources_of_each_part(files: dict[str, bytes]) -> None:
    (partition,) = (json.loads(text) for name, text in files.items() if name.startswith("partition_"))
    (labels,) = (json.loads(text) for name, text in files.items() if name.startswith("labels_"))
    assert partition == {"train": ["3C 31"], "validation": ["3C 47"], "test": ["3C 465"]}
    assert labels == {"3C 31": CLASSES.index("FRI"), "3C 47": CLASSES.index("FRII"), "3C 465": CLASSES.index("BENT")}


def test_summaries_have_a_line_for_each_network(files: dict[str, bytes]) -> None:
    assert files["flops_summary.txt"].decode().splitlines()[1].split()[0] == "convXpress"
    assert len(files["parameter_summary.txt"].decode().splitlines()[1].split()) == 5
    assert len(files["times_new.txt"].decode().splitlines()) == 1 + 4


def test_files_are_the_same_bytes_each_time(files: dict[str, bytes], folder: Path) -> None:
    again = render(open_results(folder), ReportOptions())
    assert {name: text.encode() if isinstance(text, str) else text for name, text in again.items()} == files


def test_study_without_results_is_refused(tmp_path: Path) -> None:
    study = DocumentStudy(tmp_path / "study").pending("convXpress", 1)
    with pytest.raises(ConfigurationError, match="no finished run"):
        render(open_results(study.folder), ReportOptions())
