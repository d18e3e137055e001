"""What is secret is planted in every place, everything is made to fail, and what was said is
searched for it."""

import asyncio
import gc
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import kubernetes.aio.client
import kubernetes.client
import psutil
import pytest

from store_plugin.access import AccessConfig
from store_plugin.access.exec_credential import API_VERSIONS, ExecStatus, status_text
from store_plugin.access.planning import ARGUMENTS_EXTENSION, CONFIG_EXTENSION, VARIABLES_EXTENSION
from store_plugin.errors import StorePluginError
from tests.support.exec_plugins import ExecPlugin, access_file, profile, provider
from tests.support.waiting import eventually

TOKEN, KEY, VALUE, MORE = "canary-token-81", "canary-key-82", "canary-value-83", "canary-more-84"
POLICIES = {"profileSourcedCLIArgsPolicy": "Append", "profileSourcedEnvVarsPolicy": "Replace"}
ANSWERS: dict[str, Callable[[ExecPlugin], None]] = {
    "good": lambda plugin: plugin.answers(TOKEN),
    "expired": lambda plugin: plugin.answers(TOKEN, lasts=timedelta(hours=-1)),
    "certificate": lambda plugin: plugin.answers(certificate=KEY.encode(), key=KEY.encode()),
    "garbage": lambda plugin: plugin.prints(f"{TOKEN} {KEY}"),
    "version": lambda plugin: plugin.prints(status_text(API_VERSIONS[1], ExecStatus(TOKEN))),
    "time": lambda plugin: plugin.prints(status_text(API_VERSIONS[0], ExecStatus(TOKEN))[:-1] + ',"x":1'),
    "exit": lambda plugin: plugin.path.write_text(f"#!/bin/sh\necho {TOKEN}; echo {KEY} >&2; exit 1\n"),
    "long": lambda plugin: plugin.path.write_text(
        f"#!/bin/sh\nwhile echo {TOKEN}; do :; done\n",
    ),
}


def chain(error: BaseException | None) -> Iterator[str]:
    """All that an error and those behind it show, what their attributes hold included."""
    while error is not None:
        yield f"{error!r} {error} {vars(error)!r}"
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_nothing_secret_is_in_an_error_a_log_or_a_repr(
    answer: Callable[[ExecPlugin], None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    plugin = ExecPlugin(tmp_path)
    answer(plugin)
    entry = provider(plugin.path, args=[VALUE], env=[{"name": "A", "value": VALUE}], **POLICIES)
    extensions = {
        CONFIG_EXTENSION: {"a": MORE},
        ARGUMENTS_EXTENSION: [MORE],
        VARIABLES_EXTENSION: {"B": MORE},
    }
    found = profile(server="https://127.0.0.1:1", extensions=extensions)
    said: list[str] = []

    def ask(access: AccessConfig) -> None:
        with kubernetes.client.ApiClient(access.build_config(found)) as api:
            kubernetes.client.CoreV1Api(api).list_namespace(_request_timeout=5)

    def ask_connected(access: AccessConfig) -> None:
        with access.connect(found) as api:
            kubernetes.client.CoreV1Api(api).list_namespace(_request_timeout=5)

    def ask_aio(access: AccessConfig) -> None:
        async def listed() -> None:
            async with access.connect_aio(found) as api:
                await kubernetes.aio.client.CoreV1Api(api).list_namespace(_request_timeout=5)

        asyncio.run(listed())

    with AccessConfig.from_file(access_file(tmp_path, entry)) as access:
        said += map(repr, (access, access.providers, access.member(found), access.choose(found)))
        for way in (ask, ask_connected, ask_aio):
            with pytest.raises(Exception) as caught:
                way(access)
            said += chain(caught.value)
            if isinstance(caught.value, StorePluginError):
                said.append(str(caught.value.metadata))
        said.append(repr(access.member(found)))
    said += [record.getMessage() for record in caplog.records]
    for canary in (TOKEN, KEY, VALUE, MORE):
        assert canary not in "\n".join(said)


@pytest.mark.parametrize("text", ['{"providers": [{"name": "%s"}', '{"providers": "%s"}', "- %s: ["])
@pytest.mark.parametrize("name", ["a.json", "a.yaml"])
def test_nothing_of_a_bad_access_config_is_in_its_error(tmp_path: Path, text: str, name: str) -> None:
    (tmp_path / name).write_text(text % VALUE)
    with pytest.raises(StorePluginError) as caught:
        AccessConfig.from_file(tmp_path / name)
    assert VALUE not in "\n".join(chain(caught.value))


def test_logins_leave_no_descriptor_and_no_process(tmp_path: Path) -> None:
    process = psutil.Process()
    plugin = ExecPlugin(tmp_path)
    plugin.answers("t")
    gc.collect()
    before = process.num_fds()
    for _ in range(5):
        with AccessConfig.from_file(access_file(tmp_path, provider(plugin.path))) as access:
            for number in range(5):
                access.member(profile(f"m-{number}")).login.current()
    del access

    def nothing_is_left() -> bool:
        """A thread lets go of its last run a moment after it has told how that ended."""
        gc.collect()
        return process.num_fds() <= before

    eventually(nothing_is_left)
    assert plugin.runs == 25
    assert not [child for child in process.children() if child.name() == plugin.path.name]
