"""What `check` finds wrong in a Vault, and that what it says to do mends it."""

import re
from collections.abc import Mapping, Sequence
from uuid import uuid4

import pytest

from store_plugin.errors import ConfigInvalid, LoginRefused, StoreDenied, StorePluginError, StoreUnavailable
from store_plugin.model import ScopedName, Secret
from store_plugin.testing.environment import MemoryCredentials
from stores.vault.checking.advice import advised
from stores.vault.checking.token_life import span, told_of
from tests.docs.pages import DOCS, blocks
from tests.stores.vault.opening import GIVEN, engine_over, open_with, open_with_token, soon, spec_of
from tests.support.certificates import CertificateAuthority
from tests.support.openbao import OpenBao
from tests.support.ports import free_port

EVERYTHING = ("create", "read", "update", "patch", "delete", "list")
DATA, METADATA = ("create", "read", "update"), ("update", "patch", "delete")
LAST_WRITER = "no compare-and-set: last writer wins across processes"
PAGE = DOCS / "stores" / "vault.md"
_STANZA = re.compile(r'path "([^"]+)" \{ capabilities = \[([^]]+)\] \}')

Rules = Mapping[str, Sequence[str]]


async def checked(bao: OpenBao, mount: str, rules: Rules, **fields: object) -> list[str]:
    return await checked_with(bao, mount, bao.token([bao.policy(rules)]), **fields)


async def checked_with(bao: OpenBao, mount: str, token: str, **fields: object) -> list[str]:
    store = await open_with_token(bao, mount, token=token, **fields)
    try:
        return await store.check()
    finally:
        await store.aclose()


async def refused(bao: OpenBao, mount: str, token: str, **fields: object) -> StorePluginError:
    with pytest.raises(StorePluginError) as caught:
        await checked_with(bao, mount, token, **fields)
    assert "\n" not in caught.value.message
    return caught.value


# Rights.


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param({"{m}/*": EVERYTHING}, id="everything"),
        pytest.param({"{m}/data/*": DATA, "{m}/metadata/*": METADATA}, id="least"),
        pytest.param({"{m}/data/team-a/*": DATA, "{m}/metadata/team-a/*": METADATA}, id="one-scope"),
        pytest.param({"{m}/data/a/b/*": DATA, "{m}/metadata/a/b/*": METADATA}, id="a-scope-of-two-segments"),
        pytest.param({"{m}/data/a/db": DATA, "{m}/metadata/a/*": METADATA, "{m}/data/a/*": DATA}, id="exact"),
    ],
)
async def test_nothing_to_say(bao: OpenBao, rules: Rules) -> None:
    mount = bao.mount_kv("v2")
    assert await checked(bao, mount, {path.format(m=mount): given for path, given in rules.items()}) == []


async def test_root_lacks_nothing(bao: OpenBao) -> None:
    assert await checked_with(bao, bao.mount_kv("v2"), bao.root_token) == []


@pytest.mark.parametrize(
    ("version", "rules", "lacking"),
    [
        pytest.param(
            "v2",
            {"data": DATA, "metadata": ("read", "update")},
            "delete on {m}/metadata/*",
            id="v2-delete",
        ),
        pytest.param(
            "v2",
            {"data": ("read", "update"), "metadata": METADATA},
            "create on {m}/data/*",
            id="v2-create",
        ),
        pytest.param(
            "v2",
            {"data": ("create", "update"), "metadata": ()},
            "read on {m}/data/* and delete, update on {m}/metadata/*",
            id="v2-half",
        ),
        pytest.param("v1", {"": ("create", "read", "update")}, "delete on {m}/*", id="v1-delete"),
    ],
)
async def test_missing_rights_are_named_with_the_policy_that_gives_them(
    bao: OpenBao, version: str, rules: Rules, lacking: str
) -> None:
    mount = bao.mount_kv(version)
    written = {f"{mount}/{folder}/*".replace("//", "/"): given for folder, given in rules.items() if given}
    first = bao.policy(written)
    error = await refused(bao, mount, bao.token([first]), version=version)
    assert isinstance(error, StoreDenied)
    assert f"the policies do not allow {lacking.format(m=mount)}: let one say path" in error.message
    second = advised_policy(bao, error.message)
    told = await checked_with(bao, mount, bao.token([first, second]), version=version)
    assert told == ([LAST_WRITER] if version == "v1" else [])


def advised_policy(bao: OpenBao, message: str) -> str:
    """A policy with the lines of a message, as the server reads them there: on one line."""
    text = " ".join(found.group() for found in _STANZA.finditer(message))
    name = f"advised-{uuid4().hex[:8]}"
    bao.api("PUT", f"sys/policies/acl/{name}", {"policy": text})
    return name


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_what_it_advises_is_enough_for_every_call(bao: OpenBao, version: str) -> None:
    mount = bao.mount_kv(version)
    error = await refused(bao, mount, bao.token(["default"]), version=version)
    await prove_enough(bao, mount, version, advised_policy(bao, error.message))


@pytest.mark.parametrize(("version", "mount"), [("v2", "secret"), ("v1", "kv")])
async def test_the_policy_of_the_page_is_enough_for_every_call(
    bao: OpenBao, version: str, mount: str
) -> None:
    (text,) = [block for block in blocks(PAGE, "hcl") if f'path "{mount}/' in block]
    there, name = bao.mount_kv(version), f"page-{uuid4().hex[:8]}"
    policy = text.replace(f'"{mount}/', f'"{there}/')
    bao.api("PUT", f"sys/policies/acl/{name}", {"policy": policy})
    told = await checked_with(bao, there, bao.token([name]), version=version)
    assert told == ([LAST_WRITER] if version == "v1" else [])
    await prove_enough(bao, there, version, name)


async def prove_enough(bao: OpenBao, mount: str, version: str, policy: str) -> None:
    """Get, apply and delete with nothing but this policy."""
    store = await open_with_token(bao, mount, token=bao.token([policy]), version=version)
    engine, name = engine_over(store), ScopedName.parse("team-a/db")
    for value in (b"1", b"2"):
        await engine.apply(name, Secret({"key": value}, {"label": value.decode()}), deadline=soon())
    assert (await engine.get(name)).secret == Secret({"key": b"2"}, {"label": "2"})
    await engine.delete(name, [], deadline=soon())
    assert not (await engine.get(name)).present
    await store.aclose()


async def test_reading_alone_is_a_warning(bao: OpenBao) -> None:
    mount = bao.mount_kv("v2")
    (told,) = await checked(bao, mount, {f"{mount}/data/*": ("read",)})
    assert told.startswith("read-only: apply and delete are denied")
    assert f'path "{mount}/data/*"' in told


async def test_a_missing_patch_is_a_warning(bao: OpenBao) -> None:
    mount = bao.mount_kv("v2")
    (told,) = await checked(
        bao, mount, {f"{mount}/data/*": DATA, f"{mount}/metadata/*": ("update", "delete")}
    )
    assert "without patch" in told
    assert f'path "{mount}/metadata/*" {{ capabilities = ["delete", "patch", "update"] }}' in told


async def test_the_scopes_of_the_access_rules_are_tried(bao: OpenBao) -> None:
    mount = bao.mount_kv("v2")
    rules = {f"{mount}/data/team-a/*": DATA, f"{mount}/metadata/team-a/*": METADATA}
    access = [{"scopes": ["team-a", "team-*"]}]
    assert await checked(bao, mount, rules, access=access) == []
    token = bao.token([bao.policy(rules)])
    error = await refused(bao, mount, token, access=[{"scopes": ["team-a", "team-b"]}])
    assert f"{mount}/data/team-b/*" in error.message
    assert "team-a" not in error.message


async def test_policies_that_name_no_scope_in_full_are_not_guessed_about(bao: OpenBao) -> None:
    mount = bao.mount_kv("v2")
    (told,) = await checked(bao, mount, {f"{mount}/data/+/shared/*": DATA})
    assert "the rights are not known" in told


async def test_a_token_that_may_not_ask_is_told(bao: OpenBao) -> None:
    mount = bao.mount_kv("v2")
    token = bao.token([bao.kv_policy(mount)], no_default_policy=True)
    (told,) = await checked_with(bao, mount, token)
    assert "sys/capabilities-self" in told


async def test_version_1_warns_of_the_last_writer(bao: OpenBao) -> None:
    assert await checked_with(bao, bao.mount_kv("v1"), bao.root_token, version="v1") == [LAST_WRITER]


# The mount.


async def test_another_version_says_what_to_set(bao: OpenBao) -> None:
    for version, other in (("v1", "v2"), ("v2", "v1")):
        mount = bao.mount_kv(version)
        error = await refused(bao, mount, bao.token([bao.kv_policy(mount)]), version=other)
        assert isinstance(error, ConfigInvalid)
        assert error.message.endswith(f"the config says {other}: set version: {version}")


async def test_a_misspelt_mount_is_guessed(bao: OpenBao) -> None:
    mount = bao.mount_kv("v2")
    for token in (bao.token([bao.kv_policy(mount)]), bao.root_token):
        error = await refused(bao, mount.replace("kv-", "vk-"), token)
        assert isinstance(error, ConfigInvalid)
        assert error.message.endswith(f"did you mean mountPath: {mount}?")


async def test_a_mount_that_is_not_there(bao: OpenBao) -> None:
    error = await refused(bao, "0", bao.root_token)
    assert isinstance(error, ConfigInvalid)
    assert "no secrets engine is mounted at 0/; it sees " in error.message


async def test_a_mount_that_no_policy_speaks_of(bao: OpenBao) -> None:
    mount = bao.mount_kv("v2")
    error = await refused(bao, mount, bao.token(["default"]))
    assert isinstance(error, StoreDenied)
    assert f'path "{mount}/data/*" {{ capabilities = ["create", "read", "update"] }}' in error.message


async def test_a_folder_of_a_mount(bao: OpenBao) -> None:
    mount = bao.mount_kv("v2")
    error = await refused(bao, f"{mount}/apps", bao.root_token)
    assert f"set mountPath: {mount}" in error.message


async def test_another_engine(bao: OpenBao) -> None:
    error = await refused(bao, "cubbyhole", bao.root_token)
    assert "'cubbyhole', not kv" in error.message


async def test_a_namespace_that_is_not_there(bao: OpenBao) -> None:
    error = await refused(bao, "secret", bao.root_token, namespace="nowhere", authNamespace="")
    assert "mend namespace" in error.message


# The token.


async def test_a_token_that_ends_is_told(bao: OpenBao) -> None:
    mount = bao.mount_kv("v2")
    policy = bao.kv_policy(mount)
    (told,) = await checked_with(bao, mount, bao.token([policy], ttl="90m", renewable=False))
    assert "ends in 1 h and cannot be renewed" in told
    assert await checked_with(bao, mount, bao.token([policy], ttl="90m")) == []
    (told,) = await checked_with(bao, mount, bao.token([policy], ttl="1h", explicit_max_ttl="150m"))
    assert "ends in 2 h, renewed or not" in told


@pytest.mark.parametrize(
    ("found", "age", "told"),
    [
        pytest.param({"ttl": 0}, 5.0, [], id="for-ever"),
        pytest.param({"ttl": 60, "renewable": True}, 5.0, [], id="renewable"),
        pytest.param({"ttl": 60, "renewable": False}, 5.0, ["ends in 1 min and cannot"], id="not-renewable"),
        pytest.param(
            {"ttl": 60, "renewable": True, "explicit_max_ttl": 7200},
            3600.0,
            ["in 1 h, renewed"],
            id="longest",
        ),
        pytest.param({"ttl": 0, "num_uses": 3}, 0.0, ["3 more times"], id="uses"),
    ],
)
def test_what_a_lookup_tells(found: dict[str, object], age: float, told: list[str]) -> None:
    lines = told_of(found, age)
    assert len(lines) == len(told)
    assert all(part in line for part, line in zip(told, lines, strict=True))


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0 s"), (59, "59 s"), (61, "1 min"), (7300, "2 h"), (200_000, "2 d")]
)
def test_spans(seconds: int, shown: str) -> None:
    assert span(seconds) == shown


# What to do about what the server and the network say.


@pytest.mark.parametrize(
    ("fields", "advice"),
    [
        pytest.param({"roleId": "wrong"}, "make a new secret ID", id="role-id"),
        pytest.param({"mountPath": "nowhere"}, "is auth.appRole.mountPath right?", id="mount"),
    ],
)
async def test_a_login_that_is_refused(bao: OpenBao, fields: Mapping[str, str], advice: str) -> None:
    mount, role_id, secret_id = bao.approle(["default"])
    auth = {"roleId": role_id, "mountPath": mount, "secretIdSource": GIVEN, **fields}
    spec = spec_of(bao.address, "secret", {"method": "AppRole", "appRole": auth})
    store = await open_with(spec, MemoryCredentials({"auth.appRole.secretIdSource": secret_id.encode()}))
    with pytest.raises(LoginRefused) as caught:
        await store.check()
    assert advice in caught.value.message
    assert secret_id not in caught.value.message
    await store.aclose()


async def test_a_role_that_is_not_there(bao: OpenBao) -> None:
    mount = bao.mount_auth("kubernetes")
    auth = {"role": "wrong", "mountPath": mount, "serviceAccountTokenSource": GIVEN}
    spec = spec_of(bao.address, "secret", {"method": "Kubernetes", "kubernetes": auth})
    token = {"auth.kubernetes.serviceAccountTokenSource": b"a.b.c"}
    store = await open_with(spec, MemoryCredentials(token))
    with pytest.raises(LoginRefused, match=r"mend auth\.kubernetes\.role"):
        await store.check()
    await store.aclose()


async def test_nobody_there(bao: OpenBao) -> None:
    error = await refused(bao, "secret", "x", server=f"http://127.0.0.1:{free_port()}")
    assert error.message.endswith("mend server, or start what it names")


async def test_tls_where_there_is_none(bao: OpenBao, ca: CertificateAuthority) -> None:
    error = await refused(bao, "secret", "x", server=bao.address.replace("http:", "https:"), ca=ca.pem)
    assert "mend server" in error.message


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("certificate verify failed: certificate has expired", "renew the server's certificate"),
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number", "the server speaks no TLS there"),
        ("gaierror: Name or service not known", "mend the host in server, or the DNS"),
        ("what answers does not speak Vault's API", "a proxy or another service listens there"),
    ],
)
def test_what_to_do_by_what_the_network_says(said: str, advice: str) -> None:
    spec = spec_of("https://vault.example.com", "secret", {"method": "Token", "token": GIVEN})
    told = advised(StoreUnavailable(said, retry_after=1.0), spec)
    assert advice in told.message
    assert told.retry_after == 1.0


def test_where_there_is_nothing_to_add_the_error_stays() -> None:
    spec = spec_of("https://vault.example.com", "secret", {"method": "Token", "token": GIVEN})
    error = StoreDenied("the policies say no")
    assert advised(error, spec) is error
