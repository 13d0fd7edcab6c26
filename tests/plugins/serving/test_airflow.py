"""`benchmarker airflow`: the DAG file, and, in an environment of its own, Airflow running it."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarker.cli import main
from benchmarker_serving.airflow.writing import StudyDag, write_dag
from tests.registries import model, tiny, write_registry


def operators(text: str) -> dict[str, dict[str, object]]:
    """Return the arguments of each operator of a DAG file by the name of its task."""
    found = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.endswith("Operator"):
            values = {
                each.arg: ast.literal_eval(each.value) for each in node.keywords if each.arg and each.arg != "mounts"
            }
            found[str(values["task_id"])] = values
    return found


def test_dag_has_the_commands_of_the_study(tmp_path: Path, fits_folder: Path) -> None:
    generators = [{"generator": "dcgan", "epochs": 1}]
    arms = ["real", {"name": "more", "generated": {"by": "dcgan", "ratio": 1}}]
    registry = tiny(fits_folder, seeds=[1, 2], models=[model()], generators=generators, arms=arms)
    write_registry(tmp_path / "mine.yaml", **registry)
    assert main(["airflow", str(tmp_path / "mine.yaml"), "--out", str(tmp_path / "dags")]) == 0
    text = (tmp_path / "dags" / "mine.py").read_text()
    tasks = operators(text)
    assert list(tasks)[:4] == ["prepare", "train_generators", "train_seed_1", "train_seed_2"]
    assert {"report", "export_mcrgnet-real", "export_mcrgnet-more", "ready_to_serve"} <= set(tasks)
    assert "benchmarker gan train" in str(tasks["train_generators"]["bash_command"])
    assert '-p "{{ params.results }}"' in str(tasks["train_seed_2"]["bash_command"])
    assert "timedelta(minutes=5)" in text
    assert "\"seeds\": '1,2'" in text


def test_names_are_no_commands_in_a_dag() -> None:
    name = "net; rm -rf ~ #/real"
    dag = StudyDag(
        name="a'b", registry="r'.yaml", results="x", seeds=(1,), networks=(name,), image="img", mounts=("/d",)
    )
    tasks = operators(write_dag(dag))
    (command,) = (each["command"] for task, each in tasks.items() if task.startswith("export_"))
    assert isinstance(command, list)
    assert "--model 'net; rm -rf ~ #/real'" in command[0]


@pytest.mark.timeout(1800)  # a task that fails is tried again after five minutes
@pytest.mark.skipif("AIRFLOW" not in os.environ, reason="make test-airflow installs Airflow and names its folder")
def test_airflow_runs_the_study(tmp_path: Path, fits_folder: Path) -> None:
    write_registry(tmp_path / "tiny.yaml", **tiny(fits_folder, models=[model(epochs=1)]))
    results = str(tmp_path / "results" / "tiny")
    words = ["airflow", str(tmp_path / "tiny.yaml"), "--out", str(tmp_path / "dags"), "-p", results]
    assert main(words) == 0
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    airflow = str(Path(os.environ["AIRFLOW"], "bin", "airflow"))
    for arguments in (["db", "migrate"], ["dags", "test", "tiny"], ["dags", "test", "tiny"]):
        done = subprocess.run([airflow, *arguments], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert (tmp_path / "results" / "models" / "mcrgnet-real" / "1" / "model.onnx").is_file()
