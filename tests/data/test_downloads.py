from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from benchmarker import DataError, Download, DownloadError
from benchmarker.data.downloads import fetch, user_file

CONTENT = bytes(range(256)) * 4_000
NAME = "galaxies.zip"


def checksum(data: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


class Mirror(ThreadingHTTPServer):
    """Serves CONTENT under /good and misbehaves elsewhere; remembers the requests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, str | None]] = []
        self.lock = threading.Lock()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{path}"


class Handler(BaseHTTPRequestHandler):
    server: Mirror

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class calls it so
        pass

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        with self.server.lock:
            self.server.requests.append((self.path, wanted))
        path = self.path.partition("?")[0]
        if path == "/missing":
            self.send_error(404, "Not Found")
            return
        if path in {"/endless", "/slow"}:
            self._never_end(path)
            return
        data = {"/other": b"<html>moved</html>"}.get(path, CONTENT)
        start = int(re.findall(r"bytes=(\d+)-", wanted)[0]) if wanted and path != "/forgetful" else 0
        if start >= len(data):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(data)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        # /cut ends the first answer half-way, /stuck every answer after nothing.
        end = {"/cut": len(data) if start else len(data) // 2, "/stuck": start}.get(path, len(data))
        self.wfile.write(data[start:end])

    def _never_end(self, path: str) -> None:
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(bytes(1 << 17))
                self.wfile.flush()
                time.sleep(0.05 if path == "/slow" else 0)


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with Mirror() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def published(mirror: Mirror, *paths: str, content: bytes = CONTENT) -> Download:
    return Download(filename=NAME, urls=tuple(mirror.url(path) for path in paths), checksum=checksum(content))


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_fetch_downloads_once_and_verifies(algorithm: str, mirror: Mirror, tmp_path: Path) -> None:
    download = Download(filename=NAME, urls=(mirror.url("good?download=1"),), checksum=checksum(CONTENT, algorithm))
    folder = tmp_path / "new" / "folder"
    path = fetch(download, folder)
    assert path == folder / NAME
    assert path.read_bytes() == CONTENT
    assert fetch(download, folder) == path
    assert len(mirror.requests) == 1
    assert visible(folder) == [NAME]


def test_fetch_tries_the_next_mirror_after_a_wrong_checksum(mirror: Mirror, tmp_path: Path) -> None:
    path = fetch(published(mirror, "other", "missing", "good"), tmp_path)
    assert path.read_bytes() == CONTENT
    assert [path for path, _ in mirror.requests] == ["/other", "/missing", "/good"]
    assert visible(tmp_path) == [NAME]


def test_download_error_names_every_address_with_its_reason_and_advice(mirror: Mirror, tmp_path: Path) -> None:
    download = published(mirror, "missing", "other")
    closed = "http://127.0.0.1:9/closed"
    download = Download(filename=NAME, urls=(*download.urls, closed), checksum=download.checksum)
    with pytest.raises(DownloadError) as caught:
        fetch(download, tmp_path)
    message = str(caught.value)
    assert f"{mirror.url('missing')}\n    HTTP 404 Not Found" in message
    assert f"{mirror.url('other')}\n    the file there has another checksum" in message
    assert re.search(rf"{closed}\n    ConnectionError: .*refused", message)
    assert str(tmp_path / NAME) in message
    assert download.checksum in message
    assert "-d" in message
    assert visible(tmp_path) == [], "nothing wrong is left behind"


def test_fetch_resumes_a_broken_connection(mirror: Mirror, tmp_path: Path) -> None:
    assert fetch(published(mirror, "cut"), tmp_path).read_bytes() == CONTENT
    (first, no_range), (second, goes_on) = mirror.requests
    assert (first, no_range, second) == ("/cut", None, "/cut")
    start = int(re.findall(r"bytes=(\d+)-", goes_on or "")[0])
    assert 0.4 * len(CONTENT) < start <= 0.5 * len(CONTENT), "almost nothing is fetched twice"
    assert visible(tmp_path) == [NAME]


def test_fetch_resumes_an_earlier_download(mirror: Mirror, tmp_path: Path) -> None:
    with pytest.raises(DownloadError):
        fetch(published(mirror, "stuck"), tmp_path)
    (part,) = [path for path in tmp_path.iterdir() if path.suffix == ".part"]
    part.write_bytes(CONTENT[:1_000])
    assert not (tmp_path / NAME).exists(), "a beginning never has the final name"
    mirror.requests.clear()
    assert fetch(published(mirror, "good"), tmp_path).read_bytes() == CONTENT
    assert mirror.requests == [("/good", "bytes=1000-")]


@pytest.mark.parametrize("beginning", [b"something else", CONTENT, CONTENT + b"more"], ids=["other", "all", "more"])
@pytest.mark.parametrize("path", ["good", "forgetful"])
def test_fetch_discards_a_wrong_partial_download(beginning: bytes, path: str, mirror: Mirror, tmp_path: Path) -> None:
    download = published(mirror, path)
    (tmp_path / f".{NAME}.{download.checksum.removeprefix('sha256:')[:8]}.part").write_bytes(beginning)
    assert fetch(download, tmp_path).read_bytes() == CONTENT
    assert visible(tmp_path) == [NAME]


def test_fetch_gives_up_a_mirror_that_sends_nothing(mirror: Mirror, tmp_path: Path) -> None:
    assert fetch(published(mirror, "stuck", "good"), tmp_path).read_bytes() == CONTENT
    assert [path for path, _ in mirror.requests] == ["/stuck", "/good"]


def test_fetch_offline_uses_the_cached_file_only(mirror: Mirror, tmp_path: Path) -> None:
    download = published(mirror, "good")
    with pytest.raises(DownloadError) as caught:
        fetch(download, tmp_path, offline=True)
    for part in ("--offline", mirror.url("good"), str(tmp_path / NAME), download.checksum):
        assert part in str(caught.value)
    (tmp_path / NAME).write_bytes(b"half a file")
    with pytest.raises(DownloadError, match="wrong checksum"):
        fetch(download, tmp_path, offline=True)
    (tmp_path / NAME).write_bytes(CONTENT)
    assert fetch(download, tmp_path, offline=True) == tmp_path / NAME
    assert mirror.requests == []


def test_fetch_replaces_a_damaged_file(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(CONTENT[:-1])
    assert fetch(published(mirror, "good"), tmp_path).read_bytes() == CONTENT


def test_fetch_downloads_once_for_several_threads(mirror: Mirror, tmp_path: Path) -> None:
    download = published(mirror, "good")
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: fetch(download, tmp_path), range(4)))
    assert {path.read_bytes() for path in paths} == {CONTENT}
    assert len(mirror.requests) == 1


def test_fetch_downloads_once_for_two_processes(mirror: Mirror, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from benchmarker import Download\n"
        "from benchmarker.data.downloads import fetch\n"
        f"fetch(Download(filename={NAME!r}, urls=({mirror.url('cut')!r},), checksum={checksum(CONTENT)!r}), "
        "Path(sys.argv[1]))"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stderr=subprocess.PIPE) for _ in range(2)
    ]
    outputs = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert outputs == [b"", b""], "neither progress nor logs where standard error is no terminal"
    assert (tmp_path / NAME).read_bytes() == CONTENT
    assert len(mirror.requests) == 2
    assert visible(tmp_path) == [NAME]


def test_fetch_that_was_stopped_leaves_the_file_of_its_successor_alone(mirror: Mirror, tmp_path: Path) -> None:
    """It has the partial download open, which becomes the file."""
    program = (
        "import os, signal, sys; from pathlib import Path; import requests; from benchmarker import Download\n"
        "from benchmarker.data.downloads import fetch\n"
        "real = requests.Response.iter_content\n"
        "def stopping(*arguments):\n"
        "    for chunk in real(*arguments):\n"
        "        yield chunk\n"
        "        if len(sys.argv) == 2:\n"
        "            sys.argv.append('stopped')\n"
        "            os.kill(os.getpid(), signal.SIGSTOP)\n"
        "requests.Response.iter_content = stopping\n"
        f"fetch(Download(filename={NAME!r}, urls=({mirror.url('good')!r},), checksum={checksum(CONTENT)!r}), "
        "Path(sys.argv[1]))"
    )
    (tmp_path / f".{NAME}.{checksum(CONTENT).partition(':')[2][:8]}.part").write_bytes(CONTENT[:1000])
    stopped = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stderr=subprocess.PIPE,
        env={**os.environ, "BENCHMARKER_HEARTBEAT": "0.05", "BENCHMARKER_HOST": "another machine"},
    )
    os.waitid(os.P_PID, stopped.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    path = fetch(published(mirror, "good"), tmp_path)
    stopped.send_signal(signal.SIGCONT)
    assert stopped.communicate(timeout=60)[1] == b""
    assert stopped.returncode == 0
    assert path.read_bytes() == CONTENT
    assert len(mirror.requests) == 2  # a file that was written to would be downloaded once more
    assert visible(tmp_path) == [NAME]


def test_full_disk_is_a_download_error_with_advice(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(DownloadError, match=r"cannot be written to .*No space left on device") as caught:
        fetch(published(mirror, "good"), tmp_path)
    assert "-d" in str(caught.value)


def test_fetch_into_an_impossible_folder_is_a_download_error(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(DownloadError, match="cannot be written to"):
        fetch(published(mirror, "good"), tmp_path / "file" / "folder")


def test_progress_bar_is_shown_on_a_terminal_only(mirror: Mirror, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from benchmarker import Download\n"
        "from benchmarker.data.downloads import fetch\n"
        f"fetch(Download(filename={NAME!r}, urls=({mirror.url('good')!r},), checksum={checksum(CONTENT)!r}), "
        "Path(sys.argv[1]))"
    )
    import pty

    reader, terminal = pty.openpty()
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], stderr=terminal, check=True, timeout=60)
    os.close(terminal)
    assert b"downloading galaxies.zip" in os.read(reader, 10_000)
    os.close(reader)


def test_user_file_replaces_a_download(mirror: Mirror, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    download = published(mirror, "good")
    own = tmp_path / "renamed.zip"
    own.write_bytes(CONTENT)
    with caplog.at_level(logging.WARNING):
        assert user_file(download, own) == own
        assert user_file(download, tmp_path) == tmp_path, "a folder without the file holds the unpacked data"
        assert caplog.text == ""
        (tmp_path / NAME).write_bytes(b"mine, and different")
        assert user_file(download, tmp_path) == tmp_path / NAME
    assert f"{tmp_path / NAME} is not the published file" in caplog.text
    with pytest.raises(DataError, match="no such file or folder"):
        user_file(download, tmp_path / "nowhere")
    assert mirror.requests == []


def test_a_file_that_is_not_the_published_one_is_warned_of_once(
    mirror: Mirror, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    download = published(mirror, "good")
    own = tmp_path / "mine.zip"
    own.write_bytes(b"mine, and different")
    with caplog.at_level(logging.WARNING):
        assert [user_file(download, own) for _ in range(3)] == [own] * 3
        assert caplog.text.count("is not the published file") == 1
        own.write_bytes(b"mine, and changed again")
        user_file(download, own)
    assert caplog.text.count("is not the published file") == 2


def test_another_published_form_of_the_images_is_known_by_its_own_checksum(
    mirror: Mirror, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = tmp_path / "galaxies_h5.zip"
    own.write_bytes(b"the same images as HDF5")
    download = replace(published(mirror, "good"), other_checksums=(checksum(b"the same images as HDF5"),))
    with caplog.at_level(logging.WARNING):
        user_file(download, own)
    assert caplog.text == ""


def test_downloads_end_where_a_server_never_does(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarker.data.downloads._MOST_BYTES", 1 << 20)
    with pytest.raises(DownloadError, match=r"the server sends more than 1,\d+,\d+ bytes"):
        fetch(published(mirror, "endless"), tmp_path)
    assert visible(tmp_path) == []
    monkeypatch.setattr("benchmarker.data.downloads._MOST_BYTES", 1 << 30)
    monkeypatch.setattr("benchmarker.data.downloads._SLOWEST_BYTES", 1 << 24)
    monkeypatch.setattr("benchmarker.data.downloads._SLOWEST_SECONDS", 0.3)
    monkeypatch.setattr("benchmarker.data.downloads._ATTEMPTS", 1)
    with pytest.raises(DownloadError, match=r"could not be downloaded"):
        fetch(published(mirror, "slow"), tmp_path)
