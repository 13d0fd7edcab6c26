"""YAML is read as version 1.2, with positions, and within limits."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml

from benchmarker.registry import yaml_loader
from benchmarker.registry.yaml_loader import MAXIMUM_DEPTH, MalformedYamlError, load_yaml


@pytest.fixture(params=["C", "Python"], autouse=True)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs with libyaml's parser and with the one that PyYAML has without it."""
    if request.param == "C" and not yaml.__with_libyaml__:
        pytest.skip("PyYAML is installed without libyaml")
    loader = yaml.SafeLoader if request.param == "Python" else yaml.CSafeLoader
    monkeypatch.setattr(yaml_loader, "_PARSER", loader)


def value(text: str) -> Any:
    document = load_yaml(f"value: {text}\n")
    assert document.problems == []
    return document.data["value"]


def malformed(text: str) -> tuple[str, tuple[int, int]]:
    with pytest.raises(MalformedYamlError) as caught:
        load_yaml(text)
    return caught.value.message, caught.value.position


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-4", 1e-4),
        ("1e4", 1e4),
        ("1E+4", 1e4),
        (".5", 0.5),
        ("-.5e1", -5.0),
        ("5.", 5.0),
        ("0o17", 15),
        ("0x1F", 31),
        ("017", 17),
        ("+12", 12),
        ("-0", 0),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("true", True),
        ("TRUE", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("'1e-4'", "1e-4"),
        ('"null"', "null"),
        ("|\n  8901\n", "8901\n"),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, expected: object) -> None:
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    "text",
    ["no", "yes", "on", "off", "NO", "y", "1:30", "12:30:45", "2026-01-02", "1_000", "0b11", "1e", "e5", "+", "."],
)
def test_words_that_yaml_1_1_converts_stay_text(text: str) -> None:
    assert value(text) == text


def test_nan_is_a_number() -> None:
    assert math.isnan(value(".nan"))


def test_every_node_keeps_its_position() -> None:
    document = load_yaml("dataset: mnist\nmodels:\n  - architecture: convxpress\n    epochs: 0\n")
    assert document.values == {
        (): (1, 1),
        ("dataset",): (1, 10),
        ("models",): (3, 3),
        ("models", 0): (3, 5),
        ("models", 0, "architecture"): (3, 19),
        ("models", 0, "epochs"): (4, 13),
    }
    assert document.keys["models", 0, "epochs"] == (4, 5)


def test_columns_count_characters_and_not_bytes() -> None:
    document = load_yaml("{título: é, b: 1}")
    assert document.values["b",] == (1, 16)


def test_repeated_key_is_refused_with_both_positions() -> None:
    document = load_yaml("a:\n  b: 1\n  c: 2\n  b: 3\n")
    [problem] = document.problems
    assert problem.position == (4, 3)
    assert "'b'" in problem.text
    assert "line 2, column 3" in problem.text
    assert document.data == {"a": {"b": 1, "c": 2}}


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("!!python/object/apply:os.system [touch x]", "!!python/object/apply:os.system"),
        ("!!python/name:os.system", "!!python/name:os.system"),
        ("!include other.yaml", "!include"),
        ("!!str 12", "!!str"),
        ("!<tag:example.org,2026:x> {a: 1}", "tag:example.org,2026:x"),
        ("! 12", "!"),
    ],
)
def test_tag_constructs_nothing(text: str, tag: str) -> None:
    document = load_yaml(f"a: 1\nb: {text}\n")
    [problem] = document.problems
    assert problem.path == ("b",)
    assert problem.text.endswith(f"Received: {tag}")
    assert document.values["b",][0] == 2
    assert document.data == {"a": 1, "b": None}


@pytest.mark.parametrize(("key", "shown"), [("1", "1"), ("true", "true"), ("~", "~"), ("1.5", "1.5"), ("", "nothing")])
def test_key_that_is_not_text_is_refused(key: str, shown: str) -> None:
    [problem] = load_yaml(f"a:\n  ? {key}\n  : x\n").problems
    assert problem.position == (2, 4 if key == "" else 5)
    assert problem.text.endswith(f"Received: {shown}; put it in quotes")


def test_list_as_a_key_is_refused() -> None:
    [problem] = load_yaml("? [a]\n: 1\n").problems
    assert problem.position == (1, 3)
    assert "a key must be text" in problem.text


def test_words_that_yaml_1_1_takes_for_booleans_can_be_keys() -> None:
    assert load_yaml("no: 1\nyes: 2\n").data == {"no": 1, "yes": 2}


def test_anchors_and_aliases_are_expanded() -> None:
    document = load_yaml("a: &common {b: [1]}\nc: *common\n")
    assert document.data == {"a": {"b": [1]}, "c": {"b": [1]}}
    assert document.values["c",] == (2, 4)
    assert document.values["c", "b", 0] == (1, 17)


def test_merge_key_adds_what_a_mapping_lacks() -> None:
    document = load_yaml(
        "base: &base {rate: 1, epochs: 2, other: 5}\n"
        "more: &more {rate: 9, epochs: 8, last: 7}\n"
        "own:\n  <<: [*base, *more]\n  epochs: 3\n"
    )
    assert document.problems == []
    assert document.data["own"] == {"epochs": 3, "rate": 1, "other": 5, "last": 7}
    assert document.values["own", "rate"] == (1, 20)
    assert document.values["own", "epochs"] == (5, 11)


def test_quoted_merge_sign_is_an_ordinary_key() -> None:
    assert load_yaml("a: {'<<': 1}").data == {"a": {"<<": 1}}


def test_merge_of_anything_but_mappings_is_refused() -> None:
    [problem] = load_yaml("a: {<<: 3}").problems
    assert problem.position == (1, 9)
    assert "'<<'" in problem.text


def test_billion_laughs_are_refused_before_expansion() -> None:
    lines = ["a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    for name, last in zip("bcdefghi", "abcdefgh", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{last}'] * 9)}]")
    message, position = malformed("\n".join(lines))
    assert "more than 100,000 entries" in message
    assert position == (6, 8)


def test_multiplied_long_text_is_refused() -> None:
    text = f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 10_000)}]\n"
    message, (line, _) = malformed(text)
    assert message.startswith("the registry is too large: its anchors and aliases")
    assert line == 2


def test_expansion_of_merges_is_limited() -> None:
    lines = ["a0: &a0 {x: 1, y: 2}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 9)]
    assert malformed("\n".join(lines))[0].startswith("the registry is too large")


def test_size_without_aliases_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_loader, "MAXIMUM_WEIGHT", 1000)
    message, position = malformed(f"a: [{'1,' * 1001}]")
    assert "more than 1,000 entries" in message
    assert "aliases" not in message
    # The mapping, its key and the list weigh three.
    assert position == (1, 5 + 2 * 997)


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {b: {c: *a}}", "&a {<<: *a}"])
def test_alias_inside_its_own_anchor_is_refused(text: str) -> None:
    message, position = malformed(text)
    assert "*a" in message
    assert "inside its own anchor" in message
    assert position == (1, text.index("*a") + 1)


def test_alias_without_an_anchor_is_refused() -> None:
    message, position = malformed("a: *b")
    assert "*b" in message
    assert position == (1, 4)


@pytest.mark.parametrize("depth", [MAXIMUM_DEPTH, 500, 100_000])
def test_deep_nesting_is_refused(depth: int) -> None:
    message, (line, _) = malformed(f"a: {'[' * depth}{']' * depth}")
    assert "40 levels" in message or "not valid YAML" in message
    assert line == 1


def test_depth_of_aliases_counts() -> None:
    inner = f"{'[' * 30}1{']' * 30}"
    message, position = malformed(f"a: &a {inner}\nb: {'[' * 15}*a{']' * 15}\n")
    assert "40 levels" in message
    assert position == (2, 19)


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing but a comment\n", "---\n", "--- # x\n"])
def test_empty_file_is_refused(text: str) -> None:
    message, _ = malformed(text)
    assert "empty" in message


def test_second_document_is_refused() -> None:
    message, position = malformed("a: 1\n---\nb: 2\n")
    assert "second document" in message
    assert position == (2, 1)


def test_tab_is_named() -> None:
    message, (line, _) = malformed("a:\n\tb: 1\n")
    assert "indent with spaces" in message
    assert line == 2


@pytest.mark.parametrize(
    ("text", "line"), [("a: [1, 2\nb: 3\n", 2), ("a: 'x\n", 2), ("a: b: c\n", 1), ("a: 1\n b: 2\n", 2), ("a: @x\n", 1)]
)
def test_grammar_error_has_a_position(text: str, line: int) -> None:
    message, position = malformed(text)
    assert message.startswith("not valid YAML: ")
    assert position[0] == line


def test_control_character_has_a_position() -> None:
    message, position = malformed("a: 1\nb: \x00\n")
    assert message.startswith("not valid YAML: ")
    assert position[0] == 2


def test_number_of_absurd_length_is_refused_and_not_computed() -> None:
    [problem] = load_yaml(f"a: {'9' * 50_000}").problems
    assert problem.path == ("a",)
    assert "50000 digits" in problem.text
