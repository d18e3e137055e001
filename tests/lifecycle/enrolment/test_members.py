"""Plugins written with the SDK, as real processes under the keeper: enrolled, renewed, refused."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from store_plugin import enrolment
from store_plugin.hub.registry import Entry, OnDuplicate
from store_plugin.hub.settings import HubSettings
from store_plugin.lifecycle.supervision.process import PluginProcess
from store_plugin.stream import wellness
from store_plugin.testing.environment import RecordingLog
from tests.lifecycle.enrolment.bench import Bench, enrolment_bench
from tests.lifecycle.enrolment.conftest import HandClock
from tests.support.echo import EchoStub
from tests.support.waiting import until

ECHO = """
    import os
    from store_plugin.plugin import Plugin
    from tests.support.echo import Echo, add_echo

    plugin = Plugin("echo", "1.0")
    add_echo(Echo(), plugin)

    @plugin.on_check
    async def check():
        ours = sorted(name for name in os.environ if name.startswith("STORE_PLUGIN"))
        print("environment:", ours, flush=True)

    plugin.main()
"""


EAGER = """
    from store_plugin.plugin.connecting import membership
    membership.RENEWED_AFTER = 0.0
"""
EAGER_ECHO = EAGER + ECHO
"""Renews each second what lives for much longer."""


@pytest.fixture
def log() -> RecordingLog:
    return RecordingLog()


@pytest.fixture
def on_duplicate() -> OnDuplicate:
    return OnDuplicate.REPLACE


@pytest.fixture
async def bench(
    tmp_path: Path, log: RecordingLog, clock: HandClock, on_duplicate: OnDuplicate
) -> AsyncIterator[Bench]:
    settings = HubSettings(on_duplicate=on_duplicate)
    async with enrolment_bench(tmp_path, log=log, clock=clock, settings=settings) as bench:
        yield bench


async def connected(bench: Bench, process: PluginProcess, instance: str = "i1") -> Entry:
    def entry() -> Entry | None:
        assert process.running, bench.lines
        return bench.hub.registry.instance("echo", instance)

    await until(entry)
    found = entry()
    assert found is not None
    return found


async def test_a_process_enrols_and_serves_under_the_name_and_instance_it_was_started_as(
    bench: Bench,
) -> None:
    process = await bench.start(ECHO, instance="1.0-ab12")
    entry = await connected(bench, process, "1.0-ab12")
    assert entry.peer.identity.user == "store-plugin://echo/1.0-ab12"
    assert entry.peer.private
    stub = EchoStub(bench.hub.plugin("echo"))
    assert await stub.Say(b"hello", timeout=10) == b"hello"
    assert await process.stop() == 0


async def test_the_token_is_gone_from_the_environment_when_the_plugin_runs(bench: Bench) -> None:
    entry = await connected(bench, await bench.start(ECHO))
    await entry.instance.call(wellness.PATH, b"", timeout=10, metadata=())
    await until(lambda: any("environment:" in line for line in bench.lines))
    line = next(line for line in bench.lines if "environment:" in line)
    assert enrolment.TOKEN_VARIABLE not in line
    assert enrolment.ENDPOINT_VARIABLE in line


async def test_no_token_and_no_key_is_told_anywhere(
    bench: Bench, log: RecordingLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued = []
    issue = bench.tokens.issue
    monkeypatch.setattr(bench.tokens, "issue", lambda *given: issued.append(issue(*given)) or issued[-1])
    process = await bench.start(ECHO)
    await connected(bench, process)
    replayed = await bench.start(ECHO, instance="i2", **{enrolment.TOKEN_VARIABLE: issued[0]})
    assert await replayed.ended() != 0
    told = "".join([*bench.events(), *bench.lines, repr(log.entries), *command_lines()])
    for token in issued:
        for part in token.split(".")[1:]:
            assert part not in told
    assert "PRIVATE" not in told
    assert "used before" in told
    await process.stop()


def command_lines() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_text(errors="replace"))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("on_duplicate", OnDuplicate)
async def test_certificates_are_renewed_under_calls_and_none_fails(bench: Bench) -> None:
    process = await bench.start(EAGER_ECHO)
    first = await connected(bench, process)
    stub = EchoStub(bench.hub.plugin("echo"))
    answered = 0

    def renewed_twice_and_come_again() -> bool:
        events = "".join(bench.events())
        entry = bench.hub.registry.instance("echo", "i1")
        return events.count('"event":"renew"') >= 2 and entry is not None and entry is not first

    async with asyncio.timeout(60):
        while not renewed_twice_and_come_again():
            payload = str(answered).encode()
            answers = await asyncio.gather(*(stub.Say(payload, timeout=10) for _ in range(8)))
            assert answers == [payload] * 8
            answered += 1
    assert process.running
    assert await process.stop() == 0


async def test_the_ca_is_rotated_while_plugins_are_connected_and_none_is_lost(
    tmp_path: Path, log: RecordingLog, clock: HandClock
) -> None:
    # What is issued long ago has to be good now, for TLS asks no clock but the real one.
    clock.moved = -timedelta(hours=29)
    async with enrolment_bench(tmp_path, life=timedelta(hours=30), log=log, clock=clock) as bench:
        await rotated(bench, clock)


async def rotated(bench: Bench, clock: HandClock) -> None:
    process = await bench.start(EAGER_ECHO)
    await connected(bench, process)
    stub = EchoStub(bench.hub.plugin("echo"))
    bench.authority.rotate()
    later = await bench.start(EAGER_ECHO, instance="i2")
    await connected(bench, later, "i2")

    async def both_renewed() -> None:
        seen = len(bench.events())
        async with asyncio.timeout(60):
            while not all(f'"instance":"{one}"' in "".join(bench.events()[seen:]) for one in ("i1", "i2")):
                assert await stub.Say(b"x", timeout=10) == b"x"

    await both_renewed()
    clock.moved = timedelta(minutes=75)
    assert bench.authority.server().signer == 2
    assert bench.authority.trusted().count(b"BEGIN") == 1
    await both_renewed()
    await both_renewed()
    assert process.running
    assert later.running


async def test_a_plugin_whose_name_is_taken_away_ends_when_its_certificate_does(
    tmp_path: Path, log: RecordingLog
) -> None:
    async with enrolment_bench(tmp_path, life=timedelta(seconds=8), log=log) as bench:
        process = await bench.start(EAGER_ECHO)
        await connected(bench, process)
        bench.enabled.clear()
        assert await asyncio.wait_for(process.ended(), 60) == 1
        await until(lambda: "the certificate has ended" in bench_text(bench))
        assert '"event":"refuse-renewal"' in "".join(bench.events())


def bench_text(bench: Bench) -> str:
    return "\n".join(bench.lines)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ({enrolment.TOKEN_VARIABLE: "a.b.c"}, "not one of this process"),
        ({enrolment.TOKEN_VARIABLE: ""}, "no sidecar has started this plugin"),
        ({enrolment.CA_FILE_VARIABLE: "/nowhere.pem"}, "cannot be read for TLS"),
        ({enrolment.ENDPOINT_VARIABLE: "127.0.0.1:1"}, "nobody answers"),
    ],
    ids=["forged token", "no token", "no CA file", "nobody there"],
)
async def test_a_plugin_that_cannot_enrol_says_why_and_ends(
    bench: Bench, spoil: dict[str, str], words: str
) -> None:
    process = await bench.start(ECHO, **spoil)
    assert await process.ended() == 1
    await until(lambda: words in bench_text(bench))
    assert "Traceback" not in bench_text(bench)


SLOW_ECHO = """
    import pathlib, time

    while not pathlib.Path({gate!r}).exists():
        time.sleep(0.01)
"""


async def test_a_plugin_that_takes_more_than_a_minute_to_enrol_is_told_what_to_do_and_ends(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = tmp_path / "gate"
    process = await bench.start(SLOW_ECHO.format(gate=str(gate)) + ECHO)
    monkeypatch.setattr(bench.tokens, "_steady", lambda: time.monotonic() + 60)
    gate.touch()
    assert await process.ended() == 1
    await until(lambda: "has expired: it is good for 60 s" in bench_text(bench))
    assert '"event":"refuse-token"' in bench.events()[-1]
    assert "Traceback" not in bench_text(bench)


async def test_a_plugin_describes_itself_and_starts_nothing(bench: Bench) -> None:
    import sys

    source = ECHO.replace("plugin.main()", "plugin.main(['--describe'])")
    process = await bench.start(source)
    assert await process.ended() == 0
    await until(lambda: "}" in bench.lines)
    described = json.loads(bench_text(bench))
    assert described["name"] == "echo"
    assert described["protocolVersions"] == ["1"]
    assert "tests.Echo" in described["services"]
    assert bench.events() == []
    assert sys.argv != ["--describe"]
