"""A token is obtained before dialling, anew each time, and never shown."""

from pathlib import Path

import pytest

from store_plugin.errors import TokenUnavailable
from store_plugin.plugin.tokens import token_of


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


@pytest.mark.parametrize(
    "source",
    [Path("/does/not/exist"), "", "two words", "line\nbreak", broken, lambda: "snö"],
    ids=["no file", "empty", "space", "line break", "an error", "not ASCII"],
)
async def test_what_is_no_token_is_said_without_showing_it(source: object) -> None:
    with pytest.raises(TokenUnavailable) as failure:
        await token_of(source)  # type: ignore[arg-type]
    assert "canary" not in str(failure.value)
    assert failure.value.__cause__ is None
