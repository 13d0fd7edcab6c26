"""``benchmarker doctor``: probes that answer, crash or hang, and the comparison with a study."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarker.backends import worker_environment
from benchmarker.cli import main
from benchmarker.maintenance import doctor, probes
from benchmarker.maintenance.doctor import compare, diagnose
from benchmarker.maintenance.probes import (
    BackendAnswer,
    BackendQuestion,
    Outcome,
    PluginsAnswer,
    PluginsQuestion,
    Probe,
    probe_backend,
    probe_plugins,
)
from benchmarker.results.study import read_study
from benchmarker.study.fingerprint import Fingerprint

if TYPE_CHECKING:
    from tests.conftest import StudyFiles

HERE: dict[str, Any] = {
    "benchmarker": "0.1.0",
    "python": "3.12.3",
    "system": "Linux",
    "isa": ["avx2"],
    "packages": {"keras": "3.15.0", "tensorflow": "2.21.0"},
    "plugins": {},
    "backend": {"name": "tensorflow", "version": "2.21.0", "devices": ["CPU"], "onednn": "1", "op_determinism": True},
    "threads": 2,
    "precision": "float32",
}
PRINTS = {"tensorflow": Fingerprint.model_validate(HERE)}
PLUGINS: dict[str, Any] = {
    "entries": [{"name": "radio", "distribution": "galaxy-benchmarker 0.1.0", "path": "/there/__init__.py"}],
    "broken": [],
    "registered": {"architecture": {"convxpress": "galaxy-benchmarker 0.1.0"}},
    "code": {"architecture convxpress": "c" * 64},
}
BROKEN = {"name": "mine", "distribution": "mine 1.0", "error": "ValueError: oops", "traceback": "Traceback\n  line 7"}


class FakeProbe:
    def __init__(self, outcome: Outcome[Any]) -> None:
        self._outcome = outcome

    def outcome(self) -> Outcome[Any]:
        return self._outcome

    def end(self) -> str:
        return ""


@pytest.fixture
def outcomes(monkeypatch: pytest.MonkeyPatch) -> dict[str, Outcome[Any]]:
    """Outcomes of probes, so that no backend has to start."""
    found: dict[str, Outcome[Any]] = {
        "plugins": Outcome(answer=PluginsAnswer.model_validate(PLUGINS)),
        "tensorflow": Outcome(answer=BackendAnswer.model_validate({"fingerprint": HERE})),
    }
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setattr(doctor, "probe_plugins", lambda _seconds: FakeProbe(found["plugins"]))
    monkeypatch.setattr(doctor, "probe_backend", lambda name, *_: FakeProbe(found[name]))
    return found


@pytest.mark.usefixtures("outcomes")
def test_a_healthy_machine_has_no_problems(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    for told in (
        *("tensorflow", "devices         CPU", "onednn          on", "op determinism  on", "avx2", "keras 3.15.0"),
        *("radio  galaxy-benchmarker 0.1.0  /there/__init__.py", "cache", "free", "TF_DETERMINISTIC_OPS=1"),
    ):
        assert told in out
    assert out.endswith("Problems (0)\n  none\n")


def test_broken_plugins_come_with_tracebacks(
    outcomes: dict[str, Outcome[Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes["plugins"] = Outcome(answer=PluginsAnswer.model_validate({**PLUGINS, "broken": [BROKEN]}))
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "mine from mine 1.0: ValueError: oops\n    Traceback\n      line 7" in out
    assert "Problems (1)\n  the plugin mine from mine 1.0 is broken: ValueError: oops" in out


def test_a_backend_that_does_not_start_is_a_problem(
    outcomes: dict[str, Outcome[Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes["tensorflow"] = Outcome(problem="its process was ended by SIGILL", output="last words")
    assert main(["doctor", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["problems"] == ["the backend tensorflow does not start: its process was ended by SIGILL"]
    assert found["details"] == {"tensorflow": "last words"}
    assert main(["doctor"]) == 1
    assert "does not start; see below" in capsys.readouterr().out


@pytest.mark.usefixtures("outcomes")
def test_an_unknown_backend_is_a_problem(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "Received: 'torch'" in out
    assert "Plugins (1)" in out


@pytest.mark.usefixtures("outcomes")
def test_variables_of_the_shell_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    found = diagnose()
    assert (found.ignored["OMP_NUM_THREADS"], found.ignored["ONEDNN_MAX_CPU_ISA"]) == ("64", "AVX2")
    assert found.environment["OMP_NUM_THREADS"] == "2"


@pytest.mark.usefixtures("outcomes")
def test_cache_and_disk_are_measured(isolated_cache: Path, tmp_path: Path) -> None:
    (isolated_cache / "prepared" / "a").mkdir(parents=True)
    (isolated_cache / "prepared" / "a" / "images.f32").write_bytes(bytes(1000))
    cache, results = diagnose(results=tmp_path / "later").disks
    assert cache.parts == {"prepared": 1000}
    assert cache.complete
    assert (results.path, results.writable) == (str(tmp_path / "later"), True)
    assert results.free_bytes


@pytest.mark.usefixtures("outcomes")
def test_measuring_a_large_cache_stops_in_time(isolated_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (isolated_cache / "prepared").mkdir()
    monkeypatch.setattr(doctor, "_SIZE_SECONDS", -1.0)
    assert not diagnose().disks[0].complete


@pytest.mark.usefixtures("outcomes")
def test_the_same_environment_gives_the_same_bits(study: StudyFiles, capsys: pytest.CaptureFixture[str]) -> None:
    plugins = {"plugins": {"architecture convxpress": "galaxy-benchmarker 0.1.0"}}
    study.finish(study.cell("convxpress", 1), 90, fingerprint=HERE | plugins)
    study.cell("convxpress", 2)
    assert main(["doctor", str(study.folder)]) == 0
    assert "Results computed here should agree bit for bit with its 1 finished run(s)." in capsys.readouterr().out


@pytest.mark.usefixtures("outcomes")
def test_differences_are_listed_with_the_most_important_first(
    study: StudyFiles, capsys: pytest.CaptureFixture[str]
) -> None:
    there = {
        **HERE,
        "python": "3.11.1",
        "backend": {**HERE["backend"], "devices": ["NVIDIA H200"]},
        "packages": {**HERE["packages"], "keras": "3.15.1"},
        "plugins": {"architecture convxpress": "somebody 2.0", "dataset gone": "gone 1.0"},
    }
    study.finish(study.cell("convxpress", 1), 90, fingerprint=there)
    study.finish(study.cell("convxpress", 2), 90, fingerprint=HERE)
    assert main(["doctor", str(study.folder), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)["study"]
    (apart,) = [one for one in found["environments"] if one["reasons"]]
    assert apart["runs"] == ["convxpress/real/1"]
    assert [reason.partition(";")[0] for reason in apart["reasons"]] == [
        "devices: NVIDIA H200 in the study, CPU here",
        "keras: 3.15.1 in the study, 3.15.0 here",
        "distribution of the architecture convxpress: somebody 2.0 in the study, galaxy-benchmarker 0.1.0 here",
        "distribution of the dataset gone: gone 1.0 in the study, none here",
        "Python: 3.11 in the study, 3.12 here",
    ]
    assert found["verdict"] == "results computed here would not agree bit for bit with 1 of its 2 finished run(s)"
    assert "the leaderboard keeps apart" in found["notes"][0]
    assert main(["doctor", str(study.folder)]) == 1
    assert "    - devices: NVIDIA H200 in the study, CPU here; another processor" in capsys.readouterr().out


def test_changed_code_of_a_plugin_is_named(study: StudyFiles) -> None:
    code = {"architecture convxpress": "d" * 64}
    study.finish(study.cell("convxpress", 1), 90, fingerprint={**HERE, "code": code})
    found = compare(read_study(study.folder), PRINTS, PluginsAnswer.model_validate(PLUGINS), chosen="tensorflow")
    (reason,) = found.environments[0].reasons
    assert reason.startswith("code of the architecture convxpress: dddddddddddd in the study, cccccccccccc here")
    assert compare(read_study(study.folder), PRINTS, None, chosen="tensorflow").bitwise


@pytest.mark.parametrize("setting", ["threads", "seeds_at_once"])
def test_what_the_plan_pins_is_taken_from_the_plan(study: StudyFiles, setting: str) -> None:
    cell = study.cell("convxpress", 1)
    cell["spec"]["training"][setting] = 8
    study.write_plan()
    study.finish(cell, 90, fingerprint={**HERE, setting: 8})
    assert compare(read_study(study.folder), PRINTS, None, chosen="tensorflow").bitwise


def test_another_backend_is_named(study: StudyFiles) -> None:
    study.finish(study.cell("convxpress", 1), 90, fingerprint={"backend": {"name": "jax"}})
    found = compare(read_study(study.folder), PRINTS, None, chosen="tensorflow")
    assert found.environments[0].reasons == ["its backend jax does not start here"]
    assert found.notes == ["a run started here would use tensorflow: set KERAS_BACKEND=jax to go on"]


def test_a_study_without_results_cannot_be_compared(study: StudyFiles) -> None:
    study.cell("convxpress", 1)
    found = compare(read_study(study.folder), PRINTS, None, chosen="tensorflow")
    assert found.verdict == "no run of this study has finished, so there is nothing to compare with"


def test_plugins_are_listed_in_a_separate_process() -> None:
    answer = probe_plugins(300).outcome().answer
    assert answer is not None
    (radio,) = [entry for entry in answer.entries if entry.name == "radio"]
    assert Path(radio.path).is_file()
    assert radio.distribution.startswith("galaxy-benchmarker ")
    assert answer.registered["architecture"]["convxpress"] == radio.distribution
    assert len(answer.code["architecture convxpress"]) == 64


def hanging(tmp_path: Path, code: str) -> dict[str, str]:
    """Return an environment in which importing TensorFlow runs some code."""
    (tmp_path / "tensorflow.py").write_text(code, encoding="utf-8")
    return worker_environment("tensorflow", 2) | {"PYTHONPATH": str(tmp_path)}


@pytest.mark.parametrize(
    ("code", "seconds", "problem", "output"),
    [
        ("import time; time.sleep(600)", 2, "no answer after 2 s", 'File "'),
        ("import os; os.abort()", 300, "its process was ended by SIGABRT", ""),
        ("print('broken'); raise OSError('libcuda is missing')", 300, "OSError: libcuda is missing", "broken"),
    ],
)
def test_a_backend_that_hangs_or_crashes_does_not_end_the_doctor(
    code: str, seconds: float, problem: str, output: str, tmp_path: Path
) -> None:
    question = BackendQuestion(backend="tensorflow", threads=2, precision="float32", seconds=seconds)
    outcome = Probe(question, BackendAnswer, hanging(tmp_path, code)).outcome()
    assert outcome.answer is None
    assert outcome.problem.startswith(problem)
    assert output in outcome.output


def test_a_probe_that_never_starts_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "_GRACE_SECONDS", 0.5)
    (tmp_path / "sitecustomize.py").write_text("import time; time.sleep(600)", encoding="utf-8")
    start = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    outcome = Probe(PluginsQuestion(seconds=0.5), PluginsAnswer, environment).outcome()
    assert outcome.problem.startswith("no answer")
    assert time.monotonic() - start < 60


def test_the_backend_probe_matches_a_worker() -> None:
    answer = probe_backend("tensorflow", 1, "float32", 500).outcome().answer
    assert answer is not None
    found = answer.fingerprint
    assert (found.backend.name, found.threads) == ("tensorflow", 1)
    assert found.backend.to_json()["op_determinism"] is True
