"""Sign a study with Ed25519, and verify that every byte is still what was signed.

The signature covers the SHA-256 of every file but reports, and the head of every trail. It is made and checked offline,
with the `cryptography` package. It says who vouches for the files, and not that the numbers are right, which
`benchmarker audit` checks.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from benchmarker._version import __version__
from benchmarker.claims import is_claim_file
from benchmarker.digests import canonical_json, digest_file
from benchmarker.errors import ConfigurationError, StorageError
from benchmarker.files import make_folder, storage_error
from benchmarker.record import Record
from benchmarker.results.index import INDEX_FILE
from benchmarker.results.study import read_study
from benchmarker.study.claims import exclusive
from benchmarker.study.layout import EVENTS_FILE, LOG_FILE, MANIFEST_FILE, TRACEBACK_FILE
from benchmarker.study.opening import oddity
from benchmarker.study.runs import FinishedManifest, read_manifest

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNATURE_FILE = "signature.json"
_REPORT = "report/"
"""Where `benchmarker report` writes by default: anybody can make a report again from what is signed."""

_LOGS = (LOG_FILE, EVENTS_FILE, TRACEBACK_FILE)
"""Files that a published copy may lack: they are full of paths, and no number depends on them."""

_Sha256 = Annotated[str, Field(pattern="[0-9a-f]{64}")]


class Statement(Record):
    """What is signed."""

    format: Literal[1] = 1
    """Format of the statement."""

    benchmarker: str
    """Version of this program."""

    files: dict[str, _Sha256]
    """SHA-256 of every file by its path within the study."""

    trails: dict[str, str]
    """Head of the trail of every finished run by the name of its folder."""


class Signature(Record):
    """``signature.json``: a statement about a study, and who signed it."""

    statement: Statement
    """What is signed."""

    public_key: str
    """Ed25519 public key of whoever signed, 32 bytes in base64."""

    signature: str
    """Ed25519 signature of the statement's canonical JSON, 64 bytes in base64."""


@dataclass(slots=True, kw_only=True)
class Verification:
    """What became of a signed study.

    Parameters
    ----------
    public_key : str
        Public key of whoever signed it, in base64.
    files : int
        Number of signed files.
    changed, missing, added : list of str
        Paths of files that are not what was signed.
    left_out : int
        Number of logs that a published copy lacks.
    forged : str
        Why the signature itself is wrong; empty if it is right.
    """

    public_key: str
    files: int
    changed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    left_out: int = 0
    forged: str = ""

    @property
    def intact(self) -> bool:
        """Whether the signature is right, and every file is what was signed."""
        return not (self.forged or self.changed or self.missing or self.added)

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        return {
            "intact": self.intact,
            "public_key": self.public_key,
            "files": self.files,
            "forged": self.forged,
            "changed": self.changed,
            "missing": self.missing,
            "added": self.added,
            "left_out": self.left_out,
        }


def make_key(path: Path, password: bytes | None = None) -> Path:
    """Write a new private key, readable by its owner alone, and the public key beside it.

    Parameters
    ----------
    path : Path
        Path of the private key, a new file in PEM.
    password : bytes, optional
        Encrypts the private key.

    Returns
    -------
    Path
        Path of the public key: the same with ``.pub`` at the end.

    Raises
    ------
    StorageError
        If there is a file of that name already, or it cannot be written.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    public_path = path.with_name(f"{path.name}.pub")
    make_folder(path.parent)
    for target, content, mode in (
        (path, private, 0o600),
        (public_path, f"{_text(key.public_key())}\n".encode(), 0o644),
    ):
        try:
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
        except OSError as error:
            raise storage_error(error, target) from error
    return public_path


def read_private_key(path: Path, password: bytes | None = None) -> Ed25519PrivateKey:
    """Read a private Ed25519 key in PEM, or one that ssh-keygen wrote.

    Raises
    ------
    ConfigurationError
        If the file holds no such key, or the password is wrong or missing.
    StorageError
        If it cannot be read.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    try:
        content = path.read_bytes()
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error.strerror}") from error
    ssh = b"OPENSSH PRIVATE KEY" in content
    load = serialization.load_ssh_private_key if ssh else serialization.load_pem_private_key
    try:
        key = load(content, password)
    except TypeError as error:
        raise ConfigurationError(f"{path}: {error}") from error
    except ValueError as error:
        raise ConfigurationError(f"{path}: is no private key that can be read, or its password is another") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(
            f"{path}: an Ed25519 key was expected. Received: {type(key).__name__}. Make one with --new-key"
        )
    return key


def read_public_key(text: str) -> Ed25519PublicKey:
    """Read a public key from base64 or an OpenSSH line, or from a file that holds one of these.

    Raises
    ------
    ConfigurationError
        If it is no such key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        given = Path(text).read_text(encoding="ascii").strip() if Path(text).is_file() else text.strip()
        if given.startswith("ssh-"):
            key = serialization.load_ssh_public_key(given.encode())
            if isinstance(key, Ed25519PublicKey):
                return key
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(given, validate=True))
    except (OSError, ValueError, binascii.Error, UnsupportedAlgorithm) as error:
        raise ConfigurationError(
            f"a public Ed25519 key (base64, or a line of OpenSSH) or a file with one was expected. Received: {text!r}"
        ) from error


def sign(study: Path, key: Ed25519PrivateKey) -> Signature:
    """Sign a study, and write ``signature.json`` into it.

    Parameters
    ----------
    study : Path
        Folder that ``benchmarker run`` wrote.
    key : Ed25519PrivateKey
        Key of whoever vouches for it.

    Raises
    ------
    StorageError
        If the folder is no study, a run is working on it, or it cannot be read or written.
    """
    read_study(study)
    _require_ordinary(study)
    with exclusive(study) as claim:
        statement = Statement(benchmarker=__version__, files=dict(_digests(study)), trails=dict(_heads(study)))
        found = Signature(
            statement=statement,
            public_key=_text(key.public_key()),
            signature=base64.b64encode(key.sign(_signed(statement))).decode(),
        )
        found.write(study / SIGNATURE_FILE, confirm=claim.require)
    return found


def _require_ordinary(study: Path) -> None:
    """Refuse to read every byte of a study that holds something odd, also within a run."""
    if (odd := oddity(study)) is not None:
        raise StorageError(f"{study}: {odd}")


def verify(study: Path, key: Ed25519PublicKey | None = None) -> Verification:
    """Compare every byte of a study with what was signed.

    Parameters
    ----------
    study : Path
        A signed study.
    key : Ed25519PublicKey, optional
        Key of whoever is expected to have signed it. Without it the check shows that nothing changed since somebody
        signed, but not who that was.

    Raises
    ------
    StorageError
        If the folder is no study, or there is no signature that can be read.
    """
    from cryptography.exceptions import InvalidSignature

    _require_ordinary(study)
    if not (study / SIGNATURE_FILE).is_file():
        raise StorageError(f"{study}: is not signed: it holds no {SIGNATURE_FILE}. `benchmarker sign` makes one")
    signature = Signature.read(study / SIGNATURE_FILE)
    statement = signature.statement
    found = Verification(public_key=signature.public_key, files=len(statement.files))
    try:
        signer = read_public_key(signature.public_key)
        signer.verify(base64.b64decode(signature.signature, validate=True), _signed(statement))
    except (InvalidSignature, ConfigurationError, binascii.Error):
        found.forged = "the signature does not belong to this statement and key"
    if key is not None and _text(key) != signature.public_key:
        found.forged = f"it was signed with another key than {_text(key)}"
    present = dict(_digests(study))
    for path in sorted({*statement.files, *present}):
        if path not in present and path.rpartition("/")[2] in _LOGS:
            found.left_out += 1
        elif path not in present:
            found.missing.append(path)
        elif path not in statement.files:
            found.added.append(path)
        elif present[path] != statement.files[path]:
            found.changed.append(path)
    heads = dict(_heads(study))
    found.changed += [
        f"trail of runs/{name}" for name, head in statement.trails.items() if name in heads and heads[name] != head
    ]
    return found


def _signed(statement: Statement) -> bytes:
    return b"galaxy-benchmarker study\n" + canonical_json(statement.to_json())


def _text(key: Ed25519PublicKey) -> str:
    return base64.b64encode(key.public_bytes_raw()).decode()


def _digests(study: Path) -> Iterator[tuple[str, str]]:
    """Yield path and SHA-256 of every file but the signature, claims, the cache of runs, and reports, which follow."""
    for path in sorted(study.rglob("*")):
        name = path.relative_to(study).as_posix()
        if name.startswith(_REPORT) or name in {SIGNATURE_FILE, INDEX_FILE} or is_claim_file(path):
            continue
        if path.is_file():
            try:
                yield name, digest_file(path)
            except OSError as error:
                raise StorageError(f"{path}: cannot be read: {error.strerror}") from error


def _heads(study: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(study.glob(f"runs/*/{MANIFEST_FILE}")):
        try:
            manifest = read_manifest(path.parent)
        except StorageError:  # its bytes are covered all the same
            continue
        if isinstance(manifest, FinishedManifest) and manifest.trail is not None:
            yield path.parent.name, manifest.trail
