"""What goes out, what comes back, and what is refused before anything is sent."""

from typing import Any

import pytest

from store_plugin._proto import ess_pb2
from store_plugin.client import FetchedSecret
from store_plugin.errors import InvalidRequest, TooLarge
from store_plugin.model import (
    MAX_DATA_BYTES,
    OWNER_LABEL,
    Applied,
    ChangeKind,
    ConfigReference,
    KeyChange,
    ScopedName,
)
from tests.client.ess_server import EssServer

CONFIG = "LocalConfig/files"


@pytest.mark.parametrize(
    ("config", "api_version"),
    [
        ("LocalConfig/files", "secrets.crossplane.io/v1alpha1"),
        ("example.org/v1/LocalConfig/files", "example.org/v1"),
        (ConfigReference("example.org/v2", "LocalConfig", "files"), "example.org/v2"),
    ],
    ids=["short", "spelled out", "reference"],
)
def test_config_is_named_in_the_request(
    client: Any, server: EssServer, config: ConfigReference | str, api_version: str
) -> None:
    client.get(config, "team-a/db")
    reference = ess_pb2.ConfigReference(api_version=api_version, kind="LocalConfig", name="files")
    assert server.received[0].request.config == reference


@pytest.mark.parametrize("config", ["", "files", "/files", "LocalConfig/", "a/b/c", "a//b/c", "a/b/c/d/e"])
def test_other_spellings_of_a_config_are_refused(client: Any, server: EssServer, config: str) -> None:
    with pytest.raises(InvalidRequest, match="KIND/NAME"):
        client.get(config, "team-a/db")
    assert server.received == []


def test_get_returns_data_metadata_and_version(client: Any, server: EssServer) -> None:
    secret = ess_pb2.Secret(scoped_name="team-a/db", metadata={"env": "prod"}, data={"key": b"\xff\0"})
    server.answers["GetSecret"] = lambda *_: ess_pb2.GetSecretResponse(secret=secret, version="7")
    found = client.get(CONFIG, "team-a/db")
    assert (dict(found.data), dict(found.metadata), found.version) == (
        {"key": b"\xff\0"},
        {"env": "prod"},
        "7",
    )


def test_missing_secret_comes_back_empty(client: Any, server: EssServer) -> None:
    assert client.get(CONFIG, "team-a/db") == FetchedSecret()


def test_fetched_secret_shows_no_value() -> None:
    shown = repr(FetchedSecret({"password": b"hunter2"}, {"env": "prod"}, None))
    assert "password" in shown
    assert "hunter2" not in shown


def test_apply_sends_everything_it_was_given(client: Any, server: EssServer) -> None:
    client.apply(
        CONFIG,
        ScopedName(("team-a", "db")),
        {"key": b"value"},
        {"env": "prod"},
        owner="uid-1",
        dry_run=True,
        if_version="3",
    )
    request = server.received[0].request
    assert dict(request.secret.metadata) == {"env": "prod", OWNER_LABEL: "uid-1"}
    assert dict(request.secret.data) == {"key": b"value"}
    assert request.secret.scoped_name == "team-a/db"
    assert (request.options.dry_run, request.options.if_version) == (True, "3")


def test_plain_requests_carry_no_options(client: Any, server: EssServer) -> None:
    """First-generation servers know none."""
    client.get(CONFIG, "team-a/db")
    client.apply(CONFIG, "team-a/db", {})
    client.delete(CONFIG, "team-a/db")
    assert [call.request.HasField("options") for call in server.received] == [False] * 3


def test_applied_tells_changes_and_version(client: Any, server: EssServer) -> None:
    changes = [ess_pb2.KeyChange(key="key", kind="ADDED"), ess_pb2.KeyChange(key="env", kind="METADATA")]
    response = ess_pb2.ApplySecretResponse(changed=True, changes=changes, version="4")
    server.answers["ApplySecret"] = lambda *_: response
    expected = (KeyChange("key", ChangeKind.ADDED), KeyChange("env", ChangeKind.METADATA))
    assert client.apply(CONFIG, "team-a/db", {"key": b"v"}) == Applied(True, expected, "4")  # type: ignore[arg-type]


def test_delete_keys_names_keys_without_values(client: Any, server: EssServer) -> None:
    removed = [ess_pb2.KeyChange(key="b", kind="REMOVED")]
    server.answers["DeleteKeys"] = lambda *_: ess_pb2.DeleteKeysResponse(changes=removed)
    changes = client.delete_keys(CONFIG, "team-a/db", ["a", "b"], owner="u", keep_empty=True, dry_run=True)
    request = server.received[0].request
    assert changes == (KeyChange("b", ChangeKind.REMOVED),)
    assert dict(request.secret.data) == {"a": b"", "b": b""}
    assert dict(request.secret.metadata) == {OWNER_LABEL: "u"}
    assert (request.options.keep_empty_secret, request.options.dry_run) == (True, True)


def test_delete_sends_no_keys(client: Any, server: EssServer) -> None:
    client.delete(CONFIG, "team-a/db")
    assert dict(server.received[0].request.secret.data) == {}


@pytest.mark.parametrize("keys", [[], (), {}, set(), "", "password"], ids=repr)
def test_delete_keys_without_keys_sends_nothing(client: Any, server: EssServer, keys: Any) -> None:
    with pytest.raises(InvalidRequest):
        client.delete_keys(CONFIG, "team-a/db", keys)
    assert server.received == []


@pytest.mark.parametrize(
    "keys",
    [lambda: (key for key in ()), lambda: filter(None, [""]), lambda: iter(())],
    ids=["generator", "filter", "iterator"],
)
def test_delete_keys_of_what_yields_no_key_sends_nothing(client: Any, server: EssServer, keys: Any) -> None:
    """It is true, as every object without a length is: sent without keys it removes all of the secret."""
    with pytest.raises(InvalidRequest, match="no keys to delete"):
        client.delete_keys(CONFIG, "team-a/db", keys())
    assert server.received == []


def test_delete_keys_takes_what_yields_keys(client: Any, server: EssServer) -> None:
    client.delete_keys(CONFIG, "team-a/db", (key for key in ("a", "b")))
    assert dict(server.received[0].request.secret.data) == {"a": b"", "b": b""}


@pytest.mark.parametrize("name", ["", "/", "a/../b", "a//b", "a/%2e", "x" * 2000], ids=lambda name: name[:10])
def test_bad_names_are_refused_before_anything_is_sent(client: Any, server: EssServer, name: str) -> None:
    for call in (
        lambda: client.get(CONFIG, name),
        lambda: client.apply(CONFIG, name, {}),
        lambda: client.delete(CONFIG, name),
    ):
        with pytest.raises(InvalidRequest):
            call()
    assert server.received == []


@pytest.mark.parametrize("key", ["", "a/b", "a b", "ü", "x" * 254], ids=lambda key: key[:10])
def test_bad_keys_are_refused_before_anything_is_sent(client: Any, server: EssServer, key: str) -> None:
    with pytest.raises(InvalidRequest):
        client.apply(CONFIG, "team-a/db", {key: b""})
    with pytest.raises(InvalidRequest):
        client.delete_keys(CONFIG, "team-a/db", [key])
    assert server.received == []


def test_empty_owner_is_refused(client: Any, server: EssServer) -> None:
    with pytest.raises(InvalidRequest, match="owner"):
        client.apply(CONFIG, "team-a/db", {}, owner="")
    assert server.received == []


def test_empty_version_is_refused(client: Any, server: EssServer) -> None:
    """It would be no condition at all: a write over whatever is there, the latest for an old one."""
    with pytest.raises(InvalidRequest, match="if_version is an empty string"):
        client.apply(CONFIG, "team-a/db", {}, if_version="")
    with pytest.raises(InvalidRequest, match="the version is an empty string"):
        client.get(CONFIG, "team-a/db", version="")
    assert server.received == []


@pytest.mark.parametrize("version", [0, 7], ids=str)
def test_version_that_is_a_number_is_sent(client: Any, server: EssServer, version: int) -> None:
    """0 above all: without it the write would replace whatever is there."""
    client.apply(CONFIG, "team-a/db", {}, if_version=version)
    client.get(CONFIG, "team-a/db", version=version)
    applied, read = (call.request.options for call in server.received)
    assert (applied.if_version, read.version) == (str(version), str(version))


@pytest.mark.parametrize("version", [False, True, 1.0, b"1"], ids=repr)
def test_version_of_another_type_is_refused(client: Any, server: EssServer, version: Any) -> None:
    with pytest.raises(InvalidRequest, match=f"if_version is of type {type(version).__name__}"):
        client.apply(CONFIG, "team-a/db", {}, if_version=version)
    with pytest.raises(InvalidRequest, match=f"the version is of type {type(version).__name__}"):
        client.get(CONFIG, "team-a/db", version=version)
    assert server.received == []


def test_largest_secret_goes_out_and_comes_back(client: Any, server: EssServer) -> None:
    data = {"key": b"x" * MAX_DATA_BYTES}
    server.answers["GetSecret"] = lambda *_: ess_pb2.GetSecretResponse(secret=ess_pb2.Secret(data=data))
    client.apply(CONFIG, "team-a/db", data)
    assert dict(server.received[0].request.secret.data) == data
    assert dict(client.get(CONFIG, "team-a/db").data) == data


def test_one_byte_more_is_refused_before_it_is_sent(client: Any, server: EssServer) -> None:
    with pytest.raises(TooLarge):
        client.apply(CONFIG, "team-a/db", {"key": b"x" * (MAX_DATA_BYTES + 1)})
    assert server.received == []


def test_answers_above_grpcs_own_limit_are_read(client: Any, server: EssServer) -> None:
    """A store may hold more than a request may carry; gRPC's default of 4 MiB would refuse it."""
    data = {"key": b"x" * (5 * 1024 * 1024)}
    server.answers["GetSecret"] = lambda *_: ess_pb2.GetSecretResponse(secret=ess_pb2.Secret(data=data))
    assert dict(client.get(CONFIG, "team-a/db").data) == data
