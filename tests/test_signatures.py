"""When the times of a file can be relied on."""

import time
from pathlib import Path

import pytest

from store_plugin.signatures import lasting, signature_of

HOUR = 3_600 * 10**9


@pytest.mark.parametrize(
    ("changed", "moved", "relied_on"),
    [
        pytest.param(-HOUR, -HOUR, True, id="long ago"),
        pytest.param(0, -HOUR, False, id="content just now"),
        pytest.param(-HOUR, 0, False, id="put there just now"),
        pytest.param(HOUR, HOUR, False, id="from the future"),
    ],
)
def test_a_recent_change_makes_a_signature_unreliable(changed: int, moved: int, relied_on: bool) -> None:
    now = time.time_ns()
    signature = (1, 2, 3, now + changed, now + moved)
    assert lasting(signature) == (signature if relied_on else None)


def test_a_signature_follows_links_and_is_none_for_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("file")
    assert signature_of(tmp_path / "link") == signature_of(tmp_path / "file")
    assert signature_of(tmp_path) is None
    with pytest.raises(FileNotFoundError):
        signature_of(tmp_path / "none")
