from __future__ import annotations

import math
from typing import Any

import pytest
import yaml

from benchmarker.registry import yaml_nodes
from benchmarker.registry.yaml_loader import load_yaml
from benchmarker.registry.yaml_nodes import MAXIMUM_DEPTH, MalformedYamlError


@pytest.fixture(params=["C", "Python"], autouse=True)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs with libyaml's parser and with the one that PyYAML has without it."""
    if request.param == "C" and not yaml.__with_libyaml__:
        pytest.skip("PyYAML is installed without libyaml")
    loader = yaml.SafeLoader if request.param == "Python" else yaml.CSafeLoader
    monkeypatch.setattr(yaml_nodes, "_PARSER", loader)


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
def test_what_yaml_1_1_converts_stays_text(text: str) -> None:
    assert value(text) == text


def test_not_a_number_is_one() -> None:
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


def test_equal_keys_are_refused_with_both_positions() -> None:
    document = load_yaml("a:\n  b: 1\n  c: 2\n  b: 3\n")
    [problem] = document.problems
    assert problem.text == "the key 'b' stands here a second time; the first is at line 2, column 3"
    assert document.values[problem.path] == (4, 3)
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
def test_no_tag_constructs_anything(text: str, tag: str) -> None:
    document = load_yaml(f"a: 1\nb: {text}\n")
    [problem] = document.problems
    assert problem.path == ("b",)
    assert problem.text == (
        f"tags are not allowed: a registry holds texts, numbers, lists and mappings. Received: {tag}"
    )
    assert document.values["b",][0] == 2
    assert document.data == {"a": 1, "b": None}


@pytest.mark.parametrize(("key", "shown"), [("1", "1"), ("true", "true"), ("~", "~"), ("1.5", "1.5"), ("", "nothing")])
def test_keys_are_texts(key: str, shown: str) -> None:
    [problem] = load_yaml(f"a:\n  ? {key}\n  : x\n").problems
    assert problem.text == f"a key must be a text. Received: {shown}; put it in quotes"


def test_a_list_is_no_key() -> None:
    [problem] = load_yaml("? [a]\n: 1\n").problems
    assert problem.text == "a key must be a plain text"


def test_words_that_yaml_1_1_takes_for_booleans_are_keys() -> None:
    assert load_yaml("no: 1\nyes: 2\n").data == {"no": 1, "yes": 2}


def test_anchors_are_allowed() -> None:
    document = load_yaml("a: &common {b: [1]}\nc: *common\n")
    assert document.data == {"a": {"b": [1]}, "c": {"b": [1]}}
    assert document.values["c",] == (2, 4)
    assert document.values["c", "b", 0] == (1, 17)


def test_merge_keys_add_what_a_mapping_lacks() -> None:
    document = load_yaml(
        "base: &base {rate: 1, epochs: 2, other: 5}\n"
        "more: &more {rate: 9, epochs: 8, last: 7}\n"
        "own:\n  <<: [*base, *more]\n  epochs: 3\n"
    )
    assert document.problems == []
    assert document.data["own"] == {"epochs": 3, "rate": 1, "other": 5, "last": 7}
    assert document.values["own", "rate"] == (1, 20)
    assert document.values["own", "epochs"] == (5, 11)


def test_quoted_merge_sign_is_a_key() -> None:
    assert load_yaml("a: {'<<': 1}").data == {"a": {"<<": 1}}


def test_only_mappings_can_be_merged() -> None:
    [problem] = load_yaml("a: {<<: 3}").problems
    assert problem.text == "'<<' merges a mapping or a list of mappings, and this is neither"


def test_billion_laughs_are_refused_before_they_are_expanded() -> None:
    lines = ["a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    for name, last in zip("bcdefghi", "abcdefgh", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{last}'] * 9)}]")
    message, position = malformed("\n".join(lines))
    assert message == "the registry is too large: its anchors and aliases expand to more than 100,000 entries"
    assert position == (6, 8)


def test_long_texts_cannot_be_multiplied_either() -> None:
    text = f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 10_000)}]\n"
    message, (line, _) = malformed(text)
    assert message.startswith("the registry is too large: its anchors and aliases expand")
    assert line == 2


def test_merges_are_weighed() -> None:
    lines = ["a0: &a0 {x: 1, y: 2}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 9)]
    assert malformed("\n".join(lines))[0].startswith("the registry is too large")


def test_size_without_aliases_is_limited_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_nodes, "MAXIMUM_WEIGHT", 1000)
    message, position = malformed(f"a: [{'1,' * 1001}]")
    assert message == "the registry is too large: it comes to more than 1,000 entries"
    # The mapping, its key and the list weigh three.
    assert position == (1, 5 + 2 * 997)


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {b: {c: *a}}", "&a {<<: *a}"])
def test_aliases_inside_their_own_anchor_are_refused(text: str) -> None:
    message, position = malformed(text)
    assert message == "the alias *a stands inside its own anchor &a"
    assert position == (1, text.index("*a") + 1)


def test_unknown_alias() -> None:
    assert malformed("a: *b") == ("the alias *b has no anchor &b before it", (1, 4))


@pytest.mark.parametrize("depth", [MAXIMUM_DEPTH, 500, 100_000])
def test_depth_is_limited(depth: int) -> None:
    message, (line, _) = malformed(f"a: {'[' * depth}{']' * depth}")
    assert "nested more than 40 levels deep" in message or "not valid YAML" in message
    assert line == 1


def test_depth_of_aliases_counts() -> None:
    inner = f"{'[' * 30}1{']' * 30}"
    message, position = malformed(f"a: &a {inner}\nb: {'[' * 15}*a{']' * 15}\n")
    assert message == "nested more than 40 levels deep"
    assert position == (2, 19)


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing but a comment\n", "---\n", "--- # x\n"])
def test_empty_files(text: str) -> None:
    message, _ = malformed(text)
    assert message == "the file is empty; a registry needs at least the keys 'dataset' and 'models'"


def test_second_documents_are_refused() -> None:
    assert malformed("a: 1\n---\nb: 2\n") == ("a second document begins here; a registry is one document", (2, 1))


def test_tabs_are_named() -> None:
    message, (line, _) = malformed("a:\n\tb: 1\n")
    assert message == "not valid YAML: a tab; indent with spaces"
    assert line == 2


@pytest.mark.parametrize(
    ("text", "line"), [("a: [1, 2\nb: 3\n", 2), ("a: 'x\n", 2), ("a: b: c\n", 1), ("a: 1\n b: 2\n", 2), ("a: @x\n", 1)]
)
def test_grammar_errors_have_a_position(text: str, line: int) -> None:
    message, position = malformed(text)
    assert message.startswith("not valid YAML: ")
    assert position[0] == line


def test_control_characters_have_a_position() -> None:
    message, position = malformed("a: 1\nb: \x00\n")
    assert message.startswith("not valid YAML: ")
    assert position[0] == 2


def test_numbers_of_absurd_length_are_refused_and_not_computed() -> None:
    [problem] = load_yaml(f"a: {'9' * 50_000}").problems
    assert problem.text == "no setting needs a number of 50000 digits"
