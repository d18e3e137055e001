"""The consumer as programs set it up; the cases are those of the library in Go, and more."""

import argparse
import json
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import store_plugin.access
from store_plugin.access import AccessConfig, ClusterProfile, Provider
from store_plugin.access.options import DEFAULT, NAMES, access_option, add_access_arguments, opened_access
from store_plugin.cli.access.check import check
from store_plugin.errors import ConfigInvalid, StorePluginError
from tests.support.exec_plugins import ExecPlugin, access_file, profile, provider


@pytest.mark.parametrize("names", [["a", "b"], [], None], ids=["some", "none", "null"])
def test_a_config_has_the_providers_it_was_given_in_their_order(
    tmp_path: Path, names: list[str] | None
) -> None:
    entries = None if names is None else [provider("p", name) for name in names]
    (tmp_path / "file").write_text(json.dumps({"providers": entries}))
    with AccessConfig.from_file(tmp_path / "file") as access:
        assert [one.name for one in access.providers] == (names or [])


def test_building_runs_nothing_and_changes_nothing(tmp_path: Path) -> None:
    found = profile()
    before = json.dumps(found)
    with AccessConfig.from_file(access_file(tmp_path, provider("no-such-plugin"))) as access:
        for build in (access.build_config, access.build_aio_config):
            made = build(found)
            assert made.host == "https://127.0.0.1:6443"
            assert made is not build(found)
    assert json.dumps(found) == before


def test_clusters_share_a_login_only_if_the_plugin_would_see_the_same(tmp_path: Path) -> None:
    with AccessConfig.from_file(access_file(tmp_path, provider("p", provideClusterInfo=True))) as access:
        login = access.member(profile()).login
        assert access.member(ClusterProfile.from_object(profile())).login is login
        assert access.member(profile(server="https://other")).login is not login
        assert access.member(profile("other")).login is not login


def test_an_expression_that_is_no_name_of_the_package_is_none() -> None:
    assert store_plugin.access.AccessConfig is AccessConfig
    with pytest.raises(AttributeError):
        store_plugin.access.Nothing  # noqa: B018


@pytest.fixture
def command() -> click.Command:
    @click.command()
    @access_option()
    def program(access_config: AccessConfig) -> None:
        click.echo(" ".join(one.name for one in access_config.providers))

    return program


@pytest.mark.parametrize("name", NAMES)
def test_the_click_option_reads_the_file(command: click.Command, tmp_path: Path, name: str) -> None:
    file = access_file(tmp_path, provider("p", "a"), provider("p", "b"))
    assert CliRunner().invoke(command, [name, str(file)]).output == "a b\n"


def test_the_click_option_has_the_default_of_consumers_in_go(
    command: click.Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    missing = CliRunner().invoke(command, [])
    assert missing.exit_code == 2
    assert f"the access config {DEFAULT} cannot be read" in missing.output
    access_file(tmp_path, provider("p", "a"), name=DEFAULT)
    assert CliRunner().invoke(command, []).output == "a\n"


def parsed(*arguments: str) -> AccessConfig:
    parser = argparse.ArgumentParser()
    add_access_arguments(parser)
    return opened_access(parser, parser.parse_args(arguments))


@pytest.mark.parametrize("name", NAMES)
def test_the_argument_of_argparse_reads_the_file(tmp_path: Path, name: str) -> None:
    file = access_file(tmp_path, provider("p", "a"))
    with parsed(name, str(file)) as access:
        assert [one.name for one in access.providers] == ["a"]


def test_the_argument_of_argparse_has_the_default_of_consumers_in_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    access_file(tmp_path, provider("p", "a"), name=DEFAULT)
    with parsed() as access:
        assert [one.name for one in access.providers] == ["a"]


def test_the_argument_of_argparse_tells_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text('{"providers": [{}]}')
    with pytest.raises(SystemExit) as caught:
        parsed("--access-config", str(tmp_path / "file"))
    assert caught.value.code == 2
    assert "file:1: providers[0].name: is required" in capsys.readouterr().err


def clicked(*arguments: str) -> Exception | None:
    """What a command's first request is refused with."""

    @click.command()
    @access_option()
    def program(access_config: AccessConfig) -> None:
        access_config.member(profile()).login.current()

    return CliRunner().invoke(program, arguments).exception  # type: ignore[return-value]


def argued(*arguments: str) -> Exception | None:
    """The same of argparse."""
    with parsed(*arguments) as access:
        try:
            access.member(profile()).login.current()
        except StorePluginError as error:
            return error
    return None


@pytest.mark.parametrize("refused", [clicked, argued])
@pytest.mark.parametrize("before", [False, True], ids=["after the file", "before"])
def test_which_plugins_are_run_is_said_on_the_command_line_too(
    tmp_path: Path, refused: Callable[..., Exception | None], before: bool
) -> None:
    plugin = ExecPlugin(tmp_path)
    plugin.answers("token")
    key = Ed25519PrivateKey.generate()
    signature = b64encode(key.sign(plugin.path.read_bytes())).decode()
    keys = tmp_path / "keys"
    keys.mkdir()
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (keys / "maker.pub").write_bytes(pem)

    def told(trust: list[str], **fields: str) -> str:
        file = ["--access-config", str(access_file(tmp_path, provider(plugin.path, **fields)))]
        return str(refused(*(trust + file if before else file + trust)) or "")

    assert told([]) == ""
    assert "a digest is demanded" in told(["--require-digest"])
    assert told(["--access-require-digest", "--no-require-digest"]) == ""
    assert "no directory of trusted keys" in told([], signature=signature)
    assert told(["--trusted-keys", str(keys)], signature=signature) == ""
    assert told(["--require-digest", "--access-trusted-keys", str(keys)], signature=signature) == ""


def test_what_is_trusted_is_spelled_as_by_our_own_command() -> None:
    @click.command()
    @access_option()
    def program(access_config: AccessConfig) -> None: ...

    parser = argparse.ArgumentParser()
    add_access_arguments(parser)
    ours = {
        name
        for option in check.params
        for name in (*option.opts, *option.secondary_opts)
        if "digest" in name or "keys" in name
    }
    clicks = {name for option in program.params for name in (*option.opts, *option.secondary_opts)}
    assert ours
    assert clicks == {*NAMES, *ours}
    assert ours <= set(parser._option_string_actions)


def test_a_provider_made_in_code_is_checked_too() -> None:
    with AccessConfig([Provider.model_validate(provider("p", "tests"))]) as access:
        assert access.choose(profile())[0].name == "tests"
        with pytest.raises(ConfigInvalid, match="no provider"):
            access.build_config(profile(provider="other"))


async def test_an_authority_that_no_tls_library_takes_is_told_where_a_client_is_made() -> None:
    broken = b64encode(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").decode()
    found = profile(**{"certificate-authority-data": broken})
    with AccessConfig([Provider.model_validate(provider("p", "tests"))]) as access:
        for connect in (access.connect, access.connect_aio):
            with pytest.raises(
                ConfigInvalid, match="profile fleet/member: certificate-authority-data holds no"
            ):
                connect(found)
