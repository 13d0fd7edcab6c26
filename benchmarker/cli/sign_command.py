"""``benchmarker sign`` and ``benchmarker verify``: who vouches for a study, and whether it is still the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from benchmarker.cli.options import PATH, command_settings, json_option
from benchmarker.errors import ConfigurationError
from benchmarker.printing import echo

if TYPE_CHECKING:
    from benchmarker.maintenance.signing import Verification

DIFFERS = 1
_MOST_NAMED = 20


@click.command(
    **command_settings(
        "benchmarker sign results/paper --key ~/keys/paper --new-key",
        "benchmarker sign results/paper --key ~/.ssh/id_ed25519",
    )
)
@click.argument("study", metavar="STUDY", type=PATH)
@click.option("--key", required=True, metavar="FILE", type=PATH,
              help="Private Ed25519 key: PEM, or of ssh-keygen.")  # fmt: skip
@click.option("--new-key", is_flag=True, help="Make the key first; its public half is written to FILE.pub.")
@click.option("--password", is_flag=True, help="Ask for the key's password.")
def sign(study: Path, key: Path, new_key: bool, password: bool) -> None:
    """Sign every file of a study and the heads of its trails.

    The signature is written to signature.json in the study. Publish the public key where readers can trust it, for
    example in the paper.
    """
    from benchmarker.maintenance import signing
    from benchmarker.results.study import read_study

    _require_library()
    secret = click.prompt("Password", hide_input=True, confirmation_prompt=new_key).encode() if password else None
    read_study(study)  # before a key is made for nothing
    if new_key:
        echo(f"wrote {key} (keep it secret) and {signing.make_key(key.expanduser(), secret)}")
    signature = signing.sign(study, signing.read_private_key(key.expanduser(), secret))
    statement = signature.statement
    echo(f"signed {len(statement.files)} files and {len(statement.trails)} trails; public key {signature.public_key}")


@click.command(
    **command_settings(
        "benchmarker verify results/paper --key paper.pub",
        "benchmarker verify results/paper --json",
    )
)
@click.argument("study", metavar="STUDY", type=PATH)
@click.option("--key", metavar="KEY", help="Public key of whoever should have signed: base64, or a file.")
@json_option
def verify(study: Path, key: str | None, as_json: bool) -> int:
    """Check that every byte of a signed study is what was signed, and name what is not.

    Without --key this shows that nothing changed since somebody signed, but not who that was. The exit code is 1 if
    anything differs.
    """
    from benchmarker.maintenance import signing

    _require_library()
    found = signing.verify(study, signing.read_public_key(key) if key is not None else None)
    if as_json:
        import json

        echo(json.dumps(found.to_json(), indent=2, ensure_ascii=False))
    else:
        _report(found, known=key is not None)
    return 0 if found.intact else DIFFERS


def _report(found: Verification, *, known: bool) -> None:
    if found.forged:
        echo(f"forged: {found.forged}")
    for word, paths in (("changed", found.changed), ("missing", found.missing), ("added", found.added)):
        for path in paths[:_MOST_NAMED]:
            echo(f"{word}: {path}")
        if len(paths) > _MOST_NAMED:
            echo(f"{word}: {len(paths) - _MOST_NAMED} more")
    if found.intact:
        who = "the expected key" if known else f"the key {found.public_key}; compare it with the published one"
        logs = f" ({found.left_out} logs were left out)" if found.left_out else ""
        echo(f"intact: {found.files - found.left_out} files are what was signed with {who}{logs}")
    else:
        echo("this is not the study that was signed")


def _require_library() -> None:
    try:
        import cryptography  # noqa: F401
    except ImportError as error:
        raise ConfigurationError(
            "signatures need the package 'cryptography': python -m pip install cryptography"
        ) from error
