"""A secret as it is stored: value and tags are asked for at once, and again where what they
tell does not belong together."""

import re

from store_plugin.errors import Conflict, VersionNotFound
from store_plugin.model import ScopedName, StoredSecret, Version
from stores.aws.pairs import both
from stores.aws.secrets_manager.calls import Calls
from stores.aws.secrets_manager.contents import CURRENT, NoValue, Value, put_together, version_of
from stores.aws.spec import Tags

_LOOKS = 8
_VERSION_ID = re.compile(r"[^\s/]{32,64}\Z")


class Reader:
    """Reads the secrets of one config. `fixed` are the tags that the config sets: no metadata."""

    def __init__(self, calls: Calls, fixed: Tags) -> None:
        self._calls = calls
        self._fixed = fixed

    async def latest(self, name: ScopedName, full: str) -> StoredSecret:
        value: Value | NoValue
        for _ in range(_LOOKS):
            value, about = await both(
                self._calls.value(full, {"VersionStage": CURRENT}), self._calls.about(full)
            )
            stored = put_together(value, about, full, self._fixed)
            if stored is not None:
                return stored
        if isinstance(value, NoValue) and value.refused:
            raise value.error
        raise Conflict(f"secret {name} kept changing while it was read; try again", retry_after=1.0)

    async def version(self, name: ScopedName, full: str, version: Version) -> StoredSecret:
        unknown = VersionNotFound(f"secret {name} has no version {version[:64]!r}")
        if not _VERSION_ID.match(version):
            raise unknown
        value, about = await both(self._calls.value(full, {"VersionId": version}), self._calls.about(full))
        if isinstance(value, NoValue) or about is None or about.deleted:
            raise unknown
        return version_of(value, about, full, self._fixed)
