"""The catalog changes as a whole or not at all, whoever else writes it or is killed."""

import multiprocessing
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from store_plugin.errors import AlreadyRegistered, PluginNotFound, StoreUnavailable, Tampered
from store_plugin.lifecycle import catalog as catalog_module
from store_plugin.lifecycle.catalog import Catalog, now
from store_plugin.lifecycle.registration import Registration, RunOptions


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalog.db")


def version(number: str = "1.0", name: str = "echo", **options: Any) -> Registration:
    return Registration(
        name=name, version=number, digest="a" * 64, run=RunOptions(**options), registered_at=now()
    )


def test_what_is_registered_comes_back_as_it_was(catalog: Catalog, tmp_path: Path) -> None:
    registration = version(arguments=("--debug",), environment=("HOME",), start_timeout=5.0)
    catalog.register(registration)
    assert catalog.version("echo", "1.0") == registration
    assert catalog.versions() == catalog.versions("echo") == [registration]
    assert catalog.versions("other") == []
    assert catalog.enabled() == {}
    assert (tmp_path / "catalog.db").stat().st_mode & 0o777 == 0o600


def test_it_is_the_owners_alone_from_the_first_moment_and_no_link(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Catalog(tmp_path / "catalog.db").versions()
    finally:
        os.umask(before)
    assert (tmp_path / "catalog.db").stat().st_mode & 0o777 == 0o600
    (tmp_path / "link.db").symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(StoreUnavailable):
        Catalog(tmp_path / "link.db").versions()
    assert not (tmp_path / "elsewhere.db").exists()


def test_a_version_never_changes(catalog: Catalog) -> None:
    catalog.register(version())
    with pytest.raises(AlreadyRegistered, match="another version"):
        catalog.register(version(arguments=("other",)))


def runs(catalog: Catalog) -> tuple[str, str | None]:
    """The version that is to run, and the one to go back to."""
    enabled = catalog.enabled()["echo"]
    return enabled.registration.version, enabled.previous.version if enabled.previous else None


def test_there_is_a_version_to_go_back_to_until_the_next_one_has_been_ready(catalog: Catalog) -> None:
    for number in ("1.0", "2.0", "3.0"):
        catalog.register(version(number))
    catalog.enable("echo", "1.0")
    assert runs(catalog) == ("1.0", None)
    catalog.enable("echo", "2.0")
    catalog.enable("echo", "3.0")
    assert runs(catalog) == ("3.0", "1.0")  # 2.0 was never ready
    catalog.proved("echo", "2.0")
    assert runs(catalog) == ("3.0", "1.0")
    catalog.proved("echo", "3.0")
    assert runs(catalog) == ("3.0", None)
    catalog.enable("echo", "2.0")
    assert runs(catalog) == ("2.0", "3.0")
    catalog.enable("echo", "3.0")
    assert runs(catalog) == ("3.0", None)
    catalog.enable("echo", "1.0")
    catalog.deregister("echo", ["3.0"])
    assert runs(catalog) == ("1.0", None)
    catalog.enable("echo", "2.0")
    assert catalog.roll_back("echo", "2.0", "1.0")
    assert runs(catalog) == ("1.0", None)


def test_one_version_is_enabled_and_the_one_before_is_known(catalog: Catalog) -> None:
    for number in ("1.0", "2.0"):
        catalog.register(version(number))
    assert catalog.enable("echo", "1.0") is None
    assert catalog.enable("echo", "2.0") == "1.0"
    assert catalog.enable("echo", "2.0") == "2.0"
    assert runs(catalog) == ("2.0", "1.0")
    with pytest.raises(AlreadyRegistered, match="disable it first"):
        catalog.deregister("echo", ["2.0"])
    assert [one.version for one in catalog.deregister("echo", ["1.0"])] == ["1.0"]
    assert catalog.disable("echo") == "2.0"
    assert catalog.enabled() == {}


def test_only_what_failed_is_rolled_back(catalog: Catalog) -> None:
    for number in ("1.0", "2.0", "3.0"):
        catalog.register(version(number))
    catalog.enable("echo", "1.0")
    catalog.enable("echo", "2.0")
    assert catalog.roll_back("echo", "2.0", "1.0")
    assert catalog.enabled()["echo"].registration.version == "1.0"
    catalog.enable("echo", "3.0")
    assert not catalog.roll_back("echo", "2.0", "1.0")
    assert catalog.enabled()["echo"].registration.version == "3.0"
    catalog.disable("echo")
    assert not catalog.roll_back("echo", "3.0", "1.0")
    assert catalog.enabled() == {}


UNKNOWN: dict[str, Callable[[Catalog], object]] = {
    "enable": lambda catalog: catalog.enable("echo", "9"),
    "disable": lambda catalog: catalog.disable("echo"),
    "roll back": lambda catalog: (
        catalog.enable("echo", "1.0"),
        catalog.roll_back("echo", "1.0", "9"),
    ),
    "deregister": lambda catalog: catalog.deregister("echo", ["9"]),
    "look": lambda catalog: catalog.version("echo", "9"),
}


@pytest.mark.parametrize("ask", UNKNOWN.values(), ids=UNKNOWN.keys())
def test_what_is_not_there_is_not_found(catalog: Catalog, ask: Callable[[Catalog], object]) -> None:
    catalog.register(version())
    with pytest.raises(PluginNotFound):
        ask(catalog)


def test_an_import_that_does_not_fit_changes_nothing(catalog: Catalog) -> None:
    catalog.register(version())
    catalog.enable("echo", "1.0")
    with pytest.raises(PluginNotFound):
        catalog.replace_all([version("2.0")], {"echo": "3.0"})
    assert catalog.enabled()["echo"].registration.version == "1.0"
    catalog.replace_all([version("2.0")], {"echo": "2.0"})
    assert [one.version for one in catalog.versions()] == ["2.0"]


def register_many(file: Path, process: int) -> None:
    for number in range(20):
        Catalog(file).register(version(f"{process}.{number}"))


def test_several_processes_write_and_nothing_is_lost(tmp_path: Path) -> None:
    file = tmp_path / "catalog.db"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=register_many, args=(file, number)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert len(Catalog(file).versions()) == 80


def register_for_ever(file: Path) -> None:
    number = 0
    while True:
        Catalog(file).replace_all([version(f"{number}", name) for name in ("a", "b")], {"a": f"{number}"})
        number += 1


def test_a_killed_writer_leaves_a_whole_catalog(tmp_path: Path) -> None:
    file = tmp_path / "catalog.db"
    process = multiprocessing.get_context("spawn").Process(target=register_for_ever, args=(file,))
    process.start()
    give_up = time.monotonic() + 30
    while not (file.exists() and file.stat().st_size and len(Catalog(file).versions()) == 2):
        assert time.monotonic() < give_up
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(10)
    first, second = Catalog(file).versions()
    assert first.version == second.version == Catalog(file).enabled()["a"].registration.version


def test_a_writer_that_stays_is_not_waited_for_for_ever(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog.register(version())
    monkeypatch.setattr(catalog_module, "BUSY_SECONDS", 0.05)
    other = sqlite3.connect(tmp_path / "catalog.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="another process"):
        catalog.register(version("2.0"))
    assert len(catalog.versions()) == 1  # reading goes on
    other.close()


def test_damage_is_told_as_such(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_bytes(b"not a database at all, and long enough to look at" * 10)
    with pytest.raises(Tampered):
        catalog.versions()


def test_a_newer_catalog_is_left_alone(catalog: Catalog, tmp_path: Path) -> None:
    catalog.register(version())
    db = sqlite3.connect(tmp_path / "catalog.db")
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreUnavailable, match="newer version"):
        catalog.versions()


WRONG = {
    "name": {"name": "Upper"},
    "path as a name": {"name": "../x"},
    "version": {"version": "1/2"},
    "version with spaces": {"version": "1 2"},
    "digest": {"digest": "sha256:" + "a" * 57},
    "variable of ours": {"run": {"environment": ["STORE_PLUGIN_TOKEN"]}},
    "loader": {"run": {"environment": ["LD_PRELOAD"]}},
    "argument": {"run": {"arguments": ["a\0b"]}},
    "timeout": {"run": {"start_timeout": 0}},
    "unknown": {"run": {"canary": 1}},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_registrations_are_checked(wrong: dict[str, Any]) -> None:
    right = {"name": "echo", "version": "1", "digest": "a" * 64, "registered_at": now()}
    Registration(**right)
    with pytest.raises(ValidationError):
        Registration(**{**right, **wrong})
