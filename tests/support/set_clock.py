"""A clock that somebody sets while processes run: they, and no others, see it jump.

libfaketime comes between them and the C library, gRPC's core and OpenSSL included. The clock that
measures spans of time (CLOCK_MONOTONIC) goes on as it does where an administrator sets the time.
"""

import importlib.util
import platform
import time
from collections.abc import Mapping
from pathlib import Path

_SEEN_WITHIN = 1.2
"""Seconds after which all processes go by another time: they look once a second. libfaketime's looks know
nothing of other threads, so to look at each call would be asking for trouble."""


class SetClock:
    """The time of day for all that runs with its `environment`."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "clock"
        self._write(0)

    def ahead(self, seconds: int) -> None:
        """Set it wrong by so much, below zero: behind. Returns when all have seen it."""
        self._write(seconds)
        time.sleep(_SEEN_WITHIN)

    def _write(self, seconds: int) -> None:
        written = self._file.with_suffix(".new")
        written.write_text(f"{seconds:+d}\n")
        written.replace(self._file)

    @property
    def environment(self) -> Mapping[str, str]:
        """For a process and, where it hands that on, those that it starts."""
        return {
            "LD_PRELOAD": str(_library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",  # its name until 0.9.6
            "FAKETIME_CACHE_DURATION": "0",  # within the second
        }

    @property
    def preload(self) -> str:
        """The same as a Python program's own first act, for one whose environment others decide."""
        return (
            "import os, sys\n"
            "if 'LD_PRELOAD' not in os.environ:\n"
            f"    os.environ.update({dict(self.environment)!r})\n"
            "    os.execv(sys.executable, [sys.executable, '-S', *sys.argv])\n"
        )


def _library() -> Path:
    """Found without its package's Python, which starts processes anew."""
    assert platform.machine() == "x86_64", "the wheel of libfaketime holds a library for x86-64 only"
    package = importlib.util.find_spec("libfaketime")
    assert package and package.origin, "libfaketime is not installed: run 'make venv'"
    library = Path(package.origin).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
    assert library.exists(), f"{library} is not there"
    return library
