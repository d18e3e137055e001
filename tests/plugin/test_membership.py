"""A certificate that is renewed in time, whatever the clock does; and what is taken from the environment."""

import asyncio
import re
from itertools import pairwise

import pytest

from store_plugin import enrolment
from store_plugin.endpoints import Endpoint
from store_plugin.errors import InvalidRequest, NotReachable, PluginRefused
from store_plugin.plugin.connecting.dialing import Tls
from store_plugin.plugin.connecting.membership import LOOK_SECONDS, Certificate, Invitation, Membership
from store_plugin.testing.environment import RecordingLog

HOUR = 3600.0
DAY = 24 * HOUR


class HandTime:
    """Seconds that pass when somebody sleeps; `jumps` are added to the next sleeps."""

    def __init__(self) -> None:
        self.now = 1_000_000_000.0
        self.really = 0.0
        """Passed, jumps left out."""
        self.slept: list[float] = []
        self.jumps: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.really += seconds
        self.now += seconds + (self.jumps.pop(0) if self.jumps else 0.0)
        await asyncio.sleep(0)


class Renewing(Membership):
    """Answers renewals itself: with another day, unless it is `away`."""

    def __init__(self, clock: HandTime, log: RecordingLog, life: float = DAY) -> None:
        self.time = clock
        self.life = life
        self.away = 0
        self.renewed_at: list[float] = []
        super().__init__(
            Endpoint.parse("127.0.0.1:1"), "i1", self._next(), log, clock=clock, sleep=clock.sleep
        )

    def _next(self) -> Certificate:
        return Certificate(Tls(key=b"PRIVATE"), self.time.now, self.time.now + self.life)

    async def _renew(self) -> None:
        if self.away:
            self.away -= 1
            raise NotReachable("nobody answers")
        self.renewed_at.append(self.time.really)
        self._held = self._next()


class Enough(Exception):
    """Ends a run that would go on for ever."""


async def kept(member: Renewing, renewals: int) -> None:
    def renewed() -> None:
        if len(member.renewed_at) >= renewals:
            raise Enough

    with pytest.raises(Enough):
        await member.keep(renewed)


@pytest.fixture
def clock() -> HandTime:
    return HandTime()


@pytest.fixture
def log() -> RecordingLog:
    return RecordingLog()


@pytest.fixture
def member(clock: HandTime, log: RecordingLog) -> Renewing:
    return Renewing(clock, log)


async def test_a_certificate_is_renewed_at_two_thirds_of_its_life_or_a_little_before(
    member: Renewing,
) -> None:
    await kept(member, 3)
    times = [0.0, *member.renewed_at]
    for before, after in pairwise(times):
        assert 0.9 * 16 * HOUR <= after - before <= 16 * HOUR + 1


async def test_plugins_that_began_together_do_not_renew_together(log: RecordingLog) -> None:
    times = set()
    for _ in range(20):
        member = Renewing(HandTime(), log)
        await kept(member, 1)
        times.add(member.renewed_at[0])
    assert len(times) > 10


@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["forward", "back"])
async def test_a_clock_that_jumps_by_an_hour_is_noticed(
    member: Renewing, clock: HandTime, jump: float
) -> None:
    clock.jumps = [0.0, 0.0, jump]
    ends = member._held.ends
    await kept(member, 1)
    assert clock.now < ends - HOUR
    assert max(clock.slept) <= LOOK_SECONDS


async def test_a_clock_that_jumps_past_the_end_has_it_renewed_at_once(
    member: Renewing, clock: HandTime
) -> None:
    clock.jumps = [2 * DAY]
    await kept(member, 1)
    assert clock.really <= LOOK_SECONDS


async def test_a_hub_that_is_away_is_asked_again_within_the_life_that_is_left(
    member: Renewing, clock: HandTime, log: RecordingLog
) -> None:
    member.away = 50
    ends = member._held.ends
    await kept(member, 1)
    assert clock.now < ends
    assert len(log.events("warning")) == 50


async def test_a_certificate_that_ends_ends_the_membership(
    member: Renewing, clock: HandTime, log: RecordingLog
) -> None:
    member.away = 10**9
    with pytest.raises(PluginRefused, match="has ended and was not renewed: nobody answers"):
        await member.keep(lambda: None)
    assert clock.really >= DAY
    assert len(log.entries) < 2000


async def test_a_life_that_is_over_at_once_is_no_reason_to_hurry(clock: HandTime, log: RecordingLog) -> None:
    member = Renewing(clock, log, life=-HOUR)
    await kept(member, 10)
    assert clock.really >= 10.0


def test_a_key_is_in_no_text(member: Renewing) -> None:
    assert "PRIVATE" not in f"{member._held!r} {member._held.tls!r} {member.door!r}"


def test_the_token_is_taken_out_of_the_environment_and_out_of_sight() -> None:
    environ = {
        enrolment.ENDPOINT_VARIABLE: "127.0.0.1:4",
        enrolment.CA_FILE_VARIABLE: "/ca.pem",
        enrolment.TOKEN_VARIABLE: "canary",
    }
    invitation = Invitation.taken_from(environ)
    assert invitation.token == "canary"
    assert enrolment.TOKEN_VARIABLE not in environ
    assert not re.search("canary", repr(invitation))


@pytest.mark.parametrize(
    "missing", [enrolment.ENDPOINT_VARIABLE, enrolment.CA_FILE_VARIABLE, enrolment.TOKEN_VARIABLE]
)
def test_a_process_that_nobody_invited_is_told_what_to_do(missing: str) -> None:
    environ = {
        enrolment.ENDPOINT_VARIABLE: "127.0.0.1:4",
        enrolment.CA_FILE_VARIABLE: "/ca.pem",
        enrolment.TOKEN_VARIABLE: "canary",
    }
    del environ[missing]
    with pytest.raises(InvalidRequest, match="plugin run") as refusal:
        Invitation.taken_from(environ)
    assert "canary" not in str(refusal.value)
    assert enrolment.TOKEN_VARIABLE not in environ
