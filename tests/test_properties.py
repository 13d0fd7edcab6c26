"""Properties that parsers and sanitisers have for every input, tried on inputs that hypothesis makes.

The inputs are the same in every run of the suite. `make fuzz` looks for others, at length.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import pickle
import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from benchmarker import (
    ConfigurationError,
    DataError,
    canonical_json,
    load_plain_pickle,
    markdown_text,
    printable,
    table_cell,
)
from benchmarker.printing import without_home
from benchmarker.registry.yaml_loader import MalformedYamlError, load_yaml
from benchmarker.study.selectors import RunName, choose_runs
from benchmarker_radio.fits_manifest import FitsManifestOptions, _Files, _read_manifest
from benchmarker_reports.formats.latex_text import _GREEK_NAMES, escaped
from tests.conftest import CHECKOUT

quick = settings(
    max_examples=80,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

anything = st.text(alphabet=st.characters(), max_size=40)
"""Any text, with control characters and lone surrogates."""

markup = st.text(alphabet="ab1 \n\t_*~`#>+-=.)(<[]!|:/\\&;$@w", max_size=16)
"""Text of the characters that mean something in Markdown."""

encodable = st.text(st.characters(codec="utf-8"), max_size=20)


yaml_text = st.text(st.characters(min_codepoint=1, max_codepoint=0xD7FF), max_size=20)
"""Text that JSON and YAML write alike: YAML has no pairs of surrogates, and its keys are short."""


def json_of(text: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
        max_leaves=8,
    )


CORPUS = sorted(Path(__file__).with_name("corpus").glob("*/*"))


@pytest.fixture(scope="module")
def problems(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return what goes wrong with each file of the corpus, in a process of its own."""
    words = [sys.executable, "-m", "tests.parse_corpus", str(tmp_path_factory.mktemp("corpus")), *map(str, CORPUS)]
    done = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_input_that_broke_a_parser_no_longer_does(path: Path, problems: dict[str, str]) -> None:
    assert problems[str(path)] == ""


@quick
@given(anything)
@example("\x1b]52;c;cm0gLXJm\x07\x9b31m\u202e\r")
def test_printed_text_holds_no_control_character(text: str) -> None:
    shown = printable(text)
    assert not [c for c in shown if unicodedata.category(c) in {"Cc", "Cs"} and c not in "\n\t"]
    assert not {unicodedata.bidirectional(c) for c in shown} & {"RLE", "LRE", "RLO", "LRO", "PDF", "RLI", "LRI", "FSI"}
    assert printable(shown) == shown
    shown.encode()


MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
PLACES = {
    "{}": ["paragraph_open", "inline", "paragraph_close"],
    "- {}": [
        "bullet_list_open", "list_item_open", "paragraph_open", "inline", "paragraph_close", "list_item_close",
        "bullet_list_close",
    ],
    "# {}": ["heading_open", "inline", "heading_close"],
}  # fmt: skip


@quick
@given(markup | anything)
@example("~~~")
@example("---")
@example("1. a")
@example("=")
@example("a\\")
def test_text_in_markdown_is_nothing_but_text(text: str) -> None:
    safe = markdown_text(text)
    for place, expected in PLACES.items():
        tokens = MARKDOWN.parse(place.format(safe or "a"))
        assert [token.type for token in tokens] == expected, (place, safe)
        (inline,) = (token for token in tokens if token.type == "inline")
        assert {token.type for token in inline.children or ()} <= {"text", "text_special"}, (place, safe)
    shown = "".join(token.content for token in inline.children or ())
    assert "".join(shown.split()) == "".join(printable(text).split()) or not safe
    assert not re.search(r"(?i)://|(?<!\\)\$|\bwww\.", safe)


@quick
@given(st.lists(markup, min_size=2, max_size=3))
def test_cells_of_markdown_tables_stay_in_their_column(cells: list[str]) -> None:
    lines = [f"| {' | '.join(row)} |" for row in (["h"] * len(cells), ["---"] * len(cells), map(markdown_text, cells))]
    tokens = MARKDOWN.parse("\n".join(lines))
    assert sum(token.type == "td_open" for token in tokens) == len(cells)
    assert {child.type for token in tokens for child in token.children or ()} <= {"text", "text_special"}


@quick
@given(anything | st.text(alphabet='=+-@\t\r\n "a1;,', max_size=8))
@example("\uff1d1+1")
def test_cells_of_csv_are_read_back_and_are_no_formula(text: str) -> None:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerow([table_cell(text), "next"])
    ((cell, after),) = csv.reader(io.StringIO(stream.getvalue()))
    assert after == "next"
    assert cell.removeprefix("'") == printable(text).removeprefix("'")
    assert unicodedata.normalize("NFKC", cell)[:1] not in {"=", "+", "-", "@", "\t", "\r"}


_LATEX_COMMANDS = re.compile(r"\\(?:[a-zA-Z]+|[{}$&%#_^])")


@quick
@given(anything | st.text(alphabet="\\{}$&%#_^~<>|\"`[*'-,ab\n", max_size=16))
def test_text_in_latex_is_nothing_but_text(text: str) -> None:
    found = escaped(text)
    commands = {command for command in _LATEX_COMMANDS.findall(found) if len(command) > 2}
    assert all(command in _INERT or command.startswith("\\text") for command in commands), commands
    rest = _LATEX_COMMANDS.sub("", found)
    assert not set("\\$&%#_~\n\r") & set(rest.replace("^\\circ", "").replace("_\\allowbreak", ""))
    depth = 0
    for character in rest:
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0
    assert depth == 0


_INERT = {r"\allowbreak", r"\ensuremath", r"\pm", r"\times", r"\circ", r"\dots"} | {
    rf"\{name}" for name in _GREEK_NAMES.split()
}


@quick
@given(anything)
def test_home_folders_are_hidden_once_and_for_all(text: str) -> None:
    hidden = without_home(f"{text} /home/jansky/{text}")
    assert "/home/jansky" not in hidden
    assert without_home(hidden) == hidden


@quick
@given(json_of(encodable))
def test_canonical_json_is_read_back_exactly_and_has_one_form(value: Any) -> None:
    encoded = canonical_json(value)
    assert json.loads(encoded) == value
    assert canonical_json(json.loads(encoded)) == encoded
    if isinstance(value, dict):
        assert canonical_json(dict(reversed(value.items()))) == encoded


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_canonical_json_refuses_what_json_lacks(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"a": [value]})


names = st.text(alphabet="ab/,: -_8", min_size=1, max_size=6).filter(lambda name: name.strip(" ,/") != "")


@quick
@given(st.lists(st.tuples(names, st.sampled_from(["real", "gan/1", "a,b"])), min_size=1, max_size=4, unique=True))
def test_a_run_is_found_by_its_written_name_or_the_choice_is_refused(runs: list[tuple[str, str]]) -> None:
    listed = [
        RunName(networks=(network,), arm=arm, seed=8901, key=f"{k:064x}") for k, (network, arm) in enumerate(runs)
    ]
    for position, name in enumerate(listed):
        try:
            choices = choose_runs(listed, name.written, where="study")
        except ConfigurationError:
            continue  # two runs have that name
        assert position in {found for choice in choices for found in choice.positions}


@quick
@given(anything)
def test_any_selector_chooses_runs_or_is_refused_in_one_line(selector: str) -> None:
    listed = [RunName(networks=("mcrgnet",), arm="real", seed=seed, key=f"{seed:064x}") for seed in (1, 2)]
    message = ""
    try:
        choices = choose_runs(listed, selector, where="study")
    except ConfigurationError as error:
        message, choices = str(error), ()
    assert bool(choices) != bool(message)
    assert len(message.splitlines()) <= 1


@quick
@given(st.dictionaries(st.text("abc_1", min_size=1, max_size=9), json_of(yaml_text), min_size=1))
def test_yaml_that_is_json_is_read_as_json(value: dict[str, Any]) -> None:
    document = load_yaml(json.dumps(value))
    assert document.problems or document.data == value


@quick
@given(encodable | st.text(alphabet="a: -\n[]{}&*!|>'\"#%@,?\t1.e~", max_size=40))
def test_any_text_is_yaml_or_refused(text: str) -> None:
    with contextlib.suppress(MalformedYamlError):
        json.dumps(load_yaml(text).data, skipkeys=False)


plain_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | encodable | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(encodable, inner),
    max_leaves=8,
)


@quick
@given(plain_values, st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_pickles_of_plain_values_are_read_as_python_reads_them(value: Any, protocol: int) -> None:
    assert load_plain_pickle(pickle.dumps(value, protocol)) == value


@quick
@given(st.lists(st.integers(0, 4), max_size=3), st.sampled_from(["u1", "<f4", ">i2", "?", "<U3"]))
def test_pickles_of_arrays_are_read_as_numpy_wrote_them(shape: list[int], dtype: str) -> None:
    array = np.arange(math.prod(shape)).reshape(shape).astype(dtype)
    found = load_plain_pickle(pickle.dumps(array))
    np.testing.assert_array_equal(found, array)


@quick
@given(st.binary(max_size=60), st.integers(0, 200))
def test_damaged_pickles_are_refused(noise: bytes, at: int) -> None:
    whole = pickle.dumps({"data": np.arange(6), "labels": [1, 2]})
    for data in (noise, whole[:at] + noise + whole[at + len(noise) :]):
        with contextlib.suppress(DataError):
            load_plain_pickle(data)


@quick
@given(st.binary(max_size=60) | st.text(alphabet='Name,Type\n1234"a;. \r', max_size=60).map(str.encode))
def test_any_manifest_is_read_or_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "manifest.csv"
    path.write_bytes(content)
    options = FitsManifestOptions()
    with contextlib.suppress(DataError):
        manifest = _read_manifest(path, _Files(tmp_path, options), options)
        assert manifest.types.keys().isdisjoint(manifest.left_out)
