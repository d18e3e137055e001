"""`make bench BENCH_ARGS=--lifecycle`: the life of plugins, and what checking its record costs."""

import statistics
import time
from pathlib import Path

from bench.figures import Table
from bench.managed import managed
from store_plugin.lifecycle import audit
from store_plugin.lifecycle.audit import AuditLog

RECORDS = 100_000
FIELDS: dict[str, audit.Value] = {"version": "1.0", "digest": "d" * 64, "pid": 12345, "signer": "cosign.pub"}


def lifecycle(table: Table, directory: Path, rounds: int) -> None:
    """All figures."""
    managed(table, directory, rounds)
    (directory / "audit").mkdir()
    audit_verify(table, directory / "audit", rounds)


def audit_verify(table: Table, directory: Path, rounds: int) -> None:
    """A record of several files, as the sidecar writes it but without waiting for the disk each time."""
    log = AuditLog(directory)
    head = log.record("start", "shelves", FIELDS)
    key = log._key(new=False)
    with (directory / "audit-000001.jsonl").open("ab") as file:
        for number in range(2, RECORDS + 1):
            text = audit._text(number, "start", "shelves", FIELDS)
            head = audit._seal(key, head, text.encode())
            file.write(f'{{"seal":"{head}",{text}\n'.encode())
    times = []
    for _ in range(rounds):
        begun = time.process_time()
        assert log.verify(head).records == RECORDS
        times.append(time.process_time() - begun)
    table.add(f"CPU of verifying {RECORDS:,} audit records", statistics.median(times), "s", 1.0)
