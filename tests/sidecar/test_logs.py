"""What others say cannot pass for a line of ours, nor steer a terminal, in either format."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from store_plugin.cli._settings import LOG_LEVELS
from store_plugin.sidecar.logs import always_logged, configure_logs

HOSTILE = "no\n2026-01-01T00:00:00Z [info     ] certificates renewed\x1b]0;owned\x07\u009b2J\u202e"


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_line_stays_one_line_of_text(capsys: pytest.CaptureFixture[str], log_format: str) -> None:
    log = configure_logs("info", log_format)
    log.info("plugin says", message=HOSTILE, words=[HOSTILE])
    logging.getLogger("library").warning("server says %s", HOSTILE)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    for line in lines:
        assert line.isprintable()
    if log_format == "json":
        assert json.loads(lines[0])["message"] == HOSTILE


def test_what_is_always_logged_is_told_at_any_level(capsys: pytest.CaptureFixture[str]) -> None:
    log, always = configure_logs("info", "json"), always_logged()
    for level in LOG_LEVELS:
        logging.getLogger().setLevel(level.upper())  # as a running sidecar's is set
        log.info("at level info")
        always.info("always")
    written = capsys.readouterr()
    outside, told = ([json.loads(line) for line in text.splitlines()] for text in written)
    assert [one["event"] for one in outside] == ["always"] * len(LOG_LEVELS)
    assert [one["event"] for one in told] == ["at level info"] * 2  # debug, info
    assert {one["level"] for one in [*outside, *told]} == {"info"}


def test_a_traceback_keeps_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    log = configure_logs("info", "console")
    try:
        raise ValueError("wrong")
    except ValueError:
        log.error("failed", exc_info=True)
    assert capsys.readouterr().err.rstrip().endswith("\nValueError: wrong")
