"""Files that people name to a command: read whole, or not at all."""

from pathlib import Path

from store_plugin.errors import InvalidRequest


def read_given(file: Path, most: int) -> bytes:
    """The content, of `most` bytes at most. InvalidRequest where it is longer, for half of it may
    say something else than all of it, and where it cannot be read. Blocking."""
    try:
        with file.open("rb") as opened:
            content = opened.read(most + 1)
    except OSError as error:
        raise InvalidRequest(f"{file} cannot be read: {error.strerror}") from None
    if len(content) > most:
        raise InvalidRequest(f"{file} is longer than {most} bytes, too large for what it should be")
    return content
