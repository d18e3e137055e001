"""A store backend as a plugin: a directory is the store, and each secret a JSON file in it.

    python examples/store-backend/folder_backend.py unix:///run/store-plugin/hub.sock

Nothing is encrypted: it shows how a backend is written, and is no place for real secrets.
"""

import asyncio
import fcntl
import hashlib
import json
import sys
import uuid
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

from store_plugin.errors import Conflict, InvalidRequest, StoreUnavailable, VersionNotFound
from store_plugin.model import ABSENT, Presence, ScopedName, Secret, StoredSecret, Version
from store_plugin.plugin import Plugin
from store_plugin.spec import StoreSpec
from store_plugin.store import Capabilities, Environment

API_VERSION, KIND = "backends.example.org/v1", "FolderConfig"


class FolderSpec(StoreSpec):
    """The `spec` of a FolderConfig, besides what every kind has."""

    directory: str


class FolderStore:
    capabilities = Capabilities(compare_and_set=True, conditional_delete=True)

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def location(self, name: ScopedName) -> str:
        return f"folder:{self._directory}/{name}"

    async def read(self, name: ScopedName, version: Version | None = None) -> StoredSecret:
        found = await asyncio.to_thread(self._read, name)
        if version not in (None, found.version):
            raise VersionNotFound(f"secret {name} has no version {version} any more")
        return found

    async def write(self, name: ScopedName, secret: Secret, *, base: StoredSecret) -> Version | None:
        return await asyncio.to_thread(self._replace, name, base, secret)

    async def delete(self, name: ScopedName, *, base: StoredSecret) -> None:
        await asyncio.to_thread(self._replace, name, base, None)

    def names(self, scope: str = "") -> Any:
        raise InvalidRequest("a folder cannot be listed: its files are named after digests")

    async def check(self) -> list[str]:
        if not await asyncio.to_thread(self._directory.is_dir):
            raise StoreUnavailable(f"the directory {self._directory} is not there", retry_after=5.0)
        return []

    async def aclose(self) -> None:
        """Nothing is held open."""

    def _file(self, name: ScopedName) -> Path:
        return self._directory / f"{hashlib.sha256(str(name).encode()).hexdigest()}.json"

    def _read(self, name: ScopedName) -> StoredSecret:
        try:
            document = json.loads(self._file(name).read_text())
        except FileNotFoundError:
            return ABSENT
        except OSError as error:
            raise StoreUnavailable(f"secret {name} cannot be read: {error.strerror}") from None
        data = {key: b64decode(value) for key, value in document["data"].items()}
        return StoredSecret(Presence.PRESENT, Secret(data, document["metadata"]), document["version"])

    def _replace(self, name: ScopedName, base: StoredSecret, secret: Secret | None) -> Version | None:
        """Only if it is still as `base` says: whoever writes holds the lock, in any process."""
        try:
            with (self._directory / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if self._read(name).version != base.version:
                    raise Conflict(f"secret {name} has changed since it was read")
                return self._put(self._file(name), secret)
        except OSError as error:
            raise StoreUnavailable(f"secret {name} cannot be written: {error.strerror}") from None

    def _put(self, file: Path, secret: Secret | None) -> Version | None:
        if secret is None:
            file.unlink(missing_ok=True)
            return None
        # No version ever comes again: a secret made anew is not the one that was read.
        version = Version(uuid.uuid4().hex)
        data = {key: b64encode(value).decode() for key, value in secret.data.items()}
        draft = file.with_suffix(".draft")
        draft.write_text(json.dumps({"version": version, "data": data, "metadata": dict(secret.metadata)}))
        draft.replace(file)
        return version


class FolderFactory:
    spec_model = FolderSpec

    async def open(self, spec: FolderSpec, environment: Environment) -> FolderStore:
        return FolderStore(Path(spec.directory))


def main() -> None:
    """With the endpoint of a hub as its argument, or as a sidecar starts it."""
    plugin = Plugin("folder", "1.0")
    plugin.serve_store(FolderFactory(), api_version=API_VERSION, kind=KIND)
    if len(sys.argv) == 2 and "://" in sys.argv[1]:
        asyncio.run(plugin.run(sys.argv[1]))
    else:
        plugin.main()


if __name__ == "__main__":
    main()
