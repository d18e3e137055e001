"""W4: an access config is checked when it is read, and followed while it is used."""

import os
import time
from pathlib import Path

import pytest

from store_plugin.access import AccessConfig
from store_plugin.access.following import LOOK_SECONDS, ProvidersFile
from store_plugin.errors import ConfigInvalid
from tests.support.exec_plugins import access_file, profile, provider


class Clock:
    """Moved by the test. Every step is longer than the file is left alone."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def step(self) -> None:
        self.now += LOOK_SECONDS


def names(followed: ProvidersFile) -> list[str]:
    return [one.name for one in followed.providers()]


def test_a_changed_file_is_in_force_at_the_next_look(tmp_path: Path) -> None:
    clock = Clock()
    followed = ProvidersFile(access_file(tmp_path, provider("p", "a")), clock)
    access_file(tmp_path, provider("p", "b"))
    assert names(followed) == ["a"]
    clock.step()
    assert names(followed) == ["b"]


def test_a_file_that_became_wrong_leaves_the_last_good_one_in_force(tmp_path: Path) -> None:
    clock = Clock()
    file = access_file(tmp_path, provider("p", "a"))
    followed = ProvidersFile(file, clock)
    for breakage in ('{"providers": [{"name": "x"}]}', None):
        file.write_text(breakage) if breakage else file.unlink()
        clock.step()
        assert names(followed) == ["a"]
        assert str(file) in followed.problem
    access_file(tmp_path, provider("p", "b"))
    clock.step()
    assert names(followed) == ["b"]
    assert followed.problem == ""


def test_the_swap_of_a_mounted_config_map_is_seen(tmp_path: Path) -> None:
    clock = Clock()
    for version in ("1", "2"):
        (tmp_path / version).mkdir()
        access_file(tmp_path / version, provider("p", version), name="file")
    (tmp_path / "..data").symlink_to("1")
    (tmp_path / "file").symlink_to("..data/file")
    followed = ProvidersFile(tmp_path / "file", clock)
    assert names(followed) == ["1"]
    (tmp_path / "new").symlink_to("2")
    (tmp_path / "new").replace(tmp_path / "..data")
    clock.step()
    assert names(followed) == ["2"]


def test_a_file_that_stays_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    file = access_file(tmp_path, provider("p", "a"))
    long_ago = time.time() - 60
    os.utime(file, (long_ago, long_ago))
    monkeypatch.setattr("store_plugin.access.following.lasting", lambda signature: signature)
    followed = ProvidersFile(file, clock)
    before = followed.providers()
    monkeypatch.setattr("store_plugin.access.following.read_providers", lambda _: pytest.fail("read again"))
    clock.step()
    assert followed.providers() is before


def test_clients_made_after_a_change_have_the_new_providers(tmp_path: Path) -> None:
    with AccessConfig.from_file(access_file(tmp_path, provider("p"))) as access:
        first = access.member(profile()).login
        clock = Clock()
        access._file._clock = clock  # type: ignore[union-attr]
        access._file._looked_at = clock()  # type: ignore[union-attr]
        access_file(tmp_path, provider("p", digest="0" * 64))
        clock.step()
        assert access.member(profile()).login is not first, "another digest is another trust"
        access_file(tmp_path, provider("p", "other"))
        clock.step()
        with pytest.raises(ConfigInvalid, match="no provider for profile"):
            access.member(profile())
        (tmp_path / "providers.json").write_text("{")
        clock.step()
        assert [one.name for one in access.providers] == ["other"]
        assert "not readable as JSON" in access.problem
