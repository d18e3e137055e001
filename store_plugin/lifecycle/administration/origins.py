"""What is known of an executable besides its content: where it came from, and its signature.

Kept as one small file beside each, so that a signature can be checked again when the executable is
registered: the key may have been taken from the trusted ones since.
"""

from datetime import datetime
from pathlib import Path

from pydantic import Field, ValidationError

from store_plugin.lifecycle.files import remove_file, replace_file
from store_plugin.lifecycle.layout import Layout
from store_plugin.lifecycle.registration import Digest, PluginName, Version
from store_plugin.spec import Manifest


class Origin(Manifest):
    """One installed executable."""

    digest: Digest
    source: str = Field(max_length=4096)
    """The file it was, or the repository."""
    name: PluginName | None = None
    """As the repository or the build says; left out: only the plugin itself can tell."""
    version: Version | None = None
    signature: str | None = Field(default=None, max_length=4096)
    """Base64, as `cosign sign-blob` writes it."""
    installed_at: datetime


class Origins:
    """All of one plugins directory. Blocking."""

    def __init__(self, layout: Layout) -> None:
        self._directory = layout.installed

    def put(self, origin: Origin) -> None:
        """Note it, over what was noted of the same executable. StoreUnavailable."""
        replace_file(self._file(origin.digest), origin.model_dump_json(by_alias=True).encode())

    def get(self, digest: str) -> Origin | None:
        """What is noted of an executable; None where nothing is that can be read."""
        try:
            return Origin.model_validate_json(self._file(digest).read_bytes())
        except (OSError, ValidationError):
            return None

    def all(self) -> list[Origin]:
        """The newest first."""
        found = [self.get(path.stem) for path in self._directory.glob("*.json")]
        return sorted((one for one in found if one), key=lambda one: one.installed_at, reverse=True)

    def remove(self, digest: str) -> None:
        """Forget what was noted. StoreUnavailable."""
        remove_file(self._file(digest))

    def _file(self, digest: str) -> Path:
        return self._directory / f"{digest}.json"
