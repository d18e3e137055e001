"""Log lines in the standard library's shape."""

import logging

import pytest

from store_plugin.log import StandardLogger


def test_a_line_is_an_event_with_its_fields(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    StandardLogger("tests").info("plugin gone", plugin="snö", calls=3)
    assert caplog.messages == ["plugin gone plugin=snö calls=3"]


def test_what_a_peer_says_stays_on_its_line(caplog: pytest.LogCaptureFixture) -> None:
    StandardLogger("tests").warning("plugin says", message="first\nWARNING second\x1b[2K")
    assert caplog.messages == [r"plugin says message=first\nWARNING second\x1b[2K"]
