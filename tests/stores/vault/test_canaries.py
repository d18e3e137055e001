"""Nothing that an error, a log or `check` tells is secret."""

import logging
import traceback

import pytest

from store_plugin.errors import StorePluginError
from store_plugin.model import ABSENT, ScopedName, Secret
from store_plugin.testing.environment import MemoryCredentials, RecordingLog
from stores.vault.adapter import RawJson, to_json
from stores.vault.auth.grant import Grant
from stores.vault.store import VaultStore
from tests.stores.vault.opening import open_with, open_with_token, spec_of
from tests.support.openbao import OpenBao
from tests.support.ports import free_port

NAME = ScopedName.parse("team-a/db")


# Canaries.

CANARY = "canary-4711-canary"


async def failures_of(store: VaultStore) -> list[StorePluginError]:
    secret = Secret({"key": CANARY.encode()}, {"label": "x"})
    found = []
    for call in (
        store.read(NAME),
        store.write(NAME, secret, base=ABSENT),
        store.write(NAME, secret, base=ABSENT),
        store.delete(NAME, base=ABSENT),
        store.check(),
    ):
        try:
            await call
        except StorePluginError as error:
            found.append(error)
    await store.aclose()
    return found


def shown(error: BaseException) -> str:
    """All that a log could show of an error."""
    chain = traceback.TracebackException.from_exception(error, capture_locals=False)
    return "".join(chain.format()) + repr(error) + str(vars(error))


@pytest.mark.parametrize("server", ["real", "absent"])
async def test_no_secret_shows_in_errors_or_logs(
    bao: OpenBao, caplog: pytest.LogCaptureFixture, server: str
) -> None:
    caplog.set_level(logging.DEBUG)
    log, mount = RecordingLog(), bao.mount_kv("v2")
    address = bao.address if server == "real" else f"http://127.0.0.1:{free_port()}"
    token = bao.token([bao.policy({f"{mount}/data/*": ["create", "update"]})])
    found = await failures_of(await open_with_token(bao, mount, token=token, server=address, log=log))
    found += await failures_of(await open_with_token(bao, mount, token=CANARY, server=address, log=log))
    auth_mount, role_id, _ = bao.approle(["default"])
    auth = {"method": "AppRole", "appRole": {"roleId": role_id, "mountPath": auth_mount}}
    credentials = MemoryCredentials({"auth.appRole.secretIdSource": CANARY.encode()})
    found += await failures_of(await open_with(spec_of(address, mount, auth), credentials, log=log))
    everything = "".join(map(shown, found)) + str(log.entries) + caplog.text
    assert len(found) >= 12
    assert CANARY not in everything
    assert token not in everything


@pytest.mark.parametrize("token", ["", "two words", "new\nline", "ÿ", "a" * 3 + "\x00"])
async def test_a_token_that_is_none_is_told_without_showing_it(bao: OpenBao, token: str) -> None:
    store = await open_with(
        spec_of(bao.address, "kv", {"method": "Token", "token": {"source": "None"}}),
        MemoryCredentials({"auth.token": token.encode()}),
    )
    with pytest.raises(StorePluginError, match=r"auth\.token") as caught:
        await store.read(NAME)
    assert not token or token not in str(caught.value)
    await store.aclose()


async def test_a_config_without_a_token_says_which_field(bao: OpenBao) -> None:
    store = await open_with(
        spec_of(bao.address, "kv", {"method": "Token", "token": {"source": "None"}}), MemoryCredentials()
    )
    with pytest.raises(StorePluginError, match=r"auth\.token"):
        await store.read(NAME)
    await store.aclose()


def test_no_repr_shows_a_token() -> None:
    assert CANARY not in repr(Grant(CANARY, 1.0, True))


# Bodies.


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param({"a": 1, "b": None}, b'{"a": 1}', id="none-is-left-out"),
        pytest.param({"a": {"b": None}}, b'{"a": {"b": null}}', id="but-not-inside"),
        pytest.param({"data": RawJson('{"x":1.0}')}, b'{"data":{"x":1.0}}', id="raw-text-stays"),
        pytest.param(RawJson('{"x":1e400}'), b'{"x":1e400}', id="raw-text-alone"),
        pytest.param({"a": "\u2028é"}, b'{"a":"\\u2028\\u00e9"}', id="escaped"),
    ],
)
def test_bodies(body: object, text: bytes) -> None:
    assert to_json(body).replace(b" ", b"") == text.replace(b" ", b"")
