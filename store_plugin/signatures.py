"""What tells that a file changed without reading it, and when that cannot be relied on.

Links are followed, so a swap anywhere on the way shows, as Kubernetes swaps the files of
mounted ConfigMaps and Secrets.
"""

import os
import stat
import time
from pathlib import Path
from typing import TypeAlias

Signature: TypeAlias = tuple[int, ...]

_RACY_SECONDS = 2.0
"""File systems count time in steps of up to this, so a file changed this recently may
change again without its times telling."""


def signature_of(path: Path) -> Signature | None:
    """The signature of a regular file; None for anything else. Blocking; raises OSError."""
    found = path.stat()
    return _signature(found) if stat.S_ISREG(found.st_mode) else None


def lasting(signature: Signature | None) -> Signature | None:
    """The signature, if any later change of the file will show in it; otherwise None."""
    if signature is None or max(signature[-2:]) / 1e9 > time.time() - _RACY_SECONDS:
        return None
    return signature


def _signature(found: os.stat_result) -> Signature:
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
