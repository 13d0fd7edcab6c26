"""Audits: whether the results of a study can be reproduced, and whether its files are what its runs wrote."""

from __future__ import annotations

from benchmarker.audit.audit import audit_study
from benchmarker.audit.verdicts import BITWISE, DIFFERS, INTACT, TOLERATED, AuditReport, CellAudit

__all__ = ["BITWISE", "DIFFERS", "INTACT", "TOLERATED", "AuditReport", "CellAudit", "audit_study"]
