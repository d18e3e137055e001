"""Changes of a catalog on a file system that is full: `python -m ... DIRECTORY`, which is one that may
be filled. It is full at another moment each time: before the record, between the record and the
catalog, in the middle of either. Says what it was told, and fails where something is lost."""

import json
import sqlite3
import sys
from collections import Counter
from itertools import count
from pathlib import Path

from store_plugin.errors import StoreUnavailable
from store_plugin.lifecycle.administration.installing import Incoming, Installer
from store_plugin.lifecycle.administration.registering import Registrar
from store_plugin.lifecycle.audit import AuditLog
from store_plugin.lifecycle.catalog import now
from store_plugin.lifecycle.layout import Layout
from store_plugin.lifecycle.registration import Registration

PAGE = 4096
MOST_PAGES = 12


def main(directory: Path) -> None:
    layout = Layout(directory / "plugins")
    layout.prepare()
    executable = directory / "shelves"
    executable.write_text("#!/bin/sh\n")
    digest = Installer(layout).install(Incoming(executable, str(executable), "shelves", "1.0")).digest
    registrar = Registrar(layout)
    registrar.register(_version(digest, "1.0"))
    for pages in range(MOST_PAGES):
        filler = directory / "filler"
        _fill(filler, leave=pages * PAGE)
        print(_told(registrar, digest, pages))
        _check(layout)
        filler.unlink()
        registrar.register(_version(digest, f"with-room-{pages}"))
        registrar.enable("shelves", f"with-room-{pages}")
        _check(layout)


def _fill(file: Path, leave: int) -> None:
    with file.open("wb", buffering=0) as filler:
        try:
            while filler.write(b"x" * PAGE):
                pass
        except OSError:
            filler.truncate(max(0, filler.tell() - leave))


def _told(registrar: Registrar, digest: str, pages: int) -> str:
    """Register versions until that is not possible any more."""
    for number in count():
        try:
            registrar.register(_version(digest, f"full-{pages}-{number}"))
        except StoreUnavailable as refusal:
            return refusal.message
    raise AssertionError


def _check(layout: Layout) -> None:
    """The catalog is whole, and holds nothing that is not recorded; the record is unbroken."""
    db = sqlite3.connect(layout.catalog)
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
    audit = AuditLog(layout.audit)
    audit.verify()
    events = Counter((one["event"], one.get("version")) for one in map(json.loads, audit.lines()))
    for registration in Registrar(layout).catalog.versions():
        assert events["register", registration.version] > 0, registration.version


def _version(digest: str, version: str) -> Registration:
    return Registration(name="shelves", version=version, digest=digest, registered_at=now())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
