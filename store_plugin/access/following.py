"""An access config that changes while it is used: what the file says now, as long as it says it well.

A mounted ConfigMap is swapped under a running application. A file that became wrong leaves the last
good one in force, and what is wrong can be asked for.
"""

import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from store_plugin.access.providers import Provider, read_providers
from store_plugin.errors import ConfigInvalid
from store_plugin.signatures import Signature, lasting, signature_of

LOOK_SECONDS = 1.0
"""The file is looked at no more often."""


class ProvidersFile:
    """ConfigInvalid where the file is wrong from the beginning. For any thread; a look takes a
    `stat`, a change the time to read a small file."""

    def __init__(self, file: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = file
        self._clock = clock
        self._lock = Lock()
        # Looked at before it is read: what changes in between shows at the next look.
        self._seen = _look(file)
        self._looked_at = clock()
        self._providers = read_providers(file)
        self.problem = ""
        """What is wrong with the file now; empty: nothing."""

    def providers(self) -> tuple[Provider, ...]:
        """The last good ones. The same object as before where nothing has changed."""
        with self._lock:
            if self._clock() >= self._looked_at + LOOK_SECONDS:
                self._looked_at = self._clock()
                self._renew()
            return self._providers

    def _renew(self) -> None:
        seen = _look(self._file)
        if seen is not None and seen == self._seen:
            return
        try:
            providers = read_providers(self._file)
        except ConfigInvalid as error:
            self.problem = error.message
        else:
            self.problem = ""
            if providers != self._providers:
                self._providers = providers
        self._seen = seen


def _look(file: Path) -> Signature | None:
    """What tells a change; None: it has to be read to know."""
    try:
        return lasting(signature_of(file))
    except OSError:
        return None
