"""Executables are kept by what they are, whole or not at all, and read-only."""

import hashlib
import os
from pathlib import Path

import pytest

from store_plugin.errors import ConfigInvalid, InvalidRequest, StoreUnavailable, TooLarge
from store_plugin.lifecycle import content as content_module
from store_plugin.lifecycle.content import ContentStore
from store_plugin.lifecycle.files import replace_file
from store_plugin.lifecycle.layout import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "plugins")
    layout.prepare()
    return layout


@pytest.fixture
def store(layout: Layout) -> ContentStore:
    return ContentStore(layout.content)


def test_a_file_is_kept_by_its_digest_and_cannot_be_written(store: ContentStore, tmp_path: Path) -> None:
    source = tmp_path / "plugin"
    source.write_bytes(b"#!/bin/sh\n")
    digest = store.add(source)
    assert digest == hashlib.sha256(b"#!/bin/sh\n").hexdigest()
    assert store.path(digest).read_bytes() == b"#!/bin/sh\n"
    assert store.path(digest).stat().st_mode & 0o777 == 0o500
    source.write_bytes(b"replaced")
    assert store.path(digest).read_bytes() == b"#!/bin/sh\n"
    assert store.digests() == [digest]


def test_twice_is_once(store: ContentStore, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"same")
    (tmp_path / "b").write_bytes(b"same")
    assert store.add(tmp_path / "a") == store.add(tmp_path / "b")
    assert len(store.digests()) == 1


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


NO_FILES = {
    "missing": lambda path: None,
    "a directory": Path.mkdir,
    "a pipe": make_pipe,
    "a dangling link": lambda path: path.symlink_to("/nowhere"),
}


@pytest.mark.parametrize("make", NO_FILES.values(), ids=NO_FILES.keys())
def test_what_is_no_file_is_refused(store: ContentStore, tmp_path: Path, make: object) -> None:
    make(tmp_path / "plugin")
    with pytest.raises(InvalidRequest):
        store.add(tmp_path / "plugin")
    assert store.digests() == []


def test_too_large_is_refused_and_leaves_nothing(
    store: ContentStore, tmp_path: Path, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content_module, "MAX_EXECUTABLE_BYTES", 1000)
    (tmp_path / "plugin").write_bytes(b"x" * 1001)
    with pytest.raises(TooLarge):
        store.add(tmp_path / "plugin")
    assert list(layout.content.iterdir()) == []


def test_a_full_disk_leaves_nothing(
    store: ContentStore, tmp_path: Path, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plugin").write_bytes(b"x" * 1001)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreUnavailable, match="No space left"):
        store.add(tmp_path / "plugin")
    assert list(layout.content.iterdir()) == []


def test_where_nothing_can_be_put_is_said_so(store: ContentStore, layout: Layout, tmp_path: Path) -> None:
    """Nor can a draft be deleted then, as on a file system that is read-only."""
    (tmp_path / "plugin").write_bytes(b"#!/bin/sh")
    layout.content.rmdir()
    layout.content.touch()
    with pytest.raises(StoreUnavailable, match="Not a directory"):
        store.add(tmp_path / "plugin")
    with pytest.raises(StoreUnavailable, match="Not a directory"):
        replace_file(layout.content / "file", b"x")


@pytest.mark.parametrize("name", ["", "..", "../../etc/passwd", "a" * 63, "A" * 64])
def test_only_digests_name_executables(store: ContentStore, name: str) -> None:
    with pytest.raises(InvalidRequest):
        store.path(name)


def test_a_directory_that_others_can_write_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "plugins"
    root.mkdir()
    root.chmod(0o777)
    with pytest.raises(ConfigInvalid, match="chmod go-w"):
        Layout(root).prepare()


@pytest.mark.parametrize("name", ["catalog.db", "settings.json"])
def test_files_that_others_can_write_and_links_are_refused(tmp_path: Path, name: str) -> None:
    layout = Layout(tmp_path / "plugins")
    layout.prepare()
    file = layout.root / name
    file.touch()
    file.chmod(0o620)
    with pytest.raises(ConfigInvalid, match="chmod go-w"):
        layout.prepare()
    file.rename(layout.root / "elsewhere")
    file.symlink_to(layout.root / "elsewhere")
    with pytest.raises(ConfigInvalid, match="is not a file"):
        layout.prepare()


def test_links_in_place_of_directories_are_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "plugins").mkdir(mode=0o700)
    (tmp_path / "plugins" / "content").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigInvalid, match="symbolic links"):
        Layout(tmp_path / "plugins").prepare()


def test_everything_is_owner_only(layout: Layout) -> None:
    for directory in (layout.root, layout.content, layout.authority, layout.audit, layout.trusted_keys):
        assert directory.stat().st_mode & 0o777 == 0o700


def test_copies_that_somebody_was_killed_over_are_deleted_and_nothing_else(
    store: ContentStore, layout: Layout, tmp_path: Path
) -> None:
    (tmp_path / "plugin").write_bytes(b"#!/bin/sh")
    digest = store.add(tmp_path / "plugin")
    (layout.content / ".0123456789abcdef").write_bytes(b"half")
    (layout.content / ".snapshot").mkdir()
    store.sweep()
    assert sorted(path.name for path in layout.content.iterdir()) == [".snapshot", digest]
