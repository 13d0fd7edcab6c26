"""``benchmarker validate`` and ``schema``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarker.cli import main
from tests.registries import model, write_registry


def test_validate_counts_the_cells_of_a_valid_registry(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registry = write_registry(tmp_path / "mine.yaml", seeds=[1, 2])
    assert main(["validate", str(registry)]) == 0
    assert capsys.readouterr().out == f"{registry}: 1 model x 1 arm x 2 seeds = 2 cells on mnist\n"


def test_validate_counts_generators(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "gan_vs_real"]) == 0
    assert capsys.readouterr().out.endswith(
        ": 2 models x 6 arms x 3 seeds = 36 cells and 3 generators on synthetic-radio\n"
    )


def test_validate_refuses_generated_images_without_a_label(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registry = write_registry(
        tmp_path / "mine.yaml",
        dataset="synthetic-radio",
        generators=[{"generator": "dcgan", "epochs": 1, "conditions": []}],
        arms=[{"name": "generated", "generated": "dcgan"}],
    )
    assert main(["validate", str(registry)]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"{registry}:3:")
    assert "generated without conditions have no label" in captured.err


def test_validate_reports_all_problems_of_all_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = write_registry(tmp_path / "first.yaml", models=[model(learning_rate=-1, epochs=0)], seeds=[1, 1])
    second = write_registry(tmp_path / "second.yaml", models=[model("convxpres")])
    assert main(["validate", str(first), str(second), "quickstart"]) == 2
    captured = capsys.readouterr()
    for place in (f"{first}:3:", f"{first}:4:", f"{second}:3:"):
        assert place in captured.err
    assert "convxpress" in captured.err
    assert "cells on" in captured.out


def test_schema_prints_and_writes_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "schema.json"
    assert main(["schema", "--output", str(output)]) == 0
    assert capsys.readouterr().out == ""
    assert main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema == json.loads(output.read_text(encoding="utf-8"))
    assert "models" in schema["properties"]
