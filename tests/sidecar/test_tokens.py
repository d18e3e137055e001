"""The token that callers of a socket show, in a file that changes while calls come."""

from pathlib import Path

import pytest

from store_plugin.errors import InvalidRequest
from store_plugin.sidecar import tokens
from store_plugin.sidecar.tokens import TokenFile
from tests.support.fakes import RecordingLog


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is looked at with every call."""
    monkeypatch.setattr(tokens, "_LOOK_EVERY", 0.0)
    path = tmp_path / "token"
    path.write_text("one\n")
    return path


def test_a_renewed_token_is_the_only_one_that_counts(path: Path) -> None:
    file = TokenFile(path, RecordingLog())
    assert file.matches("one")
    path.write_text("two\n")
    assert file.matches("two")
    assert not file.matches("one")


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_text("\n")], ids=["gone", "empty"])
def test_a_file_without_a_token_leaves_the_last_one_in_force_and_is_told_once(
    path: Path, spoil: object
) -> None:
    log = RecordingLog()
    file = TokenFile(path, log)
    for _ in range(2):
        spoil(path)  # type: ignore[operator]
        assert [file.matches("one") for _ in range(3)] == [True] * 3
        assert not file.matches("")
        path.write_text("one")
        assert file.matches("one")
    assert log.events() == ["client token not renewed, the last one stays in force"] * 2
    assert "one" not in [str(value) for _, _, fields in log.lines for value in fields.values()]


@pytest.mark.parametrize("content", ["", " \n"])
def test_without_a_token_nothing_starts(path: Path, content: str) -> None:
    path.write_text(content)
    with pytest.raises(InvalidRequest, match="is empty"):
        TokenFile(path, RecordingLog())
