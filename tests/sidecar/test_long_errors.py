"""An error's message always fits into the headers that clients take."""

import pytest

from store_plugin.sidecar.interceptors.error_mapping import shortened


def in_a_header(message: str) -> int:
    """Bytes of `grpc-message`, which escapes all but printable ASCII."""
    return sum(1 if 0x20 <= byte <= 0x7E else 3 for byte in message.encode())


@pytest.mark.parametrize("letter", ["x", "\n", "é", "語", "🙂"])
def test_a_long_message_is_cut_to_what_clients_take(letter: str) -> None:
    cut = shortened(letter * 10_000)
    assert in_a_header(cut) < 3200
    assert cut.startswith(letter * 240)
    assert cut.endswith("(the sidecar's log has more)")


@pytest.mark.parametrize("message", ["", "x" * 1000, "é" * 500, "🙂" * 250])
def test_a_message_that_fits_stays(message: str) -> None:
    assert shortened(message) == message


def test_half_a_character_is_none() -> None:
    assert shortened("a\ud800b") == "a?b"
