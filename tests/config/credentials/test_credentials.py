"""Credential references resolve, follow their sources, and never show a value."""

import asyncio
import gc
import os
from pathlib import Path
from typing import Any

import pytest

from store_plugin.config.credentials import sources as module
from store_plugin.config.credentials.of_config import ConfigCredentials
from store_plugin.config.credentials.sources import CredentialSources
from store_plugin.config.declarations import SecretName
from store_plugin.errors import ConfigInvalid
from tests.support.fakes import RecordingLog, ShelfSpec, everything_in

CANARY = "s.CAESIcanaryX7f3"
LOGIN = SecretName("vault", "login")


def environment(name: str) -> dict[str, Any]:
    return {"source": "Environment", "env": {"name": name}}


def file(path: Path | str) -> dict[str, Any]:
    return {"source": "Filesystem", "fs": {"path": str(path)}}


def secret_key(key: str) -> dict[str, Any]:
    return {"source": "Secret", "secretRef": {"namespace": "vault", "name": "login", "key": key}}


def spec(*references: dict[str, Any]) -> ShelfSpec:
    return ShelfSpec.model_validate({"server": "https://x", "keys": references})


@pytest.fixture
def sources(log: RecordingLog) -> CredentialSources:
    return CredentialSources({"TOKEN": CANARY}, log)


async def settle(sources: CredentialSources) -> None:
    """Poll until no file seems to be changing."""
    async with asyncio.timeout(10):
        while await sources.poll():
            await asyncio.sleep(0)


class Listener:
    """Counts announcements."""

    def __init__(self, credentials: ConfigCredentials) -> None:
        self.told = 0
        self.stop = credentials.subscribe(self._hear)

    def _hear(self) -> None:
        self.told += 1


@pytest.mark.parametrize(
    ("content", "value"),
    [
        pytest.param(b"abc", b"abc", id="as it is"),
        pytest.param(b"abc\n", b"abc", id="one newline goes"),
        pytest.param(b"abc\n\n", b"abc\n", id="only one newline goes"),
        pytest.param(b"abc\r\n", b"abc", id="a DOS newline goes"),
        pytest.param(b" abc ", b" abc ", id="spaces stay"),
        pytest.param(b"\x00\xff", b"\x00\xff", id="bytes stay"),
    ],
)
def test_values_come_from_variables_files_and_secrets(
    content: bytes, value: bytes, tmp_path: Path, log: RecordingLog
) -> None:
    path = tmp_path / "value"
    path.write_bytes(content)
    environ = {"VALUE": os.fsdecode(content)}
    sources = CredentialSources(environ, log, {LOGIN: {"value": content}})
    credentials = ConfigCredentials(spec(environment("VALUE"), file(path), secret_key("value")), sources)
    assert [credentials.get(f"keys.{number}") for number in range(3)] == [value] * 3


def test_has_tells_configured_references(sources: CredentialSources) -> None:
    credentials = ConfigCredentials(spec({"source": "None"}, environment("ABSENT")), sources)
    assert [credentials.has(path) for path in ("keys.0", "keys.1", "keys.2", "auth.token")] == [
        False, True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        pytest.param(
            environment("ABSENT"), "keys.0: the environment variable ABSENT is not set", id="variable"
        ),
        pytest.param(
            environment("EMPTY"), "keys.0: the environment variable EMPTY is empty", id="empty variable"
        ),
        pytest.param(file("/nowhere/x"), "keys.0: the file /nowhere/x does not exist", id="file"),
        pytest.param(file("/"), "keys.0: the file / is not a regular file", id="directory"),
        pytest.param(file("/dev/zero"), "keys.0: the file /dev/zero is not a regular file", id="device"),
        pytest.param(file("relative"), "keys.0: fs.path must be an absolute path", id="relative path"),
        pytest.param(file("/a\x00b"), "keys.0: the file (not shown", id="no path"),
        pytest.param(secret_key("absent"), "keys.0: the Secret vault/login has no key absent", id="key"),
        pytest.param({"source": "None"}, "keys.0: a credential is required", id="none"),
        pytest.param(
            {"source": "Secret", "secretRef": {"namespace": "vault", "name": "no", "key": "k"}},
            "keys.0: the Secret vault/no does not exist",
            id="secret",
        ),
    ],
)
async def test_a_missing_value_names_the_reference(
    reference: dict[str, Any], message: str, log: RecordingLog
) -> None:
    sources = CredentialSources({"EMPTY": ""}, log, {LOGIN: {"token": b"t"}})
    credentials = ConfigCredentials(spec(reference), sources)
    await credentials.load()
    with pytest.raises(ConfigInvalid) as caught:
        credentials.get("keys.0")
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(
    "reference",
    [
        pytest.param(environment(CANARY), id="as variable"),
        pytest.param(file(CANARY), id="as path"),
        pytest.param(secret_key(CANARY), id="as key"),
        pytest.param(
            {"source": "Secret", "secretRef": {"namespace": CANARY, "name": "n", "key": "k"}}, id="namespace"
        ),
        pytest.param(
            {"source": "Secret", "secretRef": {"namespace": "n", "name": CANARY, "key": "k"}}, id="name"
        ),
    ],
)
async def test_a_token_pasted_into_a_reference_is_shown_nowhere(
    reference: dict[str, Any], log: RecordingLog
) -> None:
    credentials = ConfigCredentials(spec(reference), CredentialSources({}, log, {LOGIN: {"token": b"t"}}))
    await credentials.load()
    with pytest.raises(ConfigInvalid) as caught:
        credentials.get("keys.0")
    assert CANARY not in everything_in(caught.value)
    assert CANARY not in log.text


async def test_a_file_is_read_when_first_needed_and_then_kept(
    tmp_path: Path, sources: CredentialSources
) -> None:
    path = tmp_path / "token"
    credentials = ConfigCredentials(spec(file(path)), sources)
    path.write_text("one")
    await credentials.load()
    path.write_text("two")
    assert credentials.get("keys.0") == b"one"


async def test_a_changed_file_announces_its_new_value_once_to_each_config(
    tmp_path: Path, sources: CredentialSources
) -> None:
    path = tmp_path / "token"
    path.write_text("one")
    users = [ConfigCredentials(spec(file(path)), sources) for _ in range(3)]
    listeners = [Listener(user) for user in users]
    for user in users:
        await user.load()
    path.write_text("two")
    await settle(sources)
    await settle(sources)
    assert [user.get("keys.0") for user in users] == [b"two"] * 3
    assert [listener.told for listener in listeners] == [1, 1, 1]


async def test_a_link_swapped_as_kubernetes_does_is_followed(
    tmp_path: Path, sources: CredentialSources
) -> None:
    for version, token in (("..1", "one"), ("..2", "two")):
        (tmp_path / version).mkdir()
        (tmp_path / version / "token").write_text(token)
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "token").symlink_to("..data/token")
    credentials = ConfigCredentials(spec(file(tmp_path / "token")), sources)
    listener = Listener(credentials)
    await credentials.load()
    (tmp_path / "..new").symlink_to("..2")
    (tmp_path / "..new").rename(tmp_path / "..data")
    await settle(sources)
    assert (credentials.get("keys.0"), listener.told) == (b"two", 1)


async def test_a_file_still_being_written_is_not_taken(tmp_path: Path, sources: CredentialSources) -> None:
    path = tmp_path / "token"
    path.write_text("whole-token")
    credentials = ConfigCredentials(spec(file(path)), sources)
    await credentials.load()
    path.write_text("half")
    assert await sources.poll()
    assert credentials.get("keys.0") == b"whole-token"
    path.write_text("half-is-done")
    await settle(sources)
    assert credentials.get("keys.0") == b"half-is-done"


async def test_a_value_that_vanishes_stays_in_use_and_is_reported_once(
    tmp_path: Path, sources: CredentialSources, log: RecordingLog
) -> None:
    path = tmp_path / "token"
    path.write_text(CANARY)
    credentials = ConfigCredentials(spec(file(path)), sources)
    listener = Listener(credentials)
    await credentials.load()
    path.unlink()
    for _ in range(3):
        await settle(sources)
    assert credentials.get("keys.0") == CANARY.encode()
    assert credentials.losses() == [("keys.0", f"the file {path} does not exist")]
    assert log.events("warning") == ["credential cannot be read"]
    path.write_text(CANARY)
    await settle(sources)
    assert (credentials.losses(), listener.told) == ([], 0)
    assert CANARY not in log.text


async def test_a_value_that_appears_later_is_announced(tmp_path: Path, sources: CredentialSources) -> None:
    path = tmp_path / "token"
    credentials = ConfigCredentials(spec(file(path)), sources)
    listener = Listener(credentials)
    await credentials.load()
    path.write_text("here")
    await settle(sources)
    assert (credentials.get("keys.0"), listener.told) == (b"here", 1)


async def test_a_missing_value_is_looked_for_at_the_next_load(
    tmp_path: Path, sources: CredentialSources
) -> None:
    path = tmp_path / "token"
    credentials = ConfigCredentials(spec(file(path)), sources)
    await credentials.load()
    path.write_text("here")
    await credentials.load()
    assert credentials.get("keys.0") == b"here"


async def test_a_changed_secret_is_announced_to_those_who_use_that_key(sources: CredentialSources) -> None:
    sources.update_secrets({LOGIN: {"a": b"1", "b": b"1"}})
    uses_a, uses_b = (ConfigCredentials(spec(secret_key(key)), sources) for key in "ab")
    listeners = [Listener(uses_a), Listener(uses_b)]
    await uses_a.load()
    await uses_b.load()
    sources.update_secrets({LOGIN: {"a": b"2", "b": b"1"}})
    assert [listener.told for listener in listeners] == [1, 0]
    sources.update_secrets({})
    assert (uses_a.get("keys.0"), uses_b.get("keys.0")) == (b"2", b"1")
    assert [listener.told for listener in listeners] == [1, 0]


async def test_a_subscriber_that_fails_or_leaves_keeps_no_news_from_others(
    sources: CredentialSources, log: RecordingLog
) -> None:
    credentials = ConfigCredentials(spec(secret_key("a")), sources)

    def fail() -> None:
        raise ValueError(CANARY)

    gone, failing, heard = Listener(credentials), credentials.subscribe(fail), Listener(credentials)
    sources.update_secrets({LOGIN: {"a": b"1"}})
    await credentials.load()
    gone.stop()
    gone.stop()
    sources.update_secrets({LOGIN: {"a": b"2"}})
    assert (gone.told, heard.told) == (0, 1)
    assert log.events("error") == ["a store failed to take a changed credential"]
    assert CANARY not in log.text
    failing()


async def test_values_of_configs_that_are_gone_are_forgotten(
    tmp_path: Path, sources: CredentialSources
) -> None:
    path = tmp_path / "token"
    path.write_text("one")
    credentials = ConfigCredentials(spec(file(path)), sources)
    await credentials.load()
    del credentials
    gc.collect()
    await sources.poll()
    path.write_text("two")
    assert ConfigCredentials(spec(file(path)), sources).get("keys.0") == b"two"


async def test_each_file_is_looked_at_once_however_many_configs_use_it(
    tmp_path: Path, sources: CredentialSources, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "token"
    path.write_text("one")
    users = [ConfigCredentials(spec(file(path)), sources) for _ in range(5)]
    for user in users:
        await user.load()
    looks: list[object] = []
    original = module.file_signature
    monkeypatch.setattr(module, "file_signature", lambda origin: looks.append(origin) or original(origin))
    await sources.poll()
    assert len(looks) == 1


def test_no_repr_shows_a_value(sources: CredentialSources) -> None:
    credentials = ConfigCredentials(spec(environment("TOKEN")), sources)
    assert credentials.get("keys.0") == CANARY.encode()
    assert CANARY not in f"{credentials!r} {sources!r} {vars(sources)['_held']!r}"
