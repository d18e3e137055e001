"""What is installed was checked where it lies, and what fails a check leaves nothing."""

import multiprocessing
import stat
import zipfile
from pathlib import Path

import pytest

from store_plugin.errors import InvalidRequest, PluginUntrusted, StoreUnavailable, Tampered
from store_plugin.lifecycle.administration.installing import Incoming, Installer
from store_plugin.lifecycle.administration.origins import Origins
from store_plugin.lifecycle.administration.trust import read_signature
from store_plugin.lifecycle.audit import AuditLog
from store_plugin.lifecycle.content import ContentStore
from store_plugin.lifecycle.layout import Layout
from store_plugin.trust import digest_of
from tests.lifecycle.administration.conftest import Sign, events


def incoming(file: Path, **what: object) -> Incoming:
    return Incoming(file, str(file), **what)  # type: ignore[arg-type]


def digests(layout: Layout) -> list[str]:
    return ContentStore(layout.content).digests()


def test_an_executable_is_copied_read_only_and_its_origin_noted(
    installer: Installer, layout: Layout, executable: Path
) -> None:
    installed = installer.install(incoming(executable, name="shelves", version="1.0"))
    assert (installed.digest, installed.signer, installed.new) == (digest_of(executable), "", True)
    copy = layout.content / installed.digest
    assert stat.S_IMODE(copy.stat().st_mode) == 0o500
    origin = Origins(layout).get(installed.digest)
    assert origin
    assert (origin.name, origin.version, origin.source) == ("shelves", "1.0", str(executable))
    assert not installer.install(incoming(executable)).new
    assert events(layout) == ["install", "install"]


def test_what_is_installed_again_without_a_name_keeps_the_one_that_is_known(
    installer: Installer, layout: Layout, executable: Path, key: Path, sign: Sign
) -> None:
    """As of a project, and then of the file that was built of it."""
    installer.install(incoming(executable, name="shelves", version="1.0"))
    installer.keys.add(key)
    again = installer.install(incoming(executable, signature=sign(executable)))
    origin = Origins(layout).get(again.digest)
    assert origin
    assert (origin.name, origin.version, bool(origin.signature)) == ("shelves", "1.0", True)
    assert (again.name, again.version) == ("shelves", "1.0")


def test_a_trusted_signature_is_named(
    installer: Installer, layout: Layout, executable: Path, key: Path, sign: Sign
) -> None:
    installer.keys.add(key)
    assert installer.install(incoming(executable, signature=sign(executable))).signer == "cosign.pub"
    installer.install(incoming(executable))
    origin = Origins(layout).get(digest_of(executable))
    assert origin
    assert origin.signature  # what is known stays known
    assert events(layout) == ["trust", "install", "install"]


def test_a_key_can_be_given_by_hand(installer: Installer, executable: Path, key: Path, sign: Sign) -> None:
    assert installer.install(incoming(executable, signature=sign(executable), key=key)).signer == "cosign.pub"
    with pytest.raises(InvalidRequest, match="--signature"):
        installer.install(incoming(executable, key=key))


def test_a_right_digest_with_a_wrong_signature_leaves_nothing(
    installer: Installer, layout: Layout, executable: Path, key: Path, sign: Sign, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.write_text("other")
    installer.keys.add(key)
    wrong = incoming(executable, digest=digest_of(executable), signature=sign(other))
    with pytest.raises(PluginUntrusted, match="none of the trusted keys"):
        installer.install(wrong)
    assert digests(layout) == []
    assert events(layout) == ["trust"]


def test_a_signature_without_trusted_keys_is_told_with_what_to_do(
    installer: Installer, executable: Path, sign: Sign
) -> None:
    with pytest.raises(PluginUntrusted, match="plugin trust add"):
        installer.install(incoming(executable, signature=sign(executable)))


def test_another_digest_than_was_said_is_refused(
    installer: Installer, layout: Layout, executable: Path
) -> None:
    with pytest.raises(PluginUntrusted, match="not what it should be"):
        installer.install(incoming(executable, digest="a" * 64))
    assert digests(layout) == []


def test_where_signatures_are_demanded_nothing_else_comes_in(
    installer: Installer, layout: Layout, executable: Path, key: Path, sign: Sign
) -> None:
    installer.keys.require(True)
    with pytest.raises(PluginUntrusted, match="signed plugins only"):
        installer.install(incoming(executable))
    with pytest.raises(PluginUntrusted, match="not trusted in this plugins directory"):
        installer.install(incoming(executable, signature=sign(executable), key=key))
    assert digests(layout) == []
    installer.keys.add(key)
    assert installer.install(incoming(executable, signature=sign(executable))).signer == "cosign.pub"
    installer.keys.require(False)


def test_settings_that_cannot_be_read_let_nothing_in(
    installer: Installer, layout: Layout, executable: Path
) -> None:
    layout.settings.write_text("{")
    with pytest.raises(Tampered, match=r"settings\.json"):
        installer.install(incoming(executable))
    assert digests(layout) == []


def test_without_an_audit_record_nothing_is_installed(
    installer: Installer, layout: Layout, executable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(AuditLog, "_append", full)
    with pytest.raises(StoreUnavailable, match="audit record cannot be written: No space left"):
        installer.install(incoming(executable))
    assert digests(layout) == []


def test_a_damaged_zipapp_is_refused_by_its_name(
    installer: Installer, layout: Layout, tmp_path: Path
) -> None:
    app = tmp_path / "app.pyz"
    app.write_bytes(b"#!/usr/bin/env python3\n")
    with zipfile.ZipFile(app, "a") as archive:
        archive.writestr("__main__.py", "print()")
    app.write_bytes(app.read_bytes()[:-30])
    with pytest.raises(InvalidRequest, match=f"{app} is not a zip archive that can be read"):
        installer.install(incoming(app))
    assert digests(layout) == []


def test_a_native_executable_that_reads_archives_is_installed(
    installer: Installer, layout: Layout, tmp_path: Path
) -> None:
    program = tmp_path / "unpacker"
    echo = Path("/bin/echo").read_bytes()
    program.write_bytes(echo + b"PK\x05\x06" + echo[-200:])
    installed = installer.install(incoming(program))
    assert digests(layout) == [installed.digest]


@pytest.mark.parametrize("name", ["../evil.py", "/evil.py"])
def test_a_zipapp_that_climbs_is_refused(
    installer: Installer, layout: Layout, tmp_path: Path, name: str
) -> None:
    app = tmp_path / "app.pyz"
    with zipfile.ZipFile(app, "w") as archive:
        archive.writestr(name, "x")
    with pytest.raises(InvalidRequest, match="leaves its directory"):
        installer.install(incoming(app))
    assert digests(layout) == []


@pytest.mark.parametrize("what", ["directory", "missing", "pipe"])
def test_what_is_no_file_is_refused(installer: Installer, tmp_path: Path, what: str) -> None:
    import os

    if what == "pipe":
        os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidRequest):
        installer.install(incoming(tmp_path if what == "directory" else tmp_path / what))


def install_often(root: Path, executable: Path, wrong: bool) -> None:
    installer = Installer(Layout(root))
    for _ in range(30):
        if wrong:
            with pytest.raises(PluginUntrusted):
                installer.install(incoming(executable, digest="a" * 64))
        else:
            digest = installer.install(incoming(executable)).digest
            assert ContentStore(Layout(root).content).has(digest)


def test_a_refused_install_takes_nothing_from_another_one(layout: Layout, executable: Path) -> None:
    context = multiprocessing.get_context("spawn")
    work = [(layout.root, executable, wrong) for wrong in (True, False)]
    processes = [context.Process(target=install_often, args=arguments) for arguments in work]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert digests(layout) == [digest_of(executable)]


# Keys.


def test_keys_are_listed_and_removed(installer: Installer, layout: Layout, key: Path) -> None:
    added = installer.keys.add(key)
    assert [(one.name, one.fingerprint) for one in installer.keys.list()] == [(key.name, added.fingerprint)]
    installer.keys.remove(key.name)
    assert installer.keys.list() == []
    assert events(layout) == ["trust", "distrust"]


@pytest.mark.parametrize("name", ["../x.pub", "missing.pub", "/etc/passwd", ".pub"])
def test_no_other_file_is_removed_as_a_key(installer: Installer, name: str) -> None:
    with pytest.raises(InvalidRequest, match="is trusted"):
        installer.keys.remove(name)


def test_what_is_no_key_is_not_trusted(installer: Installer, tmp_path: Path, key: Path) -> None:
    (tmp_path / "a.pub").write_text("canary")
    with pytest.raises(InvalidRequest, match="not a public key"):
        installer.keys.add(tmp_path / "a.pub")
    (tmp_path / "key.txt").write_bytes(key.read_bytes())
    with pytest.raises(InvalidRequest, match=r"\.pub or \.pem"):
        installer.keys.add(tmp_path / "key.txt")
    (tmp_path / "huge.pub").write_bytes(b"x" * 100_000)
    with pytest.raises(InvalidRequest, match="too large"):
        installer.keys.add(tmp_path / "huge.pub")


def test_a_signature_is_text(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"\xff")
    with pytest.raises(InvalidRequest, match="base64"):
        read_signature(tmp_path / "s")
