"""What is nested too deep is left out of a text, and nothing else is."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store_plugin import deep_json

_TEXTS = st.text(st.sampled_from('a[]{}",\\ \n\u20ac'), max_size=6)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=12,
)


def cut(value: Any, levels: int) -> Any:
    """The same, of a value."""
    if isinstance(value, dict):
        return None if levels == 0 else {key: cut(one, levels - 1) for key, one in value.items()}
    if isinstance(value, list):
        return None if levels == 0 else [cut(one, levels - 1) for one in value]
    return value


@given(_JSON, st.integers(0, 4), st.booleans())
def test_what_is_deeper_becomes_null_and_the_rest_stays(value: Any, levels: int, spelled_out: bool) -> None:
    text = json.dumps(value, ensure_ascii=spelled_out, indent=1 if spelled_out else None).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deep_json, "DEEPEST", levels)
        assert json.loads(deep_json._shallow(text)) == cut(value, levels)


@pytest.mark.parametrize("levels", [10, 900, 10_000])
def test_any_depth_is_read(levels: int) -> None:
    text = b'{"deep":' + b"[" * levels + b"]" * levels + b',"beside":[1]}'
    assert deep_json.loads(text)["beside"] == [1]


@pytest.mark.parametrize("text", [b"", b"{", b"[" * 10_000, b"[" * 10_000 + b"]" * 9_999, b"\xff"])
def test_what_is_no_json_is_told(text: bytes) -> None:
    with pytest.raises(ValueError):
        deep_json.loads(text)
