"""What cells that may be averaged have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def shared_settings(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything that decides about a cell's result but its seed, and what follows from the seed.

    Parameters
    ----------
    spec : mapping
        Of the cell. The generator of an arm is another one under each seed; ``configuration`` says what they share.
    """
    shared = {name: value for name, value in spec.items() if name != "seed"}
    if spec.get("kind") == "generator":
        # The training part is drawn under the seed.
        shared["data"] = {name: value for name, value in spec["data"].items() if name not in {"digest", "images"}}
        return shared
    arm = spec.get("arm")
    generated = arm.get("generated") if isinstance(arm, Mapping) else None
    if isinstance(arm, Mapping) and isinstance(generated, Mapping):
        shared["arm"] = {**arm, "generated": {name: value for name, value in generated.items() if name != "generator"}}
    return shared
