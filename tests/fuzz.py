"""Feed mutated files to every parser, and report what crashes, hangs or takes more than 500 MB.

`make fuzz` runs it, and so does ``python -m tests.fuzz [PARSER ...] [--seconds N] [--seed S]`` in the checkout. Each
parser works in a separate process with limits on time and memory; what breaks it is kept in ``build/fuzz``, and belongs
into ``tests/corpus`` once it is mended. An error of this project is the right answer to a damaged file.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import gzip
import io
import json
import mmap
import multiprocessing
import pickle
import resource
import signal
import struct
import sys
import tarfile
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from benchmarker import (
    BenchmarkerError,
    Classification,
    Stream,
    load_plain_pickle,
    map_npy,
    open_hdf5,
    open_npz,
    read_fits_image,
    read_members,
    read_picture,
)
from benchmarker.data.image_files import Colour
from benchmarker.data.tables import read_table
from benchmarker.registry import load_registry
from benchmarker.results.tables import read_history, read_predictions
from benchmarker.study.links import read_trail
from benchmarker.study.plan import read_outline
from benchmarker.study.runs import read_manifest
from tests.hostile_studies import make_victim

if TYPE_CHECKING:
    from numpy.random import Generator as Draws  # noqa: TID251 - a stream made it

FOLDER = Path("build") / "fuzz"
SECONDS_OF_AN_INPUT = 5
MEGABYTES = 500
_MOST_BYTES = 64 << 20
_HEAD = struct.calcsize("<QQQ")
_TASK = Classification(classes=("COMP", "FRI"))
_WORDS = (
    b"\x00",
    b"\xff",
    b"[",
    b"{",
    b'"',
    b"\n",
    b"-1",
    b"1e999",
    b"NaN",
    b"&a *a",
    b"9" * 40,
    b"../",
    b"SIMPLE  =",
    b"q\x00",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parser:
    """A parser and the files that mutations begin with.

    Parameters
    ----------
    parse : callable
        Called with the content, and a folder that it may write to.
    seeds : callable
        Returns valid files.
    """

    parse: Callable[[bytes, Path], object]
    seeds: Callable[[], list[bytes]]


class TooSlowError(BaseException):
    """Raised in a parser that takes too long; one that catches every `Exception` does not catch it."""


def _written(name: str, read: Callable[[Path], object]) -> Callable[[bytes, Path], object]:
    def parse(content: bytes, folder: Path) -> object:
        (folder / name).write_bytes(content)
        return read(folder / name)

    return parse


def _members(path: Path) -> list[bytes]:
    return [member.read() for member in read_members(path)]


def _pickles() -> list[bytes]:
    value = {"data": [np.zeros((2, 3), "u1"), np.arange(3.0)], "labels": [0, 1], "names": ("a", b"b", None, 1.5)}
    return [pickle.dumps(value, protocol=protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]


def _fits() -> list[bytes]:
    from astropy.io import fits

    found = []
    for hdus in (
        [fits.PrimaryHDU(np.arange(12, dtype=">f4").reshape(3, 4))],
        [fits.PrimaryHDU(), fits.ImageHDU(np.arange(12, dtype=">i2").reshape(1, 3, 4))],
        [fits.PrimaryHDU(), fits.CompImageHDU(np.arange(256, dtype=">i2").reshape(16, 16))],
    ):
        stream = io.BytesIO()
        fits.HDUList(hdus).writeto(stream, checksum=True)
        found += [stream.getvalue(), gzip.compress(stream.getvalue())]
    return found


def _archives() -> list[bytes]:
    zipped, tarred = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/b.png", b"x" * 500)
        archive.writestr("c.fits", b"")
    with tarfile.open(fileobj=tarred, mode="w:gz") as tar:
        entry = tarfile.TarInfo("a/b.png")
        entry.size = 500
        tar.addfile(entry, io.BytesIO(b"x" * 500))
    return [zipped.getvalue(), tarred.getvalue(), gzip.decompress(tarred.getvalue())]


def _npz() -> list[bytes]:
    found = []
    for save in (np.savez, np.savez_compressed):
        stream = io.BytesIO()
        save(stream, a=np.arange(6.0).reshape(2, 3), b=np.array(["ab", "c"]), c=np.asfortranarray(np.eye(2)), d=True)
        found.append(stream.getvalue())
    return found


def _read_npz(content: bytes) -> None:
    with open_npz(io.BytesIO(content), most_bytes=1 << 28) as arrays:
        for name in arrays:
            with contextlib.suppress(BenchmarkerError):
                arrays[name]


def _npy() -> list[bytes]:
    found = []
    for array in (np.arange(6.0).reshape(2, 3), np.array(["ab", "c"]), np.asfortranarray(np.eye(2)), np.array(True)):
        stream = io.BytesIO()
        np.save(stream, array)
        found.append(stream.getvalue())
    return found


def _read_npy(path: Path) -> None:
    with contextlib.suppress(OSError, ValueError, EOFError):  # as it is documented
        np.array(map_npy(path))


def _pictures() -> list[bytes]:
    from PIL import Image

    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    images = {
        "PNG": [Image.fromarray(grey), Image.fromarray(np.dstack([grey] * 3)), Image.fromarray(grey.astype(np.uint16))],
        "JPEG": [Image.fromarray(grey), Image.fromarray(np.dstack([grey, grey.T, grey]))],
        "TIFF": [Image.fromarray(grey.astype(np.float32)), Image.fromarray(np.dstack([grey] * 3))],
        "GIF": [Image.fromarray(grey)],
    }
    found = []
    for kind, several in images.items():
        for image in several:
            stream = io.BytesIO()
            image.save(stream, kind)
            found.append(stream.getvalue())
    return found


def _read_picture(content: bytes) -> None:
    for colour in get_args(Colour):
        with contextlib.suppress(BenchmarkerError):
            read_picture(content, colour=colour)


def _tables(kind: str) -> Callable[[], list[bytes]]:
    def seeds() -> list[bytes]:
        from astropy import units
        from astropy.table import MaskedColumn, Table

        table = Table({
            "name": ["NGC 1", "M 2", "c,d"],
            "ra": MaskedColumn([1.5, 2.5, 3.5], unit=units.deg, mask=[False, True, False]),
            "count": np.array([1, 2, 3], dtype=np.int16),
            "round": [True, False, True],
        })  # fmt: skip
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "table"
            table.write(path, format=kind)
            content = path.read_bytes()
        return [content]

    return seeds


def _hdf5() -> list[bytes]:
    import h5py

    found = []
    for version in ("earliest", "latest"):
        stream = io.BytesIO()
        with h5py.File(stream, "w", libver=version) as file:
            image = np.arange(144, dtype=np.float32).reshape(12, 12)
            file["data_0/Img"], file["data_0/Label_literature"], file["data_0/Split_literature"] = image, 1.0, "train"
            file["data_0"].attrs["RA"] = "00 01 02.3"
            file.create_dataset("packed", data=image, chunks=(5, 5), compression="gzip", shuffle=True, fletcher32=True)
        found.append(stream.getvalue())
    return found


_DAMAGED_OBJECT = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError, OSError)
"""What h5py raises where an object of a file cannot be read."""


def _read_hdf5(content: bytes) -> None:
    def read(_name: str, item: Any) -> None:
        if hasattr(item, "shape"):
            with contextlib.suppress(*_DAMAGED_OBJECT):
                item[()]

    with open_hdf5(io.BytesIO(content)) as file, contextlib.suppress(*_DAMAGED_OBJECT):
        file.visititems(read)


def _registries() -> list[bytes]:
    folder = Path(__file__).resolve().parent.parent / "registries"
    return [path.read_bytes() for path in sorted(folder.glob("*.yaml"))]


def _study_files(pattern: str) -> Callable[[], list[bytes]]:
    def seeds() -> list[bytes]:
        with tempfile.TemporaryDirectory() as name:
            victim = make_victim(Path(name))
            return [path.read_bytes() for path in sorted(victim.folder.glob(pattern))]

    return seeds


_PREDICTIONS = b"source_id,image,true,predicted,COMP,FRI\na,0,COMP,FRI,0.25,0.75\nb,1,FRI,FRI,0.5,0.5\n"
_TRAIL = json.dumps({"format": 1, "links": [{"name": "data", "content": {"digest": "1" * 64}, "digest": "2" * 64}]})

PARSERS: dict[str, Parser] = {
    "pickles": Parser(parse=lambda content, _: load_plain_pickle(content), seeds=_pickles),
    "fits": Parser(parse=lambda content, _: read_fits_image(content), seeds=_fits),
    "archives": Parser(parse=_written("images.zip", _members), seeds=_archives),
    "npz": Parser(parse=lambda content, _: _read_npz(content), seeds=_npz),
    "npy": Parser(parse=_written("a.npy", _read_npy), seeds=_npy),
    "pictures": Parser(parse=lambda content, _: _read_picture(content), seeds=_pictures),
    "text-table": Parser(parse=_written("table", read_table), seeds=_tables("ascii.csv")),
    "ecsv": Parser(parse=_written("table", read_table), seeds=_tables("ascii.ecsv")),
    "votable": Parser(parse=_written("table", read_table), seeds=_tables("votable")),
    "fits-table": Parser(parse=_written("table", read_table), seeds=_tables("fits")),
    "parquet": Parser(parse=_written("table", read_table), seeds=_tables("parquet")),
    "hdf5": Parser(parse=lambda content, _: _read_hdf5(content), seeds=_hdf5),
    "registry": Parser(parse=_written("mine.yaml", load_registry), seeds=_registries),
    "text-list": Parser(parse=_written("list.txt", load_registry), seeds=lambda: [b"# list\nconvXpress,1e-4,16\n"]),
    "plan": Parser(
        parse=_written("plan.json", lambda path: read_outline(path.parent)), seeds=_study_files("plan.json")
    ),
    "manifest": Parser(
        parse=_written("manifest.json", lambda path: read_manifest(path.parent)),
        seeds=_study_files("runs/*/manifest.json"),
    ),
    "trail": Parser(
        parse=_written("trail.json", lambda path: read_trail(path.parent)), seeds=lambda: [_TRAIL.encode()]
    ),
    "predictions": Parser(
        parse=_written("predictions_best.csv", lambda path: read_predictions(path, _TASK)),
        seeds=lambda: [_PREDICTIONS],
    ),
    "history": Parser(parse=_written("history.csv", read_history), seeds=lambda: [b"epoch,loss\n1,0.5\n2,0.25\n"]),
}


def mutated(content: bytes, draws: Draws) -> bytes:
    """Return content with a few bytes changed, cut out, doubled or put in."""
    found = bytearray(content)
    for _ in range(int(draws.integers(1, 9))):
        at = int(draws.integers(0, len(found) + 1))
        length = int(2 ** draws.uniform(0, 8))
        match int(draws.integers(0, 5)):
            case 0 if at < len(found):
                found[at] ^= 1 << int(draws.integers(0, 8))
            case 1:
                del found[at : at + length]
            case 2:
                found[at:at] = found[at : at + length] * int(draws.integers(1, 5))
            case 3:
                found[at:at] = _WORDS[int(draws.integers(0, len(_WORDS)))]
            case _:
                found[at : at + length] = draws.bytes(length)
    return bytes(found)


def work(name: str, seconds: float, seed: int, report: multiprocessing.SimpleQueue[str]) -> None:
    """Feed one parser for a while; the newest input lies in the folder in case that it ends this process."""
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + (MEGABYTES << 20),) * 2)
    parser, draws = PARSERS[name], Stream("fuzz", parser=name, seed=seed).generator()
    seeds = parser.seeds()
    until, count = time.monotonic() + seconds, 0
    signal.signal(signal.SIGPROF, _too_slow)
    faulthandler.register(signal.SIGVTALRM, chain=True)  # says where the processor was when its time was up
    with tempfile.TemporaryDirectory(dir=_fast_folder()) as folder, _newest(FOLDER / f"{name}.newest") as newest:
        while time.monotonic() < until:
            content = mutated(seeds[int(draws.integers(0, len(seeds)))], draws)
            newest[: len(content) + _HEAD] = _head(len(content), count) + content
            # Seconds of the processor, because others may be using it as well; no parser waits for anything else.
            signal.setitimer(signal.ITIMER_PROF, SECONDS_OF_AN_INPUT)
            # A library that never returns to Python is not interrupted by that, but ended by this.
            signal.setitimer(signal.ITIMER_VIRTUAL, 2 * SECONDS_OF_AN_INPUT)
            try:
                parser.parse(content, Path(folder))
            except BenchmarkerError:
                pass
            except BaseException:  # noqa: BLE001 - whatever else comes out of a parser is what this looks for
                (FOLDER / f"{name}.{count}").write_bytes(content)
                report.put(f"{name}.{count}: {traceback.format_exc(limit=-3)}")
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            count += 1


def _head(length: int, count: int) -> bytes:
    """Return what precedes the newest input: its length, its number, and milliseconds of the processor so far."""
    return struct.pack("<QQQ", length, count, round(1000 * time.process_time()))


def _fast_folder() -> str | None:
    """Return a folder in memory, because most of an input's time would go into creating its file."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - the folder in it has a random name


@contextmanager
def _newest(path: Path) -> Iterator[mmap.mmap]:
    """Map a file that keeps the newest input, after its `_head`, even if it ends this process."""
    with path.open("w+b") as stream:
        stream.truncate(_MOST_BYTES)
        with mmap.mmap(stream.fileno(), _MOST_BYTES) as mapped:
            yield mapped


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * resource.getpagesize()


def _too_slow(*_: object) -> None:
    raise TooSlowError(f"took more than {SECONDS_OF_AN_INPUT} s")


def fuzz(name: str, seconds: float, seed: int) -> tuple[int, float, list[str]]:
    """Fuzz one parser; return the number of inputs, the seconds of the processor, and what broke it."""
    context = multiprocessing.get_context("fork")
    report: multiprocessing.SimpleQueue[str] = context.SimpleQueue()
    process = context.Process(target=work, args=(name, seconds, seed, report))
    process.start()
    problems = []
    while process.is_alive() or not report.empty():
        if report.empty():
            time.sleep(0.05)
            continue
        problems.append(report.get())
    newest = FOLDER / f"{name}.newest"
    held = newest.read_bytes()
    length, count, milliseconds = struct.unpack_from("<QQQ", held)
    newest.write_bytes(held[_HEAD : _HEAD + length])
    if process.exitcode:
        problems.append(f"{name}.newest: ended the process with {process.exitcode}")
    return count + 1, milliseconds / 1000, problems


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz some parsers, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parsers", nargs="*", help=f"some of {', '.join(PARSERS)}; all by default")
    parser.add_argument("--seconds", type=float, default=60, help="time for each parser; default: %(default)s")
    parser.add_argument("--seed", type=int, default=8901, help="seed of the mutations; default: %(default)s")
    given = parser.parse_args(arguments)
    FOLDER.mkdir(parents=True, exist_ok=True)
    broken = 0
    for name in given.parsers or PARSERS:
        count, used, problems = fuzz(name, given.seconds, given.seed)
        broken += len(problems)
        lines = [
            (
                f"{name}: {count:,} inputs of seed {given.seed} in {used:.0f} s of the processor, "
                f"{len(problems)} of them broke it"
            ),
            *problems[:5],
        ]
        sys.stdout.write("".join(f"{line.rstrip()}\n" for line in lines))
        sys.stdout.flush()
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
