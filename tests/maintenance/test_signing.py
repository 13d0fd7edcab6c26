"""Signatures of studies: whatever changes is named."""

from __future__ import annotations

import json
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarker.cli import main
from benchmarker.errors import ConfigurationError
from benchmarker.maintenance.signing import SIGNATURE_FILE, make_key, read_private_key, read_public_key, verify
from benchmarker.study.claims import joined
from tests.claims.holding import StoppedCommand

if TYPE_CHECKING:
    from tests.conftest import StudyFiles


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "keys" / "paper"
    make_key(path)
    return path


@pytest.fixture
def signed(study: StudyFiles, key: Path) -> StudyFiles:
    for seed in (8901, 1826):
        study.finish(study.cell("convxpress", seed), 93.0)
    (study.folder / "registry.yaml").write_text("title: mine\n")
    assert main(["sign", str(study.folder), "--key", str(key)]) == 0
    return study


def names(study: StudyFiles) -> list[str]:
    return sorted(path.relative_to(study.folder).as_posix() for path in study.folder.rglob("*") if path.is_file())


def test_a_signed_study_is_intact_whatever_reads_it(
    signed: StudyFiles, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["leaderboard", str(signed.folder)]) == 0
    capsys.readouterr()
    public = f"{key}.pub"
    assert main(["verify", str(signed.folder), "--key", public]) == 0
    assert capsys.readouterr().out.startswith(f"intact: {len(names(signed)) - 1} files")
    assert verify(signed.folder, read_public_key(Path(public).read_text())).intact


def test_a_stopped_command_signs_nothing_that_a_run_has_changed(signed: StudyFiles, key: Path) -> None:
    before = (signed.folder / SIGNATURE_FILE).read_bytes()
    (signed.folder / "registry.yaml").write_text("title: ours\n")
    stopped = StoppedCommand(
        "sign", str(signed.folder), "--key", str(key), before="benchmarker.maintenance.signing:_heads"
    )
    with joined(signed.folder):
        code, errors = stopped.proceed()
    assert code == 1
    assert "another process has taken over" in errors
    assert (signed.folder / SIGNATURE_FILE).read_bytes() == before


def test_every_byte_that_changes_is_named(signed: StudyFiles) -> None:
    for name in names(signed):
        if name == SIGNATURE_FILE:
            continue
        path = signed.folder / name
        before = path.read_bytes()
        for position in (0, len(before) // 2, len(before) - 1):
            path.write_bytes(before[:position] + bytes([before[position] ^ 1]) + before[position + 1 :])
            assert verify(signed.folder).changed == [name]
        path.write_bytes(before)
    assert verify(signed.folder).intact


def test_every_byte_of_the_signature_counts(signed: StudyFiles) -> None:
    path = signed.folder / SIGNATURE_FILE
    content = json.loads(path.read_text())

    def rewritten(change: Callable[[dict[str, object]], None]) -> bool:
        changed = json.loads(json.dumps(content))
        change(changed)
        path.write_text(json.dumps(changed))
        return verify(signed.folder).intact

    assert rewritten(lambda _: None)
    assert not rewritten(lambda found: found.update(public_key="A" * 43 + "="))
    assert not rewritten(lambda found: found.update(signature="A" * 86 + "=="))
    assert not rewritten(lambda found: found.update(signature="no base64"))
    assert not rewritten(lambda found: found["statement"]["files"].pop("registry.yaml"))  # type: ignore[index]
    assert not rewritten(lambda found: found["statement"].update(benchmarker="9.9"))  # type: ignore[attr-defined]


def test_files_that_come_or_go_are_named(signed: StudyFiles, capsys: pytest.CaptureFixture[str]) -> None:
    (signed.folder / "registry.yaml").unlink()
    (signed.folder / "runs" / "more.txt").write_text("?")
    assert main(["verify", str(signed.folder)]) == 1
    assert {"missing: registry.yaml", "added: runs/more.txt"} <= set(capsys.readouterr().out.splitlines())
    assert main(["verify", str(signed.folder), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["missing"] == ["registry.yaml"]


def test_another_signer_is_noticed(signed: StudyFiles, key: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    public = make_key(other)
    assert main(["sign", str(signed.folder), "--key", str(other)]) == 0
    assert verify(signed.folder, read_public_key(str(public))).intact
    found = verify(signed.folder, read_public_key(f"{key}.pub"))
    assert "another key" in found.forged
    assert not found.intact


def test_a_private_key_is_private_and_never_overwritten(signed: StudyFiles, key: Path) -> None:
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_bytes()
    assert main(["sign", str(signed.folder), "--key", str(key), "--new-key"]) == 1
    assert key.read_bytes() == before


def test_no_key_is_made_for_a_study_that_there_is_not(tmp_path: Path) -> None:
    assert main(["sign", str(tmp_path / "nowhere"), "--key", str(tmp_path / "new"), "--new-key"]) == 1
    assert not (tmp_path / "new").exists()


def test_keys_of_ssh_keygen_are_read(signed: StudyFiles, tmp_path: Path) -> None:
    path = tmp_path / "id_ed25519"
    made = subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=False)
    if made.returncode:
        pytest.skip("ssh-keygen does not work here")
    assert main(["sign", str(signed.folder), "--key", str(path)]) == 0
    assert verify(signed.folder, read_public_key(f"{path}.pub")).intact


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_key_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="key"):
        read_private_key(path)
    with pytest.raises(ConfigurationError, match="key"):
        read_public_key(str(path))


def test_a_study_without_a_signature_says_so(study: StudyFiles, capsys: pytest.CaptureFixture[str]) -> None:
    study.finish(study.cell("convxpress", 1), 93.0)
    assert main(["verify", str(study.folder)]) == 1
    assert "is not signed" in capsys.readouterr().err
