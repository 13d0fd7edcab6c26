"""Claims: which process works on a cell, a generator, a cached folder, a download or a plan; one scheme for all.

A claim on ``x`` is the file ``x-1``, which only one process can create. No lock of the file system is used: clusters
have file systems whose locks are missing, hold on one node only, or are granted to everybody. What is needed is that
the creation of a file excludes others, and that a file which one node writes can be read on another.

- *Heartbeat.* The holder rewrites the file every few seconds. An observer judges by its own clock: a holder whose file
  has not changed for ten such intervals, while the observer looked on, is declared dead. Clocks of two machines are
  never compared. On one machine a holder whose process has ended is dead at once.
- *Generations.* Whoever takes over from ``x-1`` creates ``x-2``, which only one process can do, and names in it the
  holders that it succeeds. So a process that acts on an old observation fails, or harms nobody.
- *Fencing.* A process that was declared dead may come back: it was stopped, or cut off. It has lost its claim, is told
  so by its next heartbeat and by `Claim.require`, and cannot finish anything: what is written under a claim lies under
  a name that contains the token of the claim, and its successor renames that before it goes on.

Besides claims there are *shares*: ``x.shared-TOKEN`` says that a process uses ``x``; any number of processes may. A
claim with `try_claim_alone` excludes them, and removes those of processes that were declared dead. So a process
confirms its shares before it publishes anything: it may have been stopped for long.
"""

from __future__ import annotations

from benchmarker.claims.exclusive import (
    Claim,
    chain_tokens,
    claim,
    is_claimed,
    require_current,
    try_claim,
    wait_for_claim,
)
from benchmarker.claims.heart import LostClaimError
from benchmarker.claims.holders import HEARTBEAT_VARIABLE, HOST_VARIABLE, is_claim_file
from benchmarker.claims.shared import (
    Share,
    confirmed_if_it_fails,
    is_shared,
    require_shared,
    share,
    try_claim_alone,
    wait_for_share,
)

__all__ = [
    "HEARTBEAT_VARIABLE",
    "HOST_VARIABLE",
    "Claim",
    "LostClaimError",
    "Share",
    "chain_tokens",
    "claim",
    "confirmed_if_it_fails",
    "is_claim_file",
    "is_claimed",
    "is_shared",
    "require_current",
    "require_shared",
    "share",
    "try_claim",
    "try_claim_alone",
    "wait_for_claim",
    "wait_for_share",
]
