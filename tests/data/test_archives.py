from __future__ import annotations

import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarker import DataError, Member, UnsafeArchiveError, path_signature, read_members
from benchmarker.data.archives import Limits

FILES = {"set/b.png": b"bee", "set/a.PNG": b"ay" * 1000, "set/deep/c.fits": b"", "readme.txt": b"read me"}
JUNK = {"__MACOSX/set/._a.PNG": b"junk", "set/.DS_Store": b"junk", "set/._b.png": b"junk"}
KINDS = ("folder", "zip", "tar", "tar.gz", "tar.bz2", "tar.xz")


def make_zip(path: Path, files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def make_tar(path: Path, files: dict[str, bytes], *special: tarfile.TarInfo) -> Path:
    suffix = path.suffix.lstrip(".")
    with tarfile.open(path, "w" if suffix == "tar" else f"w:{suffix}") as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
        for entry in special:
            archive.addfile(entry)
    return path


def make(kind: str, folder: Path, files: dict[str, bytes]) -> Path:
    path = folder / f"archive.{kind}"
    if kind == "zip":
        return make_zip(path, files)
    if kind != "folder":
        return make_tar(path, files)
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def contents(path: Path, suffixes: tuple[str, ...] = (), limits: Limits | None = None) -> dict[str, bytes]:
    return {member.name: member.read() for member in read_members(path, suffixes, limits=limits)}


@pytest.mark.parametrize("kind", KINDS)
def test_read_members_gives_the_same_sorted_members_of_every_kind_of_archive(kind: str, tmp_path: Path) -> None:
    path = make(kind, tmp_path, {**FILES, **JUNK})
    found = list(contents(path).items())
    assert found == sorted(FILES.items())


@pytest.mark.parametrize("kind", KINDS)
def test_read_members_compares_suffixes_without_case(kind: str, tmp_path: Path) -> None:
    path = make(kind, tmp_path, FILES)
    assert list(contents(path, (".png", ".FITS"))) == ["set/a.PNG", "set/b.png", "set/deep/c.fits"]


@pytest.mark.parametrize("kind", KINDS)
def test_members_can_be_read_later_and_repeatedly(kind: str, tmp_path: Path) -> None:
    members: list[Member] = list(read_members(make(kind, tmp_path, FILES)))
    assert [member.read() for member in reversed(members)] == [data for _, data in sorted(FILES.items(), reverse=True)]
    assert members[0].read() == b"read me"


def test_read_members_writes_nothing_to_disk(tmp_path: Path) -> None:
    archive = make("tar.gz", tmp_path, FILES)
    contents(archive)
    assert list(tmp_path.rglob("*")) == [archive]


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
@pytest.mark.parametrize(
    "name", ["../evil.png", "set/../../evil.png", "/etc/evil.png", "C:/evil.png", "..\\evil.png", "\\\\host\\evil.png"]
)
def test_archive_refuses_names_that_lead_out_of_it(kind: str, name: str, tmp_path: Path) -> None:
    path = make(kind, tmp_path, {"a.png": b"", name: b"evil"})
    seen: list[str] = []
    with pytest.raises(UnsafeArchiveError) as caught:
        seen.extend(member.name for member in read_members(path))
    assert str(path) in str(caught.value)
    assert "evil.png" in str(caught.value)
    assert seen == [], "a refused archive yields no member"


@pytest.mark.parametrize("suffix", ["tar", "tar.gz"])
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_tar_refuses_links_and_devices(suffix: str, kind: bytes, tmp_path: Path) -> None:
    entry = tarfile.TarInfo("set/passwords.png")
    entry.type = kind
    entry.linkname = "/etc/passwd"
    with pytest.raises(UnsafeArchiveError, match=r"set/passwords\.png.*link or a device"):
        contents(make_tar(tmp_path / f"links.{suffix}", FILES, entry))


def test_zip_refuses_links(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "links.zip", FILES)
    link = zipfile.ZipInfo("set/passwords.png")
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(UnsafeArchiveError, match=r"set/passwords\.png.*link"):
        contents(path)


def test_folder_follows_links_but_not_loops(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (tmp_path / "elsewhere.fits").write_bytes(b"far")
    (folder / "near.fits").symlink_to(tmp_path / "elsewhere.fits")
    (folder / "loop").symlink_to(folder)
    (folder / "gone.fits").symlink_to(tmp_path / "nowhere.fits")
    assert contents(folder) == {"near.fits": b"far"}
    assert "gone.fits" in caplog.text


SMALL = Limits(members=3, member_bytes=5_000)


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_archive_refuses_too_many_members(kind: str, tmp_path: Path) -> None:
    path = make(kind, tmp_path, {f"{k}.png": b"" for k in range(4)})
    with pytest.raises(UnsafeArchiveError, match=r"3\.png"):
        contents(path, limits=SMALL)


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_archive_refuses_a_member_that_is_too_large(kind: str, tmp_path: Path) -> None:
    path = make(kind, tmp_path, {"large.png": os.urandom(5_001)})
    with pytest.raises(UnsafeArchiveError, match=r"large\.png.*more than"):
        contents(path, limits=SMALL)


@pytest.mark.parametrize(("kind", "limits"), [("zip", Limits(total_bytes=8_000)), ("tar.gz", Limits(held_bytes=8_000))])
def test_archive_refuses_members_that_are_too_large_together(kind: str, limits: Limits, tmp_path: Path) -> None:
    path = make(kind, tmp_path, {"a.png": os.urandom(4_500), "b.png": os.urandom(4_500)})
    with pytest.raises(UnsafeArchiveError, match=r"b\.png.*unpack it and give the folder"):
        contents(path, limits=limits)


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.bz2", "tar.xz"])
def test_archive_refuses_a_bomb_by_its_ratio(kind: str, tmp_path: Path) -> None:
    path = make(kind, tmp_path, {"bomb.png": bytes(2_000_000)})
    with pytest.raises(UnsafeArchiveError, match="20 times its size"):
        contents(path, limits=Limits(ratio=20, ratio_from=100_000))


def test_archive_refuses_a_bomb_in_unwanted_members(tmp_path: Path) -> None:
    path = make("tar.gz", tmp_path, {"bomb.bin": bytes(2_000_000), "a.png": b"a"})
    with pytest.raises(UnsafeArchiveError, match="times its size"):
        contents(path, (".png",), limits=Limits(ratio=20, ratio_from=100_000))


def test_archive_refuses_a_bomb_in_a_tar_header(tmp_path: Path) -> None:
    path = tmp_path / "header.tar.gz"
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        entry = tarfile.TarInfo("a.png")
        entry.pax_headers = {"comment": "x" * 3_000_000}
        archive.addfile(entry)
    with pytest.raises(UnsafeArchiveError, match="times its size"):
        contents(path, limits=Limits(ratio=20, ratio_from=100_000))


def test_zip_never_returns_more_bytes_than_its_header_announces(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "liar.zip", {"a.png": bytes(100_000)})
    data = bytearray(path.read_bytes())
    small = (10).to_bytes(4, "little")
    local, central = data.index(b"PK\3\4"), data.index(b"PK\1\2")
    data[local + 22 : local + 26] = small
    data[central + 24 : central + 28] = small
    path.write_bytes(data)
    with pytest.raises(DataError, match="damaged"):
        contents(path)


def test_encrypted_zip_is_refused_with_advice(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "secret.zip", {"a.png": b"secret"})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\3\4") + 6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="encrypted; unpack it yourself"):
        contents(path)


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.bz2", "tar.xz"])
def test_truncated_archive_is_reported_as_damaged(kind: str, tmp_path: Path) -> None:
    path = make(kind, tmp_path, {"a.png": os.urandom(50_000), "b.png": os.urandom(50_000)})
    path.write_bytes(path.read_bytes()[:60_000])
    with pytest.raises(DataError, match="damaged") as caught:
        contents(path)
    assert str(path) in str(caught.value)


def test_truncated_plain_tar_is_reported_as_damaged(tmp_path: Path) -> None:
    path = make("tar", tmp_path, {"a.png": os.urandom(50_000)})
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(DataError, match="damaged"):
        contents(path)


def test_member_with_a_wrong_checksum_is_reported_as_damaged(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "flipped.zip", {"a.png": b"original"}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"original", b"tampered"))
    with pytest.raises(DataError, match="damaged"):
        contents(path)


def test_read_members_names_a_file_that_is_not_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "page.zip"
    path.write_text("<html>Not found</html>")
    with pytest.raises(DataError, match=r"page\.zip is neither a folder nor an archive"):
        read_members(path)


def test_archive_refuses_a_name_that_occurs_twice(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "twice.tar", {"a.png": b"1", "./a.png": b"2"})
    with pytest.raises(DataError, match=r"'a\.png' twice"):
        contents(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "set/b.png").write_bytes(b"other"),
        lambda folder: (folder / "set/new.png").write_bytes(b""),
        lambda folder: os.utime(folder / "set/b.png", ns=(1, 1)),
    ],
)
def test_folder_signature_changes_with_its_files(change: Callable[[Path], object], tmp_path: Path) -> None:
    folder = make("folder", tmp_path, FILES)
    before = path_signature(folder, (".png",))
    assert path_signature(folder, (".png",)) == before
    (folder / "readme.txt").write_text("changed")
    assert path_signature(folder, (".png",)) == before, "only the files that count count"
    change(folder)
    assert path_signature(folder, (".png",)) != before


def test_file_signature_depends_on_its_content(tmp_path: Path) -> None:
    first, second = tmp_path / "first.bin", tmp_path / "second.bin"
    first.write_bytes(b"same")
    second.write_bytes(b"same")
    assert path_signature(first) == path_signature(second)
    second.write_bytes(b"else")
    assert path_signature(first) != path_signature(second)
    assert str(tmp_path) not in str(path_signature(tmp_path))


def test_a_name_that_cannot_be_decoded_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("gr\u00f6\u00dfe.png", b"x")
    content = bytearray(path.read_bytes())
    content[31] = 0xA4  # in the name beside the member, which is read again when the member is
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged or incomplete"):
        [member.read() for member in read_members(path)]
