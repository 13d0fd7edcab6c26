"""Files from elsewhere: downloads, archives and pickles, none of them trusted."""

from __future__ import annotations

from benchmarker.files.archive_guard import Limits
from benchmarker.files.archives import read_members
from benchmarker.files.downloads import fetch, user_file
from benchmarker.files.folders import Member
from benchmarker.files.pickles import load_plain_pickle
from benchmarker.files.signatures import path_signature

__all__ = ["Limits", "Member", "fetch", "load_plain_pickle", "path_signature", "read_members", "user_file"]
