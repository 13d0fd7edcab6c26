"""``benchmarker validate`` and ``schema``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarker.cli import main


def test_what_is_valid_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registry = tmp_path / "mine.yaml"
    registry.write_text(
        "dataset: mnist\nseeds: [1, 2]\nmodels:\n  - {architecture: convxpress, learning_rate: 1e-4, epochs: 2}\n"
    )
    assert main(["validate", str(registry)]) == 0
    assert capsys.readouterr().out == f"{registry}: 1 model x 1 arm x 2 seeds = 2 cells on mnist\n"


def test_generators_are_counted_as_runs_count_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "gan_vs_real"]) == 0
    assert capsys.readouterr().out.endswith(
        ": 2 models x 6 arms x 3 seeds = 36 cells and 3 generators on synthetic-radio\n"
    )


def test_images_without_a_label_are_a_problem_of_the_registry(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = tmp_path / "mine.yaml"
    registry.write_text(
        "dataset: synthetic-radio\n"
        "generators: [{generator: cgan, epochs: 1, conditions: [redshift]}]\n"
        "arms: [{name: generated, generated: cgan}]\n"
        "models: [{architecture: mcrgnet, learning_rate: 1e-3, epochs: 1}]\n"
    )
    assert main(["validate", str(registry)]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"{registry}:2:55: images that are generated without a class have no label")


def test_all_problems_of_all_files_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text(
        "dataset: mnist\nmodels:\n  - {architecture: convxpress, learning_rate: -1, epochs: 0}\nseeds: [1, 1]\n"
    )
    second.write_text("dataset: mnist\nmodels:\n  - {architecture: convxpres, learning_rate: 1e-4, epochs: 1}\n")
    assert main(["validate", str(first), str(second), "quickstart"]) == 2
    captured = capsys.readouterr()
    for place in (f"{first}:3:", f"{first}:4:", f"{second}:3:"):
        assert place in captured.err
    assert "convxpress" in captured.err
    assert "cells on" in captured.out


def test_schema_is_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "schema.json"
    assert main(["schema", "--output", str(output)]) == 0
    assert capsys.readouterr().out == ""
    assert main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema == json.loads(output.read_text(encoding="utf-8"))
    assert "models" in schema["properties"]
