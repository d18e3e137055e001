"""What is said of advisories, and when that stops the checks."""

from typing import Any

import pytest

from tools import audit

KNOWN = {"id": "PYSEC-2026-1", "fix_versions": ["2.0"]}
CLEAN: dict[str, Any] = {"name": "clean", "version": "1.0", "vulns": []}
HIT: dict[str, Any] = {"name": "hit", "version": "1.9", "vulns": [KNOWN]}
UNKNOWN: dict[str, Any] = {"name": "unknown", "skip_reason": "not found"}

CASES = {
    "nobody could be asked": (None, "NOT AUDITED: neither PyPI nor OSV", True),
    "nothing is known": ([CLEAN], "1 packages audited", True),
    "an advisory": ([CLEAN, HIT], "hit 1.9: PYSEC-2026-1, fixed in 2.0", False),
    "a package that is not known there": ([CLEAN, UNKNOWN], "NOT AUDITED: unknown", True),
}


@pytest.mark.parametrize(("found", "said", "good"), CASES.values(), ids=CASES)
def test_the_report(found: list[dict[str, Any]] | None, said: str, good: bool) -> None:
    text, went_on = audit.report(found)
    assert said in text
    assert went_on is good


def test_an_accepted_advisory_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "ACCEPTED", {"PYSEC-2026-1": "we do not call it"})
    assert audit.report([HIT]) == ("1 packages audited", True)


def test_a_service_that_knows_no_package_has_not_audited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit.subprocess, "run", lambda *_, **__: Answer('{"dependencies": [{"name": "x"}]}'))
    assert audit.findings("pypi", "all") is None


def test_a_service_that_is_away_has_not_audited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit.subprocess, "run", lambda *_, **__: Answer(""))
    assert audit.findings("pypi", "all") is None


class Answer:
    def __init__(self, stdout: str) -> None:
        self.stdout = stdout
