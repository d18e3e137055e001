"""Refusals are recorded, so many a minute, and none goes without a word."""

import json
from pathlib import Path

import pytest

from store_plugin.errors import StoreUnavailable
from store_plugin.lifecycle.audit import AuditLog
from store_plugin.lifecycle.enrolment.record import MOST_REFUSALS, EnrolmentRecord
from store_plugin.testing.environment import RecordingLog
from tests.support.clock import FakeClock


async def test_a_refusal_that_cannot_be_written_is_counted_with_those_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steady, audit = FakeClock(), AuditLog(tmp_path)
    record = EnrolmentRecord(audit, RecordingLog(), steady=steady)
    for _ in range(MOST_REFUSALS + 2):
        await record.refused("refuse-token", "echo", "forged")
    steady.now += 60

    def full(*_: object) -> str:
        raise StoreUnavailable("No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(audit, "record", full)
        with pytest.raises(StoreUnavailable):
            await record.refused("refuse-token", "echo", "forged")
    await record.refused("refuse-token", "echo", "forged")
    *_, last = map(json.loads, audit.lines())
    assert last["not_recorded"] == 3
