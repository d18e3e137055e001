"""The audit record finds what was changed, dropped, added, moved, cut off or written anew."""

import json
import multiprocessing
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from store_plugin.errors import StoreUnavailable, Tampered
from store_plugin.lifecycle.audit import AuditLog


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    return AuditLog(tmp_path, max_file_bytes=2000)


def fill(log: AuditLog, records: int = 50) -> list[str]:
    return [log.record("start", "echo", {"pid": number, "digest": "d" * 20}) for number in range(records)]


def files(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.jsonl"))


def test_a_record_holds_its_event_and_the_chain_holds_over_files(log: AuditLog, tmp_path: Path) -> None:
    heads = fill(log)
    assert len(files(tmp_path)) > 3
    assert log.verify() == log.verify(heads[-1]) == log.verify(heads[10])
    assert log.verify().records == 50
    assert log.verify().head == heads[-1] == log.head()
    records = [json.loads(line) for line in log.lines()]
    assert [record["number"] for record in records] == list(range(1, 51))
    assert records[7]["event"] == "start"
    assert (records[7]["plugin"], records[7]["pid"]) == ("echo", 7)


def edit_value(lines: list[bytes]) -> list[bytes]:
    lines[3] = lines[3].replace(b'"start"', b'"other"')
    return lines


def edit_seal(lines: list[bytes]) -> list[bytes]:
    lines[3] = re.sub(rb"[0-9a-f]{64}", b"0" * 64, lines[3])
    return lines


def drop(lines: list[bytes]) -> list[bytes]:
    return lines[:3] + lines[4:]


def swap(lines: list[bytes]) -> list[bytes]:
    lines[3], lines[4] = lines[4], lines[3]
    return lines


def double(lines: list[bytes]) -> list[bytes]:
    return [*lines[:4], lines[3], *lines[4:]]


def drop_the_first(lines: list[bytes]) -> list[bytes]:
    return lines[1:]


def half_a_line(lines: list[bytes]) -> list[bytes]:
    return [*lines[:-1], lines[-1][:50]]


def prefix(lines: list[bytes]) -> list[bytes]:
    lines[3] = b"X" + lines[3][1:]
    return lines


FORGERIES = [edit_value, edit_seal, drop, swap, double, drop_the_first, half_a_line, prefix]


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
@pytest.mark.parametrize("which", [0, 1, -1], ids=["first file", "second file", "last file"])
def test_a_forgery_is_found(
    log: AuditLog, tmp_path: Path, forge: Callable[[list[bytes]], list[bytes]], which: int
) -> None:
    fill(log, 58)
    file = files(tmp_path)[which]
    lines = file.read_bytes().splitlines(keepends=True)
    assert len(lines) > 4
    file.write_bytes(b"".join(forge(lines)))
    with pytest.raises(Tampered):
        log.verify()


def test_every_byte_is_sealed(log: AuditLog, tmp_path: Path) -> None:
    fill(log, 3)
    file = files(tmp_path)[0]
    whole = file.read_bytes()
    assert whole.count(b"\n") == 3
    unseen = []
    for at in range(len(whole)):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with suppress(Tampered):
            log.verify()
            unseen.append((at, whole[at : at + 1]))
    assert unseen == []


def test_a_file_that_is_gone_is_found(log: AuditLog, tmp_path: Path) -> None:
    fill(log)
    files(tmp_path)[1].unlink()
    with pytest.raises(Tampered):
        log.verify()


def test_a_cut_tail_is_found_with_a_head_from_elsewhere(log: AuditLog, tmp_path: Path) -> None:
    heads = fill(log)
    last = files(tmp_path)[-1]
    lines = last.read_bytes().splitlines(keepends=True)
    last.write_bytes(b"".join(lines[:-1]))
    assert log.verify().records == 49
    with pytest.raises(Tampered, match="cut off"):
        log.verify(heads[-1])
    assert log.verify(heads[-2]).records == 49


def test_a_record_written_anew_is_found_with_a_head_from_elsewhere(log: AuditLog, tmp_path: Path) -> None:
    head = fill(log)[-1]
    for file in files(tmp_path):
        file.unlink()
    fill(log)  # by somebody who has the key
    assert log.verify().records == 50
    with pytest.raises(Tampered, match="written anew"):
        log.verify(head)


def write_many(directory: Path) -> None:
    log = AuditLog(directory, max_file_bytes=2000)
    for _ in range(30):
        log.record("renew", "echo")


def test_several_processes_write_one_chain(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=write_many, args=(tmp_path,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert AuditLog(tmp_path).verify().records == 120


def test_nobody_else_can_read_it(log: AuditLog, tmp_path: Path) -> None:
    fill(log, 1)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_line_breaks_and_long_texts_stay_in_their_line(log: AuditLog) -> None:
    log.record("exit", "echo", {"why": 'a\nb"}\u2028' + "x" * 10_000})
    log.record("start", "echo")
    assert log.verify().records == 2
    assert all(len(line) < 5000 for line in log.lines())


def test_what_cannot_be_written_is_said_and_breaks_nothing(
    log: AuditLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(log, 3)
    import os

    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:10]))
    with pytest.raises(StoreUnavailable, match="No space left"):
        log.record("start", "echo")
    monkeypatch.undo()
    log.record("start", "echo")
    assert log.verify().records == 4


def test_a_key_that_is_gone_is_told_and_never_made_anew(log: AuditLog, tmp_path: Path) -> None:
    fill(log, 3)
    (tmp_path / "key").unlink()
    for ask in (log.verify, lambda: log.record("start", "echo")):
        with pytest.raises(Tampered, match="key is gone"):
            ask()
    assert not (tmp_path / "key").exists()


def test_nothing_recorded_is_a_whole_record(log: AuditLog) -> None:
    assert log.verify().records == 0


@pytest.mark.parametrize("line", [b"no record\n", b'{"seal":"0","event":"x"}\n', b"[1]\n"])
def test_after_a_line_that_is_no_record_nothing_is_written(
    log: AuditLog, tmp_path: Path, line: bytes
) -> None:
    log.record("install", "echo")
    with files(tmp_path)[-1].open("ab") as file:
        file.write(line)
    for attempt in (log.head, lambda: log.record("install", "echo")):
        with pytest.raises(Tampered):
            attempt()


TORN = {
    "begun": lambda line: line[:1],
    "half a line": lambda line: line[:70],
    "all but its end": lambda line: line[:-1],
    "room that was never written": lambda line: bytes(len(line)),
}


@pytest.mark.parametrize("tear", TORN.values(), ids=TORN.keys())
@pytest.mark.parametrize("records", [3, 50], ids=["first file", "later file"])
def test_half_a_line_is_told_and_then_taken_out_and_recorded(
    log: AuditLog, tmp_path: Path, records: int, tear: Callable[[bytes], bytes]
) -> None:
    """As a kill or a power failure in the middle of a write leaves it: nothing stands still for that."""
    heads = fill(log, records)
    last = files(tmp_path)[-1]
    *lines, line = last.read_bytes().splitlines(keepends=True)
    torn = tear(line)
    last.write_bytes(b"".join(lines) + torn)
    assert log.head() == heads[-2]
    with pytest.raises(Tampered, match=r"half a line.*takes it out"):
        log.verify()
    log.record("start", "echo")
    assert log.verify(heads[-2]).records == records + 1
    *_, told, after = map(json.loads, log.lines())
    assert (told["event"], told["bytes"], after["event"]) == ("torn", len(torn), "start")
    assert (told["number"], after["number"]) == (records, records + 1)
    assert told["text"].encode() == torn


def test_what_was_whole_and_is_half_is_found_with_a_head_from_elsewhere(
    log: AuditLog, tmp_path: Path
) -> None:
    head = fill(log, 3)[-1]
    file = files(tmp_path)[0]
    file.write_bytes(file.read_bytes()[:-1])
    log.record("start", "echo")
    with pytest.raises(Tampered, match="cut off"):
        log.verify(head)


def test_a_check_is_not_disturbed_by_who_writes(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    log.record("start", "echo")
    context = multiprocessing.get_context("spawn")
    writer = context.Process(target=write_many, args=(tmp_path,))
    writer.start()
    while writer.is_alive():
        log.verify()
    assert writer.exitcode == 0
    assert log.verify().records == 31


def test_a_record_that_cannot_be_read_is_told_as_such(log: AuditLog, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"k")
    (tmp_path / "audit-000001.jsonl").mkdir()
    for ask in (log.head, log.verify):
        with pytest.raises(StoreUnavailable, match="cannot be read: Is a directory"):
            ask()
