"""Crossplane's own client, as released in 1.20, against the sidecar: its calls, over its TLS.

`main.go` beside this file is the client.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from store_plugin.client import Client
from store_plugin.model import OWNER_LABEL
from tests.support import manifests
from tests.support.crossplane import CrossplaneAuthority
from tests.support.crossplane_client import Answer, Crossplane, crossplane_client
from tests.support.openbao import OpenBao
from tests.support.openbao_api import ApiError
from tests.support.ports import free_port
from tests.support.sidecar import SidecarProcess, running_sidecar

NAMESPACE = "crossplane-system"
HOST = f"ess.{NAMESPACE}"
CALLER = f"crossplane.{NAMESPACE}"
BINARY = bytes(range(256))


@dataclass
class World:
    """OpenBao, the sidecar on TCP as Crossplane reaches it, and Crossplane's authority."""

    bao: OpenBao
    mount: str
    sidecar: SidecarProcess
    authority: CrossplaneAuthority
    directory: Path
    clients: ExitStack

    def start(self, config: str, certs: Path | None = None, host: str = HOST) -> Crossplane:
        certs = certs or self.authority.client(CALLER).write(self.directory / "caller")
        return self.clients.enter_context(crossplane_client(self.sidecar.endpoint, host, certs, config))

    def stored(self, name: str) -> dict[str, str]:
        """What OpenBao's own API shows."""
        try:
            found: dict[str, str] = self.bao.api("GET", f"{self.mount}/data/{name}")["data"]["data"]
        except ApiError as error:
            assert error.status == 404
            return {}
        return found


@pytest.fixture(scope="module")
def world(bao: OpenBao, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory, mount = tmp_path_factory.mktemp("interop"), bao.mount_kv()
    configs = directory / "configs"
    configs.mkdir()
    (directory / "token").write_text(bao.root_token)
    auth = {"method": "Token", "token": manifests.from_file(directory / "token")}
    spec = {"server": bao.address, "mountPath": mount, "auth": auth}
    manifests.write(configs, "VaultConfig", "vault", spec)
    access = [{"callers": ["somebody-else"]}]
    manifests.write(configs, "VaultConfig", "closed", {**spec, "access": access})
    manifests.write(configs, "VaultConfig", "strict", {**spec, "ownership": {"requireOnDelete": True}})
    authority = CrossplaneAuthority()
    certs = authority.server(NAMESPACE).write(directory / "certs")
    listen = [f"127.0.0.1:{free_port()}"]
    with (
        running_sidecar(configs, "--certs-dir", str(certs), listen=listen) as sidecar,
        ExitStack() as clients,
    ):
        yield World(bao, mount, sidecar, authority, directory, clients)


@pytest.fixture(scope="module")
def crossplane(world: World) -> Crossplane:
    return world.start("VaultConfig/vault")


def test_write_read_and_delete(world: World, crossplane: Crossplane) -> None:
    written = crossplane.write("life", {"user": b"admin", "binary": BINARY}, "uid-1", scope="team-a")
    assert (written.changed, written.error) == (True, "")
    assert world.stored("team-a/life")["user"] == "admin"
    read = crossplane.read("life", scope="team-a")
    assert (read.data, read.labels) == ({"user": b"admin", "binary": BINARY}, {OWNER_LABEL: "uid-1"})
    assert crossplane.delete("life", scope="team-a").error == ""
    assert world.stored("team-a/life") == {}


def test_only_a_difference_is_a_change(crossplane: Crossplane) -> None:
    changed = [crossplane.write("diff", {"k": value}, "uid-1").changed for value in (b"1", b"1", b"2")]
    assert changed == [True, False, True]


def test_a_write_merges(world: World, crossplane: Crossplane) -> None:
    crossplane.write("merge", {"a": b"1"}, "uid-1")
    crossplane.write("merge", {"b": b"2"}, "uid-1")
    assert world.stored("crossplane-system/merge") == {"a": "1", "b": "2"}


def test_without_a_scope_it_is_the_default_one(world: World, crossplane: Crossplane) -> None:
    crossplane.write("scoped", {"k": b"v"})
    assert world.stored("crossplane-system/scoped") == {"k": "v"}


def test_a_secret_that_is_not_there_is_empty_and_no_error(crossplane: Crossplane) -> None:
    read = crossplane.read("nobody-wrote")
    assert (read.data, read.labels, read.error) == ({}, {}, "")
    assert crossplane.delete("nobody-wrote").error == ""


def test_keys_that_our_client_deletes_are_gone_for_crossplane(
    world: World, crossplane: Crossplane, tmp_path: Path
) -> None:
    """Crossplane's client can't ask for single keys; it must not bring them back either."""
    crossplane.write("keys", {"a": b"1", "b": b"2"}, "uid-1", scope="team-a")
    certs = world.authority.client(CALLER).write(tmp_path)
    with Client(world.sidecar.endpoint, certs_dir=certs, server_name=HOST) as client:
        client.delete_keys("VaultConfig/vault", "team-a/keys", ["a"], owner="uid-1")
    assert crossplane.read("keys", scope="team-a").data == {"b": b"2"}
    assert crossplane.write("keys", {"b": b"2"}, "uid-1", scope="team-a").changed is False


def test_another_owner_is_refused_as_crossplane_words_it(world: World, crossplane: Crossplane) -> None:
    crossplane.write("owned", {"k": b"mine"}, "uid-1", scope="team-a")
    refused = crossplane.write("owned", {"k": b"theirs"}, "uid-2", scope="team-a")
    assert refused.code == "FailedPrecondition"
    assert refused.error.startswith("cannot apply secret: ")
    assert 'is not owned by UID "uid-2"' in refused.error
    assert world.stored("team-a/owned") == {"k": "mine"}


def refused_name(crossplane: Crossplane) -> Answer:
    return crossplane.write("a b", {"k": b"v"}, scope="team-a")


def refused_key(crossplane: Crossplane) -> Answer:
    return crossplane.write("db", {"no/key": b"v"}, scope="team-a")


def read_db(crossplane: Crossplane) -> Answer:
    return crossplane.read("db", scope="team-a")


def delete_owned(crossplane: Crossplane) -> Answer:
    crossplane.write("strictly", {"k": b"v"}, "uid-1", scope="team-a")
    return crossplane.delete("strictly", scope="team-a")


@pytest.mark.parametrize(
    ("config", "call", "code", "told"),
    [
        ("VaultConfig/vault", refused_name, "InvalidArgument", "cannot apply secret: "),
        ("VaultConfig/vault", refused_key, "InvalidArgument", "cannot apply secret: "),
        ("VaultConfig/gone", read_db, "NotFound", "cannot get secret: "),
        ("ThingConfig/vault", read_db, "Unimplemented", "cannot get secret: "),
        ("VaultConfig/closed", read_db, "PermissionDenied", "cannot get secret: "),
        ("VaultConfig/strict", delete_owned, "FailedPrecondition", "cannot delete secret: "),
    ],
    ids=["name", "key", "config", "kind", "access", "owner"],
)
def test_an_error_has_its_code_and_says_what_failed(
    world: World, config: str, call: Callable[[Crossplane], Answer], code: str, told: str
) -> None:
    answer = call(world.start(config))
    assert answer.code == code
    assert answer.error.startswith(told)


def test_a_caller_of_another_authority_gets_no_connection(world: World, tmp_path: Path) -> None:
    stranger = CrossplaneAuthority().client(CALLER)
    trusting = world.authority.client(CALLER)
    certs = type(stranger)(trusting.ca, stranger.certificate, stranger.key).write(tmp_path)
    assert world.start("VaultConfig/vault", certs).read("db").code == "Unavailable"


def test_the_sidecar_must_have_the_name_it_was_called_by(world: World) -> None:
    assert world.start("VaultConfig/vault", host="ess.elsewhere").read("db").code == "Unavailable"


def test_a_connection_for_every_call_is_borne(crossplane: Crossplane) -> None:
    for number in range(50):
        assert crossplane.write("often", {"n": str(number).encode()}, "uid-1").changed is True
    assert crossplane.read("often").data == {"n": b"49"}
