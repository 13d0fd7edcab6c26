"""Findings about classes and attributes that are distributed differently in the parts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarker.contracts.tasks import Classification
from benchmarker.data.audit.findings import Finding, Subject
from benchmarker.data.overview import indices_by_part

_LEVEL = 0.01
_LARGER_BY = 0.05


def balance_findings(subject: Subject) -> Iterator[Finding]:
    r"""Yield classes that a part holds more or less of than the set, and attributes that differ between parts.

    Classes are compared by a chi-squared test of parts by classes; attributes of the training and the test part by the
    two-sample Kolmogorov-Smirnov test, corrected by Holm for their number; both at the level of 1 %.

    Parameters
    ----------
    subject : Subject
        The audited images.
    """
    if subject.parts is not None:
        yield from _classes(subject)
        yield from _attributes(subject)


def _classes(subject: Subject) -> Iterator[Finding]:
    from scipy.stats import chi2_contingency

    data, parts = subject.data, indices_by_part(subject.data, subject.parts)
    if not isinstance(data.task, Classification):
        return
    names = [name for name in ("train", "validation", "test") if len(parts[name])]
    targets = np.asarray(data.targets)
    table = np.array([np.bincount(targets[parts[name]], minlength=len(data.task.classes)) for name in names])
    present = table.sum(axis=0) > 0
    if present.sum() < 2 or len(names) < 2 or chi2_contingency(table[:, present]).pvalue >= _LEVEL:
        return
    overall = table.sum(axis=0) / table.sum()
    shares = table / table.sum(axis=1, keepdims=True)
    for name, share in zip(names, shares, strict=True):
        larger = [k for k in np.flatnonzero(present) if share[k] - overall[k] >= _LARGER_BY]
        if larger and name != "train":
            classes = ", ".join(
                f"{data.task.classes[k]} ({100 * share[k]:.0f} % against {100 * overall[k]:.0f} %)" for k in larger
            )
            yield Finding(
                check="class-balance",
                severity="warning",
                text=f"the {name} part holds more of {classes} than the set: accuracy there is not that of the set. "
                "Compare mean per-class accuracy, or split by fractions",
                count=len(larger),
            )


def _attributes(subject: Subject) -> Iterator[Finding]:
    from scipy.stats import ks_2samp

    data, parts = subject.data, indices_by_part(subject.data, subject.parts)
    tests = []
    for name, attribute in data.attributes.items():
        known = [attribute.values[parts[part]] for part in ("train", "test")]
        known = [values[np.isfinite(values)] for values in known]
        if min(map(len, known)) >= 8:
            tests.append((float(ks_2samp(*known).pvalue), name, known, attribute.unit))
    for rank, (p, name, known, unit) in enumerate(sorted(tests, key=lambda test: test[:2])):
        if p * (len(tests) - rank) >= _LEVEL:
            return
        medians = " and ".join(f"{float(np.median(values)):.4g}" for values in known)
        yield Finding(
            check="attribute-balance",
            severity="note",
            text=f"{name} is distributed differently in the training and the test part (medians {medians} "
            f"{unit}".rstrip()
            + f"; Kolmogorov-Smirnov p = {p:.1g})",
            count=1,
        )
