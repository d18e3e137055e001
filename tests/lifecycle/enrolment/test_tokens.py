"""Enrolment tokens: good once, for a minute, for whom they were made."""

import base64
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store_plugin.enrolment import PluginInstance
from store_plugin.errors import CallerUnknown, InvalidRequest, Overloaded
from store_plugin.lifecycle.enrolment import tokens as module
from store_plugin.lifecycle.enrolment.tokens import EnrolmentTokens
from tests.support.clock import FakeClock

DIGEST = "a" * 64


@pytest.fixture
def steady() -> FakeClock:
    return FakeClock()


@pytest.fixture
def tokens(steady: FakeClock) -> EnrolmentTokens:
    return EnrolmentTokens(steady=steady)


def parts(token: str) -> tuple[dict[str, object], dict[str, object]]:
    header, body, _ = (base64.urlsafe_b64decode(part + "==") for part in token.split("."))
    return json.loads(header), json.loads(body)


def written(part: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def test_a_token_is_a_jwt_of_a_minute_for_name_instance_and_digest(tokens: EnrolmentTokens) -> None:
    header, body = parts(tokens.issue("echo", "1.0-ab", DIGEST))
    assert header == {"alg": "HS256", "typ": "JWT"}
    assert (body["sub"], body["instance"], body["digest"]) == ("echo", "1.0-ab", DIGEST)
    assert body["exp"] - body["iat"] == 60  # type: ignore[operator]


def test_a_library_of_others_reads_it_with_the_key(tokens: EnrolmentTokens) -> None:
    import jwt

    found = jwt.decode(tokens.issue("echo", "i", DIGEST), tokens._key, algorithms=["HS256"])
    assert found["sub"] == "echo"


def test_a_token_is_taken_once(tokens: EnrolmentTokens) -> None:
    token = tokens.issue("echo", "1.0-ab", DIGEST)
    claims = tokens.take(token, "echo")
    assert (claims.plugin, claims.digest) == (PluginInstance("echo", "1.0-ab"), DIGEST)
    with pytest.raises(CallerUnknown, match="used before"):
        tokens.take(token, "echo")


def test_a_token_of_another_plugin_is_refused_and_used_up(tokens: EnrolmentTokens) -> None:
    token = tokens.issue("echo", "i", DIGEST)
    with pytest.raises(CallerUnknown, match="another plugin"):
        tokens.take(token, "vault")
    with pytest.raises(CallerUnknown, match="used before"):
        tokens.take(token, "echo")


def test_a_token_ends_after_a_minute_whatever_the_wall_clock_says(steady: FakeClock) -> None:
    wall = FakeClock(1_000_000.0)
    tokens = EnrolmentTokens(clock=wall, steady=steady)
    first, second = (tokens.issue("echo", f"i{number}", DIGEST) for number in range(2))
    wall.now += 3600
    steady.now += 59
    assert tokens.take(first, "echo")
    wall.now -= 7200
    steady.now += 1
    with pytest.raises(CallerUnknown, match="expired"):
        tokens.take(second, "echo")


def test_a_token_of_another_process_is_refused(tokens: EnrolmentTokens, steady: FakeClock) -> None:
    with pytest.raises(CallerUnknown, match="not one of this process"):
        tokens.take(EnrolmentTokens(steady=steady).issue("echo", "i", DIGEST), "echo")


def _unsigned(token: str) -> str:
    return f"{written({'alg': 'none', 'typ': 'JWT'})}.{token.split('.')[1]}."


def _none_with_the_old_signature(token: str) -> str:
    _, body, signature = token.split(".")
    return f"{written({'alg': 'none'})}.{body}.{signature}"


def _renamed(token: str) -> str:
    header, _, signature = token.split(".")
    return f"{header}.{written({**parts(token)[1], 'sub': 'vault'})}.{signature}"


def _under_another_key(token: str) -> str:
    import jwt

    return jwt.encode(parts(token)[1], "another key of thirty-two bytes!!", algorithm="HS256")


FORGERIES: dict[str, Callable[[str], str]] = {
    "algorithm none": _unsigned,
    "algorithm none with a signature": _none_with_the_old_signature,
    "another name": _renamed,
    "another key": _under_another_key,
    "signature cut": lambda token: token[:-1],
    "no signature": lambda token: token.rpartition(".")[0] + ".",
    "signature of another case": lambda token: token[:-8] + token[-8:].swapcase(),
    "white space": lambda token: token + "\n",
    "empty": lambda token: "",
    "dots": lambda token: "..",
    "letters that are no ASCII": lambda token: token + "é",
    "half of a pair of surrogates": lambda token: token + "\ud800",
    "long": lambda token: token + "A" * 100_000,
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_token_is_refused_and_the_genuine_one_stays_good(
    tokens: EnrolmentTokens, forge: Callable[[str], str]
) -> None:
    token = tokens.issue("echo", "i", DIGEST)
    with pytest.raises(CallerUnknown, match="not one of this process") as refusal:
        tokens.take(forge(token), "echo")
    assert token[-20:] not in str(refusal.value)
    assert tokens.take(token, "echo")


@given(st.text(max_size=300))
def test_no_text_is_a_token(text: str) -> None:
    with pytest.raises(CallerUnknown):
        EnrolmentTokens().take(text, "echo")


def test_what_is_remembered_is_bounded_and_forgotten(
    tokens: EnrolmentTokens, steady: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_TOKENS", 3)
    for number in range(3):
        tokens.take(tokens.issue("echo", f"i{number}", DIGEST), "echo")
    with pytest.raises(Overloaded):
        tokens.issue("echo", "i4", DIGEST)
    steady.now += 61
    assert tokens.issue("echo", "i4", DIGEST)
    assert len(tokens._issued) == 1


@pytest.mark.parametrize(
    ("name", "instance", "digest"),
    [("Echo", "i", DIGEST), ("echo", "", DIGEST), ("echo", "a/b", DIGEST), ("echo", "i", "latest")],
    ids=["name", "empty instance", "slash in instance", "digest"],
)
def test_a_token_is_not_issued_for_what_is_none(
    tokens: EnrolmentTokens, name: str, instance: str, digest: str
) -> None:
    with pytest.raises(InvalidRequest):
        tokens.issue(name, instance, digest)


def test_no_token_lives_for_more_than_a_minute() -> None:
    with pytest.raises(InvalidRequest):
        EnrolmentTokens(61.0)
