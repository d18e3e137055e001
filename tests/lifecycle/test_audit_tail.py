"""The end of the record is shown, and then what comes, over the ends of files."""

from pathlib import Path

import pytest

from store_plugin.lifecycle.audit import AuditLog
from store_plugin.lifecycle.audit_tail import AuditTail


def fill(log: AuditLog, first: int, count: int) -> None:
    for number in range(first, first + count):
        log.record("start", f"p{number}")


def plugins(lines: list[str]) -> list[int]:
    import json

    return [int(json.loads(line)["plugin"][1:]) for line in lines]


@pytest.mark.parametrize("records", [0, 1, 3, 29, 100])
def test_the_newest_and_then_what_comes(tmp_path: Path, records: int) -> None:
    log, tail = AuditLog(tmp_path, max_file_bytes=1000), AuditTail(tmp_path)
    fill(log, 0, 30)
    assert plugins(tail.last(records)) == list(range(30))[max(0, 30 - records) :]
    assert list(tail.fresh()) == []
    fill(log, 30, 20)
    assert plugins(list(tail.fresh())) == list(range(30, 50))
    fill(log, 50, 1)
    assert plugins(list(tail.fresh())) == [50]


def test_a_record_that_begins_later_is_followed_from_its_beginning(tmp_path: Path) -> None:
    tail = AuditTail(tmp_path)
    assert tail.last(10) == list(tail.fresh()) == []
    fill(AuditLog(tmp_path), 0, 2)
    assert plugins(list(tail.fresh())) == [0, 1]


def test_half_a_line_is_waited_for(tmp_path: Path) -> None:
    fill(AuditLog(tmp_path), 0, 1)
    tail = AuditTail(tmp_path)
    tail.last(1)
    file = next(tmp_path.glob("*.jsonl"))
    with file.open("ab") as opened:
        opened.write(b'{"plugin":')
    assert list(tail.fresh()) == []
    with file.open("ab") as opened:
        opened.write(b'"p7"}\n')
    assert plugins(list(tail.fresh())) == [7]
