"""Small files, replaced as a whole: a reader finds the old one or the new one, never half of one."""

import os
import secrets
from pathlib import Path

from store_plugin.errors import StoreUnavailable


def replace_file(file: Path, content: bytes, mode: int = 0o600) -> None:
    """Write `content` in the place of `file`, on the disk when this returns. StoreUnavailable;
    then nothing has changed. Blocking."""
    draft = file.with_name(f".{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as written:
            written.write(content)
            written.flush()
            os.fsync(written.fileno())
        draft.chmod(mode)
        draft.replace(file)
    except OSError as error:
        raise StoreUnavailable(f"{file} cannot be written: {error.strerror}") from None
    finally:
        draft.unlink(missing_ok=True)
