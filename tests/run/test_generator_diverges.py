"""A study whose generator diverges: its cell fails with it, and nothing of it is averaged."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarker.cli import main
from benchmarker.results.study import read_study
from tests.run.painter import install, registry

# At such a learning rate the loss overflows in the first step.
GENERATORS = [{"generator": "painter", "name": "fast", "epochs": 1, "options": {"rate": 1e30}}]
ARMS = ["real", {"name": "by fast", "generated": "fast"}]


@pytest.mark.long
def test_cell_of_a_diverging_generator_fails_and_is_not_averaged(
    tmp_path: Path, fits_folder: Path, command_line: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny.yaml").write_text(json.dumps(registry(fits_folder, generators=GENERATORS, arms=ARMS)))
    place = {"PYTHONPATH": str(install(tmp_path / "site")), "BENCHMARKER_CACHE": str(tmp_path / "cache")}
    done = command_line.run("run", "tiny.yaml", "-p", "study", cwd=tmp_path, env=place)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "plan: 2 cells and 1 generator" in done.stdout
    assert "1 of 2 cells ok" in done.stdout
    found = read_study(tmp_path / "study")
    told = {cell.name: (cell.status, cell.kind, cell.message) for cell in (*found.generators, *found.cells)}
    assert told.pop("dot/real/8901")[0] == "ok"
    generator, cell = told.pop("fast/generator/8901"), told.pop("dot/by fast/8901")
    assert generator[:2] == cell[:2] == ("failed", "diverged")
    assert "in step 1 of epoch 1; try a" in str(generator[2])
    assert cell[2] == f"its generator fast/generator/8901 failed: {generator[2]}"
    assert not told
    kept = [path.name for path in (tmp_path / "cache" / "generators").glob("*/")]  # no other study may copy it
    assert kept == []
    assert main(["leaderboard", str(tmp_path / "study"), "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    counted = {(row["arm"], row["seeds"], row["planned_seeds"]) for row in rows}
    assert counted == {("real", "1", "1"), ("by fast", "0", "1")}
    averaged = {row["arm"] for row in rows if any(value for name, value in row.items() if name.endswith("_mean"))}
    assert averaged == {"real"}
    assert {row["arm"] for row in rows if row["rank"]} == {"real"}
