"""Every command on study folders that try to harm whoever opens them.

A command may refuse the study or go on without what is hostile. It must not read or write anything outside, take more
than five seconds or 500 MB, blame itself, or let a study's text reach a terminal or page as anything but text.
"""

from __future__ import annotations

import csv
import io
import logging
import re
import signal
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarker import StorageError, open_results
from benchmarker.cli import main
from benchmarker.files import open_to_append
from benchmarker.maintenance.signing import sign
from benchmarker.study.claims import joined
from tests.hostile_studies import ATTACKS, PRIVATE, Victim, make_victim

SECONDS = 5
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


def peak_megabytes() -> float:
    """Return the largest resident memory of this process since it was last reset."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


@contextmanager
def limits(seconds: float = SECONDS) -> Iterator[None]:
    """Fail where the block takes too long or too much memory."""

    def expired(*_: object) -> None:
        pytest.fail(f"took more than {seconds} s")

    Path("/proc/self/clear_refs").write_text("5")
    before = peak_megabytes()
    handler = signal.signal(signal.SIGALRM, expired)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
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
