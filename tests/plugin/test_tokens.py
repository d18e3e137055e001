"""A token is obtained before dialling, anew each time, and never shown."""

import asyncio
from pathlib import Path

import pytest

from store_plugin.errors import TokenUnavailable
from store_plugin.plugin.tokens import token_of
from tests.support.virtual_time import virtually


async def async_token() -> str:
    return "async-token"


async def test_every_kind_of_source(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("  from-file\n")
    assert await token_of("static") == "static"
    assert await token_of(file) == "from-file"
    assert await token_of(lambda: "plain") == "plain"
    assert await token_of(async_token) == "async-token"
    file.write_text("rotated")
    assert await token_of(file) == "rotated"


def broken() -> str:
    raise RuntimeError("canary-in-an-error")


def offline() -> str:
    raise ConnectionRefusedError(111, "canary: connection refused")


async def hangs() -> str:
    await asyncio.Event().wait()
    return "never"


async def late() -> str:
    raise TimeoutError("canary")


def test_a_source_that_hangs_is_told_in_time() -> None:
    with pytest.raises(TokenUnavailable, match=r"no token came within 20 s"):
        virtually(token_of(hangs))


async def test_a_source_that_fails_is_not_called_a_file() -> None:
    for source, what in ((offline, "ConnectionRefusedError"), (late, "TimeoutError")):
        with pytest.raises(TokenUnavailable, match=rf"could be obtained \({what}\)"):
            await token_of(source)


async def test_a_file_of_bytes_is_named(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(TokenUnavailable, match=f"the token file {file} holds no text"):
        await token_of(file)


@pytest.mark.parametrize(
    "source",
    [
        Path("/does/not/exist"),
        "",
        "two words",
        "line\nbreak",
        broken,
        lambda: "snö",
        lambda: None,
        lambda: b"canary",
    ],
    ids=["no file", "empty", "space", "line break", "an error", "not ASCII", "none", "bytes"],
)
async def test_what_is_no_token_is_said_without_showing_it(source: object) -> None:
    with pytest.raises(TokenUnavailable) as failure:
        await token_of(source)  # type: ignore[arg-type]
    assert "canary" not in str(failure.value)
    assert failure.value.__cause__ is None
