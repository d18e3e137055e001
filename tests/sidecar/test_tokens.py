"""The token that callers of a socket show, in a file that changes while calls come."""

import asyncio
from pathlib import Path

import pytest

from store_plugin.errors import InvalidRequest
from store_plugin.sidecar import tokens
from store_plugin.sidecar.tokens import TokenFile
from tests.support.fakes import RecordingLog
from tests.support.waiting import until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("one\n")
    return path


async def test_a_renewed_token_is_the_only_one_that_counts(path: Path) -> None:
    file = TokenFile(path, RecordingLog())
    assert file.matches("one")
    path.write_text("two\n")
    await file.look()
    assert file.matches("two")
    assert not file.matches("one")


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_text("\n")], ids=["gone", "empty"])
async def test_a_file_without_a_token_leaves_the_last_one_in_force_and_is_told_once(
    path: Path, spoil: object
) -> None:
    log = RecordingLog()
    file = TokenFile(path, log)
    for _ in range(2):
        spoil(path)  # type: ignore[operator]
        for _ in range(3):
            await file.look()
            assert file.matches("one")
        assert not file.matches("")
        path.write_text("one")
        await file.look()
        assert file.matches("one")
    assert log.events() == ["client token not renewed, the last one stays in force"] * 2
    assert "one" not in [str(value) for _, _, fields in log.lines for value in fields.values()]


async def test_it_is_looked_at_again_and_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_LOOK_EVERY", 0.01)
    file = TokenFile(path, RecordingLog())
    following = asyncio.create_task(file.follow())
    try:
        for token in ("two", "three"):
            path.write_text(token)
            await until(lambda token=token: file.matches(token))  # type: ignore[misc]
    finally:
        following.cancel()


@pytest.mark.parametrize("content", ["", " \n"])
def test_without_a_token_nothing_starts(path: Path, content: str) -> None:
    path.write_text(content)
    with pytest.raises(InvalidRequest, match="is empty"):
        TokenFile(path, RecordingLog())


def test_a_file_that_is_no_token_is_not_read_whole(path: Path) -> None:
    path.write_bytes(b"x" * 70_000)
    with pytest.raises(InvalidRequest, match=r"--client-token-file .* is longer than 65536 bytes"):
        TokenFile(path, RecordingLog())
