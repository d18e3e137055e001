"""What is said of an error that nobody thought of."""

import json
from typing import Any

import pytest

from store_plugin.bucket import TokenBucket
from store_plugin.bugs import a_bug


def raised(*operands: Any) -> Exception:
    """What a call into our own code raises, with a secret in its text."""
    try:
        TokenBucket(*operands)
    except Exception as error:
        return error
    raise AssertionError("it works")


def test_the_class_and_the_place_are_told_and_the_text_is_not() -> None:
    error = raised(1.0, "s.CAESIcanaryX7f3", 0.0)
    assert "canary" in str(error)
    told = a_bug(error)
    assert told.startswith("a bug (ValueError in store_plugin/bucket.py:")
    assert told.endswith("), please report it")
    assert "canary" not in told


def test_the_place_is_the_last_of_ours_however_deep_a_library_fails() -> None:
    from store_plugin.config.manifests.documents import document_of

    with pytest.raises(Exception) as failed:
        document_of({"a": 1}).line(5)  # type: ignore[arg-type]
    assert "in store_plugin/config/manifests/documents.py:" in a_bug(failed.value)


def test_an_error_of_others_has_its_class_alone() -> None:
    with pytest.raises(ValueError) as failed:
        json.loads("{")
    assert a_bug(failed.value) == "a bug (JSONDecodeError), please report it"
    assert a_bug(ValueError()) == "a bug (ValueError), please report it"
