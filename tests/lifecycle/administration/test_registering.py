"""A change of the catalog is recorded before it is in force, happens as a whole, and waits for others."""

import multiprocessing
import resource
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from store_plugin.errors import (
    AlreadyRegistered,
    InvalidRequest,
    PluginNotFound,
    PluginUntrusted,
    StorePluginError,
    StoreUnavailable,
)
from store_plugin.lifecycle import files
from store_plugin.lifecycle.administration.choosing import installed_executable
from store_plugin.lifecycle.administration.discovering import Offer, available
from store_plugin.lifecycle.administration.exporting import exported, imported
from store_plugin.lifecycle.administration.installing import Incoming, Installer
from store_plugin.lifecycle.administration.registering import Registrar, read_config
from store_plugin.lifecycle.audit import AuditLog, Value
from store_plugin.lifecycle.catalog import now
from store_plugin.lifecycle.layout import Layout
from store_plugin.lifecycle.registration import Registration
from tests.lifecycle.administration.conftest import Sign, events
from tests.support.plugin_project import offering


@pytest.fixture
def digest(installer: Installer, executable: Path) -> str:
    return installer.install(Incoming(executable, str(executable), "shelves", "1.0")).digest


def version(digest: str, number: str = "1.0", name: str = "shelves", signer: str = "") -> Registration:
    return Registration(name=name, version=number, digest=digest, signer=signer, registered_at=now())


def test_a_whole_life(registrar: Registrar, layout: Layout, digest: str) -> None:
    registrar.register(version(digest))
    registrar.register(version(digest, "2.0"))
    assert registrar.enable("shelves", "1.0") == ("1.0", None)
    assert registrar.enable("shelves") == ("2.0", "1.0")
    with pytest.raises(AlreadyRegistered, match="disable it first"):
        registrar.remove("shelves", "2.0")
    assert registrar.disable("shelves") == "2.0"
    assert registrar.remove("shelves", "1.0")[1] == []  # 2.0 is the same executable
    assert registrar.remove("shelves", None)[1] == [digest]
    assert registrar.content.digests() == []
    told = "install register register enable enable disable deregister deregister remove"
    assert events(layout) == told.split()


@pytest.mark.parametrize("ask", ["deregister", "remove"])
def test_a_plugin_that_is_enabled_keeps_all_its_versions(
    registrar: Registrar, layout: Layout, digest: str, ask: str
) -> None:
    for number in ("1.0", "2.0", "3.0"):
        registrar.register(version(digest, number))
    registrar.enable("shelves", "2.0")
    before = registrar.catalog.versions(), events(layout)
    with pytest.raises(AlreadyRegistered, match=r"shelves 2\.0 is enabled: disable it first"):
        getattr(registrar, ask)("shelves", None)
    assert (registrar.catalog.versions(), events(layout)) == before
    assert registrar.content.digests() == [digest]


def test_versions_go_together_or_not_at_all(
    registrar: Registrar, layout: Layout, digest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record has room for one of them, and for that it was not done."""
    for number in ("1.0", "2.0"):
        registrar.register(version(digest, number))
    record = AuditLog.record

    def short_of_room(log: AuditLog, event: str, plugin: str, fields: Mapping[str, Value]) -> str:
        if fields.get("version") == "2.0":
            raise StoreUnavailable("the audit record cannot be written: No space left on device")
        return record(log, event, plugin, fields)

    monkeypatch.setattr(AuditLog, "record", short_of_room)
    with pytest.raises(StoreUnavailable, match="audit record"):
        registrar.deregister("shelves", None)
    assert [one.version for one in registrar.catalog.versions()] == ["1.0", "2.0"]
    assert events(layout) == ["install", "register", "register", "deregister", "not-done"]


def test_only_what_is_installed_is_registered(registrar: Registrar) -> None:
    with pytest.raises(PluginNotFound, match="plugin install"):
        registrar.register(version("a" * 64))


def test_an_executable_that_is_gone_is_not_enabled(registrar: Registrar, digest: str) -> None:
    registrar.register(version(digest))
    registrar.content.remove(digest)
    with pytest.raises(PluginNotFound, match="is gone"):
        registrar.enable("shelves")


def test_an_executable_that_is_registered_is_not_deleted(registrar: Registrar, digest: str) -> None:
    registrar.register(version(digest))
    with pytest.raises(InvalidRequest, match=r"registered as shelves 1\.0"):
        registrar.delete_content(digest)


@pytest.mark.parametrize("ask", ["enable", "disable", "deregister", "remove"])
def test_a_plugin_that_is_not_there_is_told(registrar: Registrar, layout: Layout, ask: str) -> None:
    arguments = ("nothing",) if ask in ("enable", "disable") else ("nothing", None)
    with pytest.raises(PluginNotFound):
        getattr(registrar, ask)(*arguments)
    assert events(layout) == []


def test_without_an_audit_record_nothing_changes(
    registrar: Registrar, layout: Layout, digest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    registrar.register(version(digest))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(AuditLog, "_append", full)
        changes = (
            lambda: registrar.register(version(digest, "2.0")),
            lambda: registrar.enable("shelves"),
            lambda: registrar.deregister("shelves", None),
            lambda: registrar.replace_all([], {}),
        )
        for change in changes:
            with pytest.raises(StoreUnavailable, match="audit record"):
                change()
    assert [one.version for one in registrar.catalog.versions()] == ["1.0"]
    assert registrar.catalog.enabled() == {}
    assert events(layout) == ["install", "register"]


def register_in_little_room(root: Path, digest: str, outcomes: "multiprocessing.Queue[str]") -> None:
    """The catalog may grow no more: as if the disk were full for it, and not for the audit record."""
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    registrar = Registrar(Layout(root))
    resource.setrlimit(resource.RLIMIT_FSIZE, (Layout(root).catalog.stat().st_size, resource.RLIM_INFINITY))
    try:
        for number in range(200):
            registrar.register(version(digest, f"2.{number}"))
    except StorePluginError as error:
        outcomes.put(type(error).__name__)
    else:
        outcomes.put("no error")


def test_a_full_disk_leaves_the_catalog_whole_and_the_record_true(
    registrar: Registrar, layout: Layout, digest: str
) -> None:
    registrar.register(version(digest))
    context = multiprocessing.get_context("spawn")
    outcomes: multiprocessing.Queue[str] = context.Queue()
    process = context.Process(target=register_in_little_room, args=(layout.root, digest, outcomes))
    process.start()
    assert outcomes.get(timeout=60) == "StoreUnavailable"
    process.join(30)
    there = {one.version for one in registrar.catalog.versions()}
    db = sqlite3.connect(layout.catalog)
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
    assert "1.0" in there
    told = events(layout)
    assert told.count("register") - told.count("not-done") == len(there)


def change_often(root: Path, digest: str, name: str) -> None:
    registrar = Registrar(Layout(root))
    for number in range(10):
        registrar.register(version(digest, f"{number}", name))
        registrar.enable(name, f"{number}")
    registrar.disable(name)


def test_several_people_at_once_lose_nothing(registrar: Registrar, layout: Layout, digest: str) -> None:
    context = multiprocessing.get_context("spawn")
    names = ("a", "b", "c")
    processes = [context.Process(target=change_often, args=(layout.root, digest, name)) for name in names]
    for process in processes:
        process.start()
    for process in processes:
        process.join(90)
        assert process.exitcode == 0
    assert len(registrar.catalog.versions()) == 30
    assert len(events(layout)) == 1 + 3 * 21


def test_where_signatures_are_demanded_unsigned_plugins_are_not_enabled(
    registrar: Registrar, installer: Installer, digest: str, executable: Path, key: Path, sign: Sign
) -> None:
    registrar.register(version(digest))
    installer.keys.add(key)
    installer.keys.require(True)
    with pytest.raises(PluginUntrusted):
        registrar.signer_of(digest)
    with pytest.raises(PluginUntrusted):
        registrar.enable("shelves")
    installer.install(Incoming(executable, str(executable), signature=sign(executable)))
    registrar.register(version(digest, "2.0", signer=registrar.signer_of(digest)))
    assert registrar.enable("shelves") == ("2.0", None)
    installer.keys.remove(key.name)
    with pytest.raises(PluginUntrusted, match="no trusted keys"):
        registrar.enable("shelves")


# Export and import.


def test_an_export_brought_back_is_the_same_catalog(registrar: Registrar, digest: str) -> None:
    registrar.register(version(digest))
    registrar.register(version(digest, "2.0"))
    registrar.enable("shelves", "1.0")
    text = exported(registrar)
    before = registrar.catalog.versions()
    registrar.replace_all([], {})
    imported(registrar, text)
    assert registrar.catalog.versions() == before
    assert exported(registrar) == text
    assert yaml.safe_load(text)["enabled"] == {"shelves": "1.0"}


def test_an_import_of_what_is_not_installed_says_what_to_install(
    registrar: Registrar, layout: Layout, digest: str
) -> None:
    registrar.register(version(digest))
    text = exported(registrar).replace(digest, "b" * 64)
    with pytest.raises(PluginNotFound, match=rf"shelves 1\.0 \(sha256 {'b' * 64}\).*plugin install"):
        imported(registrar, text)
    assert registrar.catalog.versions()[0].digest == digest
    assert "import" not in events(layout)


def test_an_import_does_not_say_who_signed(registrar: Registrar, digest: str) -> None:
    registrar.register(version(digest))
    imported(registrar, exported(registrar).replace("signer: ''", "signer: cosign.pub"))
    assert registrar.catalog.versions()[0].signer == ""


WRONG = {
    "no YAML": "a: [",
    "no export": "just text",
    "unknown field": "more: 1",
    "nothing enabled of that name": "enabled: {shelves: '1.0'}",
    "a bomb of aliases": "a: &a [1]\nb: &b [*a,*a]\nplugins: *b",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_export_changes_nothing(registrar: Registrar, digest: str, text: str) -> None:
    registrar.register(version(digest))
    with pytest.raises((InvalidRequest, PluginNotFound)):
        imported(registrar, text)
    assert len(registrar.catalog.versions()) == 1


def test_a_version_twice_in_an_export_is_told(registrar: Registrar, digest: str) -> None:
    registrar.register(version(digest))
    document = yaml.safe_load(exported(registrar))
    document["plugins"] *= 2
    with pytest.raises(InvalidRequest, match="twice"):
        imported(registrar, yaml.safe_dump(document))


# What a person means, and what there is.


def test_an_executable_is_found_by_file_digest_and_name(
    registrar: Registrar, digest: str, executable: Path, tmp_path: Path
) -> None:
    for said in (str(executable), digest, f"sha256:{digest}", digest[:8], "shelves", "shelves==1.0"):
        assert installed_executable(registrar, said)[0] == digest
    other = tmp_path / "other"
    other.write_text("x")
    with pytest.raises(PluginNotFound, match="plugin install"):
        installed_executable(registrar, str(other))
    for said in ("shelves==9", "nothing", "f" * 64, "../shelves"):
        with pytest.raises(PluginNotFound, match="plugin available"):
            installed_executable(registrar, said)


def test_what_is_available_is_told_with_its_state(
    registrar: Registrar, digest: str, tmp_path: Path, executable: Path
) -> None:
    directory = tmp_path / "well-known"
    directory.mkdir()
    assert available(registrar, tmp_path / "missing") == [
        Offer("installed", str(executable), "shelves", "1.0", digest, "installed")
    ]
    for name, text in (("same", executable.read_text()), ("new", "#!/bin/sh\n")):
        (directory / name).write_text(text)
        (directory / name).chmod(0o755)
    (directory / "readme.txt").write_text("no program")
    registrar.register(version(digest, "3.0"))
    found = available(registrar, directory)
    assert [(Path(offer.where).name, offer.state, offer.version) for offer in found] == [
        ("new", "", ""),
        ("same", "registered", "3.0"),
    ]
    registrar.enable("shelves")
    assert available(registrar, directory)[1].state == "enabled"


CONFIGS = {
    "": (None, ()),
    "name: shelves\nversion: '2'\nrun: {arguments: [--debug], startTimeout: 5s}": ("shelves", ("--debug",)),
}


@pytest.mark.parametrize(("text", "expected"), CONFIGS.items(), ids=["empty", "full"])
def test_a_config_is_read(tmp_path: Path, text: str, expected: tuple[str | None, tuple[str, ...]]) -> None:
    (tmp_path / "config.yaml").write_text(text)
    config = read_config(tmp_path / "config.yaml")
    assert (config.name, config.run.arguments) == expected


@pytest.mark.parametrize(
    "text", ["[", "- a", "nmae: x", "run: {environment: [LD_PRELOAD]}", "\x00"], ids=repr
)
def test_a_wrong_config_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(InvalidRequest, match=r"config\.yaml"):
        read_config(tmp_path / "config.yaml")


def test_what_packages_offer_is_found_without_importing_it(
    registrar: Registrar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(offering(tmp_path / "site", "boxes", "1.5", "paper-box")))
    assert available(registrar, tmp_path / "missing") == [Offer("package", "boxes", "paper-box", "1.5")]


def test_what_packages_offer_has_the_state_of_the_plugin_of_its_name_and_version(
    registrar: Registrar,
    installer: Installer,
    executable: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(offering(tmp_path / "site", "boxes", "1.5", "paper-box")))

    def state() -> str:
        (offer,) = (one for one in available(registrar, tmp_path / "missing") if one.source == "package")
        return offer.state

    other = tmp_path / "other"
    other.write_text("#!/bin/true\n")
    old = installer.install(Incoming(other, str(other), "paper-box", "1.4")).digest
    registrar.register(version(old, "1.4", "paper-box"))
    registrar.enable("paper-box")
    assert state() == ""
    new = installer.install(Incoming(executable, str(executable), "paper-box", "1.5")).digest
    assert state() == "installed"
    registrar.register(version(new, "1.5", "paper-box"))
    assert state() == "registered"
    registrar.enable("paper-box", "1.5")
    assert state() == "enabled"


def test_a_turn_that_is_kept_is_not_waited_for_for_ever(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "TURN_SECONDS", 0.05)
    with (
        files.turn(layout.content),
        pytest.raises(StoreUnavailable, match="another process"),
        files.turn(layout.content),
    ):
        pass
    with files.turn(layout.content):
        pass


def test_half_of_a_config_is_not_taken_for_all_of_it(tmp_path: Path) -> None:
    """Cut off where nothing shows it: what is missing may be its limits."""
    file = tmp_path / "config.yaml"
    file.write_text("# " + "x" * 256 * 1024 + "\nrun: {replicas: 2}\n")
    with pytest.raises(InvalidRequest, match=r"config\.yaml is longer than 262144 bytes"):
        read_config(file)
