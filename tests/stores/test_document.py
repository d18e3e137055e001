import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store_plugin.errors import DocumentInvalid
from stores import _document as document

NAME = "team-a/db"
KEYS = st.text(st.characters(codec="utf-8"), max_size=12)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, st.binary() | st.text().map(str.encode)))
def test_any_bytes_come_back(values):
    assert document.decode(document.encode(values), NAME).values == values


@given(st.dictionaries(KEYS, JSON_VALUES), st.sampled_from([None, 1, "\t"]), st.booleans())
def test_foreign_values_go_back_byte_for_byte(stored, indent, ascii_only):
    text = json.dumps(stored, indent=indent, ensure_ascii=ascii_only)
    read = document.decode(text, NAME)
    assert document.members(document.encode(read.values, read), NAME) == document.members(text, NAME)


@given(st.dictionaries(KEYS, JSON_VALUES))
def test_the_same_document_is_read_as_json_reads_it(stored):
    read = document.decode(json.dumps(stored, indent=2), NAME)
    assert {key: json.loads(text) for key, text in read.texts.items()} == stored


@given(
    st.dictionaries(KEYS, JSON_VALUES | st.binary().map(lambda b: json.loads(document.encode({"k": b}))["k"]))
)
def test_the_shortcut_reads_the_same_or_nothing(stored):
    text = json.dumps(stored)
    shortcut = document.plain_values(document.parse(text))
    foreign = [
        v for v in stored.values() if not isinstance(v, str) and not (isinstance(v, dict) and "$binary" in v)
    ]
    assert shortcut == (None if foreign else document.decode(text, NAME).values)


@given(st.dictionaries(KEYS, JSON_VALUES, min_size=1), st.binary())
def test_a_changed_value_leaves_the_others_alone(stored, value):
    read = document.decode(json.dumps(stored), NAME)
    changed = next(iter(stored))
    written = document.decode(document.encode({**read.values, changed: value}, read), NAME)
    assert written.values == {**read.values, changed: value}
    assert {k: t for k, t in written.texts.items() if k != changed} == {
        k: t for k, t in read.texts.items() if k != changed
    }


@given(st.dictionaries(KEYS, JSON_VALUES, min_size=1), st.data())
def test_a_damaged_document_is_read_as_json_reads_it_or_refused(stored, data):
    text = json.dumps(stored)
    cut = data.draw(st.integers(0, len(text) - 1))
    damaged = text[:cut] + data.draw(st.sampled_from(["", *'{}[]:,"1e. '])) + text[cut + 1 :]
    try:
        expected = json.loads(damaged)
    except ValueError:
        expected = None
    try:
        read = document.decode(damaged, NAME)
    except DocumentInvalid:
        assert not isinstance(expected, dict)
    else:
        assert expected is not None
        assert read.values.keys() == expected.keys()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param('"text"', b"text", id="string"),
        pytest.param('""', b"", id="empty-string"),
        pytest.param('"a\\u0000b"', b"a\x00b", id="nul"),
        pytest.param('"\\ud83d\\ude00"', "😀".encode(), id="surrogate-pair"),
        pytest.param('"\\ud800"', b"\xed\xa0\x80", id="lone-surrogate"),
        pytest.param("1.0", b"1.0", id="float-with-zero"),
        pytest.param("1e400", b"1e400", id="float-too-large"),
        pytest.param("-0.10", b"-0.10", id="trailing-zero"),
        pytest.param("9" * 5000, b"9" * 5000, id="integer-of-5000-digits"),
        pytest.param("null", b"null", id="null"),
        pytest.param("true", b"true", id="true"),
        pytest.param('{ "b" : [ 1 , 2.50 ] }', b'{"b":[1,2.50]}', id="object-is-compacted"),
        pytest.param('{"a":1,"a":2}', b'{"a":1,"a":2}', id="twice-the-same-nested-key"),
        pytest.param('[" a \\" b "]', b'[" a \\" b "]', id="space-inside-strings-stays"),
        pytest.param('{"$binary":"/wA="}', b"\xff\x00", id="binary"),
        pytest.param('{ "$binary" : "\\/wA=" }', b"\xff\x00", id="binary-spelled-otherwise"),
        pytest.param('{"$binary":""}', b"", id="empty-binary"),
        pytest.param('{"$binary":"/wA"}', b'{"$binary":"/wA"}', id="binary-without-padding"),
        pytest.param('{"$binary":"not base64"}', b'{"$binary":"not base64"}', id="not-base64"),
        pytest.param('{"$binary":"é"}', '{"$binary":"é"}'.encode(), id="not-even-ascii"),
        pytest.param('{"$binary":1234}', b'{"$binary":1234}', id="binary-that-is-a-number"),
        pytest.param('{"$binary":"/wA=","x":1}', b'{"$binary":"/wA=","x":1}', id="binary-and-more"),
    ],
)
def test_values_read_as(text, value):
    read = document.decode(f'{{"key": {text} }}', NAME)
    assert read.values == {"key": value}
    assert document.encode(read.values, read) == f'{{"key":{text}}}'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(b"text", '"text"', id="text"),
        pytest.param(b"", '""', id="empty"),
        pytest.param(b"\x00", '"\\u0000"', id="nul-is-text"),
        pytest.param("é".encode(), '"é"', id="not-escaped"),
        pytest.param(b"\xff\x00", '{"$binary":"/wA="}', id="other-bytes"),
        pytest.param(b'{"$binary":"/wA="}', '"{\\"$binary\\":\\"/wA=\\"}"', id="text-that-looks-like-binary"),
        pytest.param(b"1.0", '"1.0"', id="a-number-is-text"),
    ],
)
def test_values_are_written_as(value, text):
    assert document.encode({"key": value}) == f'{{"key":{text}}}'


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("null", id="null"),
        pytest.param("[]", id="list"),
        pytest.param('"text"', id="string"),
        pytest.param("{", id="cut-off"),
        pytest.param('{"a":1', id="cut-off-after-value"),
        pytest.param('{"a":1,}', id="comma-too-many"),
        pytest.param('{"a" 1}', id="no-colon"),
        pytest.param('{1:"a"}', id="key-is-a-number"),
        pytest.param('{"a":1} x', id="more-follows"),
        pytest.param('{"a":NaN}', id="not-a-number"),
        pytest.param('{"a":-Infinity}', id="infinity"),
        pytest.param('{"a":"\n"}', id="control-character"),
        pytest.param('\ufeff{"a":1}', id="byte-order-mark"),
        pytest.param('{"a":' + "[" * 100_000 + "]" * 100_000 + "}", id="nested-without-end"),
    ],
)
def test_what_is_no_object_is_refused(text):
    with pytest.raises(DocumentInvalid, match="team-a/db"):
        document.decode(text, NAME)


def test_an_error_holds_nothing_of_the_document():
    with pytest.raises(DocumentInvalid) as caught:
        document.decode('{"password":"canary-4711"', NAME)
    assert caught.value.__suppress_context__
    assert "canary" not in str(caught.value) + repr(caught.value)


def test_a_key_that_occurs_twice_has_its_last_value():
    assert document.decode('{"a":"1","a":"2"}', NAME).values == {"a": b"2"}


def test_a_repr_shows_no_value():
    assert "canary" not in repr(document.decode('{"a":"canary"}', NAME))
