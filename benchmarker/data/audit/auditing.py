"""Run all checks on a dataset, and write what they find."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarker.contracts.images import LabelledImages
from benchmarker.data.audit.balance import balance_findings
from benchmarker.data.audit.copies import find_copies
from benchmarker.data.audit.findings import SEVERITIES, Audit, Finding, Subject
from benchmarker.data.audit.objects import apart_on_the_sky, copy_findings, label_findings, sky_findings
from benchmarker.data.audit.quality import quality_findings
from benchmarker.data.audit.surveys import survey_findings
from benchmarker.data.pictures import draw_rows, seen
from benchmarker.data.positions import SAME_SKY, positions
from benchmarker.data.splits import Parts
from benchmarker.files import make_folder, write_bytes
from benchmarker.printing import markdown_text

_DRAWN = 6
_LISTED = 20

AUDIT_FILE = "audit.json"
PAGE_FILE = "audit.md"


def audit_images(
    data: LabelledImages,
    parts: Parts | None,
    *,
    dataset: str,
    seed: int | None = None,
    radius: float = SAME_SKY,
    unclipped: NDArray[Any] | None = None,
    progress: Callable[[str, int, int | None], None] = lambda *_: None,
) -> Audit:
    """Audit a dataset.

    Parameters
    ----------
    data : LabelledImages
        The prepared images.
    parts : Parts, optional
        Their parts.
    dataset : str
        Name of the dataset.
    seed : int, optional
        Seed of the parts.
    radius : float
        Radius for neighbours on the sky, in arcsec.
    unclipped : ndarray of shape (n, height, width, channels), optional
        The same images without clipping and thresholds, for the search for near copies; by default those of ``data``.
    progress : callable
        Called with a description, the number of steps done and of all steps.

    Returns
    -------
    Audit
        Findings, the worst first. The same images give the same audit.
    """
    subject = Subject(data, parts)
    where = positions(data)
    found = find_copies(data, data.images if unclipped is None else unclipped, progress)
    search = apart_on_the_sky(found, where)
    neighbours, same_position = sky_findings(subject, where, radius)
    findings: list[Finding] = [
        *copy_findings(subject, search),
        *label_findings(subject, search.matches, same_position),
        *neighbours,
        *balance_findings(subject),
        *survey_findings(subject),
        *quality_findings(subject),
    ]
    return Audit(
        dataset=dataset,
        digest=data.digest,
        images=len(data),
        seed=seed,
        radius=radius,
        positions=0 if where is None else int(np.isfinite(where).all(axis=1).sum()),
        recognisable=search.recognisable,
        planted=search.planted,
        planted_found=search.found,
        findings=tuple(sorted(findings, key=lambda each: SEVERITIES.index(each.severity))),
    )


def write_audit(audit: Audit, data: LabelledImages, folder: Path) -> Audit:
    """Write an audit into a folder: ``audit.json``, ``audit.md``, and a picture of examples of each kind of finding.

    Parameters
    ----------
    audit : Audit
        The audit.
    data : LabelledImages
        The audited images.
    folder : Path
        Folder to write into; created if it does not exist.

    Returns
    -------
    Audit
        The audit with the names of its pictures.
    """
    make_folder(folder)
    index_of = {source: index for index, source in reversed(list(enumerate(data.source_ids)))}
    findings = []
    for finding in audit.findings:
        rows = _rows(finding, data, index_of)
        if rows:
            name = f"{finding.check}.png"
            write_bytes(folder / name, draw_rows(rows))
            findings.append(finding.model_copy(update={"picture": name}))
        else:
            findings.append(finding)
    written = Audit.model_validate(
        audit.to_json() | {"findings": [{**each.to_json(), **_picture(each)} for each in findings]}
    )
    written.write(folder / AUDIT_FILE)
    write_bytes(folder / PAGE_FILE, audit_page(written).encode())
    return written


def _picture(finding: Finding) -> dict[str, str]:
    return {} if finding.picture is None else {"picture": finding.picture}


def _rows(
    finding: Finding, data: LabelledImages, index_of: dict[str, int]
) -> list[tuple[str, list[NDArray[np.float32]]]]:
    """Return the captions and images of the first examples of a finding."""
    if finding.pairs:
        return [
            (
                f"{pair.first} ({pair.parts[0]}, {pair.labels[0]})  {pair.second} ({pair.parts[1]}, {pair.labels[1]})",
                [seen(data, index_of[pair.first]), seen(data, _second(data, index_of, pair.first, pair.second))],
            )
            for pair in finding.pairs[:_DRAWN]
        ]
    known = [index_of[name] for name in finding.images if name in index_of][:_DRAWN]
    return [(finding.check, [seen(data, index) for index in known])] if known else []


def _second(data: LabelledImages, index_of: dict[str, int], first: str, second: str) -> int:
    """Return the index of the second image of a pair, which may have the name of the first."""
    start = index_of[first] + 1 if first == second else 0
    return data.source_ids.index(second, start)


def audit_page(audit: Audit) -> str:
    """Return an audit as Markdown."""
    return "\n".join(_page(audit)) + "\n"


def _page(audit: Audit) -> Iterable[str]:
    yield f"# Audit of {markdown_text(audit.dataset)}"
    yield ""
    yield f"{audit.images:,} images, SHA-256 `{audit.digest}`."
    if audit.seed is not None:
        yield f"Parts of seed {audit.seed}."
    if audit.planted:
        share = 100 * audit.planted_found / audit.planted
        yield (
            f"Near copies of {_count(audit.recognisable)} images can be recognised: their details are rich enough, and "
            f"no two others look nearly the same. Of {audit.planted} turned, mirrored, shifted and rescaled copies of "
            f"such images that were added as a test, the search found {audit.planted_found} ({share:.0f} %)."
        )
    known = f"{audit.positions:,} positions are known" if audit.positions else "No position is known"
    yield f"{known}, so neighbours within {audit.radius:g} arcsec were {'' if audit.positions else 'not '}looked for."
    if not audit.findings:
        yield "\nNothing was found."
    for finding in audit.findings:
        yield f"\n## {finding.severity}: {finding.check}\n"
        yield f"{markdown_text(finding.text)}."
        if finding.picture:
            yield f"\n![{finding.check}]({finding.picture})"
        yield from _listed(finding)


def _count(number: int | None) -> str:
    return "these" if number is None else f"{number:,}"


def _listed(finding: Finding) -> Iterable[str]:
    if finding.pairs:
        yield "\n| first | second | parts | labels | why | similarity | separation |"
        yield "|---|---|---|---|---|---|---|"
    for pair in finding.pairs[:_LISTED]:
        similarity = "" if pair.similarity is None else f"{pair.similarity:.3f}"
        separation = "" if pair.separation is None else f"{pair.separation:.1f} arcsec"
        cells = (
            pair.first,
            pair.second,
            ", ".join(pair.parts),
            ", ".join(pair.labels),
            pair.why,
            similarity,
            separation,
        )
        yield f"| {' | '.join(map(markdown_text, cells))} |"
    if finding.images:
        yield ""
    yield from (f"- {markdown_text(name)}" for name in finding.images[:_LISTED])
    hidden = max(len(finding.pairs), len(finding.images)) - _LISTED
    if hidden > 0:
        yield f"\n... and {hidden:,} more in `{AUDIT_FILE}`."
