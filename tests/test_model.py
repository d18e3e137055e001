"""Names, keys and sizes that are allowed, and that nothing shows a value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store_plugin.errors import InvalidRequest, TooLarge
from store_plugin.model import (
    MAX_DATA_BYTES,
    MAX_KEYS,
    MAX_METADATA_BYTES,
    MAX_METADATA_ENTRIES,
    OWNER_LABEL,
    Applied,
    ChangeKind,
    ConfigReference,
    KeyChange,
    Presence,
    ScopedName,
    Secret,
    StoredSecret,
    check_keys,
)

BAD_NAMES = {
    "empty": "",
    "dot": "a/.",
    "dot-dot": "../a",
    "dot-dot-inside": "a/../b",
    "dot-dot-last": "a/..",
    "leading-slash": "/a",
    "trailing-slash": "a/",
    "double-slash": "a//b",
    "only-slash": "/",
    "percent-escape": "a/%2e%2e/b",
    "percent-2f": "a%2fb",
    "backslash": "a\\b",
    "windows-parent": "a/..\\b",
    "nul": "a\x00b",
    "newline-inside": "a\nb",
    "trailing-newline": "a/b\n",
    "escape": "a\x1b[31m",
    "delete": "a\x7f",
    "c1-control": "a\x85b",
    "space": "a b",
    "leading-space": " a",
    "tab": "a\t",
    "unicode": "a/é",
    "fullwidth-dot": "a/\uff0e\uff0e",
    "fullwidth-slash": "a\uff0fb",
    "digit-of-another-script": "a/\u0661",
    "surrogate": "a/\ud800",
    "leading-dot": "a/.hidden",
    "trailing-dot": "a/b.",
    "leading-dash": "a/-b",
    "leading-at": "@a",
    "query": "a?list=true",
    "fragment": "a#b",
    "colon": "a:b",
    "tilde": "~/a",
    "star": "a/*",
    "nine-segments": "a/b/c/d/e/f/g/h/i",
    "long-segment": "a/" + "b" * 254,
    "long-name": "/".join(["a" * 200] * 6),
    "ten-kilobytes": "a" * 10_240,
    "ten-kilobytes-of-slashes": "/" * 10_240,
    "many-bytes-few-characters": "é" * 600,
}
GOOD_NAMES = {
    "one-segment": "a",
    "two": "team/database",
    "eight-segments": "a/b/c/d/e/f/g/h",
    "all-characters": "A0z/x._@+=-y",
    "dots-inside": "a..b/c.-.d",
    "longest-segment": "b" * 253,
    "longest-name": "/".join(["a" * 253] * 4) + "/" + "b" * 8,
}


@pytest.mark.parametrize("text", BAD_NAMES.values(), ids=BAD_NAMES)
def test_a_bad_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ScopedName.parse(text)
    assert len(caught.value.message) < 250
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("text", GOOD_NAMES.values(), ids=GOOD_NAMES)
def test_a_good_name_is_read_and_written_alike(text: str) -> None:
    assert str(ScopedName.parse(text)) == text


def test_the_longest_name_is_1024_bytes() -> None:
    assert len(GOOD_NAMES["longest-name"]) == 1024
    with pytest.raises(InvalidRequest, match="1024"):
        ScopedName.parse(GOOD_NAMES["longest-name"] + "b")


@pytest.mark.parametrize(
    ("text", "segment"), [("a/../b", 2), ("a/b/", 3), ("/a", 1), ("a/b/c d", 3), ("a//b", 2)]
)
def test_the_message_says_which_segment(text: str, segment: int) -> None:
    with pytest.raises(InvalidRequest, match=f"segment {segment} "):
        ScopedName.parse(text)


@given(st.text(max_size=40))
def test_a_name_is_refused_or_harmless(text: str) -> None:
    try:
        name = ScopedName.parse(text)
    except InvalidRequest:
        return
    assert str(name) == text
    assert not set(text) & set("\\%?#: ")
    assert all(
        segment.isascii() and segment[0].isalnum() and segment[-1].isalnum() for segment in name.segments
    )


@pytest.mark.parametrize(("text", "scope"), [("a", ""), ("team/db", "team"), ("a/b/c", "a/b")])
def test_the_scope_is_all_but_the_last_segment(text: str, scope: str) -> None:
    assert ScopedName.parse(text).scope == scope


@pytest.mark.parametrize("key", ["a", "A.b-c_9", ".", "..", "-", "_", "k" * 253])
def test_a_good_key_is_accepted(key: str) -> None:
    check_keys({key: b""})


@pytest.mark.parametrize(
    "key",
    ["", "a b", "a/b", "a\n", "\x00", "é", "a:b", "$binary", "k" * 254, "k" * 10_000, "\ud800", "a%20"],
    ids=[
        "empty",
        "space",
        "slash",
        "newline",
        "nul",
        "unicode",
        "colon",
        "dollar",
        "254",
        "10kB",
        "surrogate",
        "percent",
    ],
)
def test_a_bad_key_is_refused_with_its_name_and_no_value(key: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Secret({"good": b"", key: b"canary"}).check_request()
    assert "canary" not in caught.value.message
    assert len(caught.value.message) < 250
    assert caught.value.message.isprintable()


def test_ten_thousand_keys_are_allowed() -> None:
    Secret({f"key-{number}": b"x" for number in range(10_000)}).check_request()


def test_one_mebibyte_is_allowed_and_not_a_byte_more() -> None:
    half = b"x" * (MAX_DATA_BYTES // 2)
    Secret({"a": half, "b": half}).check_request()
    with pytest.raises(TooLarge, match=r"1048577.*1048576"):
        Secret({"a": half, "b": half, "c": b"x"}).check_request()


@pytest.mark.parametrize("key", ["", "k" * 254, "a\nb", "a\x00"])
def test_a_bad_metadata_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidRequest):
        Secret({}, {key: "x"}).check_request()


def test_a_metadata_key_may_be_a_label() -> None:
    Secret({}, {OWNER_LABEL: "uid", "example.com/team name": "ü"}).check_request()


@pytest.mark.parametrize(
    ("metadata", "owner"), [({}, None), ({OWNER_LABEL: ""}, None), ({OWNER_LABEL: "u"}, "u")]
)
def test_the_owner_is_the_label(metadata: dict[str, str], owner: str | None) -> None:
    assert Secret({}, metadata).owner == owner


def test_nothing_shows_a_value() -> None:
    secret = Secret({"password": b"canary"}, {"label": "canary-label"})
    stored = StoredSecret(Presence.PRESENT, secret, raw={"password": "canary"})
    for text in (repr(secret), str(secret), repr(stored), f"{stored}"):
        assert "password" in text
        assert "canary" not in text


def test_a_change_is_told_by_key_and_kind() -> None:
    assert KeyChange("a", ChangeKind.ADDED) != KeyChange("a", ChangeKind.REMOVED)
    assert KeyChange("a", ChangeKind.ADDED) == KeyChange("a", ChangeKind.ADDED)
    assert Applied(True, (KeyChange("a", ChangeKind.ADDED),), None).changes[0].key == "a"


def test_a_config_reference_reads_as_kind_and_name() -> None:
    assert str(ConfigReference("secrets.crossplane.io/v1alpha1", "VaultConfig", "prod")) == "VaultConfig/prod"


@pytest.mark.parametrize(
    "secret",
    [
        Secret({f"k{n}": b"" for n in range(MAX_KEYS + 1)}),
        Secret({f"{n:05}".ljust(253, "k"): b"" for n in range(4200)}),
        Secret({}, {f"k{n}": "" for n in range(MAX_METADATA_ENTRIES + 1)}),
        Secret({}, {"k": "v" * (MAX_METADATA_BYTES + 1)}),
    ],
    ids=["keys", "bytes-of-keys", "metadata-entries", "bytes-of-metadata"],
)
def test_a_flood_of_names_is_too_large(secret: Secret) -> None:
    with pytest.raises(TooLarge):
        secret.check_request()


def test_the_most_that_is_allowed_passes() -> None:
    Secret(
        {f"k{n}": b"" for n in range(MAX_KEYS)}, {f"k{n}": "" for n in range(MAX_METADATA_ENTRIES)}
    ).check_request()
