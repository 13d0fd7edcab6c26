"""The trail: a chain that anybody can check, and that says where it was changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from benchmarker.trail import START, Link, Trail


def trail(*names: str) -> Trail:
    """Return a trail whose links are numbered."""
    made = Trail()
    for number, name in enumerate(names, start=1):
        made.add(name, {"number": number})
    return made


def test_digest_of_a_link_covers_the_link_before_its_name_and_its_content() -> None:
    first, second = trail("data", "split").links
    text = f'["{START}","data",{{"number":1}}]'
    assert START == 64 * "0"
    assert first.digest == hashlib.sha256(text.encode()).hexdigest()
    text = f'["{first.digest}","split",{{"number":2}}]'
    assert second.digest == hashlib.sha256(text.encode()).hexdigest()


def test_head_is_the_last_digest() -> None:
    assert Trail().head == START
    assert trail("data", "split").head == trail("data", "split").links[-1].digest
    assert trail("data", "split").head != trail("split", "data").head


def test_unchanged_trail_is_not_broken() -> None:
    assert Trail().broken_link() is None
    assert trail("data", "split", "epoch 1").broken_link() is None


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        (lambda links: [replace(links[0], content={"number": 9}), *links[1:]], "data"),
        (lambda links: [links[0], replace(links[1], name="order"), links[2]], "order"),
        (lambda links: [*links[:2], replace(links[2], digest="f" * 64)], "epoch 1"),
        (lambda links: [replace(links[0], digest="f" * 64), *links[1:]], "data"),
        (lambda links: [links[0], links[2]], "epoch 1"),
        (lambda links: [links[1], links[0], links[2]], "split"),
        (lambda links: [links[0], links[0], *links[1:]], "data"),
    ],
    ids=["content", "name", "last digest", "first digest", "left out", "swapped", "repeated"],
)
def test_first_changed_link_is_named(change: Callable[[tuple[Link, ...]], list[Link]], broken: str) -> None:
    assert Trail(change(trail("data", "split", "epoch 1").links)).broken_link() == broken


def test_trail_continues_from_its_links() -> None:
    whole = trail("data", "split", "epoch 1")
    continued = Trail(whole.links[:2])
    continued.add("epoch 1", {"number": 3})
    assert continued.links == whole.links
    before = whole.links
    whole.add("epoch 2", {})
    assert len(before) == 3  # links that were handed out do not grow


def test_trail_survives_json() -> None:
    written: list[dict[str, Any]] = trail("data", "split").to_json()
    assert written[0] == {"name": "data", "content": {"number": 1}, "digest": trail("data").head}
    assert Trail.from_json(written).links == trail("data", "split").links
