"""The commands about plugins: what they do, what they tell, and what to do next."""

import base64
import errno
import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from store_plugin.cli._app import cli
from store_plugin.lifecycle.audit import AuditLog
from store_plugin.trust import digest_of
from tests.support.plugin_project import offering, project

Run = Callable[..., Result]
NEXT = re.compile(r"^now: store-plugin (.*)$", re.MULTILINE)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run(*arguments: object, code: int = 0) -> Result:
        environ = {"STORE_PLUGIN_PLUGINS_DIR": str(tmp_path / "plugins")}
        result = CliRunner().invoke(cli, [str(one) for one in arguments], env=environ)
        assert result.exit_code == code, result.output
        return result

    return run


@pytest.fixture
def executable(tmp_path: Path) -> Path:
    path = tmp_path / "shelves"
    path.write_text('#!/bin/sh\necho \'{"name": "shelves", "version": "1.0"}\'\n')
    path.chmod(0o755)
    return path


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    """A private key's file, and its public key's."""
    key = ed25519.Ed25519PrivateKey.generate()
    private, public = tmp_path / "cosign.key", tmp_path / "cosign.pub"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


def follow(run: Run, result: Result) -> Result:
    """Do what the last command said is next."""
    match = NEXT.search(result.output)
    assert match, result.output
    return run(*match[1].split())


def test_each_command_leads_to_the_next_one(run: Run, executable: Path) -> None:
    registered = follow(run, run("plugin", "install", executable))
    assert "running it with --describe" in registered.stderr
    assert "registered shelves 1.0" in registered.stdout
    assert follow(run, registered).output == "enabled shelves 1.0\n"
    assert run("plugin", "enable", "shelves").output == "shelves 1.0 was enabled before\n"
    digest = digest_of(executable)
    removed = follow(run, run("plugin", "disable", "shelves"))
    assert removed.output == f"deregistered shelves 1.0\ndeleted sha256 {digest}\n"
    assert "7 records, the chain holds" in run("audit", "verify").output


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("list",), "no plugin is registered: see 'store-plugin plugin available'"),
        (("available", "--directory", "/none"), "nothing is installed, and nothing lies in /none"),
        (("trust", "list"), "no key is trusted: store-plugin plugin trust add FILE"),
    ],
    ids=["list", "available", "trust list"],
)
def test_a_table_without_rows_is_told_with_what_to_do(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], told: str
) -> None:
    """Besides the headings, and to people only."""
    monkeypatch.setattr("store_plugin.lifecycle.administration.discovering.entry_points", lambda **_: ())
    listed = run("plugin", *command)
    assert told in listed.stderr
    assert len(listed.stdout.splitlines()) == 1
    assert run("plugin", *command, "-o", "json").stdout == "[]\n"


def test_the_next_step_names_the_directory_that_was_given(run: Run, executable: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    installed = run("plugin", "install", executable, "--plugins-dir", other)
    assert f"--plugins-dir {other}" in installed.output
    assert "registered" in follow(run, installed).output


def test_a_project_goes_through_a_repository(
    run: Run, tmp_path: Path, keys: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    private, public = keys
    monkeypatch.chdir(tmp_path)
    run("plugin", "trust", "add", public)
    run("plugin", "trust", "require", "on")
    built = run("plugin", "build", project(tmp_path / "project", "boxes", "2.0"))
    assert "built boxes 2.0: boxes-2.0.pyz" in built.output
    assert "signed plugins only" in run("plugin", "install", "boxes-2.0.pyz", code=1).output
    repository = tmp_path / "repository"
    publishing = ("plugin", "publish", "boxes-2.0.pyz", "--repository", repository, "--sign-key", private)
    published = run(*publishing)
    assert "running boxes-2.0.pyz --describe" in published.stderr
    installed = follow(run, published)
    assert "signed by cosign.pub" in installed.output
    assert "registered boxes 2.0" in follow(run, installed).output
    listed = json.loads(run("plugin", "available", "-o", "json", "--directory", tmp_path / "no").stdout)
    assert [(one["name"], one["state"]) for one in listed] == [("boxes", "registered")]


def test_a_project_is_installed_under_the_name_of_the_plugin_that_it_offers(run: Run, tmp_path: Path) -> None:
    installed = run("plugin", "install", project(tmp_path / "project", "My_Boxes", "1.5", plugin="paper-box"))
    assert "installed paper-box 1.5" in installed.output
    assert "registered paper-box 1.5" in follow(run, installed).output


def test_a_project_whose_version_no_plugin_can_have_is_told(run: Run, tmp_path: Path) -> None:
    told = run("plugin", "install", project(tmp_path / "project", "boxes", "1!2.0"), code=1).output
    assert "version: Value error, a version is letters, digits" in told
    assert "INVALID_REQUEST" in told
    assert run("plugin", "available", "-o", "json", "--directory", tmp_path / "no").stdout == "[]\n"


def test_what_is_no_file_is_told_with_what_to_name(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(offering(tmp_path / "site", "boxes", "1.5", "paper-box")))
    assert "--repository" in run("plugin", "install", "shelves", code=1).output
    for said in ("paper-box", "paper-box==1.5"):
        told = run("plugin", "install", said, code=1).output
        assert "package boxes 1.5 offers it: install its project or its wheel" in told
    gone = tmp_path / "shelves"
    assert f"{gone} cannot be read: No such file" in run("plugin", "install", gone, code=1).output


def test_an_export_is_brought_back(run: Run, executable: Path, tmp_path: Path) -> None:
    follow(run, follow(run, run("plugin", "install", executable)))
    text = run("plugin", "export").stdout
    (tmp_path / "export.yaml").write_text(text)
    run("plugin", "disable", "shelves")
    run("plugin", "deregister", "shelves")
    assert run("plugin", "import", tmp_path / "export.yaml").output == "1 registered, 1 enabled\n"
    assert run("plugin", "export").stdout == text
    run("plugin", "disable", "shelves")
    run("plugin", "remove", "shelves")
    assert "plugin install" in run("plugin", "import", tmp_path / "export.yaml", code=1).output


def test_a_config_says_how_it_is_run(run: Run, executable: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("name: boxes\nversion: '7'\nrun:\n  arguments: [--debug]\n  environment: [HOME]\n")
    run("plugin", "install", executable)
    made = json.loads(run("plugin", "register", executable, "--config", config, "-o", "json").stdout)
    assert (made["name"], made["version"], made["run"]["arguments"]) == ("boxes", "7", ["--debug"])
    assert "another version" in run("plugin", "register", executable, "--config", config, code=1).output


def test_nothing_is_run_for_a_list_unless_asked_for(run: Run, tmp_path: Path) -> None:
    directory = tmp_path / "well-known"
    directory.mkdir()
    file = directory / "shelves"
    file.write_text(f'#!/bin/sh\ntouch {tmp_path}/ran\necho \'{{"name": "shelves", "version": "3"}}\'\n')
    file.chmod(0o755)
    assert "shelves" in run("plugin", "available", "--directory", directory).output
    assert not (tmp_path / "ran").exists()
    asked = run("plugin", "available", "--directory", directory, "--describe", "-o", "json")
    assert f"running {file} --describe" in asked.stderr
    assert json.loads(asked.stdout)[0]["version"] == "3"
    assert (tmp_path / "ran").exists()


def test_a_plugin_that_cannot_describe_itself_does_not_end_the_list(run: Run, tmp_path: Path) -> None:
    directory = tmp_path / "well-known"
    directory.mkdir()
    for name in ("a", "b"):
        (directory / name).write_text("#!/bin/sh\nexit 3\n")
        (directory / name).chmod(0o755)
    asked = run("plugin", "available", "--directory", directory, "--describe", "-o", "json")
    assert asked.stderr.count("ends with code 3") == 2 or len(json.loads(asked.stdout)) == 2


def test_a_signature_from_a_file_is_checked(run: Run, executable: Path, keys: tuple[Path, Path]) -> None:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    private, public = keys
    key = load_pem_private_key(private.read_bytes(), None)
    assert isinstance(key, ed25519.Ed25519PrivateKey)
    signature = executable.with_suffix(".sig")
    signature.write_bytes(base64.b64encode(key.sign(executable.read_bytes())))
    installing = ("plugin", "install", executable, "--signature", signature)
    assert "signed by cosign.pub" in run(*installing, "--key", public).output
    assert "plugin trust add" in run(*installing, code=1).output
    run("plugin", "trust", "add", public)
    assert "cosign.pub" in run("plugin", "trust", "list").output
    assert "signed by cosign.pub" in run(*installing).output
    executable.write_text("#!/bin/sh\n")
    assert "of another file" in run(*installing, code=1).output
    run("plugin", "trust", "remove", "cosign.pub")


def test_only_what_needs_a_temporary_directory_asks_for_one(
    run: Run, executable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container whose file system is read-only."""

    def none() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    assert "installed" in run("plugin", "install", executable).output
    refused = run("plugin", "install", project(tmp_path / "project"), code=3).output
    assert "let TMPDIR name a directory that can be written" in refused


REFUSED = {
    "not there": (("install", "/nowhere"), "cannot be read"),
    "http": (("install", "x", "--repository", "http://plugins.example.org"), "not encrypted"),
    "unknown": (("register", "nothing"), "plugin available"),
    "unknown plugin": (("enable", "nothing"), "plugin available"),
    "not enabled": (("disable", "nothing"), "not enabled"),
    "no plugin": (("remove", "nothing"), "plugin available"),
    "no key": (("trust", "remove", "x.pub"), "trust list"),
}


@pytest.mark.parametrize(("arguments", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_a_refusal_says_what_to_do(run: Run, arguments: tuple[str, ...], told: str) -> None:
    assert told in run("plugin", *arguments, code=1).output


def test_a_directory_that_others_can_write_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir(mode=0o777)
    (tmp_path / "plugins").chmod(0o777)
    assert "chmod go-w" in run("plugin", "available", code=1).output


# The record.


@pytest.mark.parametrize("ask", [("audit", "verify"), ("audit", "tail"), ("plugin", "export")])
def test_of_a_directory_that_is_not_there_nothing_is_told_to_be_in_order(
    run: Run, tmp_path: Path, ask: tuple[str, ...]
) -> None:
    """A name that was mistyped has no record, whose chain holds."""
    refused = run(*ask, "--plugins-dir", tmp_path / "typo", code=1).output
    assert "there is no plugins directory" in refused
    assert "store-plugin plugin install" in refused
    assert not (tmp_path / "typo").exists()


def test_what_a_plugin_wrote_steers_no_terminal(run: Run, tmp_path: Path) -> None:
    """Neither out of the record, nor in an error; and it makes up no record of its own."""
    run("plugin", "available")
    why = "it failed: \x1b[2J\n2026-01-01T00:00:00 enable evil"
    AuditLog(tmp_path / "plugins" / "audit").record("crash", "shelves\x1b[1m", {"why": why})
    (shown,) = run("audit", "tail").output.splitlines()
    assert "shelves\\x1b[1m" in shown
    assert r"why=it failed: \x1b[2J\n2026-01-01T00:00:00 enable evil" in shown
    loud = tmp_path / "loud"
    loud.write_text("#!/bin/sh\nprintf '\\033[2J'\nexit 3\n")
    loud.chmod(0o755)
    run("plugin", "install", loud)
    assert r"ends with code 3: \x1b[2J" in run("plugin", "register", loud, code=1).output


def test_the_record_is_shown_and_checked(run: Run, executable: Path, tmp_path: Path) -> None:
    run("plugin", "available")
    assert run("audit", "tail").output == ""
    assert "0 records" in run("audit", "verify").output
    follow(run, run("plugin", "install", executable))
    shown = run("audit", "tail").output.splitlines()
    assert ["install" in shown[0], "register" in shown[1], "version=1.0" in shown[1]] == [True] * 3
    assert len(run("audit", "tail", "-n", 1).output.splitlines()) == 1
    raw = [json.loads(line) for line in run("audit", "tail", "--raw").output.splitlines()]
    head = json.loads(run("audit", "verify", "-o", "json").stdout)["head"]
    assert raw[-1]["seal"] == head
    assert run("audit", "verify", "--head", raw[0]["seal"]).exit_code == 0
    assert "cut off" in run("audit", "verify", "--head", "f" * 64, code=1).output
    record = next((tmp_path / "plugins" / "audit").glob("*.jsonl"))
    record.write_bytes(record.read_bytes().replace(b"shelves", b"forged!"))
    assert "line 1: changed" in run("audit", "verify", code=1).output
