"""What is kept of wrapping tokens, without a server."""

import asyncio

import pytest

from store_plugin.errors import LoginRefused
from stores.vault.secret_ids import SecretIds

SERVER = "https://vault"


class Unwrapping:
    """Counts, and fails where it has nothing to give."""

    def __init__(self, *found: str) -> None:
        self.found = list(found)
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        await asyncio.sleep(0)
        if not self.found:
            raise LoginRefused("used up")
        return self.found.pop()


async def test_a_token_is_unwrapped_once_however_many_ask() -> None:
    ids, unwrap = SecretIds(), Unwrapping("id")
    assert await asyncio.gather(*(ids.unwrapped(SERVER, "a", unwrap) for _ in range(9))) == ["id"] * 9
    assert unwrap.calls == 1


async def test_tokens_and_servers_are_told_apart() -> None:
    ids, unwrap = SecretIds(), Unwrapping("3", "2", "1")
    for server, token, secret_id in ((SERVER, "a", "1"), (SERVER, "b", "2"), ("https://other", "a", "3")):
        assert await ids.unwrapped(server, token, unwrap) == secret_id


async def test_a_failure_is_not_kept() -> None:
    ids, unwrap = SecretIds(), Unwrapping()
    with pytest.raises(LoginRefused):
        await ids.unwrapped(SERVER, "a", unwrap)
    unwrap.found = ["id"]
    assert await ids.unwrapped(SERVER, "a", unwrap) == "id"


async def test_the_oldest_goes_when_there_are_too_many() -> None:
    ids, unwrap = SecretIds(), Unwrapping(*["id"] * 300)
    for number in range(257):
        await ids.unwrapped(SERVER, str(number), unwrap)
    unwrap.found.clear()
    assert await ids.unwrapped(SERVER, "1", unwrap) == "id"
    with pytest.raises(LoginRefused):
        await ids.unwrapped(SERVER, "0", unwrap)
