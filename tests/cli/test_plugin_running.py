"""The commands about plugins where a sidecar runs them: what it is told, what it tells, and how
waiting ends."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from store_plugin.cli._app import cli
from store_plugin.cli._control import connected
from store_plugin.lifecycle.administration.registering import Registrar
from store_plugin.lifecycle.layout import Layout
from store_plugin.lifecycle.supervision.states import State
from tests.cli.control_server import Script, control_server, status
from tests.support.waiting import eventually

Run = Callable[..., Result]


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    return tmp_path / "plugins"


@pytest.fixture
def run(plugins: Path) -> Run:
    def run(*arguments: object, code: int = 0) -> Result:
        environ = {"STORE_PLUGIN_PLUGINS_DIR": str(plugins), "STORE_PLUGIN_CONTROL_SOCKET": ""}
        result = CliRunner().invoke(cli, [str(one) for one in arguments], env=environ)
        assert result.exit_code == code, result.output
        return result

    return run


def shelves(directory: Path, version: str, name: str = "shelves") -> Path:
    path = directory / f"{name}-{version}"
    path.write_text(f'#!/bin/sh\necho \'{{"name": "{name}", "version": "{version}"}}\'\n')
    path.chmod(0o755)
    return path


@pytest.fixture
def registrar(run: Run, plugins: Path, tmp_path: Path) -> Registrar:
    """With the versions 1.0 and 2.0 of one plugin; 1.0 is enabled."""
    for version in ("1.0", "2.0"):
        file = shelves(tmp_path, version)
        run("plugin", "install", file)
        run("plugin", "register", file)
    run("plugin", "enable", "shelves", "1.0")
    return Registrar(Layout(plugins))


@pytest.fixture
def script(registrar: Registrar, plugins: Path) -> Iterator[Script]:
    script = Script(plugins, [status(State.READY)])
    with control_server(plugins / "control.sock", script):
        yield script


# What there is.


def test_without_a_sidecar_the_catalog_tells(run: Run, registrar: Registrar) -> None:
    listed = run("plugin", "list")
    assert "no sidecar runs on" in listed.stderr
    assert listed.stdout.splitlines()[1].split()[:3] == ["shelves", "1.0", "Enabled"]
    run("plugin", "disable", "shelves")
    assert json.loads(run("plugin", "status", "shelves", "-o", "json").stdout)["state"] == "Disabled"


def test_with_a_sidecar_it_tells(run: Run, script: Script) -> None:
    script.steps = [status(State.WAITING, why="it exited with 7\x1b[2J")]
    table = run("plugin", "list")
    assert table.stderr == ""
    assert "Waiting  2026-01-02T00:00:00Z  0         it exited with 7\\x1b[2J" in table.stdout
    told = run("plugin", "status", "shelves").stdout
    assert "registered    1.0, 2.0\n" in told
    assert "last failure  it exited with 7\\x1b[2J\n" in told
    document = json.loads(run("plugin", "list", "-o", "json").stdout)[0]
    assert (document["state"], document["enabled"], document["pid"]) == ("Waiting", "1.0", 7)


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (State.WAITING, "started again by itself; 'store-plugin plugin logs shelves'"),
        (State.BROKEN, "'plugin restart shelves' starts it now, 'plugin update shelves'"),
    ],
)
def test_of_one_that_fails_it_is_told_what_to_do(run: Run, script: Script, state: State, told: str) -> None:
    script.steps = [status(state, why="it exited with 7")]
    (line,) = (line for line in run("plugin", "status", "shelves").stdout.splitlines() if "next" in line)
    assert told in line


def test_of_one_that_is_well_there_is_nothing_to_do(run: Run, script: Script) -> None:
    assert "next" not in run("plugin", "status", "shelves").stdout
    script.steps = []
    run("plugin", "disable", "shelves")
    assert "next          store-plugin plugin enable shelves\n" in run("plugin", "status", "shelves").stdout


def test_the_sidecar_of_another_directory_is_not_taken_for_ours(
    run: Run, script: Script, tmp_path: Path
) -> None:
    script.directory = tmp_path
    assert f"runs the plugins of {tmp_path}, not of" in run("plugin", "list", code=1).output


def test_a_sidecar_that_runs_no_plugins_says_so(run: Run, registrar: Registrar, tmp_path: Path) -> None:
    with control_server(tmp_path / "other.sock", None):
        refused = run("plugin", "list", "--control-socket", tmp_path / "other.sock", code=1)
    assert "start it with --plugins-dir" in refused.output


WITHOUT = {
    "restart": ("restart", "shelves"),
    "logs": ("logs", "shelves"),
    "enable and wait": ("enable", "shelves", "--wait"),
}


@pytest.mark.parametrize("arguments", WITHOUT.values(), ids=WITHOUT)
def test_what_needs_a_sidecar_says_how_to_start_one(
    run: Run, registrar: Registrar, plugins: Path, arguments: tuple[str, ...]
) -> None:
    refused = run("plugin", *arguments, code=3)
    assert f"store-plugin serve --plugins-dir {plugins}" in refused.output


def test_an_unknown_plugin_is_an_error(run: Run, script: Script) -> None:
    assert "no plugin boxes is registered" in run("plugin", "status", "boxes", code=1).output
    assert "boxes is not enabled" in run("plugin", "logs", "boxes", code=1).output


# Telling the sidecar.


def test_each_change_is_told_to_the_sidecar(run: Run, script: Script, tmp_path: Path) -> None:
    export = tmp_path / "export.yaml"
    export.write_text(run("plugin", "export").stdout)
    changes = (
        ("enable", "shelves", "2.0"),
        ("disable", "shelves"),
        ("import", export),
        ("update", "shelves", shelves(tmp_path, "3.0")),
    )
    for number, change in enumerate(changes, start=1):
        run("plugin", *change)
        assert script.told == number, change


def signed(run: Run, directory: Path) -> Path:
    """A key that is trusted, and vouches for an enabled plugin `boxes`; signatures are not required."""
    private = ed25519.Ed25519PrivateKey.generate()
    key, signature = directory / "team.pub", directory / "boxes.sig"
    key.write_bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    boxes = shelves(directory, "1.0", name="boxes")
    signature.write_bytes(base64.b64encode(private.sign(boxes.read_bytes())))
    run("plugin", "trust", "add", key)
    run("plugin", "install", boxes, "--signature", signature)
    run("plugin", "register", boxes)
    run("plugin", "enable", "boxes")
    return key


def test_who_takes_a_key_away_is_told_what_ends_and_the_sidecar_is_told_too(
    run: Run, script: Script, tmp_path: Path
) -> None:
    key = signed(run, tmp_path)
    told = script.told
    first, second = run("plugin", "trust", "remove", "team.pub").stdout.splitlines()
    assert first == "team.pub is trusted no more"
    assert second.startswith("boxes 1.0 is ended: no trusted key vouches for it")
    assert "It was signed by team.pub. Update to a version that one has signed" in second
    run("plugin", "trust", "add", key)
    assert run("plugin", "trust", "require", "on").stdout.splitlines()[1].startswith("shelves 1.0 is ended: ")
    run("plugin", "trust", "require", "off")
    assert script.told == told + 4


def test_without_a_sidecar_a_key_that_is_taken_away_ends_what_would_start(
    run: Run, registrar: Registrar, tmp_path: Path
) -> None:
    signed(run, tmp_path)
    shown = run("plugin", "trust", "remove", "team.pub").stdout
    assert "boxes 1.0 does not start any more: no trusted key" in shown
    assert "shelves" not in shown


def test_the_socket_of_a_dead_sidecar_stops_no_change(run: Run, registrar: Registrar, plugins: Path) -> None:
    with control_server(plugins / "control.sock", Script(plugins)):
        (plugins / "control.sock").rename(plugins / "kept")
    (plugins / "kept").rename(plugins / "control.sock")
    assert run("plugin", "enable", "shelves", "2.0").output == "enabled shelves 2.0 in place of 1.0\n"
    assert "no sidecar runs on" in run("plugin", "list").stderr


# Waiting.


def test_waiting_tells_each_step_and_ends_when_it_is_ready(run: Run, script: Script) -> None:
    begun = status(State.READY)  # the first answer is looked at for its directory only
    updating = status(State.UPDATING, wanted="2.0")
    script.steps = [begun, begun, updating, updating, status(State.READY, "2.0")]
    waited = run("plugin", "enable", "shelves", "2.0", "--wait")
    assert waited.stderr.splitlines() == ["shelves 2.0: Ready", "shelves 2.0: Updating"]
    assert waited.stdout.splitlines()[-1] == "shelves 2.0 is ready"


def test_what_was_rolled_back_ends_with_1(run: Run, script: Script, registrar: Registrar) -> None:
    catalog = registrar.catalog
    script.steps = [
        status(State.UPDATING, wanted="2.0"),
        status(State.UPDATING, wanted="2.0"),
        status(State.READY, why="version 2.0 did not become ready: it exited with 9"),
    ]
    script.on_step = lambda: catalog.roll_back("shelves", "2.0", "1.0") and None
    waited = run("plugin", "enable", "shelves", "2.0", "--wait", code=1)
    assert "shelves 2.0 does not run, shelves 1.0 runs on" in waited.stderr
    assert "it exited with 9" in waited.stderr


def test_what_ends_too_often_ends_with_1(run: Run, script: Script) -> None:
    script.steps = [
        status(State.WAITING, why="it exited with 9"),
        status(State.BROKEN, why="it exited with 9"),
    ]
    waited = run("plugin", "enable", "shelves", "2.0", "--wait", code=1)
    assert "does not start: it exited with 9: see 'store-plugin plugin logs shelves'" in waited.stderr


def test_waiting_has_an_end(run: Run, script: Script) -> None:
    script.steps = [status(State.STARTING, "2.0")]
    waited = run("plugin", "enable", "shelves", "2.0", "--wait", "--timeout", "0.2", code=1)
    assert "shelves 2.0 is not ready after 0.2 s: Starting" in waited.stderr


def test_a_restart_waits_for_another_process(run: Run, script: Script) -> None:
    restarted = run("plugin", "restart", "shelves", "--wait")
    assert script.restarted == ["shelves"]
    assert restarted.stdout == "restarting shelves\nshelves is ready\n"


# Updating.


def test_an_update_keeps_the_settings_of_the_version_before(
    run: Run, registrar: Registrar, tmp_path: Path
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("run:\n  arguments: [--debug]\n  environment: [HOME]\n")
    boxes = shelves(tmp_path, "1.0", name="boxes")
    run("plugin", "install", boxes)
    run("plugin", "register", boxes, "--config", config)
    run("plugin", "enable", "boxes")
    updated = run("plugin", "update", "boxes", shelves(tmp_path, "2.0", name="boxes"))
    assert "enabled boxes 2.0 in place of 1.0" in updated.stdout
    assert registrar.catalog.enabled()["boxes"].registration.run.arguments == ("--debug",)


def test_an_update_is_made_again_without_harm(run: Run, registrar: Registrar, tmp_path: Path) -> None:
    file = shelves(tmp_path, "2.0")
    assert "in place of 1.0" in run("plugin", "update", "shelves", file).stdout
    assert "was enabled before" in run("plugin", "update", "shelves", file).stdout


def test_an_update_out_of_a_repository(run: Run, registrar: Registrar, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    run("plugin", "publish", shelves(tmp_path, "3.0"), "--repository", repository)
    assert "enabled shelves 3.0" in run("plugin", "update", "shelves", "--repository", repository).stdout


WRONG_UPDATES = {
    "another plugin": (("shelves", "boxes-1.0"), 1, "it is the plugin boxes, not shelves"),
    "not registered": (("boxes", "boxes-1.0"), 1, "install, register and enable its first version"),
    "a version twice": (("shelves", "other-9", "--version", "1.0"), 1, "another version"),
    "nothing": (("shelves",), 2, "update to what?"),
}


@pytest.mark.parametrize(("arguments", "code", "told"), WRONG_UPDATES.values(), ids=WRONG_UPDATES)
def test_an_update_that_cannot_be_says_why(
    run: Run,
    registrar: Registrar,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    shelves(tmp_path, "1.0", name="boxes")
    shelves(tmp_path, "9", name="other")
    assert told in run("plugin", "update", *arguments, code=code).output
    assert registrar.catalog.enabled()["shelves"].registration.version == "1.0"


# What it writes.


def test_the_last_lines_are_shown_and_cannot_steer_a_terminal(run: Run, script: Script) -> None:
    script.write("one", "two", "\x1b[2Jthree")
    assert run("plugin", "logs", "shelves", "-n", "2").stdout == "two\n\\x1b[2Jthree\n"
    raw = run("plugin", "logs", "shelves", "-n", "1", "-o", "json").stdout
    assert json.loads(raw)["line"] == "\x1b[2Jthree"


def test_following_ends_with_the_plugin(run: Run, script: Script) -> None:
    script.write("before")
    found: list[Result] = []
    reader = threading.Thread(target=lambda: found.append(run("plugin", "logs", "shelves", "-f")))
    reader.start()
    try:
        eventually(lambda: script.written.followers == 1)
        script.write("after")
    finally:
        script.end()
        reader.join(20)
    assert found[0].stdout == "before\nafter\n"
    assert "not run any more" in found[0].stderr


def test_a_flood_costs_its_reader_lines_and_the_sidecar_nothing(script: Script, plugins: Path) -> None:
    """It goes on answering, and what the reader did not get is told."""
    with connected(plugins / "control.sock") as control:
        reading = control.plugin_output("shelves", 1, follow=True)
        script.write("first")
        assert next(reading).lines[0].text == "first"
        for _ in range(20):
            script.write(*("x" * 4000 for _ in range(1000)))
            assert control.managed_plugins().plugins
        script.end()
        rest = list(reading)
    assert sum(taken.lost for taken in rest) > 0
    assert sum(taken.lost + len(taken.lines) for taken in rest) == 20_000


@pytest.mark.parametrize("hours", ["0.2", "169", "a day"])
def test_the_life_of_certificates_has_bounds(run: Run, hours: str) -> None:
    assert "--plugins-cert-life" in run("serve", "--plugins-cert-life", hours, code=2).output


def test_what_asks_for_signatures_says_of_which_directory() -> None:
    result = CliRunner().invoke(cli, ["serve", "--require-signature"])
    assert (result.exit_code, "--plugins-dir" in result.output) == (2, True)


# Completion.


def test_names_and_versions_are_completed(registrar: Registrar, plugins: Path) -> None:
    def completed(words: str, number: int) -> list[str]:
        environ = {
            "_STORE_PLUGIN_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(number),
            "STORE_PLUGIN_PLUGINS_DIR": str(plugins),
        }
        shown = CliRunner().invoke(cli, [], prog_name="store-plugin", env=environ)
        return shown.output.splitlines()

    assert completed("store-plugin plugin restart sh", 3) == ["plain,shelves"]
    assert completed("store-plugin plugin enable shelves ", 4) == ["plain,1.0", "plain,2.0"]
    assert "plain,restart" in [line.partition("\t")[0] for line in completed("store-plugin plugin rest", 2)]
