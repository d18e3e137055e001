"""`{scope}` in the role of a login: the server's policies keep tenants apart, and logins are few."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest
from pydantic import ValidationError

from store_plugin.errors import InvalidRequest, LoginRefused, Overloaded, StoreDenied, StoreUnavailable
from store_plugin.model import ABSENT, ScopedName, Secret
from store_plugin.testing.environment import MemoryCredentials
from stores.vault.tenants.logins import Logins
from stores.vault.tenants.store import TenantsStore
from tests.stores.vault.opening import GIVEN, engine_over, open_with, soon, spec_of
from tests.support.openbao import OpenBao
from tests.support.ports import free_port
from tests.support.proxy import Proxy
from tests.support.waiting import until

A, B = ScopedName.parse("team-a/db"), ScopedName.parse("team-b/db")
LOGIN, REVOKE = "/login", "/auth/token/revoke-self"
EVERYTHING = ("create", "read", "update", "patch", "delete", "list")


class Tenancy:
    """A mount where each scope has a place, a policy and a role of its own."""

    def __init__(self, bao: OpenBao, proxy: Proxy) -> None:
        self.bao = bao
        self.proxy = proxy
        self.mount = bao.mount_kv("v2")
        self.auth_mount = bao.mount_auth("approle")
        for scope in ("team-a", "team-b"):
            self.add(scope)

    def add(self, scope: str) -> None:
        rules = {f"{self.mount}/{kind}/tenants/{scope}/*": EVERYTHING for kind in ("data", "metadata")}
        role = f"auth/{self.auth_mount}/role/{scope}"
        body = {
            "token_policies": [self.bao.policy(rules)],
            "bind_secret_id": False,
            "secret_id_bound_cidrs": ["127.0.0.0/8"],
        }
        self.bao.api("POST", role, body)
        self.bao.api("POST", f"{role}/role-id", {"role_id": f"role-of-{scope}-{self.auth_mount}"})

    async def open(self, server: str = "", **fields: object) -> TenantsStore:
        role_id = f"role-of-{{scope}}-{self.auth_mount}"
        auth = {"method": "AppRole", "appRole": {"roleId": role_id, "mountPath": self.auth_mount}}
        spec = spec_of(server or self.proxy.address, self.mount, auth, pathPrefix="tenants/{scope}", **fields)
        store = await open_with(spec, MemoryCredentials())
        assert isinstance(store, TenantsStore)
        return store


@pytest.fixture
async def tenancy(bao: OpenBao) -> AsyncIterator[Tenancy]:
    async with Proxy(bao.address) as proxy:
        yield Tenancy(bao, proxy)


@pytest.fixture
async def store(tenancy: Tenancy) -> AsyncIterator[TenantsStore]:
    store = await tenancy.open()
    yield store
    await store.aclose()


async def test_each_scope_logs_in_once_and_keeps_to_its_own(tenancy: Tenancy, store: TenantsStore) -> None:
    engine = engine_over(store)
    for name in (A, B):
        await engine.apply(name, Secret({"k": str(name).encode()}, {"label": "x"}), deadline=soon())
    for name in (A, B):
        assert (await engine.get(name)).secret.data == {"k": str(name).encode()}
        assert [found async for found in store.names(name.scope)] == [name]
    assert tenancy.proxy.count("POST", LOGIN) == 2
    await engine.delete(A, [], deadline=soon())
    assert not (await engine.get(A)).present
    assert (await engine.get(B)).present


async def test_the_login_of_one_scope_cannot_read_another(tenancy: Tenancy, store: TenantsStore) -> None:
    """The server says no, whatever we might ask."""
    await store.write(B, Secret({"k": b"v"}), base=ABSENT)
    with store._logins.use("team-a") as team_a:
        assert not (await team_a.read(A)).present
        with pytest.raises(StoreDenied):
            await team_a.read(B)


async def test_many_of_one_scope_wait_for_one_login(tenancy: Tenancy, store: TenantsStore) -> None:
    await asyncio.gather(*(store.read(name) for name in (A, B) for _ in range(50)))
    assert tenancy.proxy.count("POST", LOGIN) == 2


async def test_a_scope_without_a_role_is_refused_and_harms_no_other(store: TenantsStore) -> None:
    with pytest.raises(LoginRefused, match="scope nobody: ") as caught:
        await store.read(ScopedName.parse("nobody/db"))
    assert caught.value.retry_after
    assert not (await store.read(A)).present


async def test_a_name_without_a_scope_has_no_role(store: TenantsStore) -> None:
    for call in (store.read(ScopedName.parse("db")), anext(store.names())):
        with pytest.raises(InvalidRequest, match="scope"):
            await call


@pytest.mark.usefixtures("unhurried_end")
async def test_all_tokens_are_revoked_at_the_end(tenancy: Tenancy) -> None:
    before = tenancy.bao.accessors()
    store = await tenancy.open()
    for name in (A, B):
        await store.read(name)
    assert len(tenancy.bao.accessors() - before) == 2
    await store.aclose()
    assert tenancy.bao.accessors() <= before
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.read(A)


# How many, and for how long.


@pytest.fixture
async def few(tenancy: Tenancy) -> AsyncIterator[TenantsStore]:
    tenancy.add("team-c")
    store = await tenancy.open()
    store._logins._most = 2
    yield store
    await store.aclose()


C = ScopedName.parse("team-c/db")


async def test_the_login_used_longest_ago_makes_room(tenancy: Tenancy, few: TenantsStore) -> None:
    for name in (A, B, A, C):
        await few.read(name)
    assert len(few._logins) == 2
    await until(lambda: tenancy.proxy.count("POST", REVOKE) == 1)
    await few.read(A)
    assert tenancy.proxy.count("POST", LOGIN) == 3, "it was B that had to go"


async def test_a_login_in_use_is_not_closed(few: TenantsStore) -> None:
    with few._logins.use("team-a"), few._logins.use("team-b"):
        with pytest.raises(Overloaded, match="2 scopes are in use") as caught:
            await few.read(C)
        assert caught.value.retry_after
    assert not (await few.read(C)).present


async def test_an_idle_login_is_closed(tenancy: Tenancy, store: TenantsStore) -> None:
    store._logins._idle_seconds = 0.05
    with store._logins.use("team-b"):
        await store.read(A)
        await until(lambda: tenancy.proxy.count("POST", REVOKE) == 1)
        assert len(store._logins) == 1, "team-b is in use"
    await until(lambda: len(store._logins) == 0)


async def test_an_idle_store_keeps_no_timer(tenancy: Tenancy) -> None:
    logins = Logins(lambda scope: None, idle_seconds=60)  # type: ignore[arg-type, return-value]
    assert logins._timer is None
    await logins.aclose()


# Checks.


async def test_without_a_scope_a_check_says_what_it_did_not_look_at(tenancy: Tenancy) -> None:
    store = await tenancy.open()
    assert [("no scope is known here" in warning) for warning in await store.check()] == [True]
    assert tenancy.proxy.count("POST", LOGIN) == 0
    await store.aclose()


async def test_a_check_of_a_server_that_is_away_fails(tenancy: Tenancy) -> None:
    store = await tenancy.open(server=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(StoreUnavailable):
        await store.check()
    await store.aclose()


async def test_scopes_that_access_names_are_checked_by_their_own_logins(tenancy: Tenancy) -> None:
    store = await tenancy.open(access=[{"scopes": ["team-a", "team-b", "team-*"]}])
    assert await store.check() == []
    assert tenancy.proxy.count("POST", LOGIN) == 2
    await store.aclose()


async def test_a_scope_that_access_names_without_a_role_fails_the_check(tenancy: Tenancy) -> None:
    store = await tenancy.open(access=[{"scopes": ["team-a", "nobody"]}])
    with pytest.raises(LoginRefused, match="scope nobody"):
        await store.check()
    await store.aclose()


# Which logins have a role.


@pytest.mark.parametrize(
    ("method", "block", "field"),
    [
        ("Kubernetes", {"role": "x-{scope}"}, "role"),
        ("JWT", {"role": "{scope}"}, "role"),
        ("AWS", {"role": "x-{scope}-y"}, "role"),
        ("AppRole", {"roleId": "x-{scope}"}, "role_id"),
        ("Cert", {"name": "{scope}"}, "name"),
    ],
)
def test_the_role_of_each_method_may_hold_the_scope(
    method: str, block: Mapping[str, object], field: str
) -> None:
    name = {"AppRole": "appRole"}.get(method, method.lower())
    pair = {"clientCertificate": {"certificate": GIVEN, "key": GIVEN}} if method == "Cert" else {}
    spec = spec_of("https://vault", "kv", {"method": method, name: block}, **pair)
    written = next(iter(block.values()))
    assert spec.auth.role == written
    of_scope = spec.auth.of_scope("team-a")
    assert getattr(of_scope.block, field) == str(written).replace("{scope}", "team-a")
    assert of_scope.role == getattr(of_scope.block, field)


@pytest.mark.parametrize(
    ("auth", "said"),
    [
        pytest.param({"method": "JWT", "jwt": {"role": "{name}"}}, "{scope}", id="another-placeholder"),
        pytest.param(
            {"method": "AppRole", "appRole": {"roleId": "{scope}", "secretIdSource": GIVEN}},
            "a secret ID is of one role",
            id="secret-id",
        ),
    ],
)
def test_roles_that_cannot_be(auth: Mapping[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        spec_of("https://vault", "kv", auth)
