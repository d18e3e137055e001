"""Directories for a while: what is fetched or built lies there until it is installed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from store_plugin.errors import StoreUnavailable


@contextmanager
def scratch(purpose: str) -> Iterator[Path]:
    """A directory of the owner's own, gone after the block. StoreUnavailable where none can be made, as
    in a container whose file system is read-only. Blocking."""
    try:
        made = TemporaryDirectory(prefix=f"store-plugin-{purpose}-")
    except OSError as error:
        raise StoreUnavailable(
            f"no temporary directory can be made: {error.strerror}; let TMPDIR name a directory that can be "
            "written"
        ) from None
    with made as directory:
        yield Path(directory)
