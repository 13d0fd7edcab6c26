"""Libraries that report to their makers are told not to, before they are loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarker.telemetry import SETTINGS

QUESTIONS = {
    "mlflow": "from mlflow.telemetry.utils import is_telemetry_disabled; print(is_telemetry_disabled())",
    "ray": "from ray._common.usage import usage_lib; print(not usage_lib.usage_stats_enabled())",
}
"""What each library says itself."""

ONNX = """
import numpy as np
import onnx
from onnx import TensorProto, helper

value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1])
graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "graph", [value("x")], [value("y")])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
import onnxruntime

session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
print(session.run(None, {"x": np.ones(1, "f")})[0][0] == 1)
"""


def said(code: str, home: Path) -> str:
    """Return what a new process prints, which has a home folder to itself and no settings of this one."""
    others = ("XDG_", "PYTEST", "CI")  # MLflow reports nothing in tests
    kept = {name: value for name, value in os.environ.items() if name not in SETTINGS and not name.startswith(others)}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**kept, "HOME": str(home)}, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize("library", sorted(QUESTIONS))
def test_library_says_that_it_reports_nothing(library: str, tmp_path: Path) -> None:
    pytest.importorskip(library)
    assert said(f"import benchmarker; {QUESTIONS[library]}", tmp_path) == "True"


def test_onnxruntime_keeps_no_identifier_of_this_machine(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    assert said("import benchmarker\n" + ONNX, tmp_path) == "True"
    assert not [path for path in tmp_path.rglob("*") if "onnxruntime" in str(path)]


def test_processes_that_are_started_inherit_the_settings() -> None:
    show = "import os; print(dict(os.environ))"
    code = f"import benchmarker, subprocess, sys; subprocess.run([sys.executable, '-c', {show!r}])"
    found = said(code, Path.home())
    assert all(f"'{name}': '{value}'" in found for name, value in SETTINGS.items())
