"""YAML becomes values with lines, within bounds, and never shows itself in an error."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from store_plugin.config.manifests import documents as module
from store_plugin.config.manifests.documents import DocumentError, parse_documents

CANARY = "canary-9f3Xq"


def values(text: str) -> list[Any]:
    return [document.value for document in parse_documents(text)]


def test_every_field_knows_its_line_and_a_missing_one_that_of_its_block() -> None:
    (document,) = parse_documents("a:\n  b:\n    - 1\n    - c: 2\nd: 3\n")
    lines = {("a",): 1, ("a", "b"): 2, ("a", "b", 1): 4, ("a", "b", 1, "c"): 4, ("d",): 5, ("a", "x", "y"): 1}
    assert {path: document.line(path) for path in lines} == lines


def test_lines_count_on_through_the_documents_of_a_file() -> None:
    second = list(parse_documents("a: 1\n---\n\nb: 2\n"))[1]
    assert (second.line(()), second.line(("b",))) == (4, 4)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("[yes, 'yes', no, true]", [True, "yes", False, True], id="words"),
        pytest.param("[1, '1', 0x10, 1.5, 1e3]", [1, "1", 16, 1.5, "1e3"], id="numbers"),
        pytest.param("[null, ~, '', ]", [None, None, ""], id="nothing"),
        pytest.param("2024-01-02", "2024-01-02", id="a date stays text"),
        pytest.param("{1: a, no: b, null: c}", {"1": "a", "no": "b", "null": "c"}, id="names are text"),
        pytest.param("{a: &x [1], b: *x}", {"a": [1], "b": [1]}, id="alias"),
        pytest.param("|\n  one\n  two\n", "one\ntwo\n", id="block text"),
    ],
)
def test_scalars_are_read_as_kubernetes_reads_them(text: str, value: object) -> None:
    assert values(text) == [value]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        pytest.param(f"a: 1\nb: {CANARY}: c\n", 2, "mapping values", id="syntax"),
        pytest.param(f"a: '{CANARY}", 1, "unexpected end", id="open quote"),
        pytest.param(f"{CANARY}: 1\na: 1\n{CANARY}: 2\n", 3, "twice", id="double field"),
        pytest.param(
            f"a:\n  - {CANARY}: {{on: 1, on: 2}}", 2, "a[0].….on: stands twice", id="double field inside"
        ),
        pytest.param(f"a: !{CANARY} b", 1, "tags", id="tag"),
        pytest.param("a: !!python/object/apply:os.system [true]", 1, "tags", id="tag of a list"),
        pytest.param(f"a: *{CANARY}", 1, "not defined", id="unknown alias"),
        pytest.param(f"a: &{CANARY} [*{CANARY}]", 1, "not defined", id="alias of itself"),
        pytest.param("a:\n  <<: {b: 1}", 2, "merge keys", id="merge key"),
        pytest.param(f"? [{CANARY}]\n: 1", 1, "plain text", id="list as name"),
        pytest.param(f"a: 1\n{CANARY}: \x01", 2, "control character", id="control character"),
        pytest.param("a: !!int " + CANARY, 1, "not a number", id="no number"),
        pytest.param("a: " + "9" * 5000, 1, "not a number", id="endless number"),
        pytest.param("a: " + "1:" * 200 + "1.5", 1, "not a number", id="number too large to be one"),
        pytest.param("[" * 100_000, 1, "nested", id="deep flow"),
        pytest.param("\n".join(" " * n + "a:" for n in range(200)), 66, "nested", id="deep blocks"),
    ],
)
def test_what_is_not_read_names_its_line_and_hides_the_text(text: str, line: int, words: str) -> None:
    with pytest.raises(DocumentError) as caught:
        values(text)
    assert words in caught.value.message
    assert caught.value.line == line
    assert CANARY not in caught.value.message


def test_aliases_that_multiply_are_refused_before_they_grow() -> None:
    levels = ["l0: &l0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(DocumentError, match="what aliases stand for"):
        values("\n".join(levels))


def test_the_number_of_values_in_a_file_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_VALUES", 10)
    assert values("[1, 2, 3, 4, 5, 6, 7, 8, 9]")
    with pytest.raises(DocumentError, match="more than 10 values"):
        values("[1, 2, 3, 4, 5]\n---\n[1, 2, 3, 4, 5]")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(json_values, st.booleans())
def test_what_yaml_writes_is_read_back(value: object, flow: bool) -> None:
    assert values(yaml.safe_dump(value, default_flow_style=flow)) == [value]


@given(json_values)
def test_json_is_read_as_yaml(value: object) -> None:
    # DEL and lone surrogates are the two that JSON escapes in a way YAML has not.
    text = json.dumps(value)
    assume("\\ud" not in text and "\x7f" not in text)
    assert values(text) == [value]


@given(st.text(alphabet="ab:{}[]&*!|>-?,#'\"%@`<\n \t~0", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        values(text)
    except DocumentError as error:
        assert 1 <= error.line <= text.count("\n") + 2
