"""Only an executable that was vouched for runs, and what was checked is what runs."""

import base64
import errno
import gc
import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from store_plugin.access import AccessConfig
from store_plugin.access.exec_credential import API_VERSIONS, ExecInfo, ExecStatus, status_text
from store_plugin.access.execution.runner import ExecCall, Runner
from store_plugin.access.execution.trust import ExecutableTrust
from store_plugin.access.providers import Provider
from store_plugin.errors import ConfigInvalid, PluginUntrusted, StoreUnavailable
from tests.support.exec_plugins import access_file, profile, provider
from tests.support.memory_rules import run_under

ANSWER = status_text(API_VERSIONS[0], ExecStatus("t"))


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    return script(tmp_path / "plugin", f"echo '{ANSWER}'")


def script(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o700)
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def trust(executable: Path, *, digest: str = "", signature: str = "", **options: Any) -> ExecutableTrust:
    exec_config = provider(executable)["execConfig"]
    made = Provider(name="tests", exec_config=exec_config, digest=digest, signature=signature)
    return ExecutableTrust([made], **options)


def run(trust: ExecutableTrust, path: Path, *arguments: str) -> ExecStatus:
    call = ExecCall("tests", str(path), arguments, {"PATH": "/usr/bin:/bin"}, ExecInfo(API_VERSIONS[0]))
    return Runner(verify=trust).run(call)


def open_descriptors() -> int:
    """Without those of other tests that nobody holds any more."""
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


def test_an_executable_with_its_digest_runs(plugin: Path) -> None:
    before = open_descriptors()
    assert run(trust(plugin, digest=digest(plugin), require_digest=True), plugin).token == "t"
    assert open_descriptors() == before


def test_a_program_that_is_no_script_runs(tmp_path: Path) -> None:
    program = Path(shutil.copy("/bin/echo", tmp_path / "echo"))
    assert run(trust(program, digest=digest(program)), program, ANSWER).token == "t"


def test_another_executable_does_not(plugin: Path, tmp_path: Path) -> None:
    expected, before = digest(plugin), open_descriptors()
    script(plugin, f"touch {tmp_path}/ran; echo '{ANSWER}'")
    with pytest.raises(PluginUntrusted, match=rf"'tests' is not run: .*its digest is {digest(plugin)}"):
        run(trust(plugin, digest=expected), plugin)
    assert not (tmp_path / "ran").exists()
    assert open_descriptors() == before


def test_what_was_checked_is_what_runs(plugin: Path, tmp_path: Path) -> None:
    with trust(plugin, digest=digest(plugin))("tests", plugin) as checked:
        plugin.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        command = [str(checked.path)]
        ended = subprocess.run(command, pass_fds=checked.descriptors, capture_output=True, text=True)
    assert ended.stdout.strip() == ANSWER
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["memfd_create", "open"])
def test_what_cannot_be_checked_just_now_is_no_reason_to_distrust(
    plugin: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(*_: object, **__: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    checks, before = trust(plugin, digest=digest(plugin)), open_descriptors()
    with monkeypatch.context() as patched, pytest.raises(StoreUnavailable, match="cannot be run now"):
        patched.setattr(os, name, short)
        with checks("tests", plugin):
            pass
    assert open_descriptors() == before


def test_nobody_can_change_what_was_checked(plugin: Path) -> None:
    with trust(plugin, digest=digest(plugin))("tests", plugin) as checked:
        (memory,) = checked.descriptors
        with pytest.raises(PermissionError):
            os.pwrite(memory, b"#!/bin/false", 0)
        with pytest.raises(PermissionError):
            os.ftruncate(memory, 0)


def test_a_link_is_as_good_as_what_it_leads_to(plugin: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(plugin)
    checks = trust(plugin, digest=digest(plugin))
    assert run(checks, link).token == "t"
    other = script(tmp_path / "other", "exit 0")
    link.unlink()
    link.symlink_to(other)
    with pytest.raises(PluginUntrusted, match="its digest is"):
        run(checks, link)


def test_a_digest_is_demanded_of_all(plugin: Path, tmp_path: Path) -> None:
    assert run(trust(plugin), plugin).token == "t"
    with pytest.raises(PluginUntrusted, match=f"a digest is demanded.* digest: {digest(plugin)}"):
        run(trust(plugin, require_digest=True), plugin)


@pytest.mark.parametrize("made", ["directory", "pipe", "missing"])
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path, made: str) -> None:
    path, before = tmp_path / "path", open_descriptors()
    if made == "directory":
        path.mkdir()
    elif made == "pipe":
        os.mkfifo(path)
    with (
        pytest.raises(PluginUntrusted, match="cannot be read: "),
        trust(path, digest="0" * 64)("tests", path),
    ):
        pass
    assert open_descriptors() == before


# Signatures.


@pytest.fixture
def private() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def keys(private: ec.EllipticCurvePrivateKey, tmp_path: Path) -> Path:
    directory = tmp_path / "keys"
    directory.mkdir()
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (directory / "cosign.pub").write_bytes(pem)
    return directory


def signed(private: ec.EllipticCurvePrivateKey, path: Path) -> str:
    return base64.b64encode(private.sign(path.read_bytes(), ec.ECDSA(hashes.SHA256()))).decode()


def test_a_signed_executable_runs(plugin: Path, private: ec.EllipticCurvePrivateKey, keys: Path) -> None:
    signature = signed(private, plugin)
    assert (
        run(trust(plugin, signature=signature, trusted_keys=keys, require_digest=True), plugin).token == "t"
    )


def test_a_signature_of_another_file_or_key_is_none(
    plugin: Path, private: ec.EllipticCurvePrivateKey, keys: Path, tmp_path: Path
) -> None:
    other = script(tmp_path / "other", "exit 0")
    of_others = signed(ec.generate_private_key(ec.SECP256R1()), plugin)
    for signature in (signed(private, other), of_others, "AAAA", "no signature"):
        with pytest.raises(PluginUntrusted, match=r"'tests' is not run: .*\(keys: "):
            run(trust(plugin, signature=signature, trusted_keys=keys), plugin)


def test_a_right_signature_does_not_make_up_for_a_wrong_digest(
    plugin: Path, private: ec.EllipticCurvePrivateKey, keys: Path
) -> None:
    checks = trust(plugin, digest="0" * 64, signature=signed(private, plugin), trusted_keys=keys)
    with pytest.raises(PluginUntrusted, match="its digest is"):
        run(checks, plugin)


def test_keys_that_are_missing_are_told(
    plugin: Path, private: ec.EllipticCurvePrivateKey, tmp_path: Path
) -> None:
    signature = signed(private, plugin)
    with pytest.raises(PluginUntrusted, match="no directory of trusted keys was given"):
        run(trust(plugin, signature=signature), plugin)
    with pytest.raises(PluginUntrusted, match="no trusted keys"):
        run(trust(plugin, signature=signature, trusted_keys=tmp_path / "none"), plugin)
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "cosign.pub").write_text("no key")
    with pytest.raises(PluginUntrusted, match=r"cosign\.pub: the key is not a public key"):
        run(trust(plugin, signature=signature, trusted_keys=tmp_path / "damaged"), plugin)


# As the access config says it.


def test_the_access_config_brings_digests(plugin: Path, tmp_path: Path) -> None:
    good = {**provider(plugin), "digest": digest(plugin)}
    with AccessConfig.from_file(access_file(tmp_path, good), require_digest=True) as access:
        assert access.member(profile()).login.current().token == "t"
    with (
        AccessConfig.from_file(access_file(tmp_path, provider(plugin)), require_digest=True) as access,
        pytest.raises(PluginUntrusted, match="a digest is demanded"),
    ):
        access.member(profile()).login.current()


@pytest.mark.parametrize(
    "wrong", ["abc", "G" * 64, "A" * 64, "0" * 65], ids=["short", "no hex", "upper", "long"]
)
def test_a_digest_that_is_none_is_told_when_it_is_read(plugin: Path, tmp_path: Path, wrong: str) -> None:
    file = access_file(tmp_path, {**provider(plugin), "digest": wrong})
    with pytest.raises(ConfigInvalid, match=r"providers\.json:1: providers\[0\]\.digest"):
        AccessConfig.from_file(file)


ONCE = """
import sys
from pathlib import Path
from tests.access.execution.test_trust import digest, run, trust
from store_plugin.errors import PluginUntrusted

plugin = Path(sys.argv[1])
try:
    print("token", run(trust(plugin, digest=digest(plugin)), plugin).token)
except PluginUntrusted as refusal:
    print(refusal)
"""
MEMORY_RULES = {0: "token t\n", 1: "token t\n", 2: "set the sysctl vm.memfd_noexec to 1 or 0\n"}


@pytest.mark.parametrize("memfd_noexec", MEMORY_RULES)
def test_a_node_that_is_wary_of_programs_in_memory(plugin: Path, memfd_noexec: int) -> None:
    """Where programs have to say that they mean it, it runs; where none may, it is told what to set."""
    assert run_under(memfd_noexec, ONCE, str(plugin)).endswith(MEMORY_RULES[memfd_noexec])
