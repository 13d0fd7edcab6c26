"""Every command on study folders that try to harm whoever opens them.

A command may refuse the study or go on without what is hostile. It must not read or write anything outside, take more
than five seconds or 500 MB, blame itself, or let a study's text reach a terminal or page as anything but text.
"""

from __future__ import annotations

import csv
import io
import logging
import os
import re
import shutil
import signal
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import click
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarker import PluginError, StorageError, open_results
from benchmarker.cli import main
from benchmarker.cli.entry import cli
from benchmarker.files import open_to_append
from benchmarker.maintenance.signing import sign
from benchmarker.results import study
from benchmarker.study.claims import joined
from tests.hostile_studies import ATTACKS, PRIVATE, Victim, make_victim

SECONDS = 5
PATIENCE = 12
MEGABYTES = 500
COMMANDS = {
    "leaderboard": ["leaderboard", "{study}"],
    "leaderboard-csv": ["leaderboard", "{study}", "--format", "csv"],
    "report": ["report", "{study}", "--format", "html,latex,markdown,json,csv,tidy,terminal", "--out", "{out}/report"],
    "crate": ["report", "{study}", "--format", "crate", "--out", "{out}"],
    "show": ["show", "{study}"],
    "show-cell": ["show", "{study}", "convxpress/real/8901"],
    "compare": ["compare", "{study}", "{study}"],
    "audit": ["audit", "{study}", "--offline"],
    "merge": ["merge", "{study}", "--into", "{out}/merged"],
    "verify": ["verify", "{study}"],
    "gan": ["gan", "show", "{study}"],
    "gc": ["gc", "{study}", "--older-than", "0", "--yes"],
    "export": ["export", "{study}", "--to", "tensorboard", "--out", "{out}/exported"],
    "power": ["power", "{study}"],
}

_ONE = ["--model", "convxpress/real/8901", "--out", "{out}/x"]
FURTHER_COMMANDS = {
    "run": ["run", "{registry}", "--plan-only", "-p", "{study}"],
    "submit": ["submit", "{registry}", "--dry-run", "-p", "{study}"],
    "status": ["status", "{study}", "--all"],
    "cancel": ["cancel", "{study}"],
    "clusters": ["clusters", "{study}", "--remove"],
    "clusters-attribute": ["clusters", "{study}", "--attribute", "mosaic"],
    "sign": ["sign", "{study}", "--key", "{out}/key", "--new-key"],
    "predict": ["predict", "{study}", "--model", "convxpress/real", "--data", "{out}", "--out", "{out}/table.csv"],
    "model-export": ["model", "export", "{study}", *_ONE, "--to", "onnx"],
    "model-prune": ["model", "prune", "{study}", *_ONE, "--sparsity", "0.5"],
    "model-quantize": ["model", "quantize", "{study}", *_ONE, "--to", "float16"],
    "serve": ["serve", "{study}"],
    "page": ["page", "{study}"],
    "dashboard": ["dashboard", "{study}"],
    "gan-grid": ["gan", "grid", "{study}", "--out", "{out}/x"],
    "gan-choose": ["gan", "choose", "{study}", "--out", "{out}/x"],
    "gan-sample": ["gan", "sample", "{study}", "3", "--out", "{out}/x"],
    "data-show": ["data", "show", "{study}/registry.yaml", "--out", "{out}/x"],
    "data-audit": ["data", "audit", "{study}/registry.yaml", "--out", "{out}/x"],
    "validate": ["validate", "{study}/registry.yaml"],
}
"""What `COMMANDS` lacks: tried on a few attacks in every run of the tests, and on all of them in the long ones."""

REGISTRY = """\
dataset: {name: synthetic-radio, options: {images_per_class: 10, size: 48}, split: {train: 6, validation: 2}}
models: [{architecture: mcrgnet, learning_rate: 0.001, epochs: 1}]
seeds: [8901]
"""
USUAL = {"plan-is-a-link", "runs-is-a-link", "run-is-a-link", "metrics-are-a-pipe", "terminal-sequences"}
NO_STUDY = {
    "list": "reads no file",
    "schema": "reads no file",
    "doctor": "has a test of its own, because it imports a backend",
    "gan train": "takes a registry, and opens a study as run does",
    "data cutouts": "takes a catalogue and mosaics, which the readers of images examine",
    "airflow": "takes a registry, which it reads as validate does",
    "inclination": "works on folders of images",
}
"""Commands that are not tried on hostile studies, and why."""


def peak_megabytes() -> float:
    """Return the largest resident memory of this process since it was last reset."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


@contextmanager
def limits(seconds: float = SECONDS) -> Iterator[None]:
    """Fail where the block takes too long or too much memory.

    Time of the processor is limited, because others may use it as well, and so is waiting, for example for a pipe.
    """

    def expired(*_: object) -> None:
        pytest.fail(f"took more than {seconds} s of the processor, or {PATIENCE * seconds} s")

    Path("/proc/self/clear_refs").write_text("5")
    before = peak_megabytes()
    handlers = {number: signal.signal(number, expired) for number in (signal.SIGPROF, signal.SIGALRM)}
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE * seconds)
    try:
        yield
    finally:
        for timer in (signal.ITIMER_PROF, signal.ITIMER_REAL):
            signal.setitimer(timer, 0)
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert peak_megabytes() - before < MEGABYTES


def everything_written(folder: Path) -> Iterator[bytes]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path.read_bytes()


@pytest.fixture
def victim(tmp_path: Path) -> Victim:
    return make_victim(tmp_path)


@pytest.mark.parametrize("attack", ATTACKS)
def test_commands_refuse_a_hostile_study_or_go_on_without_harm(
    attack: str, victim: Victim, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # Digests of weights are computed in a process that imports a backend, which takes longer than all the rest.
    monkeypatch.setattr("benchmarker.audit.audit.weight_digests", lambda *_: {})
    ATTACKS[attack](victim)
    for name, arguments in COMMANDS.items():
        check(name, arguments, victim, tmp_path / "out" / name, capfd)


def commands() -> Iterator[str]:
    """Yield all commands with their sub-commands, those of plugins too."""
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.load(context, name)
        inner = command.list_commands(context) if isinstance(command, click.Group) and name not in NO_STUDY else [""]
        yield from (f"{name} {each}".strip() for each in inner)


def test_every_command_is_tried_on_hostile_studies_or_takes_none() -> None:
    words = [" ".join(arguments) for arguments in (*COMMANDS.values(), *FURTHER_COMMANDS.values())]
    tried = {name for name in commands() if any(f"{word} ".startswith(f"{name} ") for word in words)}
    assert set(commands()) - tried == set(NO_STUDY)


@pytest.mark.parametrize(
    "attack", [pytest.param(name, marks=() if name in USUAL else pytest.mark.long) for name in ATTACKS]
)
def test_further_commands_refuse_a_hostile_study_or_go_on_without_harm(
    attack: str, victim: Victim, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_backend(*_: object) -> None:
        raise PluginError("no backend is imported, which would take longer than all the rest")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("benchmarker.backends.calls._process", no_backend)
    monkeypatch.setattr("benchmarker.browser_pages.subprocess.run", lambda *_, **__: CompletedProcess([], 0))
    registry = tmp_path / "mine.yaml"
    for path in (registry, victim.folder / "registry.yaml"):
        path.write_text(REGISTRY, encoding="utf-8")
    ATTACKS[attack](victim)
    for name, arguments in FURTHER_COMMANDS.items():
        filled = [argument.replace("{registry}", str(registry)) for argument in arguments]
        check(name, filled, victim, tmp_path / "out" / name, capfd)


def _swap(path: Path, kind: str, secret: Path) -> None:
    if path.is_file() and not path.is_symlink():
        path.unlink()
        path.symlink_to(secret) if kind == "link" else os.mkfifo(path)


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_file_that_is_replaced_after_it_was_checked_is_not_read(
    kind: str, victim: Victim, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy = tmp_path / "healthy"
    shutil.copytree(victim.folder, healthy)
    first, second, third = (victim.study.run_folder(cell) for cell in victim.study.cells[:3])
    for name in ("history.csv", "predictions_best.csv", "trail.json", "samples.png"):
        (first / name).touch()
    targets = {
        str(first): ["history.csv", "predictions_best.csv", "trail.json", "log.txt", "samples.png"],
        str(second): ["metrics.json"],
        str(third): ["manifest.json"],
        str(victim.folder): ["registry.yaml"],
    }

    def then_swapped(check: Callable[[Any], None]) -> Callable[[Any], None]:
        def checked(path: Any) -> None:
            check(path)
            for name in targets.get(str(path), ()):
                _swap(Path(path, name), kind, victim.secret)

        return checked

    for name in ("require_ordinary", "require_ordinary_run"):
        monkeypatch.setattr(study, name, then_swapped(getattr(study, name)))
    monkeypatch.setattr("benchmarker.audit.audit.weight_digests", lambda *_: {})
    for name in ("show-cell", "report", "crate", "audit", "merge", ""):
        shutil.rmtree(victim.folder)
        shutil.copytree(healthy, victim.folder)
        if name:
            check(name, COMMANDS[name], victim, tmp_path / "out" / name, capfd)
    assert sorted(cell.status for cell in open_results(victim.folder).cells) == ["ok", "ok", "unreadable", "unreadable"]


def test_a_plan_that_is_replaced_after_the_check_is_not_read(victim: Victim, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("link", "pipe"):
        monkeypatch.setattr(
            study, "require_ordinary", lambda folder, kind=kind: _swap(folder / "plan.json", kind, victim.secret)
        )
        with limits(), pytest.raises(StorageError, match=r"plan\.json"):
            open_results(victim.folder)
        (victim.folder / "plan.json").unlink()
        victim.study.write_plan()


def test_doctor_goes_on_without_harm(victim: Victim, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for attack in ("hostile-packages", "terminal-sequences"):
        ATTACKS[attack](victim)
    # It imports a backend in a process.
    check("doctor", ["doctor", "{study}"], victim, tmp_path / "out", capfd, seconds=120)


def report(victim: Victim, out: Path, name: str) -> str:
    """Return what a report of a hostile study holds in one format."""
    assert main(["report", str(victim.folder), "--format", name, "--out", str(out)]) == 0
    (written,) = (path for path in out.iterdir() if path.is_file())
    return written.read_text(encoding="utf-8")


def test_markdown_holds_no_link_heading_or_picture_of_a_study(victim: Victim, tmp_path: Path) -> None:
    ATTACKS["markup"](victim)
    text = report(victim, tmp_path / "out", "markdown")
    assert "\\[x\\](javascript" in text
    assert not re.search(r"(?<!\\)\[|(?<!\\)<|^# |://", text, re.MULTILINE)


def test_the_archive_for_a_referee_has_no_link_of_a_study(victim: Victim, tmp_path: Path) -> None:
    ATTACKS["markup"](victim)
    assert main(["report", str(victim.folder), "--format", "crate", "--out", str(tmp_path)]) == 0
    with zipfile.ZipFile(tmp_path / "study.crate.zip") as archive:
        text = archive.read("README.md").decode()
    assert not re.search(r"(?<!\\)\[x|(?<!\\)<script|^# Heading", text, re.MULTILINE)


def test_cells_of_csv_are_no_formulas(victim: Victim, tmp_path: Path) -> None:
    ATTACKS["formulas"](victim)
    rows = list(csv.reader(io.StringIO(report(victim, tmp_path / "out", "csv"))))
    names = [row[1] for row in rows]
    assert '\'=HYPERLINK("http://evil.example","x")' in names
    assert not any(cell[:1] in {"=", "+", "-", "@"} for row in rows for cell in row)


def test_reports_hold_no_home_folder(victim: Victim, tmp_path: Path) -> None:
    study = victim.study
    study.fail(study.cell("atlas", 8901), "plugin", f"/home/jansky/net.py and {Path.home()}/lib/python3.11 are wrong")
    (study.folder / "registry.yaml").write_text("dataset: {path: /Users/jansky/galaxies}\n")
    assert main(["report", str(victim.folder), "--format", COMMANDS["report"][3], "--out", str(tmp_path / "out")]) == 0
    written = list(everything_written(tmp_path / "out"))
    assert any(b"~/net.py" in content for content in written)
    for private in ("jansky", f"{Path.home()}/"):
        assert not any(private.encode() in content for content in written)


@pytest.mark.parametrize("attack", ["weights-are-64-gib", "log-is-a-link", "metrics-are-a-pipe"])
def test_a_hostile_study_is_not_signed(attack: str, victim: Victim) -> None:
    ATTACKS[attack](victim)
    with limits(), pytest.raises(StorageError, match="which no run writes"):
        sign(victim.folder, Ed25519PrivateKey.generate())


def test_commands_name_only_valid_packages(victim: Victim) -> None:
    ATTACKS["hostile-packages"](victim)
    commands = open_results(victim.folder).commands
    assert commands[0].startswith("# galaxy-benchmarker of an unknown version")
    assert not any("pip install" in command for command in commands)


def test_runs_refuse_a_hostile_results_folder(victim: Victim, tmp_path: Path) -> None:
    for attack in ("claim-is-a-link", "plan-is-a-pipe", "runs-is-a-link"):
        hostile = make_victim(tmp_path / attack)
        ATTACKS[attack](hostile)
        with limits(), pytest.raises(StorageError, match="neither read nor written"), joined(hostile.folder):
            pass
        assert hostile.secret.read_text() == PRIVATE
    log = victim.run / "log.txt"
    log.unlink()
    log.hardlink_to(victim.secret)
    with pytest.raises(StorageError, match="several names"):
        open_to_append(log)


def check(
    name: str,
    arguments: list[str],
    victim: Victim,
    out: Path,
    capfd: pytest.CaptureFixture[str],
    *,
    seconds: float = SECONDS,
) -> None:
    """Run a command on a hostile study, and check that it did no harm."""
    out.mkdir(parents=True)
    with limits(seconds):
        code = main([argument.format(study=victim.folder, out=out) for argument in arguments])
    logging.captureWarnings(False)
    printed = "".join(capfd.readouterr())
    assert code in {0, 1, 2}, name
    for blame in ("internal error", "Traceback", PRIVATE):
        assert blame not in printed, f"{name}: {printed}"
    assert not any(PRIVATE.encode() in content for content in everything_written(out)), name
    controls = [character for character in printed if ord(character) < 32 and character not in "\n\t"]
    assert not controls, f"{name}: {printed!r}"
    assert "\x9b" not in printed, name
    assert victim.secret.read_text() == PRIVATE, name
    assert [path for path in (victim.outside / "folder").rglob("*") if path.is_file()], name
