"""The index of a repository: which file is which version of which plugin, and who signed it.

It is read from strangers, so everything in it is bounded and checked, and a file's name is one
name, never a path.
"""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError

from store_plugin.errors import InvalidRequest, PluginNotFound, TooLarge
from store_plugin.lifecycle.registration import Digest, PluginName, Version
from store_plugin.spec import Manifest
from store_plugin.trust import MAX_EXECUTABLE_BYTES

INDEX_NAME = "index.json"
MAX_INDEX_BYTES = 8 * 1024 * 1024
MOST_RELEASES = 10_000
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,199}\Z")


def _checked_file(name: str) -> str:
    if not _FILE.match(name) or name == INDEX_NAME:
        raise ValueError("a file in a repository has a plain name: letters, digits and ._+-")
    return name


class Release(Manifest):
    """One file of a repository."""

    name: PluginName
    version: Version
    file: Annotated[str, AfterValidator(_checked_file)]
    """Beside the index."""
    digest: Digest
    size: int = Field(ge=1, le=MAX_EXECUTABLE_BYTES)
    """Bytes."""
    signature: str | None = Field(default=None, max_length=4096)
    """Base64, as `cosign sign-blob` writes it."""


class Index(Manifest):
    """The file `index.json`."""

    format_version: Literal[1] = 1
    releases: tuple[Release, ...] = Field(default=(), max_length=MOST_RELEASES)
    """In the order they were published: of one plugin the newest is last."""

    def find(self, name: str, version: str | None) -> Release:
        """A version, or the one published last. PluginNotFound tells which there are."""
        of_name = [release for release in self.releases if release.name == name]
        found = [release for release in of_name if version in (None, release.version)]
        if found:
            return found[-1]
        if of_name:
            there = ", ".join(release.version for release in of_name[-5:])
            raise PluginNotFound(f"the repository has no version {version} of {name}; it has {there}")
        names = ", ".join(sorted({release.name for release in self.releases})[:10]) or "nothing"
        raise PluginNotFound(f"the repository has no plugin {name}; it has {names}")


def read_index(content: bytes, where: str) -> Index:
    """The index in `content`. InvalidRequest says what is wrong with it, TooLarge."""
    if len(content) > MAX_INDEX_BYTES:
        raise TooLarge(f"the index of {where} is larger than {MAX_INDEX_BYTES} bytes")
    try:
        return Index.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise InvalidRequest(f"the index of {where} is damaged: {place}: {first['msg']}") from None
