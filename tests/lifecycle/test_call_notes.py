"""Keys that came back with calls are recorded, so many a second, and none without a word."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from store_plugin.errors import StoreUnavailable
from store_plugin.lifecycle.audit import AuditLog
from store_plugin.lifecycle.call_notes import BURST, MOST_WAITING, CallNote, CallNotes
from store_plugin.testing.environment import RecordingLog
from tests.support.waiting import until

NOTE = CallNote("shelves", "1.0-a", "/shop.Shelves/Put", ("reused", "slow"))


@pytest.fixture
def audit(tmp_path: Path) -> AuditLog:
    return AuditLog(tmp_path)


def recorded(audit: AuditLog) -> list[dict[str, object]]:
    return [json.loads(line) for line in audit.lines()]


@asynccontextmanager
async def writing(notes: CallNotes) -> AsyncIterator[None]:
    """Until what was taken in the block is written."""
    task = asyncio.create_task(notes.run())
    try:
        await asyncio.sleep(0)
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def test_a_call_is_recorded_with_its_keys(audit: AuditLog) -> None:
    notes = CallNotes(audit, RecordingLog())
    async with writing(notes):
        notes.take(NOTE)
    (record,) = recorded(audit)
    assert (record["event"], record["plugin"]) == ("call", "shelves")
    assert (record["method"], record["keys"]) == ("/shop.Shelves/Put", ["reused", "slow"])
    assert "not_recorded" not in record
    audit.verify()


async def test_what_comes_too_fast_is_counted_and_told(audit: AuditLog) -> None:
    now = 0.0
    notes = CallNotes(audit, RecordingLog(), clock=lambda: now)
    for _ in range(BURST + 5):
        notes.take(NOTE)
    async with writing(notes):
        pass
    assert len(recorded(audit)) == MOST_WAITING
    now = 1.0
    async with writing(notes):
        notes.take(NOTE)
    records = recorded(audit)
    assert sum(int(str(record.get("not_recorded", 0))) for record in records) == 5
    assert len(records) == MOST_WAITING + 1


async def test_what_cannot_be_written_is_counted_too(
    audit: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = RecordingLog()
    notes = CallNotes(audit, log)

    def full(*_: object) -> str:
        raise StoreUnavailable("No space left on device")

    monkeypatch.setattr(audit, "record", full)
    async with writing(notes):
        notes.take(NOTE)
    monkeypatch.undo()
    async with writing(notes):
        notes.take(NOTE)
    assert [record.get("not_recorded") for record in recorded(audit)] == [1]


async def test_what_a_record_should_have_told_that_cannot_be_written_is_told_by_the_next(
    audit: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, log = 0.0, RecordingLog()
    notes = CallNotes(audit, log, clock=lambda: now)
    for _ in range(BURST + 5):
        notes.take(NOTE)

    def full(*_: object) -> str:
        raise StoreUnavailable("No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(audit, "record", full)
        async with writing(notes):
            await until(lambda: len(log.events("error")) == BURST)
    now = 1.0
    async with writing(notes):
        notes.take(NOTE)
    assert [record.get("not_recorded") for record in recorded(audit)] == [BURST + 5]
