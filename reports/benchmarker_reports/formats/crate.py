"""A study as one archive for a referee: an RO-Crate with everything that a repetition and an audit need.

The archive follows RO-Crate 1.1 (Soiland-Reyes et al. 2022, doi:10.3233/DS-210053) and the profile *Process Run Crate*
0.5 (Leo et al. 2024, doi:10.1371/journal.pone.0309210): each finished run is an action, with the program that did it,
what it used and what it made. The same study gives the same bytes.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarker import (
    CellRecord,
    GeneratorRecord,
    ReportOptions,
    StudyResults,
    digest_json,
    markdown_text,
    read_ordinary,
    without_home,
)
from benchmarker_reports.formats import html, markdown

FILE = "study.crate.zip"
METADATA = "ro-crate-metadata.json"
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
CONTEXTS = ["https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context"]

# Logs, events and tracebacks are full of paths and names of whoever ran the study, and no audit reads them.
_PRIVATE = ("log.txt", "events.jsonl", "traceback.txt")
_SIGNATURE = "signature.json"
_STUDY = "study"
_SPLITS = "splits"
_PROGRAM = "#galaxy-benchmarker"
_DATASET = "#dataset"
_PUBLISHED = {".json", ".yaml", ".yml", ".txt", ".csv"}
_MOMENT = (1980, 1, 1, 0, 0, 0)

_FORMATS: Mapping[str, str] = {
    ".csv": "text/csv",
    ".h5": "application/x-hdf5",
    ".html": "text/html",
    ".json": "application/json",
    ".md": "text/markdown",
    ".png": "image/png",
    ".txt": "text/plain",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}

_Entity = dict[str, Any]
_Record = CellRecord | GeneratorRecord


def render(results: StudyResults, options: ReportOptions) -> dict[str, bytes]:
    """Return a study as an RO-Crate in a ZIP archive.

    Parameters
    ----------
    results : StudyResults
        The study.
    options : ReportOptions
        Choices of whoever asked for the report.

    Returns
    -------
    dict of str to bytes
        The archive by its name. It holds ``README.md`` with the commands of a referee, ``report.html``, the metadata,
        and in ``study/`` the plan, the registry, the splits and the files of every run; no logs, and no path of whoever
        ran it. The files of a signed study are not changed, so that the signature can be verified.
    """
    files = dict(_files(results, options))
    files[METADATA] = _json(_metadata(results, sorted(files)))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, _MOMENT), files[name], zipfile.ZIP_DEFLATED)
    return {FILE: stream.getvalue()}


def _files(results: StudyResults, options: ReportOptions) -> Iterator[tuple[str, bytes]]:
    yield "README.md", _without_home(_readme(results, options).encode())
    page = html.render(results, options)
    yield "report.html", _without_home(page.encode())
    signed = (results.folder / _SIGNATURE).is_file()  # whoever signed its bytes publishes them as they are
    for path in (*sorted(results.folder.iterdir()), *sorted((results.folder / _SPLITS).glob("*.csv"))):
        if path.is_file() and not path.name.startswith(".") and path.suffix in _PUBLISHED:
            content, name = read_ordinary(path), path.relative_to(results.folder).as_posix()
            yield f"{_STUDY}/{name}", content if signed else _without_home(content)
    records: tuple[_Record, ...] = (*results.generators, *results.cells)
    for record in records:
        if record.folder is None or record.status == "unreadable":
            continue
        for path in sorted(record.folder.rglob("*")):
            if path.is_file() and path.name not in _PRIVATE and not path.name.startswith("."):
                yield (
                    f"{_STUDY}/runs/{path.relative_to(record.folder.parent).as_posix()}",
                    (read_ordinary(path) if signed else _content(record, path)),
                )


def _content(record: _Record, path: Path) -> bytes:
    """Return the content of a file; the manifest of a failure without its traceback, which holds paths."""
    content = read_ordinary(path)
    if record.status != "failed" or path.suffix != ".json":
        return content
    value = json.loads(content)
    if isinstance(value, dict) and "traceback" in value:
        value["traceback"] = ""
    return _without_home(_json(value))


def _without_home(content: bytes) -> bytes:
    return without_home(content.decode("utf-8", errors="replace")).encode()


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def _readme(results: StudyResults, options: ReportOptions) -> str:
    environments = results.environments
    python = environments[0].fingerprint.python if environments else "3"
    source = results.study.plan.source
    data = (
        "- The images are not part of this archive. Put them where the plan expects them: "
        f"{markdown_text(source.path)}, seen from `study/`, or name their folder with `-d`.\n"
        if source is not None and source.path is not None
        else ""
    )
    install = "\n".join(line for line in results.commands if line.startswith(("#", "python -m pip")))
    return f"""# {markdown_text(results.title)}

This archive holds a comparison of galaxy networks: its registry, its results, and for each run the trail of digests
that tells whether a repetition gives the same bits. `report.html` shows the results, and `{METADATA}`
describes the files.

To check it, with Python {python}:

```console
{install}
benchmarker audit study --offline    # are the files what was recorded?
benchmarker audit study --sample 2   # train two cells again, and compare bit for bit
```

{data}- `benchmarker audit study` without `--sample` repeats every cell.

{markdown.render(results, options)}"""


def _metadata(results: StudyResults, files: list[str]) -> dict[str, Any]:
    records: tuple[_Record, ...] = (*results.generators, *results.cells)
    actions = [_action(record, files) for record in records if record.status == "ok"]
    ends = [action["endTime"] for action in actions if "endTime" in action]
    runs = sorted({f"{file.rpartition('/')[0]}/" for file in files if file.startswith(f"{_STUDY}/runs/")})
    runs = [run for run in runs if not any(run != other and run.startswith(other) for other in runs)]
    root: _Entity = {
        "@id": "./",
        "@type": "Dataset",
        "name": results.title,
        "description": f"Comparison of networks on {results.study.dataset.name}: registry, trails and results",
        "datePublished": max(ends, default="1970-01-01T00:00:00+00:00"),
        "license": {"@id": "#licence"},
        "conformsTo": {"@id": PROFILE},
        "hasPart": [{"@id": name} for name in (*(n for n in files if "/" not in n), f"{_STUDY}/")],
        "mentions": [{"@id": action["@id"]} for action in actions],
    }
    descriptor: _Entity = {
        "@id": METADATA,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
    }
    folders = [_folder(f"{_STUDY}/", files, runs), *(_folder(run, files, []) for run in runs)]
    return {
        "@context": CONTEXTS,
        "@graph": [descriptor, root, *_about(results), *actions, *folders, *map(_file, files)],
    }


def _about(results: StudyResults) -> list[_Entity]:
    dataset = results.study.dataset
    environments = results.environments
    version = environments[0].fingerprint.benchmarker if environments else "unknown"
    packages = environments[0].fingerprint.packages if environments else {}
    return [
        {"@id": PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"},
        {
            "@id": "#licence",
            "@type": "CreativeWork",
            "name": f"Images: {dataset.licence or 'no licence is stated'}",
            "description": "Licence of the images that the results were computed from.",
        },
        {
            "@id": _PROGRAM,
            "@type": "SoftwareApplication",
            "name": "galaxy-benchmarker",
            "version": version,
            "softwareRequirements": [f"{name}=={number}" for name, number in sorted(packages.items())],
        },
        {
            "@id": _DATASET,
            "@type": "Dataset",
            "name": dataset.name,
            "description": f"{dataset.images} images of {' x '.join(map(str, dataset.shape))}",
            "identifier": dataset.digest,
            "license": dataset.licence or "no licence is stated",
            "citation": dataset.citation or "no publication is stated",
        },
    ]


def _action(record: _Record, files: list[str]) -> _Entity:
    manifest = record.manifest
    name = f"{_STUDY}/runs/{record.run_name}/"
    registry = [file for file in files if file.startswith(f"{_STUDY}/registry")]
    found: _Entity = {
        "@id": f"#run-{record.run_name}",
        "@type": "CreateAction",
        "name": f"Training of {record.name}",
        "instrument": {"@id": _PROGRAM},
        "object": [{"@id": file} for file in (*registry, _DATASET)],
        "result": {"@id": name},
        "actionStatus": "http://schema.org/CompletedActionStatus",
    }
    if manifest is not None:
        found |= {"startTime": manifest.started} if manifest.started is not None else {}
        found |= {"endTime": manifest.finished}
    if record.fingerprint is not None:
        found["description"] = f"Environment {digest_json(record.fingerprint.to_json())[:12]}, key {record.key}"
    return found


def _folder(name: str, files: list[str], inside: list[str]) -> _Entity:
    """Describe a folder with the files in it that are in none of the folders inside it."""
    own = [file for file in files if file.startswith(name) and not any(file.startswith(each) for each in inside)]
    return {
        "@id": name,
        "@type": "Dataset",
        "name": name.rstrip("/").rpartition("/")[2],
        "hasPart": [{"@id": part} for part in (*inside, *own)],
    }


def _file(name: str) -> _Entity:
    return {
        "@id": name,
        "@type": "File",
        "name": name.rpartition("/")[2],
        "encodingFormat": _FORMATS.get(Path(name).suffix, "application/octet-stream"),
    }
