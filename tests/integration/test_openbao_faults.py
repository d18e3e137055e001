"""OpenBao killed, restarted, sealed, slow, or its tokens revoked: calls fail with the code
of the error table or recover by themselves, and the sidecar lives."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import pytest

from store_plugin import errors
from store_plugin._proto.ess_pb2 import ApplySecretRequest, GetOptions, GetSecretRequest
from store_plugin.client import Client
from tests.integration.conftest import World, make_world
from tests.integration.crowds import state_of
from tests.support import manifests
from tests.support.background_proxy import background_proxy
from tests.support.openbao import OpenBao, stored_server
from tests.support.raw import SERVICE_NAMES, RawService, channel_to, config, secret
from tests.support.sidecar import SidecarProcess, running_sidecar
from tests.support.waiting import eventually

DATA = {"k": b"v"}


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """A server of this module's own, to be sealed and killed."""
    with stored_server(tmp_path_factory.mktemp("mortal")) as server:
        yield server


@pytest.fixture(scope="module")
def world(mortal: OpenBao, tmp_path_factory: pytest.TempPathFactory) -> World:
    world = make_world(mortal, tmp_path_factory.mktemp("world"))
    (world.data / "wrong-token").write_text("s.not-a-token")
    world.vault("refused", auth={"method": "Token", "token": manifests.from_file(world.data / "wrong-token")})
    world.vault("denied", mountPath="not-allowed")
    world.vault("unreachable", server="http://127.0.0.1:1")
    world.vault("quick", timeout="500ms")
    return world


@pytest.fixture(params=SERVICE_NAMES)
def service(request: pytest.FixtureRequest, sidecar: SidecarProcess) -> Iterator[RawService]:
    with channel_to(sidecar.endpoint) as channel:
        yield RawService(channel, request.param)


def fresh() -> str:
    return f"team-a/{uuid4().hex}"


def works_again(client: Client, name: str, config: str = "VaultConfig/v2") -> bool:
    try:
        return dict(client.get(config, name).data) == DATA
    except errors.StorePluginError:
        return False


@contextmanager
def still_the_same_process(sidecar: SidecarProcess) -> Iterator[None]:
    yield
    assert sidecar.process.poll() is None
    assert "call failed unexpectedly" not in sidecar.log


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("refused", errors.LoginRefused),
        ("denied", errors.StoreDenied),
        ("unreachable", errors.StoreUnavailable),
    ],
)
def test_rows_of_the_error_table(
    service: RawService, name: str, expected: type[errors.StorePluginError]
) -> None:
    reference = config(name, kind="VaultConfig")
    for request in (
        GetSecretRequest(config=reference, secret=secret("team-a/db")),
        ApplySecretRequest(config=reference, secret=secret("team-a/db", DATA)),
    ):
        with pytest.raises(expected) as caught:
            service.call(request)
        assert type(caught.value) is expected


def test_a_version_that_does_not_exist_is_not_found(service: RawService, client: Client) -> None:
    name, reference = fresh(), config("v2", kind="VaultConfig")
    client.apply("VaultConfig/v2", name, {"k": b"1"})
    client.apply("VaultConfig/v2", name, {"k": b"2"})
    first = service.call(
        GetSecretRequest(config=reference, secret=secret(name), options=GetOptions(version="1"))
    )
    assert first.secret.data["k"] == b"1"  # type: ignore[attr-defined]
    for version in ("9", "nonsense"):
        with pytest.raises((errors.VersionNotFound, errors.InvalidRequest)):
            service.call(
                GetSecretRequest(config=reference, secret=secret(name), options=GetOptions(version=version))
            )


@contextmanager
def tight_quota(mortal: OpenBao, mount: str) -> Iterator[None]:
    mortal.api("POST", "sys/quotas/rate-limit/tight", {"path": f"{mount}/", "rate": 0.01})
    try:
        yield
    finally:
        mortal.api("DELETE", "sys/quotas/rate-limit/tight")


def test_a_throttled_call_without_time_to_wait_says_so(
    service: RawService, mortal: OpenBao, world: World
) -> None:
    request = GetSecretRequest(config=config("v1", kind="VaultConfig"), secret=secret("team-a/db"))
    with tight_quota(mortal, world.mounts["v1"]):
        with pytest.raises(errors.Throttled) as caught:
            for _ in range(50):
                with suppress(errors.DeadlineExceeded):  # on a busy machine
                    service.call(request, timeout=0.3)
        assert caught.value.retry_after is not None


def test_throttling_that_passes_within_the_deadline_is_not_noticed(
    service: RawService, mortal: OpenBao, world: World
) -> None:
    request = GetSecretRequest(config=config("v1", kind="VaultConfig"), secret=secret("team-a/db"))
    with tight_quota(mortal, world.mounts["v1"]):
        for _ in range(3):
            service.call(request)


def test_a_silent_server_costs_the_deadline_and_no_more(world: World, mortal: OpenBao) -> None:
    with background_proxy(mortal.address) as proxy:
        world.vault("slow", server=proxy.address, timeout="5s")
        with running_sidecar(world.configs) as sidecar, Client(sidecar.endpoint) as client:
            client.apply("VaultConfig/slow", "team-a/slow", DATA)
            proxy.silent = True
            with pytest.raises(errors.DeadlineExceeded):
                client.get("VaultConfig/slow", "team-a/slow", timeout=0.5)
            with channel_to(sidecar.endpoint) as channel, pytest.raises(errors.DeadlineExceeded):
                request = GetSecretRequest(
                    config=config("slow", kind="VaultConfig"), secret=secret("team-a/slow")
                )
                RawService(channel, SERVICE_NAMES[0]).call(request, timeout=None)  # type: ignore[arg-type]
            proxy.silent = False
            assert dict(client.get("VaultConfig/v2", "team-a/slow").data) == DATA
            eventually(lambda: works_again(client, "team-a/slow", "VaultConfig/slow"))


def test_a_killed_server_is_unavailable_and_comes_back(
    client: Client, sidecar: SidecarProcess, mortal: OpenBao
) -> None:
    name = fresh()
    client.apply("VaultConfig/v2", name, DATA)
    with still_the_same_process(sidecar):
        mortal.kill()
        for _ in range(3):
            with pytest.raises(errors.StoreUnavailable):
                client.get("VaultConfig/v2", name)
        assert dict(client.get("LocalConfig/files", name).data) == {}
        mortal.restart()
        eventually(lambda: works_again(client, name))


def test_a_sealed_server_is_unavailable_until_it_is_unsealed(
    client: Client, sidecar: SidecarProcess, mortal: OpenBao
) -> None:
    name = fresh()
    client.apply("VaultConfig/v2", name, DATA)
    with still_the_same_process(sidecar):
        mortal.seal()
        with pytest.raises(errors.StoreUnavailable):
            client.apply("VaultConfig/v2", name, {"k": b"w"})
        mortal.unseal()
        eventually(lambda: works_again(client, name))


def test_a_token_revoked_in_use_costs_one_login_and_no_call(
    world: World, mortal: OpenBao, tmp_path: Path
) -> None:
    policies = [mortal.kv_policy(world.mounts["v2"])]
    mount, role_id, secret_id = mortal.approle(policies)
    (world.data / "secret-id").write_text(secret_id)
    with background_proxy(mortal.address) as proxy:
        approle = {
            "roleId": role_id,
            "mountPath": mount,
            "secretIdSource": manifests.from_file(world.data / "secret-id"),
        }
        world.vault("approle", server=proxy.address, auth={"method": "AppRole", "appRole": approle})
        with running_sidecar(world.configs) as sidecar, Client(sidecar.endpoint) as client:
            before = mortal.accessors()
            client.apply("VaultConfig/approle", "team-a/revoked", DATA)
            (accessor,) = mortal.accessors() - before
            mortal.api("POST", "auth/token/revoke-accessor", {"accessor": accessor})
            logins = proxy.count("POST", f"auth/{mount}/login")
            with ThreadPoolExecutor(16) as threads:
                calls = [
                    threads.submit(client.get, "VaultConfig/approle", "team-a/revoked") for _ in range(64)
                ]
                assert all(dict(call.result().data) == DATA for call in calls)
            assert proxy.count("POST", f"auth/{mount}/login") == logins + 1


def test_a_login_that_fails_is_shown_with_the_time_of_the_next(world: World, mortal: OpenBao) -> None:
    mount = mortal.userpass([mortal.kv_policy(world.mounts["v2"])], "app", "right")
    password = world.data / "password"
    password.write_text("wrong")
    login = {"username": "app", "mountPath": mount, "passwordSource": manifests.from_file(password)}
    path = world.vault("mistaken", auth={"method": "UserPass", "userPass": login})
    polling = ("--credential-poll-interval", "0.1")
    with running_sidecar(world.configs, *polling) as sidecar, Client(sidecar.endpoint) as client:
        began = time.time()
        with pytest.raises(errors.LoginRefused) as caught:
            client.get("VaultConfig/mistaken", "team-a/login")
        shown = state_of(sidecar, "mistaken")
        assert (shown["state"], shown["last_error"]) == ("Failing", caught.value.message)
        assert began < shown["retry_at"] < time.time() + 60
        password.write_text("right")
        eventually(lambda: _is_let_in(client, "VaultConfig/mistaken"))
        shown = state_of(sidecar, "mistaken")
        assert (shown["state"], shown["last_error"], shown["retry_at"]) == ("Ready", None, None)
    path.unlink()


def _is_let_in(client: Client, config: str) -> bool:
    try:
        client.get(config, "team-a/login")
    except errors.LoginRefused:
        return False
    return True


def test_tokens_that_the_sidecar_obtained_are_revoked_when_it_stops(world: World, mortal: OpenBao) -> None:
    mount, role_id, secret_id = mortal.approle([mortal.kv_policy(world.mounts["v2"])])
    (world.data / "secret-id-2").write_text(secret_id)
    approle = {
        "roleId": role_id,
        "mountPath": mount,
        "secretIdSource": manifests.from_file(world.data / "secret-id-2"),
    }
    path = world.vault("leaving", auth={"method": "AppRole", "appRole": approle})
    before = mortal.accessors()
    with running_sidecar(world.configs) as sidecar, Client(sidecar.endpoint) as client:
        client.apply("VaultConfig/leaving", "team-a/leaving", DATA)
        assert len(mortal.accessors() - before) == 1
        assert sidecar.stop() == 0
    assert mortal.accessors() <= before
    path.unlink()
